package detect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxRulesFile bounds rules.yaml, bytes; maxRulesProblems what is said about one.
const (
	maxRulesFile     = 1 << 20
	maxRulesProblems = 100
)

// SettingProblem is a setting that can't be used.
type SettingProblem struct {
	File         string // "": the settings come from no file
	Line, Column int    // from 1; 0 not known
	Path         string
	Text         string // what is wrong and what is allowed
}

func (p *SettingProblem) Error() string {
	text := p.Text
	if p.Path != "" {
		text = p.Path + ": " + text
	}
	switch {
	case p.File == "":
		return "rules: " + text
	case p.Line == 0:
		return p.File + ": " + text
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, text)
}

// SettingProblems are all problems of a file, in its order.
type SettingProblems []*SettingProblem

func (p SettingProblems) Error() string {
	lines := make([]string, 0, len(p))
	for i, o := range p {
		if i == maxRulesProblems {
			lines = append(lines, fmt.Sprintf("and %d more", len(p)-i))
			break
		}
		lines = append(lines, o.Error())
	}
	return strings.Join(lines, "\n")
}

func (p SettingProblems) sort() {
	slices.SortStableFunc(p, func(a, b *SettingProblem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		if a.Column != b.Column {
			return a.Column - b.Column
		}
		return strings.Compare(a.Error(), b.Error())
	})
}

// ParseSettings reads rules.yaml: what it names replaces the default. All that is wrong is reported at once, a *SettingProblem each
// in SettingProblems, with its line.
func ParseSettings(b []byte) (*Settings, error) { return ParseSettingsFile("rules.yaml", b) }

// ParseSettingsFile is ParseSettings of a file that has another name.
func ParseSettingsFile(file string, b []byte) (*Settings, error) {
	r := &settingsReader{file: file, at: map[string]*yaml.Node{}}
	s := r.read(b)
	if s != nil {
		for _, p := range s.problems() {
			r.place(p)
		}
	}
	if len(r.problems) > 0 {
		r.problems.sort()
		return nil, r.problems
	}
	return s, nil
}

// settingsReader reads settings out of a YAML document.
type settingsReader struct {
	file     string
	at       map[string]*yaml.Node // where each setting stands
	problems SettingProblems
	again    bool // what is read was read before: its problems are known
}

func (r *settingsReader) fail(n *yaml.Node, path, format string, args ...any) {
	if !r.again {
		r.problems = append(r.problems, &SettingProblem{File: r.file, Line: n.Line, Column: n.Column, Path: path, Text: fmt.Sprintf(format, args...)})
	}
}

