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
	var o replayOptions
	var atEnd string
	cmd := &cobra.Command{
		Use:   "replay --reference DIR [--rules FILE] [--at-end close|leave] [--explain [--id ID]] FILE…",
		Short: "judge events of files: violations as NDJSON, each once in its final state",
		Long: "Reads events (NDJSON or CSV; - is stdin) in order of arrival and prints the violations that they make, by start\n" +
			"and then id. The same input gives the same bytes. Weigh stations whose place or clock is wrong are named on stderr.\n\n" +
			"With --explain each line is {\"violation\":…,\"explanation\":…}, in Chinese and English: the rule with its numbers as set, the\n" +
			"limit and where it comes from, the moments at which the rule decided and why, what the vehicle reported, and whether the\n" +
			"evidence hash comes out again. What was opened and then disproved is there too, with the state retracted.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			if o.dir == "" {
				return usageError{errors.New("--reference: give the folder with the reference data")}
			}
			if atEnd != "close" && atEnd != "leave" {
				return usageError{fmt.Errorf("--at-end: %q; one of close, leave", atEnd)}
			}
			if o.id != "" && !o.explain {
				return usageError{errors.New("--id: names the violation that --explain explains; give --explain too")}
			}
			o.close = atEnd == "close"
			return replay(cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), o, files)
		},
	}
	cmd.Flags().StringVar(&o.dir, "reference", "", "folder with vehicles.csv, fences.geojson and the other reference files")
	cmd.Flags().StringVar(&o.rules, "rules", "", "settings of the rules, instead of the reference folder's rules.yaml")
	cmd.Flags().StringVar(&atEnd, "at-end", "close", "close what is open at the end of the data, or leave it open")
	cmd.Flags().BoolVar(&o.explain, "explain", false, "explain each violation, also those that were retracted")
	cmd.Flags().StringVar(&o.id, "id", "", "with --explain, only the violation with this id")
	return cmd
}

// replayOptions are the flags.
type replayOptions struct {
	dir, rules     string
	close, explain bool
	id             string
}

func replay(stdin io.Reader, stdout, stderr io.Writer, o replayOptions, files []string) error {
	data, info, err := reference.Load(o.dir)
	if err != nil {
		return err
	}
	if o.rules == "" {
		o.rules = filepath.Join(o.dir, reference.Rules)
	} else if _, err := os.Stat(o.rules); err != nil {
		return fmt.Errorf("--rules: %w", err)
	}
	settings, err := worker.LoadRules(o.rules)
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
	out := bufio.NewWriter(stdout)
	if o.explain {
		err = writeExplained(out, snap, events, o)
	} else {
		violations, stats := detect.Replay(snap, events, o.close)
		for _, station := range slices.Sorted(maps.Keys(stats.StationFaults)) {
			fmt.Fprintf(stderr, "weigh station %s contradicts the positions of more than %d vehicles within %v (%d weighings), which is held against none of them: check its clock, and its place in stations.csv\n",
				station, settings.PositionConflict.StationVehicles, time.Duration(settings.PositionConflict.StationWindowS)*time.Second, stats.StationFaults[station])
		}
		for i := range violations {
			if err = writeLine(out, &violations[i]); err != nil {
				break
			}
		}
	}
	return errors.Join(err, out.Flush())
}

// writeExplained writes every violation with its explanation, one after another: an explanation is many times as large as what it explains.
func writeExplained(out *bufio.Writer, snap *detect.Snapshot, events []ingest.Event, o replayOptions) error {
	found := detect.Explain(snap, events, detect.ExplainOptions{Close: o.close, ID: o.id})
	list := found.Violations()
	if o.id != "" && len(list) == 0 {
		return fmt.Errorf("--id: these events make no violation %q; lushao replay --explain without --id lists all", o.id)
	}
	for i := range list {
		if err := writeLine(out, explained{&list[i], found.Explanation(&list[i])}); err != nil {
			return err
		}
	}
	return nil
}

// explained is a line of replay --explain.
type explained struct {
	Violation   *detect.Violation   `json:"violation"`
	Explanation *detect.Explanation `json:"explanation"`
}

func writeLine(out *bufio.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	out.Write(b)
	return out.WriteByte('\n')
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
