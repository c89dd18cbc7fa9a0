package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"lushao/detect"
	"lushao/detect/reference"
	"lushao/detect/worker"
)

// rulesCheck is check --rules: what do other settings of the rules alter?
type rulesCheck struct{ rules, against, reference string }

func (r *rulesCheck) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.rules, "rules", "", "settings of the rules that are to be checked and explained")
	cmd.Flags().StringVar(&r.against, "against", "", "settings of the rules that they are compared with")
	cmd.Flags().StringVar(&r.reference, "reference", "", "reference folder with whose rules they are compared")
}

func (r *rulesCheck) asked() bool { return r.rules != "" || r.against != "" || r.reference != "" }

func (r *rulesCheck) run(f *configFlags, out io.Writer) error {
	switch {
	case r.rules == "":
		return usageError{errors.New("--rules: give the file that is to be compared")}
	case r.against != "" && r.reference != "":
		return usageError{errors.New("--against, --reference: give one of the two")}
	}
	next, err := existingRules(r.rules)
	if err != nil {
		return listProblems(r.rules, err, out)
	}
	inForce, what := detect.DefaultSettings(), "the rule book's own numbers"
	if r.against != "" || r.reference != "" || f.path != "" {
		old, path, err := r.inForce(f)
		if err != nil {
			return fmt.Errorf("the rules to compare with: %w", err)
		}
		inForce, what = *old, path
	}
	explainRules(out, what, &inForce, next)
	return nil
}

// inForce reads the rules to compare with.
func (r *rulesCheck) inForce(f *configFlags) (*detect.Settings, string, error) {
	if r.against != "" {
		s, err := existingRules(r.against)
		return s, r.against, err
	}
	dir := r.reference
	if dir == "" {
		c, err := f.load()
		if err != nil {
			return nil, "", err
		}
		dir = c.Reference.Dir
	} else if _, err := os.Stat(dir); err != nil {
		return nil, "", err
	}
	path := filepath.Join(dir, reference.Rules)
	s, err := worker.LoadRules(path)
	return s, path, err
}

// existingRules reads a file that was named: it must be there.
func existingRules(path string) (*detect.Settings, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	return worker.LoadRules(path)
}

// listProblems prints what is wrong line by line, and returns the error that sums it up.
func listProblems(path string, err error, out io.Writer) error {
	var list detect.SettingProblems
	if !errors.As(err, &list) || len(list) == 1 {
		return err
	}
	fmt.Fprintln(out, err)
	return fmt.Errorf("%s: %d settings can't be used; see above", path, len(list))
}

// explainRules says what new rules alter.
func explainRules(out io.Writer, what string, old, next *detect.Settings) {
	fmt.Fprintf(out, "rules: good; version %s\ncompared with %s; version %s\n", next.Version(), what, old.Version())
	changes := detect.Differences(old, next)
	if len(changes) == 0 {
		fmt.Fprintln(out, "\nNo setting in force differs.")
	} else {
		fmt.Fprintf(out, "\nWhat changes (%d):\n", len(changes))
		explainChanges(out, "", changes)
		fmt.Fprintln(out, "\nThe new rules come into force within seconds of the file being written, without a restart. What is open then goes on\n"+
			"under the new numbers; what is closed stays as it is. Every record names the version of the rules that made it.")
		if off := switchedOff(changes); len(off) > 0 {
			fmt.Fprintf(out, "What is open of kinds that are switched off closes at the last report at which it held, with the note switched_off:\n  %s\n", strings.Join(off, ", "))
		}
	}
	explainShadows(out, old, next)
}

var effects = map[detect.Effect]string{detect.More: "more is found, or as much", detect.Fewer: "less is found, or as much",
	detect.Unclear: "more of some is found, less of others", detect.Same: "the same is found; its records differ",
	detect.Longer: "fewer violations, which last longer, or as many", detect.Shorter: "more violations, which last shorter, or as many"}

