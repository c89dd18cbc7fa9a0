package jt808

import (
	"fmt"

	wire "lushao/ingest/fields"
)

// Bits of AreaRule.Props; route props use bits 0 and 2 to 5.
const (
	AreaTimed         uint16 = 1 << 0
	AreaSpeed         uint16 = 1 << 1
	AreaEnterDriver   uint16 = 1 << 2
	AreaEnterPlatform uint16 = 1 << 3
	AreaLeaveDriver   uint16 = 1 << 4
	AreaLeavePlatform uint16 = 1 << 5
	AreaSouth         uint16 = 1 << 6
	AreaWest          uint16 = 1 << 7
)

var areaActions = meanings{0: "update", 1: "append", 2: "modify"}

// AreaRule is what every area has besides its shape.
type AreaRule struct {
	ID               uint32
	Props            uint16
	Start, End       Time   // with AreaTimed; date 00-00-00 is every day
	MaxSpeed         uint16 // km/h; with AreaSpeed, as the next two
	OverspeedSeconds uint8
	NightMaxSpeed    uint16 // km/h; 2019
	Name             Text   // 2019
}

func (m *AreaRule) head(f *fields) {
	f.U32("area_id", &m.ID)
	f.U16("props", &m.Props)
}

// period is from when to when an area or route is in force. JSON has the hours of every day under _daily.
func (f *fields) period(start, end *Time) {
	f.time("start_time", start)
	f.time("end_time", end)
	if f.Mode != wire.Decoding && start.Daily() && end.Daily() {
		f.Note("start_time_daily", start.clock())
		f.Note("end_time_daily", end.clock())
	}
}

func (m *AreaRule) times(f *fields) {
	if m.Props&AreaTimed != 0 {
		f.period(&m.Start, &m.End)
	}
}

func (m *AreaRule) speed(f *fields) {
	if m.Props&AreaSpeed != 0 {
		f.U16("max_speed", &m.MaxSpeed)
		f.U8("overspeed_seconds", &m.OverspeedSeconds)
	}
}

func (m *AreaRule) tail(f *fields) {
	if !f.has(FeatureAreaNames) {
		return
	}
	if m.Props&AreaSpeed != 0 {
		f.U16("night_max_speed", &m.NightMaxSpeed)
	}
	f.TextLen("name_len", "name", 2, &m.Name)
}

func (m *AreaRule) south() bool { return m.Props&AreaSouth != 0 }
func (m *AreaRule) west() bool  { return m.Props&AreaWest != 0 }

// SetCircles is 0x8600.
type SetCircles struct {
	Action uint8
	Areas  []Circle
}

// Circle is a round area.
type Circle struct {
	AreaRule
	Lat, Lon uint32 // of the centre, 1e-6 degree
	Radius   uint32 // m
}

func (m *SetCircles) walk(f *fields) {
	f.Code8("action", &m.Action, areaActions)
	wire.List(f, "count", "areas", 1, &m.Areas, walkCircle)
}

func walkCircle(f *fields, c *Circle) {
	c.head(f)
	f.Degrees("center_lat", &c.Lat, c.south())
	f.Degrees("center_lon", &c.Lon, c.west())
	f.U32("radius", &c.Radius)
	c.times(f)
	c.speed(f)
	c.tail(f)
}

// SetRectangles is 0x8602.
type SetRectangles struct {
	Action uint8
	Areas  []Rectangle
}

// Rectangle is an area between two corners, north-west and south-east.
type Rectangle struct {
	AreaRule
	Top, Left, Bottom, Right uint32 // 1e-6 degree
}

func (m *SetRectangles) walk(f *fields) {
	f.Code8("action", &m.Action, areaActions)
	wire.List(f, "count", "areas", 1, &m.Areas, walkRectangle)
}

func walkRectangle(f *fields, c *Rectangle) {
	c.head(f)
	f.Degrees("left_top_lat", &c.Top, c.south())
	f.Degrees("left_top_lon", &c.Left, c.west())
	f.Degrees("right_bottom_lat", &c.Bottom, c.south())
	f.Degrees("right_bottom_lon", &c.Right, c.west())
	c.times(f)
	c.speed(f)
	c.tail(f)
}

// Polygon is 0x8604.
type Polygon struct {
	AreaRule
	Vertices []Vertex
}

// Vertex is a corner of a Polygon, 1e-6 degree.
type Vertex struct{ Lat, Lon uint32 }

