package gateway

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math"

	"lushao/ingest/jt808"
)

// Point is a place in 1e-6 degree, WGS-84, as terminals report it.
type Point struct{ Lat, Lon int32 }

// Area is a fence or route of the reference data, as it can be handed to terminals. One of Circle, Polygons and Line is set.
type Area struct {
	ID, Name string
	Circle   *Point  // with RadiusM
	RadiusM  float64 // m
	Polygons [][]Point
	Holes    bool // a polygon has one: the protocol knows none
	Line     []Point
	WidthM   float64 // of the line, whole, m

	Daily   []DailyHours // in force every day in these; empty: always
	OddDays bool         // the schedule differs by the day of the week: the protocol knows none

	Limit, NightLimit uint16 // 0.1 km/h; 0 none
	OnEnter, OnLeave  bool   // the driver is alarmed
}

// DailyHours are minutes of the day in Beijing time; over midnight where To <= From.
type DailyHours struct{ From, To uint16 }

// areaMessage is a part of an Area in a message of its own, with the number that the terminal knows it by.
type areaMessage struct {
	id     jt808.MessageID
	kind   string
	number uint32
	body   jt808.Body
}

// Limits of what a terminal can be asked to keep.
const (
	maxVertices   = 2000 // of a polygon or a route: 16 KiB and more are not for terminals
	areaOverspeed = 5    // s that the limit is exceeded before the driver is alarmed
)