var yamlLineRE = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?`)

func (r *settingsReader) read(b []byte) *Settings {
	if len(b) > maxRulesFile {
		r.problems = append(r.problems, &SettingProblem{File: r.file, Text: fmt.Sprintf("%d bytes; at most %d", len(b), maxRulesFile)})
		return nil
	}
	s := DefaultSettings()
	var doc, second yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return &s
	} else if err != nil {
		m := yamlLineRE.FindStringSubmatch(err.Error())
		line, _ := strconv.Atoi(m[1])
		r.problems = append(r.problems, &SettingProblem{File: r.file, Line: line, Column: min(line, 1), Text: "no YAML: " + strings.TrimPrefix(err.Error(), m[0])})
		return nil
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		r.fail(&second, "", "a second document; the rules are one")
		return nil
	}
	root := doc.Content[0]
	pairs := r.pairs(root, "")
	r.settings(pairs, "", &s)
	r.classes(pairs, "", &s, nil)
	r.shadows(pairs, &s)
	return &s
}

// pair is a name of a mapping and what stands under it.
type pair struct{ key, value *yaml.Node }

// pairs returns what a mapping holds, each name once. Nothing where a value should be is an empty mapping.
func (r *settingsReader) pairs(n *yaml.Node, path string) []pair { return r.pairsAt(n, path, 0) }

func (r *settingsReader) pairsAt(n *yaml.Node, path string, depth int) (out []pair) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return nil
	case n.Kind != yaml.MappingNode:
		r.fail(n, path, "%s; want names with values", shown(n))
		return nil
	}
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag == "!!merge" { // <<: what it brings counts less
			if seen[key.Value] != nil || depth > 0 { // an alias may hold itself
				r.fail(key, path, "<< stands once in a mapping, and in none that it brings")
				continue
			}
			seen[key.Value] = key
			for _, p := range r.pairsAt(value, path, depth+1) {
				if seen[p.key.Value] == nil {
					out = append(out, p)
				}
			}
			continue
		}
		if first := seen[key.Value]; first != nil {
			r.fail(key, under(path, key.Value), "given twice, first in line %d", first.Line)
			continue
		}
		seen[key.Value] = key
		out = slices.DeleteFunc(out, func(p pair) bool { return p.key.Value == key.Value }) // came by <<
		out = append(out, pair{key, value})
	}
	return out
}

func under(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// shown is a value as it stands in the file.
func shown(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.MappingNode:
		return "names with values"
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return "nothing"
	case n.Kind == yaml.ScalarNode && (n.Tag == "!!str" || n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0):
		return fmt.Sprintf("%.80q", n.Value)
	}
	return fmt.Sprintf("%.80s", n.Value)
}

// settings reads the sections of the rules into s. prefix is the path of what holds them, with a dot; "" is the file itself.
func (r *settingsReader) settings(pairs []pair, prefix string, s *Settings) {
	v := reflect.ValueOf(s).Elem()
	fields := settingFields(v.Type())
	more := []string{}
	if prefix == "" {
		more = append(more, "classes", "shadow")
	} else if classOfPrefix(prefix) == "" {
		more = append(more, "classes")
	}
	for _, p := range pairs {
		name := p.key.Value
		if slices.Contains(more, name) {
			continue
		}
		i, ok := fields[name]
		if !ok {
			switch {
			case name == "classes" || name == "shadow":
				r.fail(p.key, prefix+name, "can't stand here; it belongs to the top of the file")
			default:
				r.unknown(p.key, prefix+name, append(keysOf(fields), more...))
			}
			continue
		}
		r.structure(p.value, prefix, name, v.Field(i))
	}
}

// classOfPrefix returns the class whose settings a prefix leads to; "": they are of all. A shadow may be called classes.
func classOfPrefix(prefix string) string {
	parts := strings.Split(strings.TrimSuffix(prefix, "."), ".")
	if n := len(parts); (n == 2 || n == 4) && parts[n-2] == "classes" {
		return parts[n-1]
	}
	return ""
}

// unknown reports a name that is none, with those that are like it.
func (r *settingsReader) unknown(n *yaml.Node, path string, names []string) {
	if near := nearest(n.Value, names); near != "" {
		r.fail(n, path, "unknown; did you mean %s?", near)
		return
	}
	var ends []string // names of other sections that end so
	for i := range settingTable {
		if p := settingTable[i].Path; strings.HasSuffix(p, "."+n.Value) {
			ends = append(ends, p)
		}
	}
	if len(ends) > 0 && len(ends) <= 4 {
		r.fail(n, path, "unknown; did you mean %s?", strings.Join(ends, " or "))
		return
	}
	slices.Sort(names)
	r.fail(n, path, "unknown; one of %s", strings.Join(names, ", "))
}

// structure reads a mapping of known names.
func (r *settingsReader) structure(n *yaml.Node, prefix, path string, v reflect.Value) {
	r.at[prefix+path] = n
	fields := settingFields(v.Type())
	for _, p := range r.pairs(n, prefix+path) {
		name := under(path, p.key.Value)
		i, ok := fields[p.key.Value]
		if !ok {
			r.unknown(p.key, prefix+name, keysOf(fields))
			continue
		}
		if why := r.refused(prefix, name, v.Field(i)); why != "" {
			r.fail(p.key, prefix+name, "%s", why)
			continue
		}
		r.value(p.value, prefix, name, v.Field(i))
	}
}

// refused says why a setting can't stand under a class; "": it can.
func (r *settingsReader) refused(prefix, path string, v reflect.Value) string {
	class := classOfPrefix(prefix)
	if class == "" {
		return ""
	}
	if s := settingOf(path); s != nil && s.Whole != "" {
		return "can't differ by class: " + s.Whole
	}
	switch {
	case v.Kind() == reflect.Slice:
		return fmt.Sprintf("names classes itself and stands at the top of the file only; to leave %s out, give enabled: false here", class)
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		return fmt.Sprintf("is by class already; give %s.%s at the top of the file", path, class)
	}
	return ""
}

// classes reads the settings that differ by class into s. before, where it is there, holds those of the file that s is a shadow of.
func (r *settingsReader) classes(pairs []pair, prefix string, s *Settings, before map[string][]pair) (named map[string][]pair) {
	named = map[string][]pair{}
	prefix += "classes"
	for _, p := range pairs {
		if p.key.Value != "classes" {
			continue
		}
		for _, c := range r.pairs(p.value, prefix) {
			if _, ok := ParseClass(c.key.Value); !ok {
				r.fail(c.key, prefix, "%s", noClass(c.key.Value))
				continue
			}
			named[c.key.Value] = r.pairs(c.value, under(prefix, c.key.Value))
		}
	}
	version := s.Version()
	for _, class := range classNames {
		if named[class] == nil && before[class] == nil {
			continue
		}
		own := s.clone()
		own.Classes, own.Shadows = nil, nil
		if len(before[class]) > 0 {
			r.again = true
			r.settings(before[class], "classes."+class+".", own)
			r.again = false
		}
		r.settings(named[class], prefix+"."+class+".", own)
		if own.Version() != version {
			if s.Classes == nil {
				s.Classes = map[string]*Settings{}
			}
			s.Classes[class] = own
		}
	}
	return named
}

// place adds a problem that the numbers have, where the file has them.
func (r *settingsReader) place(p *SettingProblem) {
	p.File = r.file
	var n *yaml.Node
	var path string
	for _, name := range strings.Split(p.Path, ", ") { // of two that don't go together
		path = name
		if n = r.at[path]; n != nil {
			break
		}
	}
	for n == nil && path != "" {
		i := strings.LastIndexByte(path, '.')
		path = path[:max(i, 0)]
		n = r.at[path]
	}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	r.problems = append(r.problems, p)
}

// settingFields returns the numbers of the fields that have names in the file.
func settingFields(t reflect.Type) map[string]int {
	out := map[string]int{}
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); name != "" && name != "-" {
			out[name] = i
		}
	}
	return out
}

func keysOf(m map[string]int) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	return out
}

// clone returns settings whose maps are its own; lists are never changed in place.
func (s *Settings) clone() *Settings {
	c := *s
	ownMaps(reflect.ValueOf(&c).Elem())
	return &c
}

func ownMaps(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case v.Type().Field(i).Tag.Get("yaml") == "-":
		case f.Kind() == reflect.Struct:
			ownMaps(f)
		case f.Kind() == reflect.Map && !f.IsNil():
			m := reflect.MakeMapWithSize(f.Type(), f.Len())
			for it := f.MapRange(); it.Next(); {
				m.SetMapIndex(it.Key(), it.Value())
			}
			f.Set(m)
		}
	}
}