func (m *Polygon) walk(f *fields) {
	m.head(f)
	m.times(f)
	m.speed(f)
	wire.List(f, "vertex_count", "vertices", 2, &m.Vertices, func(f *fields, v *Vertex) {
		f.Degrees("lat", &v.Lat, m.south())
		f.Degrees("lon", &v.Lon, m.west())
	})
	m.tail(f) // the speed at night behind the vertices
}

// Bits of RoutePoint.Props.
const (
	SectionTimed uint8 = 1 << 0
	SectionSpeed uint8 = 1 << 1
	SectionSouth uint8 = 1 << 2
	SectionWest  uint8 = 1 << 3
)

// Route is 0x8606.
type Route struct {
	ID         uint32
	Props      uint16
	Start, End Time // with AreaTimed
	Points     []RoutePoint
	Name       Text // 2019
}

// RoutePoint is a corner of a Route, and the section from there to the next.
type RoutePoint struct {
	ID, SectionID    uint32
	Lat, Lon         uint32 // 1e-6 degree
	Width            uint8  // m
	Props            uint8
	TooLong          uint16 // s; with SectionTimed, as the next
	TooShort         uint16 // s
	MaxSpeed         uint16 // km/h; with SectionSpeed, as the next two
	OverspeedSeconds uint8
	NightMaxSpeed    uint16 // km/h; 2019
}

func (m *Route) walk(f *fields) {
	f.U32("route_id", &m.ID)
	f.U16("props", &m.Props)
	if m.Props&AreaTimed != 0 {
		f.period(&m.Start, &m.End)
	}
	wire.List(f, "point_count", "points", 2, &m.Points, walkRoutePoint)
	if f.has(FeatureAreaNames) {
		f.TextLen("name_len", "name", 2, &m.Name)
	}
}

// FillJSON sets the fields that a JSON object names, in the form that AppendBodyJSON writes, with the layout of 2019; root
// is the object's name in errors. The error is a *fields.FillError.
func (m *Route) FillJSON(root string, json []byte) error {
	f := fields{ed: Edition2019}
	return f.Fill(root, json, func() { m.walk(&f) })
}

func walkRoutePoint(f *fields, p *RoutePoint) {
	f.U32("point_id", &p.ID)
	f.U32("section_id", &p.SectionID)
	f.Degrees("lat", &p.Lat, p.Props&SectionSouth != 0) // a decoder reads the hemisphere later; only JSON asks for it
	f.Degrees("lon", &p.Lon, p.Props&SectionWest != 0)
	f.U8("width", &p.Width)
	f.U8("props", &p.Props)
	if p.Props&SectionTimed != 0 {
		f.U16("too_long_seconds", &p.TooLong)
		f.U16("too_short_seconds", &p.TooShort)
	}
	if p.Props&SectionSpeed != 0 {
		f.U16("max_speed", &p.MaxSpeed)
		f.U8("overspeed_seconds", &p.OverspeedSeconds)
		if f.has(FeatureAreaNames) {
			f.U16("night_max_speed", &p.NightMaxSpeed)
		}
	}
}

// DeleteAreas is 0x8601, 0x8603, 0x8605 and 0x8607; without ids it deletes all of its kind.
type DeleteAreas struct{ IDs []uint32 } // at most 125

func (m *DeleteAreas) walk(f *fields) { wire.Numbers(f, "count", "ids", 1, 4, &m.IDs) }

// Types of QueryAreas.
const (
	QueryCircles    uint8 = 1
	QueryRectangles uint8 = 2
	QueryPolygons   uint8 = 3
	QueryRoutes     uint8 = 4
)

var areaKinds = meanings{QueryCircles: "circles", QueryRectangles: "rectangles", QueryPolygons: "polygons", QueryRoutes: "routes"}

// QueryAreas is 0x8608 (2019); without ids it asks for all.
type QueryAreas struct {
	Type uint8
	IDs  []uint32
}

func (m *QueryAreas) walk(f *fields) {
	f.Code8("query_type", &m.Type, areaKinds)
	wire.Numbers(f, "count", "ids", 4, 4, &m.IDs)
}

// AreaData is 0x0608 (2019). The standard has blocks, each the body of 0x8600, 0x8602, 0x8604 or 0x8606; devices also
// send bare areas without action and count.
type AreaData struct {
	Type       uint8
	Circles    []SetCircles // one with all areas when Bare
	Rectangles []SetRectangles
	Polygons   []Polygon
	Routes     []Route
	Bare       bool
	// Raw is what follows Count where no reading of it comes out at the end of the body.
	Raw   []byte
	Count uint32
}

