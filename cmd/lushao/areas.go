package main

import (
	"math"

	"github.com/paulmach/orb"

	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/gateway"
)

// areasOf are the fences and routes of the reference data that a terminal can do something about and that mean the vehicle:
// forbidden areas, those it must stay in, those with a speed limit, and the routes that the register gives it.
func areasOf(data *detect.ReferenceData, v ingest.Vehicle) []gateway.Area {
	var record detect.VehicleRecord // of class other, where the register does not know it
	for i := range data.Vehicles {
		if data.Vehicles[i].Vehicle == v {
			record = data.Vehicles[i]
			break
		}
	}
	var out []gateway.Area
	for i := range data.Fences {
		f := &data.Fences[i]
		a := gateway.Area{ID: f.ID, Name: f.Name, RadiusM: f.RadiusM, WidthM: f.WidthM}
		switch f.Kind {
		case detect.FenceForbidden:
			a.OnEnter = true
		case detect.FenceBound:
			a.OnLeave = true
		case detect.FenceSpeed:
			a.Limit, a.NightLimit = f.SpeedLimit, f.NightSpeedLimit
		default:
			continue
		}
		if !means(f, v, record.Class) {
			continue
		}
		shape(&a, f.Geometry)
		for _, w := range f.Schedule {
			const everyDay = 1<<7 - 1
			if w.Days != everyDay {
				a.OddDays = true
			}
			if w.From%(24*60) == w.To%(24*60) { // all day, whatever the others say
				a.Daily = nil
				break
			}
			a.Daily = append(a.Daily, gateway.DailyHours{From: w.From, To: w.To})
		}
		out = append(out, a)
	}
	for _, id := range record.Routes {
		for i := range data.Routes {
			if r := &data.Routes[i]; r.ID == id {
				out = append(out, gateway.Area{ID: r.ID, Name: r.Name, Line: points(r.Line), WidthM: r.WidthM, OnLeave: true})
			}
		}
	}
	return out
}

// means reports whether the fence is for the vehicle; one without classes and vehicles is for everybody.
func means(f *detect.Fence, v ingest.Vehicle, class detect.Class) bool {
	if f.Classes.Empty() && len(f.Vehicles) == 0 || f.Classes.Has(class) {
		return true
	}
	for i := range f.Vehicles {
		if f.Vehicles[i] == v {
			return true
		}
	}
	return false
}

func shape(a *gateway.Area, g orb.Geometry) {
	polygon := func(p orb.Polygon) {
		if len(p) > 0 {
			a.Polygons = append(a.Polygons, points(orb.LineString(p[0])))
			a.Holes = a.Holes || len(p) > 1
		}
	}
	switch g := g.(type) {
	case orb.Point:
		p := point(g)
		a.Circle = &p
	case orb.LineString:
		a.Line = points(g)
	case orb.Polygon:
		polygon(g)
	case orb.MultiPolygon:
		for _, p := range g {
			polygon(p)
		}
	}
}

func point(p orb.Point) gateway.Point {
	return gateway.Point{Lat: int32(math.Round(p.Lat() * 1e6)), Lon: int32(math.Round(p.Lon() * 1e6))}
}

func points(l orb.LineString) []gateway.Point {
	out := make([]gateway.Point, len(l))
	for i := range l {
		out[i] = point(l[i])
	}
	return out
}
