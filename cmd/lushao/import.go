package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"lushao/detect/reference/edit"
	"lushao/detect/reference/mapfile"
	"lushao/detect/worker"
)

func newImport() *cobra.Command {
	var into, as, who string
	var o mapfile.Options
	versions := worker.DefaultReferenceConfig().Versions
	cmd := &cobra.Command{
		Use:   "import FILE… --into DIR",
		Short: "take places out of GeoJSON, KML, KMZ and shapefiles into the reference data",
		Long: "Reads places that other programs have drawn and puts them into a reference folder, as one version that can be\n" +
			"restored. Properties of the reference format (id, name, kind, classes, …) are taken where they are there. What is\n" +
			"wrong with a place is said place by place; then nothing is taken, unless --skip-bad says to take the others.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			if into == "" {
				return usageError{errors.New("--into: give the folder with the reference data")}
			}
			var ok bool
			if o.Layer, ok = edit.ParseLayer(as); !ok {
				return usageError{fmt.Errorf("--as: %q; one of fences, routes, sections", as)}
			}
			if _, err := edit.ParseDatum(o.Datum); err != nil {
				return usageError{fmt.Errorf("--datum: %w", err)}
			}
			if o.RadiusM < 0 || o.WidthM < 0 {
				return usageError{errors.New("--radius, --width: metres, more than 0")}
			}
			if versions < edit.MinKeep {
				return usageError{fmt.Errorf("--versions: %d; at least %d", versions, edit.MinKeep)}
			}
			if o.Who = who; who == "" {
				o.Who = "lushao import"
				if u, err := user.Current(); err == nil {
					o.Who = u.Username + " (lushao import)"
				}
			}
			return importFiles(cmd.OutOrStdout(), edit.New(into, versions, runtime.GOMAXPROCS(0)), names, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&into, "into", "", "reference folder")
	f.StringVar(&as, "as", "fences", "what the places are: fences, routes or sections")
	f.StringVar(&o.Kind, "kind", "", "kind of the fences that do not say it, such as forbidden")
	f.StringVar(&o.Datum, "datum", "", "map that was drawn on: wgs84, gcj02 (Amap, Tencent) or bd09 (Baidu)")
	f.BoolVar(&o.Repair, "repair", false, "cut outlines that cross themselves into such that do not")
	f.Float64Var(&o.RadiusM, "radius", 0, "metres round points that do not say it")
	f.Float64Var(&o.WidthM, "width", 0, "whole width in metres of lines that do not say it")
	f.StringVar(&o.IDProperty, "id-property", "", "attribute that is the id")
	f.StringVar(&o.NameProperty, "name-property", "", "attribute that is the name")
	f.BoolVar(&o.Replace, "replace", false, "replace all that is there; else places are added, or replace those with their ids")
	f.BoolVar(&o.SkipBad, "skip-bad", false, "take the good places where some are bad")
	f.BoolVar(&o.DryRun, "dry-run", false, "change nothing, only say what would be taken")
	f.StringVar(&o.Comment, "comment", "", "why, for the list of versions (default: the files)")
	f.StringVar(&who, "who", "", "who does this, for the list of versions (default: the user)")
	f.IntVar(&versions, "versions", versions, "how many versions are kept (reference.versions)")
	return cmd
}

// maxImport is the largest file that is read.
const maxImport = 512 << 20

// readSource reads a file; those that belong to a shapefile are read from beside it.
func readSource(name string) (mapfile.Source, error) {
	b, err := readBounded(name)
	if err != nil {
		return mapfile.Source{}, err
	}
	stem := strings.TrimSuffix(name, filepath.Ext(name))
	return mapfile.Source{Name: name, Data: b, Beside: func(ext string) ([]byte, error) {
		for _, e := range []string{ext, strings.ToUpper(ext)} {
			b, err := readBounded(stem + e)
			if !errors.Is(err, os.ErrNotExist) {
				return b, err
			}
		}
		return nil, nil
	}}, nil
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxImport+1))
	if err == nil && len(b) > maxImport {
		err = fmt.Errorf("%s: over %d MiB; take it in parts", name, maxImport>>20)
	}
	return b, err
}

func importFiles(out io.Writer, dir *edit.Dir, names []string, o mapfile.Options) error {
	var files []mapfile.File
	for _, name := range names {
		s, err := readSource(name)
		if err != nil {
			return err
		}
		list, err := mapfile.Read(s)
		if err != nil {
			return err
		}
		files = append(files, list...)
	}
	rep, err := mapfile.Import(dir, files, o)
	if rep != nil {
		printImport(out, rep, o)
	}
	return err
}

// printImport tells a person what was done.
func printImport(out io.Writer, rep *mapfile.Report, o mapfile.Options) {
	for _, f := range rep.Files {
		fmt.Fprintf(out, "%s: %s, %d places\n", f.Name, f.Format, f.Places)
		for _, r := range f.Remarks {
			fmt.Fprintf(out, "remark: %s: %s\n", f.Name, r)
		}
	}
	for _, r := range rep.Remarks {
		fmt.Fprintln(out, "remark:", r)
	}
	for i := range rep.Repaired {
		fmt.Fprintln(out, "repaired:", rep.Repaired[i].String())
	}
	for i := range rep.Refused {
		fmt.Fprintln(out, "refused:", rep.Refused[i].Error())
	}
	res := rep.Result
	if res == nil {
		return
	}
	what := fmt.Sprintf("%d taken as %s: %d new, %d changed, %d removed; %d refused", rep.Taken, o.Layer, len(res.Added), len(res.Changed), len(res.Removed), len(rep.Refused))
	switch {
	case o.DryRun:
		fmt.Fprintln(out, what+"; nothing is written")
	case res.Version == nil:
		fmt.Fprintln(out, what+"; nothing is different, so nothing is written")
	default:
		fmt.Fprintf(out, "%s; version %d\n", what, res.Version.Number)
	}
}