func explainChanges(out io.Writer, indent string, changes []detect.Difference) {
	for _, d := range changes {
		whom := "every class"
		if d.Classes != nil {
			whom = strings.Join(d.Classes, ", ")
		} else if _, class, ok := byClass(d.Path); ok {
			whom = class
		}
		fmt.Fprintf(out, "\n%s%s (%s)\n%s  %s\n", indent, d.Path, whom, indent, d.Setting.Means)
		fmt.Fprintf(out, "%s  %s -> %s\n", indent, plain(d.Old), plain(d.New))
		effect := effects[d.Effect]
		if strings.HasSuffix(d.Path, ".enabled") && d.New == "false" {
			effect = "nothing is found any more"
		}
		fmt.Fprintf(out, "%s  %s: %s\n", indent, kindList(d.Setting.Kinds), effect)
		if len(d.Setting.Also) > 0 {
			fmt.Fprintf(out, "%s  %s: may change too\n", indent, kindList(d.Setting.Also))
		}
	}
}

// byClass splits the path of a setting that is given by class.
func byClass(path string) (setting, class string, ok bool) {
	i := strings.LastIndexByte(path, '.')
	_, ok = detect.ParseClass(path[i+1:])
	return path[:max(i, 0)], path[i+1:], ok
}

// kindList names kinds; nearly all are "every kind but …".
func kindList(kinds []detect.Kind) string {
	if len(kinds) == 0 {
		return "no kind"
	}
	var names, others []string
	for _, k := range detect.Kinds() {
		if slices.Contains(kinds, k) {
			names = append(names, string(k))
		} else {
			others = append(others, string(k))
		}
	}
	switch {
	case len(others) == 0:
		return "every kind"
	case len(others) <= 6:
		return "every kind but " + strings.Join(others, ", ")
	}
	return strings.Join(names, ", ")
}

// plain adds hours and minutes to seconds.
func plain(value string) string {
	number, ok := strings.CutSuffix(value, " s")
	s, err := strconv.Atoi(number)
	if !ok || err != nil || s < 60 {
		return value
	}
	var parts []string
	for _, u := range []struct {
		seconds int
		name    string
	}{{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}} {
		if n := s / u.seconds; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, u.name))
			s %= u.seconds
		}
	}
	return fmt.Sprintf("%s (%s)", value, strings.Join(parts, " "))
}

// switchedOff names the kinds that are no longer looked for, and for whom.
func switchedOff(changes []detect.Difference) (out []string) {
	for _, d := range changes {
		kind, ok := strings.CutSuffix(d.Path, ".enabled")
		if !ok || d.New != "false" {
			continue
		}
		if d.Classes != nil {
			kind += " (" + strings.Join(d.Classes, ", ") + ")"
		}
		out = append(out, kind)
	}
	return out
}

// explainShadows says what is tried beside the rules in force.
func explainShadows(out io.Writer, old, next *detect.Settings) {
	find := func(s *detect.Settings, name string) *detect.ShadowSettings {
		for i := range s.Shadows {
			if s.Shadows[i].Name == name {
				return &s.Shadows[i]
			}
		}
		return nil
	}
	for i := range next.Shadows {
		sh := &next.Shadows[i]
		changes := detect.Differences(next, &sh.Settings)
		state := "new: it knows nothing of what was before it"
		if was := find(old, sh.Name); was != nil {
			if state = "as it was"; was.Settings.Version() != sh.Settings.Version() {
				state = "changed: what is open in it goes on under its new numbers"
			}
		}
		fmt.Fprintf(out, "\nShadow %s (%s), version %s\n", sh.Name, state, sh.Settings.Version())
		if len(changes) == 0 {
			fmt.Fprintln(out, "  It differs in nothing from the rules, and records nothing.")
			continue
		}
		fmt.Fprintf(out, "  What it finds is recorded with its name, and nobody is prompted or charged; ask for it with ?shadow=%s.\n  It records %s. Compared with the rules:\n", sh.Name, kindList(sh.Kinds(next)))
		explainChanges(out, "  ", changes)
	}
	for i := range old.Shadows {
		if name := old.Shadows[i].Name; find(next, name) == nil {
			fmt.Fprintf(out, "\nShadow %s ends: what is open in it is closed, what it recorded stays.\n", name)
		}
	}
}
