package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"lushao/detect"
	"lushao/detect/reference"
	"lushao/internal/sim"
)

func newUp() *cobra.Command {
	var f configFlags
	var demo bool
	var vehicles int
	var listen808, listenHTTP string
	cmd := &cobra.Command{
		Use:   "up [--data DIR] [--config FILE] [--demo]",
		Short: "run everything in one process",
		Long: "Runs every role in one process, on an embedded log and an embedded ClickHouse unless the configuration names\n" +
			"others. With --demo a simulated fleet drives over the real sockets.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.load()
			if err != nil {
				return err
			}
			if listen808 != "" {
				c.Gateway.Listen = listen808
			}
			if listenHTTP != "" {
				c.HTTP.Listen = listenHTTP
			}
			return up(cmd.Context(), c, cmd.OutOrStdout(), demo, vehicles)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&demo, "demo", false, "also drive a simulated fleet")
	cmd.Flags().IntVar(&vehicles, "demo-vehicles", 200, "how many vehicles the demo drives")
	cmd.Flags().StringVar(&listen808, "listen-808", "", "host:port for JT/T 808 terminals (gateway.listen)")
	cmd.Flags().StringVar(&listenHTTP, "listen-http", "", "host:port for the API, weigh records and metrics (http.listen)")
	return cmd
}

func up(ctx context.Context, c *Config, out io.Writer, demo bool, vehicles int) error {
	var fleet *sim.Sim
	var fleetConfig sim.Config
	if demo {
		fleetConfig = demoFleet(vehicles)
		if err := writeDemoReference(c, fleetConfig); err != nil {
			return err
		}
	}
	a, err := newApp(c, out, roleGateway, roleDetect, roleEnforce)
	if err != nil {
		return err
	}
	return a.run(ctx, func(ctx context.Context) error {
		if err := a.announce(demo); err != nil || !demo {
			return err
		}
		token, err := os.ReadFile(c.weighTokenFile())
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		fleetConfig.Gateway = reachable(a.gateway.Addr())
		fleetConfig.WeighURL = "http://" + reachable(a.http.Addr()) + "/v1/weighings"
		fleetConfig.WeighToken = strings.TrimSpace(string(token))
		fleetConfig.Logger, fleetConfig.Registerer = a.log.With("part", "demo"), a.reg
		if fleet, err = sim.New(fleetConfig); err != nil {
			return err
		}
		a.visitors = append(a.visitors, a.launch("demo", func(ctx context.Context) error {
			_, err := fleet.Run(ctx)
			return err
		}))
		return nil
	})
}

// The demo begins some while ago and catches up, so that there is something to see at once; then it goes on in real time.
const (
	demoBehind = 90 * time.Minute
	demoPace   = 150 // times as fast as real time, while it catches up
)

func demoFleet(vehicles int) sim.Config {
	c := sim.DefaultConfig()
	c.Vehicles = vehicles
	c.Duration = 0 // until the end
	c.Violations = sim.Mix{detect.KindSpeeding: 0.15, detect.KindFenceEntry: 0.5, detect.KindOverload: 0.2}
	c.Start = time.Now().Add(-demoBehind).Truncate(time.Second)
	c.Rate = demoPace * float64(vehicles) / c.Interval.Seconds()
	return c
}

// demoMark is a file that says whose the reference directory is.
const demoMark = ".demo"

// writeDemoReference writes the fleet's register into the reference directory, unless somebody else's data are there.
func writeDemoReference(c *Config, fleetConfig sim.Config) error {
	dir := c.Reference.Dir
	mark := filepath.Join(dir, demoMark)
	if _, err := os.Stat(mark); err != nil {
		for _, name := range reference.FileNames {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				return fmt.Errorf("--demo: %s holds reference data of your own; give another --data for the demo", dir)
			}
		}
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	fleetConfig.Gateway = "127.0.0.1:0" // not dialled: only the register is asked for
	fleet, err := sim.New(fleetConfig)
	if err != nil {
		return err
	}
	if err := reference.Write(dir, fleet.Reference()); err != nil {
		return fmt.Errorf("--demo: %w", err)
	}
	return os.WriteFile(mark, []byte("The files beside this one are the demo fleet's and are written again with every --demo.\n"), 0o640)
}

// reachable is an address at which this machine reaches a listener.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// announce tells a person where everything is.
func (a *app) announce(demo bool) error {
	base := "http://" + reachable(a.http.Addr())
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	line := func(what, where string) { fmt.Fprintf(w, "  %s\t%s\n", what, where) }
	fmt.Fprintln(w, "lushao is up")
	if a.gateway != nil {
		line("JT/T 808 terminals", a.gateway.Addr().String()+" (TCP)")
	}
	if a.superior != nil && a.superior.Addr() != nil {
		line("JT/T 809 platforms", a.superior.Addr().String()+" (main links)")
	}
	if a.door != nil {
		line("weigh records", "POST "+base+"/v1/weighings")
		for _, t := range a.cfg.Weighings.Tokens {
			if t.File == a.cfg.weighTokenFile() {
				line("", "Authorization: Bearer $(cat "+t.File+")")
			}
		}
	}
	if a.store != nil {
		line("violations", base+"/v1/violations")
	}
	line("health, metrics", base+"/readyz  "+base+"/metrics")
	if a.embedLog != nil {
		line("log (Kafka)", a.embedLog.Addr())
	}
	line("reference data", a.cfg.Reference.Dir)
	if demo {
		line("demo", "a simulated fleet is driving; the first violations come within a minute")
	}
	return w.Flush()
}

func newRole(r role) *cobra.Command {
	short := map[role]string{
		roleGateway: "take in what terminals and weigh stations report",
		roleDetect:  "find violations in events",
		roleEnforce: "keep the record and answer questions about it",
	}
	var f configFlags
	cmd := &cobra.Command{
		Use:   string(r) + " --config FILE",
		Short: short[r],
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.load()
			if err != nil {
				return err
			}
			a, err := newApp(c, cmd.OutOrStdout(), r)
			if err != nil {
				return err
			}
			return a.run(cmd.Context(), func(context.Context) error { return a.announce(false) })
		},
	}
	f.add(cmd)
	return cmd
}
