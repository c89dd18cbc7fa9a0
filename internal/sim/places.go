package sim

import (
	"fmt"

	"lushao/detect"
	"lushao/ingest"
)

// region is the county's code in the manner of GB/T 2260; no such county exists.
const region = "140598"

func classes(list ...detect.Class) detect.ClassSet {
	var s detect.ClassSet
	for _, c := range list {
		s = s.With(c)
	}
	return s
}

var (
	onlyHazmat = classes(detect.ClassHazmat)
	freight    = classes(detect.ClassHazmat, detect.ClassHeavyTruck, detect.ClassTruck, detect.ClassDumpTruck)
)

// part returns the vertices of a road from one share of its length to another, every nth.
func (e *edge) part(from, to float64, every int) []point {
	n := float64(len(e.pts) - 1)
	i, j := int(from*n), int(to*n)
	var out []point
	for ; i < j; i += every {
		out = append(out, e.pts[i])
	}
	return append(out, e.pts[j])
}

// block is the oblong of a length and a width in metres around the middle of a road, along its direction there.
func (e *edge) block(length, width float64) []coord {
	m := len(e.pts) / 2
	k := min(m, int(length/2/e.step))
	dir := e.pts[min(m+k, len(e.pts)-1)].sub(e.pts[m-k])
	dir = dir.times(1 / dir.norm())
	along, across := dir.times(length/2), point{-dir.y, dir.x}.times(width/2)
	c := between(e.pts[m-k], e.pts[min(m+k, len(e.pts)-1)], 0.5)
	return coordsOf([]point{c.sub(along).sub(across), c.add(along).sub(across), c.add(along).add(across), c.sub(along).add(across)})
}

func km(xy ...point) []coord {
	for i := range xy {
		xy[i] = xy[i].times(1000)
	}
	return coordsOf(xy)
}

// buildFences makes the county's fences. Forbidden ground is polygons and a circle, whose borders every right implementation puts in
// the same place, to a metre or two; the ends of corridors would be a matter of taste.
func (w *world) buildFences() {
	add := func(f detect.Fence, s shape) int {
		w.fences = append(w.fences, newFence(f, s))
		return len(w.fences) - 1
	}
	border := km(point{-31, -31}, point{31, -31}, point{31, 31}, point{-31, 31})
	add(detect.Fence{ID: "JX", Name: "路哨县", Kind: detect.FenceJurisdiction, Region: region}, polygon(border))
	add(detect.Fence{ID: "QY", Name: "县域普通公路", Kind: detect.FenceRegion, Road: detect.RoadOther}, polygon(border))
	var way []point
	for _, r := range [][2]string{{"XA", "X1"}, {"X1", "V1"}, {"V1", "X2"}, {"X2", "X3"}, {"X3", "XB"}} {
		part := w.road(r[0], r[1]).part(0, 1, 5)
		if way != nil {
			part = part[1:]
		}
		way = append(way, part...)
	}
	add(detect.Fence{ID: "GS", Name: "东西高速", Kind: detect.FenceRegion, Road: detect.RoadExpressway}, corridor(coordsOf(way), 120))
	add(detect.Fence{ID: "TC1", Name: "化工园区危货停车场", Kind: detect.FenceHazmatParking, Classes: onlyHazmat}, circle(coordOf(w.named("K1").at), 150))

	forbid := func(a, b string, f detect.Fence, s shape) {
		f.Kind, f.Classes = detect.FenceForbidden, onlyHazmat
		w.road(a, b).forbidden = add(f, s)
	}
	middle := w.road("G3", "S2").pts
	forbid("G3", "S2", detect.Fence{ID: "JX1", Name: "南湖饮用水源地"}, circle(coordOf(middle[len(middle)/2].add(point{0, -600})), 2200))
	forbid("P1", "TNW", detect.Fence{ID: "JX2", Name: "青岭特长隧道"}, polygon(w.road("P1", "TNW").block(5200, 1200)))
	forbid("TSW", "J2", detect.Fence{ID: "JX3", Name: "古城保护区"},
		polygon(km(point{-2.1, -0.9}, point{-5.6, -1.6}, point{-6.2, -3.6}, point{-4.5, -4}, point{-3, -3.4}, point{-1.9, -2.3})))

	speed := func(id, name string, day, night uint16, who detect.ClassSet, s shape) {
		add(detect.Fence{ID: id, Name: name, Kind: detect.FenceSpeed, SpeedLimit: day, NightSpeedLimit: night, Classes: who}, s)
	}
	speed("XS1", "柳树村段", 600, 500, 0, polygon(w.road("G1", "G2").block(4200, 900)))
	speed("XS2", "县城", 500, 0, 0, polygon(km(point{-1.9, -1.8}, point{-0.5, -2}, point{1.9, -1.9}, point{2, 1.8}, point{-1.8, 1.9})))
	speed("XS3", "第一中学", 300, 0, 0, circle(coordOf(between(w.named("TN").at, w.named("TC").at, 0.5)), 430))
	speed("XS4", "东沟长下坡", 450, 0, freight, corridor(coordsOf(w.road("C1", "C2").part(0.2, 0.75, 1)), 120))
	speed("XS5", "沁河大桥", 850, 0, 0, corridor(coordsOf(w.road("X2", "X3").part(0.25, 0.75, 3)), 160))

	blind := func(a, b, id, name string, s shape) {
		w.road(a, b).blind = add(detect.Fence{ID: id, Name: name, Kind: detect.FenceBlind}, s)
	}
	blind("W1", "PA", "MQ1", "西峪沟", polygon(w.road("W1", "PA").block(6000, 1200)))
	blind("GA", "G1", "MQ2", "北山路堑", corridor(coordsOf(w.road("GA", "G1").part(0.3, 0.7, 2)), 300))
}

// stationSites are the roads on which weigh stations stand, in the order in which they are built.
var stationSites = [][2]string{{"G3", "GB"}, {"P1", "G1"}, {"TS", "J2"}, {"X3", "XB"}, {"C1", "J3"}, {"S1", "G3"}, {"XA", "X1"},
	{"G1", "P2"}, {"J1", "TW"}, {"S1", "M1"}, {"PA", "P1"}, {"C2", "M2"}, {"P2", "PB"}, {"J1", "S1"}, {"K1", "C2"}}

// stationShares are the places on each road where one can stand.
var stationShares = []float64{0.5, 0.2, 0.8, 0.35}

// maxStations is how many weigh stations the county has room for.
var maxStations = len(stationSites) * len(stationShares)

// buildStations puts up the first n weigh stations.
func (w *world) buildStations(n int) {
	for i := range n {
		site := stationSites[i%len(stationSites)]
		e := w.road(site[0], site[1])
		v := int(stationShares[i/len(stationSites)] * float64(len(e.pts)-1))
		at := coordOf(e.pts[v])
		s := detect.Station{ID: fmt.Sprintf("S%03d", i+1), Name: fmt.Sprintf("%s–%s治超站%d", site[0], site[1], i/len(stationSites)+1),
			Lat: at.lat, Lon: at.lon, Method: ingest.MethodDynamic, TolerancePct: 5, SizeToleranceMm: -1}
		switch i % 3 {
		case 1:
			s.Method, s.TolerancePct = ingest.MethodStatic, -1
		case 2:
			s.TolerancePct = 10
		}
		e.stations = append(e.stations, stop{v, len(w.stations)})
		w.stations = append(w.stations, s)
	}
}
