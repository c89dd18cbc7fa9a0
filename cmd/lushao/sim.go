package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lushao/detect"
	"lushao/detect/reference"
	"lushao/internal/sim"
	"lushao/internal/sim809"
)

func newSim() *cobra.Command {
	c := sim.DefaultConfig()
	platforms := newPlatformSim()
	var protocol, mix, faults, truth, events, start, tokenFile, register string
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "drive a simulated fleet over real sockets",
		Long: "Drives a fleet along roads over real sockets: JT/T 808 to --gateway, weigh records to --weigh. It breaks rules on\n" +
			"purpose by --violations, and writes what it did to --truth. The same --seed and --start give the same fleet, the same\n" +
			"ways and the same violations. The server must know the fleet: --write-reference DIR writes its register and ends." + platformHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if protocol != "808" && protocol != "809" {
				return usageError{fmt.Errorf("--protocol: %q; 808 or 809", protocol)}
			}
			if c.Violations, err = sim.ParseMix(mix); err != nil {
				return usageError{err}
			}
			if protocol == "808" {
				if c.Faults, err = sim.ParseFaults(faults); err != nil {
					return usageError{err}
				}
			}
			if start != "" {
				if c.Start, err = time.Parse(time.RFC3339, start); err != nil {
					return usageError{fmt.Errorf("--start: %w", err)}
				}
			}
			if protocol == "809" {
				err = platforms.settle(cmd.Flags(), c, faults)
			} else {
				err = c.Validate()
			}
			if err != nil {
				return usageError{err}
			}
			if register != "" {
				return writeRegister(cmd.OutOrStdout(), register, c)
			}
			if protocol == "809" && platforms.c.Side == sim809.Superior {
				return platforms.run(cmd, truth, events)
			}
			if tokenFile != "" {
				b, err := os.ReadFile(tokenFile)
				if err != nil {
					return fmt.Errorf("--weigh-token-file: %w", err)
				}
				c.WeighToken = strings.TrimSpace(string(b))
			}
			if protocol == "809" {
				platforms.c.Fleet.WeighToken = c.WeighToken
				return platforms.run(cmd, truth, events)
			}
			return runSim(cmd, c, truth, events)
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.Gateway, "gateway", c.Gateway, "host:port of the JT/T 808 gateway; empty: no terminals are connected. 809: of the superior platform, "+platforms.c.Gateway+" by default")
	f.StringVar(&c.WeighURL, "weigh", "http://127.0.0.1:8080/v1/weighings", "URL that takes weigh records; empty: none are sent")
	f.StringVar(&tokenFile, "weigh-token-file", "data/secrets/weighings", "file with the bearer token for weigh records; empty: none")
	f.StringVar(&protocol, "protocol", "808", "protocol: 808 of terminals, 809 of platforms")
	f.IntVar(&c.Vehicles, "vehicles", c.Vehicles, "number of vehicles")
	f.IntVar(&c.Stations, "stations", c.Stations, "number of weigh stations")
	f.Float64Var(&c.Rate, "rate", c.Rate, "positions a second of the whole fleet; 0: as fast as they are acknowledged")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "what the fleet, its ways and its violations are made from")
	f.DurationVar(&c.Duration, "duration", c.Duration, "simulated time to drive; 0: until stopped")
	f.DurationVar(&c.Interval, "interval", c.Interval, "simulated time between two positions of a vehicle")
	f.StringVar(&start, "start", "", "simulated time of the beginning (RFC 3339); default: such that the drive ends now")
	f.StringVar(&mix, "violations", "speeding=0.1,fence_entry=0.15,overload=0.2", "share of trips made for each kind of violation, or none")
	f.StringVar(&faults, "faults", "", "share of messages, connections or vehicles that misbehave, by fault, as in half=0.01,checksum=0.02")
	f.StringSliceVar(&c.Editions, "editions", c.Editions, "editions of JT/T 808 that the terminals speak")
	f.StringVar(&truth, "truth", "", "file for the violations that were driven, NDJSON; - is stdout")
	f.StringVar(&events, "events", "", "file for every event as it was sent, NDJSON; - is stdout")
	f.StringVar(&register, "write-reference", "", "write the fleet's reference data to this folder, and end")
	platforms.flags(f)
	return cmd
}

func writeRegister(out io.Writer, dir string, c sim.Config) error {
	fleet, err := sim.New(c)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if err := reference.Write(dir, fleet.Reference()); err != nil {
		return err
	}
	fmt.Fprintf(out, "wrote the reference data of %d vehicles and %d stations to %s\n", c.Vehicles, c.Stations, dir)
	return nil
}

func runSim(cmd *cobra.Command, c sim.Config, truth, events string) (err error) {
	for _, o := range []struct {
		name string
		into *io.Writer
	}{{truth, &c.Truth}, {events, &c.Events}} {
		switch o.name {
		case "":
		case "-":
			*o.into = cmd.OutOrStdout()
		default:
			f, err := os.Create(o.name)
			if err != nil {
				return err
			}
			defer func() {
				if e := f.Close(); err == nil {
					err = e
				}
			}()
			*o.into = f
		}
	}
	c.Logger = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
	fleet, err := sim.New(c)
	if err != nil {
		return err
	}
	begun := time.Now()
	r, err := fleet.Run(cmd.Context())
	if cmd.Context().Err() != nil {
		err = nil // stopped by a person
	}
	took := time.Since(begun)
	e := cmd.ErrOrStderr()
	fmt.Fprintf(e, "%s: positions %d sent, %d acknowledged (%.0f/s); weigh records %d sent, %d acknowledged; %d connections, %d broke, %d messages sent again\n",
		took.Round(time.Millisecond), r.Positions.Sent, r.Positions.Acknowledged, float64(r.Positions.Acknowledged)/took.Seconds(),
		r.Weighings.Sent, r.Weighings.Acknowledged, r.Connections, r.Breaks, r.Resent)
	var kinds []string
	for k := range r.Violations {
		kinds = append(kinds, string(k))
	}
	slices.Sort(kinds)
	for _, k := range kinds {
		fmt.Fprintf(e, "  %s: %d driven and acknowledged\n", k, r.Violations[detect.Kind(k)])
	}
	var names []string
	for f := range r.Faults {
		names = append(names, string(f))
	}
	slices.Sort(names)
	for _, f := range names {
		fmt.Fprintf(e, "  fault %s: %d times\n", f, r.Faults[sim.Fault(f)])
	}
	if err == nil && r.Positions.Acknowledged < r.Positions.Sent && cmd.Context().Err() == nil {
		err = errors.New("not everything was acknowledged: see the log above for why")
	}
	return err
}
