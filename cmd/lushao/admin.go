package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"lushao/detect"
	"lushao/detect/reference"
	"lushao/detect/worker"
	"lushao/enforce/store"
	"lushao/internal/embed/chengine"
)

func newCheck() *cobra.Command {
	var f configFlags
	var r rulesCheck
	cmd := &cobra.Command{
		Use:   "check --config FILE | --rules FILE [--against FILE | --reference DIR]",
		Short: "check the configuration, the reference data and the rules, and change nothing",
		Long: "Checks the configuration, the reference data and the rules, and changes nothing. With --rules it checks the settings of the rules in\n" +
			"that file alone, and says in plain words what they alter: against another file (--against), the rules of a reference folder\n" +
			"(--reference) or of the configuration (--config), else the rule book's own numbers.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.asked() {
				return r.run(&f, cmd.OutOrStdout())
			}
			c, err := f.load()
			if err != nil {
				return err
			}
			return check(c, cmd.OutOrStdout())
		},
	}
	f.add(cmd)
	r.add(cmd)
	return cmd
}

func check(c *Config, out io.Writer) error {
	roles := []role{roleGateway, roleDetect, roleEnforce}
	if err := c.validate(roles...); err != nil {
		return err
	}
	fmt.Fprintln(out, "configuration: good")
	data, info, err := reference.Load(c.Reference.Dir)
	if errors.Is(err, os.ErrNotExist) { // lushao up makes the folder
		fmt.Fprintf(out, "reference data: %s is not there yet: no vehicle, fence or station is known\n", c.Reference.Dir)
		return nil
	}
	if err != nil {
		return err
	}
	settings, err := worker.LoadRules(filepath.Join(c.Reference.Dir, reference.Rules))
	if err != nil {
		return err
	}
	snap, err := detect.Compile(data, *settings, info.Digest, 1, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	if _, err := terminals(data); err != nil {
		return err
	}
	for _, w := range info.Warnings {
		fmt.Fprintln(out, "remark:", w)
	}
	fmt.Fprintf(out, "reference data: good; %s: %d vehicles, %d fences\n", c.Reference.Dir, snap.Vehicles(), snap.Fences())
	fmt.Fprintf(out, "rules: good; version %s\n", snap.RuleVersion)
	for i := range settings.Shadows {
		sh := &settings.Shadows[i]
		fmt.Fprintf(out, "shadow %s: tries other settings of %s\n", sh.Name, kindList(sh.Kinds(settings)))
	}
	return nil
}

func newMigrate() *cobra.Command {
	var f configFlags
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "bring the tables of ClickHouse to this version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.load()
			if err != nil {
				return err
			}
			return migrate(cmd.Context(), c, cmd.OutOrStdout())
		},
	}
	f.add(cmd)
	return cmd
}

func migrate(ctx context.Context, c *Config, out io.Writer) (err error) {
	if err := c.Store.Validate(c.embeddedStore()); err != nil {
		return err
	}
	var s *store.Store
	if c.embeddedStore() {
		e, err := chengine.Open(c.Embedded.ClickHouse)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, e.Close(context.WithoutCancel(ctx))) }()
		s, err = store.Open(ctx, c.Store, e)
		if err != nil {
			return err
		}
	} else if s, err = store.Open(ctx, c.Store, nil); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.Migrate(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "the tables are those of this version")
	return nil
}

// version is set by make from the repository.
var version = ""

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := version
			if v == "" {
				v = "unknown"
				if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
					v = info.Main.Version
				}
			}
			defaults := detect.DefaultSettings()
			fmt.Fprintf(cmd.OutOrStdout(), "lushao %s %s %s/%s, rules %s\n", v, runtime.Version(), runtime.GOOS, runtime.GOARCH, defaults.Version())
			return nil
		},
	}
}
