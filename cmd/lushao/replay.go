package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"lushao/detect"
	"lushao/detect/reference"
	"lushao/detect/worker"
	"lushao/ingest"
	"lushao/ingest/eventfile"
)

func newReplay() *cobra.Command {
	var dir, rules, atEnd string
	cmd := &cobra.Command{
		Use:   "replay --reference DIR [--rules FILE] [--at-end close|leave] FILE…",
		Short: "judge events of files: violations as NDJSON, each once in its final state",
		Long: "Reads events (NDJSON or CSV; - is stdin) in order of arrival and prints the violations that they make, by start\n" +
			"and then id. The same input gives the same bytes. Weigh stations whose place or clock is wrong are named on stderr.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			if dir == "" {
				return usageError{errors.New("--reference: give the folder with the reference data")}
			}
			if atEnd != "close" && atEnd != "leave" {
				return usageError{fmt.Errorf("--at-end: %q; one of close, leave", atEnd)}
			}
			return replay(cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), dir, rules, files, atEnd == "close")
		},
	}
	cmd.Flags().StringVar(&dir, "reference", "", "folder with vehicles.csv, fences.geojson and the other reference files")
	cmd.Flags().StringVar(&rules, "rules", "", "settings of the rules, instead of the reference folder's rules.yaml")
	cmd.Flags().StringVar(&atEnd, "at-end", "close", "close what is open at the end of the data, or leave it open")
	return cmd
}

func replay(stdin io.Reader, stdout, stderr io.Writer, dir, rules string, files []string, close bool) error {
	data, info, err := reference.Load(dir)
	if err != nil {
		return err
	}
	if rules == "" {
		rules = filepath.Join(dir, reference.Rules)
	} else if _, err := os.Stat(rules); err != nil {
		return fmt.Errorf("--rules: %w", err)
	}
	settings, err := worker.LoadRules(rules)
	if err != nil {
		return err
	}
	snap, err := detect.Compile(data, *settings, info.Digest, 1, runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	var events []ingest.Event
	for _, name := range files {
		if events, err = readEvents(stdin, name, events); err != nil {
			return err
		}
	}
	violations, stats := detect.Replay(snap, events, close)
	for _, station := range slices.Sorted(maps.Keys(stats.StationFaults)) {
		fmt.Fprintf(stderr, "weigh station %s contradicts the positions of more than %d vehicles within %v (%d weighings), which is held against none of them: check its clock, and its place in stations.csv\n",
			station, settings.PositionConflict.StationVehicles, time.Duration(settings.PositionConflict.StationWindowS)*time.Second, stats.StationFaults[station])
	}
	out := bufio.NewWriter(stdout)
	for i := range violations {
		b, err := json.Marshal(&violations[i])
		if err != nil {
			return err
		}
		out.Write(b)
		out.WriteByte('\n')
	}
	return out.Flush()
}

// readEvents appends the events of a file. Extras are let go: no rule reads them, and they are most of the memory.
func readEvents(stdin io.Reader, name string, events []ingest.Event) ([]ingest.Event, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	r := eventfile.NewReader(in, name)
	for {
		var e ingest.Event
		err := r.Read(&e)
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return nil, err
		}
		e.Position.Extras = nil
		events = append(events, e)
	}
}
