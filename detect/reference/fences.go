package reference

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"lushao/detect"
	"lushao/ingest"
)

// The properties of the GeoJSON files.
var (
	fenceProperties = []string{"id", "name", "kind", "radius_m", "width_m", "classes", "plates", "operators", "regions", "schedule", "speed_limit_kmh",
		"night_speed_limit_kmh", "max_stay_s", "road", "region", "station"}
	routeProperties   = []string{"id", "name", "width_m"}
	sectionProperties = []string{"id", "name", "length_m", "speed_limit_kmh", "gate_radius_m", "classes"}
)

// roads are the values of the property road.
var roads = map[string]detect.Road{"expressway": detect.RoadExpressway, "other": detect.RoadOther}

func (l *loader) loadFences(f *file) {
	ids := make(idSet)
	kind := parseWord(detect.FenceKinds...)
	road := parseWord("expressway", "other")
	f.grow = func(n int) { l.data.Fences, ids = slices.Grow(l.data.Fences, n), make(idSet, n) }
	whole := f.eachFeature(fenceProperties, func(ft *feature) {
		v := detect.Fence{ID: ft.key(ids, parseText), Name: text(ft, "name", parseText, ""), Kind: text(ft, "kind", kind, ""),
			Geometry: ft.shape("Point", "LineString", "Polygon", "MultiPolygon"),
			RadiusM:  number(ft, "radius_m", parseMetres, 0), WidthM: number(ft, "width_m", parseMetres, 0),
			Classes: ft.classes(), Vehicles: ft.vehicles(), Operators: ft.operators(), Regions: ft.texts("regions", parseRegion), Schedule: ft.schedule(),
			SpeedLimit: number(ft, "speed_limit_kmh", parseSpeed, 0), NightSpeedLimit: number(ft, "night_speed_limit_kmh", parseSpeed, 0),
			MaxStayS: number(ft, "max_stay_s", parseAmount, 0), Road: roads[text(ft, "road", road, "")],
			Region: text(ft, "region", parseText, ""), Station: ft.mention("station", l.stations, Stations)}
		if k := ft.properties.get("kind"); k.null() || string(k.raw) == `""` {
			ft.fail(ft.where("kind"), "kind", "missing; want %s", oneOf(detect.FenceKinds))
		}
		_, circle := v.Geometry.(orb.Point)
		_, corridor := v.Geometry.(orb.LineString)
		if v.Geometry != nil {
			ft.belongs("radius_m", circle, "Point")
			ft.belongs("width_m", corridor, "LineString")
		}
		if lacks := lacking(&v); lacks != "" {
			l.warn("%s:%d: %s is absent: a fence of kind %s does nothing without it", f.path, ft.g.line(ft.at), ft.name(lacks), v.Kind)
		}
		l.data.Fences = append(l.data.Fences, v)
	})
	if whole {
		l.fences = ids
	}
}

// lacking returns the property without which the kind of a fence means nothing. It is no error: absent is unknown.
func lacking(v *detect.Fence) string {
	switch {
	case v.Kind == detect.FenceMaxStay && v.MaxStayS == 0:
		return "max_stay_s"
	case v.Kind == detect.FenceSpeed && v.SpeedLimit == 0 && v.NightSpeedLimit == 0 && v.Road == detect.RoadUnknown:
		return "speed_limit_kmh"
	case v.Kind == detect.FenceJurisdiction && v.Region == "":
		return "region"
	case (v.Kind == detect.FenceApproach || v.Kind == detect.FenceBypass) && v.Station == "":
		return "station"
	}
	return ""
}

// belongs refuses a size that the geometry does not have, and the lack of one that it has.
func (f *feature) belongs(property string, here bool, geometry string) {
	there := !f.properties.get(property).null()
	switch {
	case here && !there:
		f.fail(f.where(property), property, "missing; a %s has one", geometry)
	case there && !here:
		f.fail(f.where(property), property, "belongs to a %s only", geometry)
	}
}