// messages makes the messages of an area: one for each of its polygons and each of its daily hours.
func (a *Area) messages() ([]areaMessage, error) {
	if err := a.possible(); err != nil {
		return nil, err
	}
	hours := a.Daily
	if len(hours) == 0 {
		hours = []DailyHours{{}}
	}
	shapes := max(len(a.Polygons), 1)
	var out []areaMessage
	for i := range shapes * len(hours) {
		m := areaMessage{number: areaNumber(a.ID, i)}
		rule := a.rule(m.number, hours[i%len(hours)])
		var err error
		switch {
		case a.Circle != nil:
			err = m.circle(a, rule)
		case len(a.Line) > 0:
			err = m.route(a, rule)
		default:
			err = m.polygon(a.Polygons[i/len(hours)], rule)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func (a *Area) possible() error {
	shapes := 0
	for _, is := range []bool{a.Circle != nil, len(a.Polygons) > 0, len(a.Line) > 0} {
		if is {
			shapes++
		}
	}
	switch {
	case shapes != 1:
		return errors.New("it has no shape that terminals know")
	case a.OddDays:
		return errors.New("its schedule differs by the day of the week, which terminals do not know")
	case a.Holes:
		return errors.New("it has a hole, which terminals do not know")
	case !a.OnEnter && !a.OnLeave && a.Limit == 0:
		return errors.New("a terminal has nothing to do about it: it is neither forbidden, nor to be kept to, nor has it a speed limit")
	case len(a.Daily)*max(len(a.Polygons), 1) > 32:
		return errors.New("it has too many parts for a terminal; at most 32")
	}
	return nil
}

// areaNumber is the number of a part of an area: the same for the same id for ever, so that pushing it again replaces it.
func areaNumber(id string, part int) uint32 {
	h := fnv.New32a()
	h.Write([]byte(id))
	if part > 0 {
		fmt.Fprintf(h, "#%d", part)
	}
	return max(h.Sum32(), 1)
}

func (a *Area) rule(number uint32, hours DailyHours) jt808.AreaRule {
	r := jt808.AreaRule{ID: number, Name: jt808.GBK(a.Name)}
	if hours.From != hours.To {
		r.Props |= jt808.AreaTimed
		r.Start, r.End = dailyTime(hours.From), dailyTime(hours.To)
	}
	if a.Limit > 0 {
		night := a.NightLimit
		if night == 0 {
			night = a.Limit
		}
		r.Props |= jt808.AreaSpeed
		r.MaxSpeed, r.NightMaxSpeed, r.OverspeedSeconds = a.Limit/10, night/10, areaOverspeed
	}
	if a.OnEnter {
		r.Props |= jt808.AreaEnterDriver
	}
	if a.OnLeave {
		r.Props |= jt808.AreaLeaveDriver
	}
	return r
}

// dailyTime is a time of every day: its date is 00-00-00. The end of the day is its last second.
func dailyTime(minutes uint16) (t jt808.Time) {
	h, m, s := minutes/60, minutes%60, uint16(0)
	if minutes >= 24*60 {
		h, m, s = 23, 59, 59
	}
	for i, v := range []uint16{h, m, s} {
		t[3+i] = byte(v/10<<4 | v%10)
	}
	return t
}

// hemispheres gives the bits of an area's places, which must all lie on the same sides.
func hemispheres(points []Point, south, west uint16) (bits uint16, err error) {
	for i, p := range points {
		if p.Lat < -90e6 || p.Lat > 90e6 || p.Lon < -180e6 || p.Lon > 180e6 {
			return 0, errors.New("a place of it is nowhere on earth")
		}
		b := uint16(0)
		if p.Lat < 0 {
			b |= south
		}
		if p.Lon < 0 {
			b |= west
		}
		if i > 0 && b != bits {
			return 0, errors.New("it crosses the equator or the meridian, which the protocol can't say")
		}
		bits = b
	}
	return bits, nil
}

func distance(v int32) uint32 {
	if v < 0 {
		v = -v
	}
	return uint32(v)
}

func (m *areaMessage) circle(a *Area, rule jt808.AreaRule) error {
	bits, err := hemispheres([]Point{*a.Circle}, jt808.AreaSouth, jt808.AreaWest)
	if err != nil {
		return err
	}
	if !(a.RadiusM >= 1 && a.RadiusM <= 1e6) {
		return fmt.Errorf("its radius of %g m is none that a terminal takes", a.RadiusM)
	}
	rule.Props |= bits
	m.id, m.kind = jt808.IDSetCircles, "circle"
	m.body = &jt808.SetCircles{Action: areaAppend, Areas: []jt808.Circle{{AreaRule: rule, Lat: distance(a.Circle.Lat), Lon: distance(a.Circle.Lon),
		Radius: uint32(math.Round(a.RadiusM))}}}
	return nil
}

// areaAppend adds to the areas that the terminal has; one of the same number is replaced.
const areaAppend = 1

func (m *areaMessage) polygon(ring []Point, rule jt808.AreaRule) error {
	if n := len(ring); n > 1 && ring[0] == ring[n-1] {
		ring = ring[:n-1]
	}
	if len(ring) < 3 || len(ring) > maxVertices {
		return fmt.Errorf("a polygon of it has %d corners; a terminal takes from 3 to %d", len(ring), maxVertices)
	}
	bits, err := hemispheres(ring, jt808.AreaSouth, jt808.AreaWest)
	if err != nil {
		return err
	}
	rule.Props |= bits
	if low, high, is := rectangle(ring); is {
		// The corners are north-west and south-east.
		m.id, m.kind = jt808.IDSetRectangles, "rectangle"
		m.body = &jt808.SetRectangles{Action: areaAppend, Areas: []jt808.Rectangle{{AreaRule: rule, Top: distance(high.Lat), Left: distance(low.Lon),
			Bottom: distance(low.Lat), Right: distance(high.Lon)}}}
		return nil
	}
	p := &jt808.Polygon{AreaRule: rule, Vertices: make([]jt808.Vertex, len(ring))}
	for i, at := range ring {
		p.Vertices[i] = jt808.Vertex{Lat: distance(at.Lat), Lon: distance(at.Lon)}
	}
	m.id, m.kind, m.body = jt808.IDSetPolygon, "polygon", p
	return nil
}

// rectangle reports whether the ring is one along the meridians, and its south-west and north-east corners.
func rectangle(ring []Point) (low, high Point, is bool) {
	if len(ring) != 4 {
		return low, high, false
	}
	low, high = ring[0], ring[0]
	for _, p := range ring {
		low = Point{min(low.Lat, p.Lat), min(low.Lon, p.Lon)}
		high = Point{max(high.Lat, p.Lat), max(high.Lon, p.Lon)}
	}
	if low.Lat == high.Lat || low.Lon == high.Lon {
		return low, high, false
	}
	for i, p := range ring {
		next := ring[(i+1)%4]
		corner := (p.Lat == low.Lat || p.Lat == high.Lat) && (p.Lon == low.Lon || p.Lon == high.Lon)
		if !corner || (p.Lat == next.Lat) == (p.Lon == next.Lon) { // each side goes along one direction
			return low, high, false
		}
	}
	return low, high, true
}

func (m *areaMessage) route(a *Area, rule jt808.AreaRule) error {
	if len(a.Line) < 2 || len(a.Line) > maxVertices {
		return fmt.Errorf("its line has %d points; a terminal takes from 2 to %d", len(a.Line), maxVertices)
	}
	if !(a.WidthM >= 1 && a.WidthM < 255.5) {
		return fmt.Errorf("its width of %g m is none that the protocol can say; from 1 to 255", a.WidthM)
	}
	// Places of a route have their hemispheres each.
	if _, err := hemispheres(a.Line[:1], 0, 0); err != nil {
		return err
	}
	r := &jt808.Route{ID: rule.ID, Props: rule.Props &^ jt808.AreaSpeed, Start: rule.Start, End: rule.End, Name: rule.Name, Points: make([]jt808.RoutePoint, len(a.Line))}
	for i, at := range a.Line {
		bits, err := hemispheres(a.Line[i:i+1], uint16(jt808.SectionSouth), uint16(jt808.SectionWest))
		if err != nil {
			return err
		}
		p := jt808.RoutePoint{ID: uint32(i + 1), SectionID: uint32(i + 1), Lat: distance(at.Lat), Lon: distance(at.Lon),
			Width: uint8(math.Round(a.WidthM)), Props: uint8(bits)}
		if rule.Props&jt808.AreaSpeed != 0 {
			p.Props |= jt808.SectionSpeed
			p.MaxSpeed, p.NightMaxSpeed, p.OverspeedSeconds = rule.MaxSpeed, rule.NightMaxSpeed, rule.OverspeedSeconds
		}
		r.Points[i] = p
	}
	m.id, m.kind, m.body = jt808.IDSetRoute, "route", r
	return nil
}