func (m *AreaData) walk(f *fields) {
	// There is no other layout: the message came with 2019, whatever the header says.
	defer func(ed Edition) { f.ed = ed }(f.ed)
	f.ed = Edition2019
	f.Code8("query_type", &m.Type, areaKinds)
	switch f.Mode {
	case wire.Decoding:
		f.U32("count", &m.Count)
		b := f.Take(max(f.Left(), 0), "data")
		if f.Err == nil && !m.read(b) {
			*m = AreaData{Type: m.Type, Count: m.Count, Raw: b}
		}
	case wire.Encoding:
		n := m.blocks()
		f.U32("count", &n)
		m.walkBlocks(f)
	case wire.Describing:
		f.U32("count", &m.Count)
		f.Truth("bare", m.Bare)
		f.Key("data")
		if m.Raw != nil {
			f.Out = wire.AppendHex(f.Out, m.Raw)
			return
		}
		f.Out = append(f.Out, '[')
		f.Comma = false
		m.walkBlocks(f)
		f.Out = append(f.Out, ']')
		f.Comma = true
	}
}

// read tries the readings of the data until one takes exactly all of it.
func (m *AreaData) read(b []byte) bool {
	f := fields{Walker: wire.Reader(b), ed: Edition2019}
	switch m.Type {
	case QueryCircles:
		if readBlocks(&f, m.Count, &m.Circles, func(f *fields, c *SetCircles) {
			c.walk(f)
			checkLiteral(f, c.Action, len(c.Areas))
		}) {
			return true
		}
		f, m.Circles, m.Bare = fields{Walker: wire.Reader(b), ed: Edition2019}, make([]SetCircles, 1), true
		return readBlocks(&f, m.Count, &m.Circles[0].Areas, walkCircle)
	case QueryRectangles:
		if readBlocks(&f, m.Count, &m.Rectangles, func(f *fields, c *SetRectangles) {
			c.walk(f)
			checkLiteral(f, c.Action, len(c.Areas))
		}) {
			return true
		}
		f, m.Rectangles, m.Bare = fields{Walker: wire.Reader(b), ed: Edition2019}, make([]SetRectangles, 1), true
		return readBlocks(&f, m.Count, &m.Rectangles[0].Areas, walkRectangle)
	case QueryPolygons:
		return readBlocks(&f, m.Count, &m.Polygons, func(f *fields, p *Polygon) { p.walk(f) })
	case QueryRoutes:
		return readBlocks(&f, m.Count, &m.Routes, func(f *fields, r *Route) { r.walk(f) })
	}
	return false
}

func checkLiteral(f *fields, action uint8, areas int) {
	if action > 2 || areas == 0 {
		f.Fail(ErrValue, "action", fmt.Sprintf("%d with %d areas is no block", action, areas))
	}
}

func readBlocks[T any](f *fields, n uint32, v *[]T, item func(*fields, *T)) bool {
	for ; n > 0 && f.Err == nil && f.Left() > 0; n-- {
		wire.DecodeItem(f, v, item)
	}
	return n == 0 && f.Err == nil && f.Left() == 0
}

func (m *AreaData) blocks() uint32 {
	n := len(m.Polygons) + len(m.Routes)
	if m.Raw != nil {
		return m.Count
	}
	for i := range m.Circles {
		n += m.count(len(m.Circles[i].Areas))
	}
	for i := range m.Rectangles {
		n += m.count(len(m.Rectangles[i].Areas))
	}
	return uint32(n)
}

func (m *AreaData) count(areas int) int {
	if m.Bare {
		return areas
	}
	return 1
}

func (m *AreaData) walkBlocks(f *fields) {
	if m.Raw != nil {
		f.Out = append(f.Out, m.Raw...)
		return
	}
	for i := range m.Circles {
		if m.Bare {
			for j := range m.Circles[i].Areas {
				f.block(func() { walkCircle(f, &m.Circles[i].Areas[j]) })
			}
			continue
		}
		f.block(func() { m.Circles[i].walk(f) })
	}
	for i := range m.Rectangles {
		if m.Bare {
			for j := range m.Rectangles[i].Areas {
				f.block(func() { walkRectangle(f, &m.Rectangles[i].Areas[j]) })
			}
			continue
		}
		f.block(func() { m.Rectangles[i].walk(f) })
	}
	for i := range m.Polygons {
		f.block(func() { m.Polygons[i].walk(f) })
	}
	for i := range m.Routes {
		f.block(func() { m.Routes[i].walk(f) })
	}
}

// block is an element of a list whose elements are of several kinds.
func (f *fields) block(walk func()) {
	if f.Mode != wire.Describing {
		walk()
		return
	}
	if f.Comma {
		f.Out = append(f.Out, ',')
	}
	f.Object(walk)
}
