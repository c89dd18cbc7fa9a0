package detect

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

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
