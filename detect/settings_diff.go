package detect

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Difference is a setting that two sets of rules have different values of.
type Difference struct {
	Path     string
	Setting  *Setting
	Classes  []string // whose; nil: of every class
	Old, New string   // as in rules.yaml; "none" where there is no value
	Effect   Effect   // on what is found of Setting.Kinds
}

// Differences returns what differs between the rules in force and new ones, in the order of the file; shadows are not looked at.
// What is the same difference for several classes is one.
func Differences(old, new *Settings) []Difference {
	var out []Difference
	was, is := old.leavesByClass(), new.leavesByClass()
	for _, path := range leafOrder(was, is) {
		first := len(out)
		for c, name := range classNames {
			a, b := was[c][path], is[c][path]
			if reflect.DeepEqual(a, b) {
				continue
			}
			d := Difference{Path: path, Setting: meaningOf(path), Old: leafText(path, a), New: leafText(path, b)}
			d.Effect = d.Setting.effect(path, a, b)
			i := slices.IndexFunc(out[first:], func(o Difference) bool { return o.Old == d.Old && o.New == d.New })
			if i < 0 {
				i = len(out) - first
				out = append(out, d)
			}
			out[first+i].Classes = append(out[first+i].Classes, name)
		}
		if len(out) == first+1 && len(out[first].Classes) == int(classCount) {
			out[first].Classes = nil
		}
	}
	return out
}

// meaningOf is settingOf for whom every setting means something: one that the table lacks may affect every kind.
func meaningOf(path string) *Setting {
	if s := settingOf(path); s != nil {
		return s
	}
	return &Setting{Path: path, Kinds: Kinds()}
}

// affectedKinds returns the kinds of which other settings may find more, fewer, or others.
func affectedKinds(old, new *Settings) map[Kind]bool {
	out := map[Kind]bool{}
	for _, d := range Differences(old, new) {
		for _, k := range slices.Concat(d.Setting.Kinds, d.Setting.Also) {
			out[k] = true
		}
	}
	return out
}

// leavesByClass returns the value of every setting by its path, for each class.
func (s *Settings) leavesByClass() (out [classCount]map[string]any) {
	all := s.leaves()
	for c, name := range classNames {
		if out[c] = all; s.Classes[name] != nil {
			out[c] = s.Classes[name].leaves()
		}
	}
	return out
}

func (s *Settings) leaves() map[string]any {
	out := map[string]any{}
	addLeaves(out, "", reflect.ValueOf(s).Elem())
	return out
}

func addLeaves(out map[string]any, path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for name, i := range settingFields(v.Type()) {
			addLeaves(out, under(path, name), v.Field(i))
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			out[fmt.Sprintf("%s.%v", path, it.Key())] = it.Value().Interface()
		}
	default:
		out[path] = v.Interface()
	}
}

// leafOrder returns the paths of two sets of settings in the order of the file.
func leafOrder(sets ...[classCount]map[string]any) []string {
	all := map[string]bool{}
	for _, s := range sets {
		for _, leaves := range s {
			for p := range leaves {
				all[p] = true
			}
		}
	}
	place := func(path string) int {
		return slices.IndexFunc(settingTable, func(s Setting) bool { return s.Path == path || strings.HasPrefix(path, s.Path+".") })
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		if d := place(a) - place(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
}

// leafText is a value with its unit.
func leafText(path string, v any) string {
	unit, _ := UnitOf(path)
	switch v := v.(type) {
	case nil:
		return "none"
	case NightSettings:
		return v.From + "-" + v.To
	case []string:
		return "[" + strings.Join(v, ", ") + "]"
	case float64:
		return strings.TrimSpace(strconv.FormatFloat(v, 'f', -1, 64) + " " + unit)
	case int:
		return strings.TrimSpace(strconv.Itoa(v) + " " + unit)
	}
	return fmt.Sprint(v)
}

// effect tells what a change does to what is found.
func (s *Setting) effect(path string, old, new any) Effect {
	if s.Raise == Same {
		return Same
	}
	up := 0 // 1: raised, -1: lowered, 0: neither
	switch {
	case s.Path == "night_driving.windows":
		up = hoursHeld(new, old) - hoursHeld(old, new)
		if up > 0 {
			return More
		} else if up < 0 {
			return Fewer
		}
		return Unclear
	case reflect.TypeOf(old) == reflect.TypeFor[[]string]():
		a, b := old.([]string), new.([]string)
		up = held(b, a) - held(a, b)
	case reflect.TypeOf(old) == reflect.TypeFor[bool](): // the other is one too
		up = 1
		if old.(bool) {
			up = -1
		}
	default:
		x, knownX := s.number(old)
		y, knownY := s.number(new)
		switch {
		case !knownX || !knownY:
		case x < y:
			up = 1
		case x > y:
			up = -1
		}
	}
	switch {
	case up == 0 || s.Raise == Unclear:
		return Unclear
	case s.Raise == Longer && up > 0:
		return Longer
	case s.Raise == Longer:
		return Shorter
	case up > 0 == (s.Raise == More):
		return More
	}
	return Fewer
}

// number returns a number that can be compared; no value, or 0 where that is none, is beyond all others.
func (s *Setting) number(v any) (float64, bool) {
	x, ok := 0.0, true
	switch v := v.(type) {
	case nil:
		ok = s.None
	case int:
		x = float64(v)
	case float64:
		x = v
	default:
		ok = false
	}
	if s.None && x == 0 {
		x = 1e18
	}
	return x, ok
}

// held is 1 if all of b is in a, else 0.
func held(a, b []string) int {
	for _, x := range b {
		if !slices.Contains(a, x) {
			return 0
		}
	}
	return 1
}

// hoursHeld is 1 if the hours a hold the hours b, else 0. nil are none.
func hoursHeld(a, b any) int {
	minutes := func(v any) (in [24 * 60]bool) {
		n, ok := v.(NightSettings)
		if !ok {
			return in
		}
		from, errFrom := parseClock(n.From)
		to, errTo := parseClock(n.To)
		if errFrom != nil || errTo != nil {
			return in
		}
		for m, left := int(from), (int(to)-int(from)+2*1440-1)%1440+1; left > 0; m, left = m+1, left-1 {
			in[m%1440] = true
		}
		return in
	}
	x, y := minutes(a), minutes(b)
	for m := range y {
		if y[m] && !x[m] {
			return 0
		}
	}
	return 1
}
