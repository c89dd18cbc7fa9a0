// Package register keeps what platforms of JT/T 809 make known of vehicles: static data (0x1601), the terminal (0x1201) and
// routes (0x120E, 0x1602). It lives in the compacted topic "platform-vehicles", one record a vehicle.
package register

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
)

// Record is what is known of a vehicle. An empty text is not known.
type Record struct {
	Plate        string        `json:"plate"`
	Color        ingest.Color  `json:"color"`
	Platform     string        `json:"platform"`     // name of the peer that is believed
	Confirmed    platform.Time `json:"confirmed"`    // when that peer last told of the vehicle, to the day
	VehicleType  string        `json:"vehicle_type"` // JT/T 415-2006 5.4.9
	TransType    string        `json:"trans_type"`   // JT/T 415-2006 5.2.1
	Region       string        `json:"region"`       // GB/T 2260, six digits
	OperatorID   string        `json:"operator_id"`  // in the peer's own system
	OperatorName string        `json:"operator_name"`
	OperatorTel  string        `json:"operator_tel"`
	PlatformID   string        `json:"platform_id"` // of the monitoring platform, as the terminal's registration says
	ProducerID   string        `json:"producer_id"` // maker of the terminal
	Model        string        `json:"model"`
	IMEI         string        `json:"imei"`
	TerminalID   string        `json:"terminal_id"`
	Phone        string        `json:"phone"`  // of the terminal, digits without leading zeros
	Static       bool          `json:"static"` // static data have come, whatever they said
	Routes       []Route       `json:"routes,omitempty"`
}

// Route is a line that the vehicle is to keep to.
type Route struct {
	ID     uint32     `json:"id"`
	Name   string     `json:"name"`
	WidthM float64    `json:"width_m"` // whole width
	Line   [][2]int32 `json:"line"`    // latitude, longitude; 1e-6 degree
}

// Report is what a platform says at once. Its fields are those of the superior's Static, in the same order.
type Report struct {
	Vehicle    ingest.Vehicle
	Platform   string     // name of the peer
	Operator   string     // of the peer's settings, where Info says none
	Region     string     // the same
	Info       jt809.Info // 0x1601
	PlatformID string     // 0x1201, as the next ones
	ProducerID string
	Model      string
	IMEI       string
	TerminalID string
	Phone      string
	Route      *jt809.Route // 0x120E, 0x1602
	Received   int64        // Unix ms
}

// Bounds of a record.
const (
	maxText   = 128
	maxRoutes = 16
	maxPoints = 2000
)

// Vehicle returns the identity; the error is one of ingest.NewVehicle.
func (r *Record) Vehicle() (ingest.Vehicle, error) { return ingest.NewVehicle(r.Plate, r.Color) }

// Class is the class by transport business, or else by vehicle type; empty where neither says one.
func (r *Record) Class() string {
	if c := jt809.ClassOfTransType(r.TransType); c != "" {
		return c
	}
	if r.TransType == "" && r.VehicleType == "40" { // 危险货物运输车
		return "hazmat"
	}
	return ""
}

// clean returns a text that may be kept, "" for one that may not.
func clean(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > maxText || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }) {
		return ""
	}
	return s
}

func digits(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// cleanRegion takes six digits.
func cleanRegion(s string) string {
	if s = clean(s); len(s) == 6 && digits(s) {
		return s
	}
	return ""
}

// cleanPhone takes the digits without leading zeros: editions pad a phone number differently.
func cleanPhone(s string) string {
	if s = strings.TrimLeft(clean(s), "0"); digits(s) && len(s) <= 20 {
		return s
	}
	return ""
}

// record is what a report says, as a record.
func (s *Report) record() Record {
	r := Record{Plate: s.Vehicle.Plate(), Color: s.Vehicle.Color, Platform: s.Platform, Confirmed: platform.Time(s.Received),
		PlatformID: clean(s.PlatformID), ProducerID: clean(s.ProducerID), Model: clean(s.Model), IMEI: clean(s.IMEI), TerminalID: clean(s.TerminalID), Phone: cleanPhone(s.Phone)}
	if len(s.Info) > 0 {
		get := func(key string) string { return clean(s.Info.Get(key)) }
		r.Static = true
		r.VehicleType, r.TransType = get(jt809.InfoVehicleType), get(jt809.InfoTransType)
		r.Region = cleanRegion(s.Info.Get(jt809.InfoNationality))
		r.OperatorID, r.OperatorName, r.OperatorTel = get(jt809.InfoOperatorID), get(jt809.InfoOperatorName), get(jt809.InfoOperatorTel)
	}
	if r.OperatorID == "" && r.OperatorName == "" {
		r.OperatorID = clean(s.Operator)
	}
	if r.Region == "" {
		r.Region = cleanRegion(s.Region)
	}
	if s.Route != nil {
		if route, ok := routeOf(&s.Route.Drvline); ok {
			r.Routes = []Route{route}
		}
	}
	return r
}

// routeOf takes a route of at least two points with a width.
func routeOf(m *jt808.Route) (Route, bool) {
	if len(m.Points) < 2 || len(m.Points) > maxPoints {
		return Route{}, false
	}
	r := Route{ID: m.ID, Name: clean(m.Name.String())}
	for _, p := range m.Points {
		if p.Lat > 90_000_000 || p.Lon > 180_000_000 {
			return Route{}, false
		}
		at := [2]int32{int32(p.Lat), int32(p.Lon)}
		if p.Props&jt808.SectionSouth != 0 {
			at[0] = -at[0]
		}
		if p.Props&jt808.SectionWest != 0 {
			at[1] = -at[1]
		}
		if n := len(r.Line); n == 0 || r.Line[n-1] != at {
			r.Line = append(r.Line, at)
		}
		r.WidthM = math.Max(r.WidthM, float64(p.Width))
	}
	return r, len(r.Line) >= 2 && r.WidthM > 0
}

// texts are the fields that are merged one by one.
func (r *Record) texts() []*string {
	return []*string{&r.VehicleType, &r.TransType, &r.Region, &r.OperatorID, &r.OperatorName, &r.OperatorTel, &r.PlatformID, &r.ProducerID,
		&r.Model, &r.IMEI, &r.TerminalID, &r.Phone}
}

// merged is the record after another report: what the believed platform says replaces what was known, what another one
// says fills what is open.
func (r Record) merged(n *Record, believed bool) Record {
	if believed && n.Static && (n.OperatorID != "" || n.OperatorName != "") { // they go together
		r.OperatorID, r.OperatorName, r.OperatorTel = "", "", ""
	}
	if !believed && (r.OperatorID != "" || r.OperatorName != "") {
		m := *n
		m.OperatorID, m.OperatorName, m.OperatorTel = "", "", ""
		n = &m
	}
	to, from := r.texts(), n.texts()
	for i := range to {
		if *from[i] != "" && (believed || *to[i] == "") {
			*to[i] = *from[i]
		}
	}
	r.Static = r.Static || n.Static
	for _, route := range n.Routes {
		routes := slices.Clone(r.Routes)
		at, there := slices.BinarySearchFunc(routes, route.ID, func(r Route, id uint32) int { return cmp.Compare(r.ID, id) })
		switch {
		case there && believed:
			routes[at] = route
		case !there && len(routes) < maxRoutes:
			routes = slices.Insert(routes, at, route)
		}
		r.Routes = routes
	}
	return r
}

// same reports whether two records say the same, whenever it was said.
func same(a, b *Record) bool {
	x, y := *a, *b
	x.Confirmed, y.Confirmed = 0, 0
	return reflect.DeepEqual(x, y)
}
