// Command lushao (路哨) takes in what road-transport vehicles and weigh stations report, finds violations while they happen,
// and keeps them with their evidence.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError is wrong usage: flags and arguments, not what they lead to.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() {
	// The first signal asks for a clean stop; a second one ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	// One line, so that it can be read in a log: joined errors stand behind each other.
	fmt.Fprintln(os.Stderr, "lushao:", strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintln(os.Stderr, "See lushao --help.")
		return exitUsage
	}
	return exitFailed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "lushao",
		Short:         "lushao (路哨) finds violations in road transport while they happen",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newUp(), newRole(roleGateway), newRole(roleDetect), newRole(roleEnforce),
		newDecode(), newReplay(), newImport(), newSim(), newTail(), newCheck(), newMigrate(), newVersion())
	// An argument that a command does not take, or a command that there is not, is wrong usage too.
	for _, c := range append(root.Commands(), root) {
		if check := c.Args; check != nil {
			c.Args = func(cmd *cobra.Command, args []string) error {
				if err := check(cmd, args); err != nil {
					return usageError{err}
				}
				return nil
			}
		}
	}
	return root
}

// configFlags are the flags of every command that reads the configuration.
type configFlags struct {
	path string
	data string
}

func (f *configFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.path, "config", "", "configuration file (YAML)")
	cmd.Flags().StringVar(&f.data, "data", "", "folder of everything that is kept (default ./data)")
}

func (f *configFlags) load() (*Config, error) {
	c, err := loadConfig(f.path)
	if err != nil {
		return nil, err
	}
	if f.data != "" {
		c.Data = f.data
	}
	c.settle()
	return c, nil
}