func (l *loader) loadRoutes(f *file) {
	ids := make(idSet)
	whole := f.eachFeature(routeProperties, func(ft *feature) {
		v := detect.Route{ID: ft.key(ids, parseRouteID), Name: text(ft, "name", parseText, ""), WidthM: number(ft, "width_m", parseMetres, 0)}
		v.Line, _ = ft.shape("LineString").(orb.LineString)
		ft.belongs("width_m", true, "LineString")
		l.data.Routes = append(l.data.Routes, v)
	})
	if whole {
		l.routes = ids
	}
}

func (l *loader) loadSections(f *file) {
	ids := make(idSet)
	f.eachFeature(sectionProperties, func(ft *feature) {
		v := detect.Section{ID: ft.key(ids, parseText), Name: text(ft, "name", parseText, ""),
			LengthM: number(ft, "length_m", parseMetres, 0), SpeedLimit: number(ft, "speed_limit_kmh", parseSpeed, 0),
			GateRadiusM: number(ft, "gate_radius_m", parseMetres, 0), Classes: ft.classes()}
		v.Line, _ = ft.shape("LineString").(orb.LineString)
		if v.SpeedLimit == 0 {
			l.warn("%s:%d: %s is absent: a section does nothing without it", f.path, ft.g.line(ft.at), ft.name("speed_limit_kmh"))
		}
		l.data.Sections = append(l.data.Sections, v)
	})
}

// classes returns the property of that name.
func (f *feature) classes() detect.ClassSet {
	var set detect.ClassSet
	f.list("classes", func(i int, e node) {
		c, ok := element(f, e, indexed("classes", i), parseClass)
		if !ok {
			return
		}
		if set.Has(c) {
			f.fail(e.at, indexed("classes", i), "%s is there twice", c)
		}
		set = set.With(c)
	})
	return set
}

// vehicles returns the property plates.
func (f *feature) vehicles() []ingest.Vehicle {
	var list []ingest.Vehicle
	var seen map[ingest.Vehicle]bool
	f.list("plates", func(i int, e node) {
		v, ok := element(f, e, indexed("plates", i), parseVehicle)
		if !ok {
			return
		}
		if seen[v] {
			f.fail(e.at, indexed("plates", i), "%s is there twice", v)
		}
		if seen == nil {
			seen = make(map[ingest.Vehicle]bool)
		}
		seen[v] = true
		list = append(list, v)
	})
	return list
}

// operators returns the property of that name; each must be in the file of operators.
func (f *feature) operators() []string {
	list := f.texts("operators", parseText)
	if p := f.properties.get("operators"); len(list) > 0 {
		for i, id := range list {
			if !f.g.mentioned(id, f.g.loader.operators, Operators) {
				f.fail(p.at, indexed("operators", i), "%q is not in %s", id, Operators)
			}
		}
	}
	return list
}

// texts returns a property that is a list of different texts.
func (f *feature) texts(property string, parse parser[string]) []string {
	var list []string
	f.list(property, func(i int, e node) {
		s, ok := element(f, e, indexed(property, i), parse)
		if !ok {
			return
		}
		if slices.Contains(list, s) {
			f.fail(e.at, indexed(property, i), "%s is there twice", s)
		}
		list = append(list, f.g.shared(s))
	})
	return list
}

func indexed(property string, i int) string { return fmt.Sprintf("%s[%d]", property, i) }

// element reads a text of a list, which is not empty.
func element[T any](f *feature, e node, name string, parse parser[T]) (v T, ok bool) {
	if string(e.raw) == `""` {
		f.fail(e.at, name, "empty")
		return v, false
	}
	before := len(f.g.problems.list)
	v = textOf(f, e, name, parse, v)
	return v, len(f.g.problems.list) == before
}

