package detect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
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

// value reads a setting.
func (r *settingsReader) value(n *yaml.Node, prefix, path string, v reflect.Value) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	r.at[prefix+path] = n
	switch v.Kind() {
	case reflect.Struct:
		r.structure(n, prefix, path, v)
	case reflect.Map:
		r.byKey(n, prefix, path, v)
	case reflect.Slice:
		r.list(n, prefix, path, v)
	default:
		r.scalar(n, prefix+path, v)
	}
}

// byKey reads a mapping by class or by number of axles; what is not named stays.
func (r *settingsReader) byKey(n *yaml.Node, prefix, path string, v reflect.Value) {
	for _, p := range r.pairs(n, prefix+path) {
		name := under(path, p.key.Value)
		key := reflect.New(v.Type().Key()).Elem()
		if key.Kind() == reflect.String {
			key.SetString(p.key.Value)
			if _, ok := ParseClass(p.key.Value); !ok {
				r.fail(p.key, prefix+path, "%s", noClass(p.key.Value))
				continue
			}
		} else {
			k, err := strconv.Atoi(p.key.Value)
			if err != nil {
				r.fail(p.key, prefix+path, "%s; want a number of axles", shown(p.key))
				continue
			}
			key.SetInt(int64(k))
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		if was := v.MapIndex(key); was.IsValid() {
			elem.Set(was)
		}
		r.value(p.value, prefix, name, elem)
		v.SetMapIndex(key, elem)
	}
}

// list reads a list of classes.
func (r *settingsReader) list(n *yaml.Node, prefix, path string, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		r.fail(n, prefix+path, "%s; want a list, like [hazmat, heavy_truck]", shown(n))
		return
	}
	out := []string{}
	for _, e := range n.Content {
		if e.Kind == yaml.AliasNode {
			e = e.Alias
		}
		switch _, ok := ParseClass(e.Value); {
		case e.Kind != yaml.ScalarNode:
			r.fail(e, prefix+path, "%s in it; want names of classes", shown(e))
		case !ok:
			r.fail(e, prefix+path, "%s", noClass(e.Value))
		case slices.Contains(out, e.Value):
			r.fail(e, prefix+path, "%q is in it twice", e.Value)
		default:
			out = append(out, e.Value)
		}
	}
	v.Set(reflect.ValueOf(out))
}

// noClass says that a name is no class.
func noClass(name string) string {
	if near := nearest(name, classNames[:]); near != "" {
		return fmt.Sprintf("%.80q is no class; did you mean %s?", name, near)
	}
	return fmt.Sprintf("%.80q is no class; one of %s", name, strings.Join(classNames[:], ", "))
}

func (r *settingsReader) scalar(n *yaml.Node, path string, v reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		r.fail(n, path, "%s; want one value", shown(n))
		return
	}
	if n.Tag == "!!null" {
		r.fail(n, path, "nothing; give a value, or leave the name out for the default")
		return
	}
	_, unit := UnitOf(path)
	of := ""
	if unit != "" {
		of = " of " + unit
	}
	switch v.Kind() {
	case reflect.Bool:
		if n.Tag != "!!bool" || n.Decode(v.Addr().Interface()) != nil {
			r.fail(n, path, "%s; true or false", shown(n))
		}
	case reflect.String: // a time of day
		v.SetString(n.Value)
	case reflect.Int:
		var k int
		if n.Tag != "!!int" || n.Decode(&k) != nil {
			r.fail(n, path, "%s; want a whole number%s%s", shown(n), of, inUnit(n.Value, path, true))
			return
		}
		v.SetInt(int64(k))
	case reflect.Float64:
		var f float64
		if n.Tag != "!!int" && n.Tag != "!!float" || n.Decode(&f) != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			r.fail(n, path, "%s; want a number%s%s", shown(n), of, inUnit(n.Value, path, false))
			return
		}
		v.SetFloat(f)
	default:
		panic("a setting of type " + v.Type().String()) // a new one that the reader does not know
	}
}

var quantityRE = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*([^0-9\s.].*)$`)

// unitScales are what people write for a unit, in that of the setting.
var unitScales = map[string]map[string]float64{
	"s":    {"s": 1, "sec": 1, "second": 1, "seconds": 1, "秒": 1, "m": 60, "min": 60, "minute": 60, "minutes": 60, "分钟": 60, "h": 3600, "hour": 3600, "hours": 3600, "小时": 3600, "d": 86400, "day": 86400, "days": 86400, "天": 86400},
	"m":    {"m": 1, "metres": 1, "meters": 1, "米": 1, "km": 1000, "公里": 1000},
	"km":   {"km": 1, "公里": 1, "m": 0.001},
	"km/h": {"km/h": 1, "kmh": 1, "kph": 1, "公里/小时": 1, "m/s": 3.6},
	"%":    {"%": 1, "pct": 1, "percent": 1},
	"kg":   {"kg": 1, "千克": 1, "t": 1000, "tonnes": 1000, "吨": 1000},
	"mm":   {"mm": 1, "cm": 10, "m": 1000, "米": 1000},
	"CNY":  {"cny": 1, "yuan": 1, "元": 1},
	"°":    {"°": 1, "deg": 1, "degrees": 1, "度": 1},
}

// inUnit says what to write instead of a number with a unit: "4h" of seconds is 14400.
func inUnit(text, path string, whole bool) string {
	m := quantityRE.FindStringSubmatch(strings.TrimSpace(text))
	unit, _ := UnitOf(path)
	if m == nil || unit == "" {
		return ""
	}
	scale := unitScales[unit][strings.ToLower(strings.TrimSpace(m[2]))]
	number, err := strconv.ParseFloat(m[1], 64)
	if number *= scale; err != nil || scale == 0 || whole && number != math.Trunc(number) {
		return ", without a unit"
	}
	return fmt.Sprintf(", without a unit: %s", strconv.FormatFloat(number, 'f', -1, 64))
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

// nearest returns the name that is most like another; "" where none is.
func nearest(name string, names []string) string {
	names = slices.Sorted(slices.Values(names))
	best, least := "", max(min(len(name)-1, 2), len(name)/3)+1
	for _, n := range names {
		if d := editDistance(name, n); d < least {
			best, least = n, d
		}
	}
	return best
}

// editDistance is how many bytes must be put in, taken out or replaced to make one name of another.
func editDistance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := before
			if a[i] != b[j] {
				d++
			}
			before = row[j+1]
			row[j+1] = min(d, before+1, row[j]+1)
		}
	}
	return row[len(b)]
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
