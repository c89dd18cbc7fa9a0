package detect

import (
	"math"

	"lushao/geo"
	"lushao/ingest"
)

// The crowd is the vehicles that stand near fences in which stopping is forbidden: where more than a few stand together it is
// a traffic jam and nobody is to blame. Only what stands near such a fence is in it.
//
// An engine sees the vehicles of its own partition only.

// maxCrowdRadius bounds the setting: the cells of the crowd are wider than that anywhere in the country.
const maxCrowdRadius = 1000

// Cells are about 1.1 km from south to north, and at the country's northern end 1.3 km from west to east.
const (
	crowdCellLat = 10_000 // 1e-6 degree
	crowdCellLon = 20_000
)

type crowdCell struct{ lat, lon int32 }

func crowdCellOf(p geo.Point) crowdCell { return crowdCell{p.Lat / crowdCellLat, p.Lon / crowdCellLon} }

// joinCrowd takes note that the vehicle stands at its stop's place.
func (e *Engine) joinCrowd(v *vehicle) {
	if e.snap.noStop == nil {
		return
	}
	p := geo.Point{Lat: v.stopLat, Lon: v.stopLon}
	e.near = e.snap.noStop.Near(p, e.snap.Settings.FenceStop.CrowdRadius, e.near[:0])
	if len(e.near) == 0 {
		return
	}
	c := crowdCellOf(p)
	e.crowd[c] = append(e.crowd[c], v)
	v.set(flagCrowd, true)
}

// leaveCrowd takes the vehicle out; it must be called before the stop's place changes.
func (e *Engine) leaveCrowd(v *vehicle) {
	if !v.has(flagCrowd) {
		return
	}
	v.set(flagCrowd, false)
	c := crowdCellOf(geo.Point{Lat: v.stopLat, Lon: v.stopLon})
	list := e.crowd[c]
	for i := range list {
		if list[i] == v {
			list[i] = list[len(list)-1]
			list[len(list)-1] = nil
			list = list[:len(list)-1]
			break
		}
	}
	if len(list) == 0 {
		delete(e.crowd, c)
		return
	}
	e.crowd[c] = list
}

// standing counts the vehicles that stand within the radius of a place at t, the one that asks included.
func (e *Engine) standing(p geo.Point, t int64) int {
	s := &e.snap.Settings.FenceStop
	silent := int64(s.CrowdSilentS) * 1000
	n := 0
	at := crowdCellOf(p)
	for dLat := int32(-1); dLat <= 1; dLat++ {
		for dLon := int32(-1); dLon <= 1; dLon++ {
			for _, o := range e.crowd[crowdCell{at.lat + dLat, at.lon + dLon}] {
				if math.Abs(float64(t-o.stoppedAt.ms())) <= float64(silent) && geo.Distance(p, geo.Point{Lat: o.stopLat, Lon: o.stopLon}) <= s.CrowdRadius {
					n++
				}
			}
		}
	}
	return n
}

// StandsWhereForbidden reports whether a position shows a vehicle that stands so near to a fence in which stopping is forbidden that it counts
// for a jam there.
func (s *Snapshot) StandsWhereForbidden(ev *ingest.Event) bool {
	p := &ev.Position
	return s.noStop != nil && ev.Kind == ingest.KindPosition && s.CheckPosition(ev) == QualityOK && speedKnown(p.Speed) && p.Speed < s.moving &&
		len(s.noStop.Near(geo.Point{Lat: p.Lat, Lon: p.Lon}, s.Settings.FenceStop.CrowdRadius, nil)) > 0
}