// schedule returns the property of that name.
func (f *feature) schedule() []detect.Window {
	var windows []detect.Window
	f.list("schedule", func(i int, e node) {
		if w, ok := f.window(e, indexed("schedule", i)); ok {
			windows = append(windows, w)
		}
	})
	// An empty list could mean always or never.
	if p := f.properties.get("schedule"); !p.null() && p.array() && len(windows) == 0 {
		empty := true
		p.elements(func(int, node) bool { empty = false; return false })
		if empty {
			f.fail(p.at, "schedule", "empty; leave the property out where the fence is always in force")
		}
	}
	return windows
}

var windowMembers = []string{"days", "from", "to", "first_day", "last_day"}

func (f *feature) window(e node, name string) (w detect.Window, ok bool) {
	if !e.object() {
		f.fail(e.at, name, `want an object like {"days":[1,2,3],"from":"22:00","to":"05:00"}`)
		return w, false
	}
	before := len(f.g.problems.list)
	members := f.g.members(nil, e, func(at int, key []byte) { f.fail(at, name+": "+string(key), "is there twice") })
	for i := range members {
		if key := string(members[i].key); !slices.Contains(windowMembers, key) {
			f.fail(members[i].at, name+"."+key, "unknown; want days, from and to, and first_day and last_day where it does not hold for ever")
		}
	}
	for _, key := range []string{"days", "from", "to"} {
		if members.get(key).null() {
			f.fail(e.at, name+"."+key, "missing")
			return w, false
		}
	}
	w.From, _ = element(f, members.get("from"), name+".from", parseClock)
	w.To, _ = element(f, members.get("to"), name+".to", parseClock)
	days := members.get("days")
	if !days.array() {
		f.fail(days.at, name+".days", "want a list of days, 1 Monday to 7 Sunday")
		return w, false
	}
	days.elements(func(i int, d node) bool {
		day := numberOf(f, d, name+"."+indexed("days", i), parseDay, 0)
		if day > 0 && w.Days&(1<<(day-1)) != 0 {
			f.fail(d.at, name+"."+indexed("days", i), "%d is there twice", day)
		}
		if day > 0 {
			w.Days |= 1 << (day - 1)
		}
		return true
	})
	for _, d := range []struct {
		key string
		day *int32
	}{{"first_day", &w.FirstDay}, {"last_day", &w.LastDay}} {
		if m := members.get(d.key); !m.null() {
			*d.day, _ = element(f, m, name+"."+d.key, parseDate)
		}
	}
	if w.LastDay != 0 && w.LastDay < w.FirstDay {
		f.fail(members.get("last_day").at, name+".last_day", "before first_day")
	}
	if w.Days == 0 && len(f.g.problems.list) == before {
		f.fail(days.at, name+".days", "empty; want days, 1 Monday to 7 Sunday")
	}
	return w, len(f.g.problems.list) == before
}

// parseDate takes a day such as 2026-10-01, as its number from 1970-01-01.
func parseDate(s string) (int32, string) {
	t, err := time.ParseInLocation(time.DateOnly, s, detect.Beijing)
	if err != nil || t.Year() < 1971 || t.Year() > 2199 {
		return 0, "want a day like 2026-10-01"
	}
	return detect.DayNumber(t.UnixMilli()), ""
}

// parseRegion takes a code of GB/T 2260.
func parseRegion(s string) (string, string) {
	if len(s) != 6 || strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) >= 0 {
		return "", "want six digits of GB/T 2260, such as 140502"
	}
	return s, ""
}

// parseDay takes a day of the week, 1 Monday to 7 Sunday.
func parseDay(s string) (uint8, string) {
	n, reason := whole(s, 1, 7)
	return uint8(n), reason
}

// Properties returns what a feature of a GeoJSON file of the directory may have; nil for other files.
func Properties(name string) []string {
	switch name {
	case Fences:
		return slices.Clone(fenceProperties)
	case Routes:
		return slices.Clone(routeProperties)
	case Sections:
		return slices.Clone(sectionProperties)
	}
	return nil
}
