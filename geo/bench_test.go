package geo

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"
	"github.com/tidwall/rtree"
)

// outline makes a ring like the border of a district or a works: a few large bays, and ever smaller ones.
func outline(rnd *rand.Rand, lon, lat int64, r float64, n int) orb.Ring {
	var size, phase [24]float64
	for k := range size {
		size[k], phase[k] = rnd.NormFloat64()*0.25/float64(k+1), rnd.Float64()*2*math.Pi
	}
	ring := make(orb.Ring, 0, n+1)
	for i := range n {
		a := 2 * math.Pi * (float64(i) + 0.6*rnd.Float64()) / float64(n)
		d := 1.0
		for k := range size {
			d += size[k] * math.Sin(float64(k+2)*a+phase[k])
		}
		d = r * max(d, 0.2)
		ring = append(ring, degrees(lon+int64(d*math.Cos(a)), lat+int64(d*math.Sin(a))))
	}
	return append(ring, ring[0])
}

// fleetWorld makes n polygons of 16 to 1,000 vertices (238 on average), 50 m to 20 km across and clustered in towns, and places of
// vehicles, four of five in these towns and the others on the straight between two. Jagged polygons have a spike at every
// vertex, a third of the radius deep.
func fleetWorld(n int, jagged bool) (polygons []orb.Polygon, places []Point) {
	rnd := rand.New(rand.NewPCG(42, uint64(n)))
	towns := make([][2]float64, max(n/150, 5))
	for i := range towns {
		towns[i] = [2]float64{98e6 + rnd.Float64()*24e6, 22e6 + rnd.Float64()*20e6}
	}
	in := func() (lon, lat int64) {
		t := towns[rnd.IntN(len(towns))]
		return int64(t[0] + rnd.NormFloat64()*60_000), int64(t[1] + rnd.NormFloat64()*50_000)
	}
	for range n {
		lon, lat := in()
		vertices := int(16 * math.Exp(rnd.Float64()*math.Log(1000.0/16)))
		radius := max(250*math.Exp(rnd.Float64()*rnd.Float64()*math.Log(400)), float64(5*vertices)) // 1e-6 degree
		polygon := orb.Polygon{outline(rnd, lon, lat, radius, vertices)}
		if _, err := CompilePolygon(polygon); jagged || err != nil {
			polygon = starPolygon(rnd, lon, lat, radius, vertices)
		}
		polygons = append(polygons, polygon)
	}
	for range 1 << 16 {
		lon, lat := in()
		if rnd.IntN(5) == 0 {
			a, b := towns[rnd.IntN(len(towns))], towns[rnd.IntN(len(towns))]
			f := rnd.Float64()
			lon, lat = int64(a[0]+f*(b[0]-a[0])), int64(a[1]+f*(b[1]-a[1]))
		}
		places = append(places, Point{Lat: int32(lat), Lon: int32(lon)})
	}
	return polygons, places
}

func compileAll(b *testing.B, polygons []orb.Polygon) []*Shape {
	shapes := make([]*Shape, len(polygons))
	for i, p := range polygons {
		shapes[i] = mustCompile(b, p, 0, 0)
	}
	return shapes
}

// BenchmarkLookup asks the index. Beside the time: shapes found in a look-up and bytes of index and shapes for each vertex.
func BenchmarkLookup(b *testing.B) {
	for _, c := range []struct {
		n      int
		jagged bool
	}{{1_000, false}, {10_000, false}, {100_000, false}, {1_000, true}, {10_000, true}, {100_000, true}} {
		b.Run(fmt.Sprintf("%d/jagged=%v", c.n, c.jagged), func(b *testing.B) {
			polygons, places := fleetWorld(c.n, c.jagged)
			shapes := compileAll(b, polygons)
			x := Build(shapes, runtime.GOMAXPROCS(0))
			vertices, bytes := 0, 0
			for _, s := range shapes {
				vertices += s.Vertices()
				bytes += s.Bytes()
			}
			dst := make([]int32, 0, 1000)
			found, i := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				dst = x.Lookup(places[i&(len(places)-1)], dst[:0])
				found += len(dst)
				i++
			}
			b.ReportMetric(float64(found)/float64(i), "found/op")
			b.ReportMetric(float64(x.Bytes())/float64(vertices), "indexB/vertex")
			b.ReportMetric(float64(bytes)/float64(vertices), "shapeB/vertex")
			b.ReportMetric(float64(vertices), "vertices")
		})
	}
}

// BenchmarkLinear is orb asked polygon by polygon, for comparison.
func BenchmarkLinear(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			polygons, places := fleetWorld(n, false)
			i := 0
			for b.Loop() {
				p := places[i&(len(places)-1)].Degrees()
				for _, polygon := range polygons {
					planar.PolygonContains(polygon, p)
				}
				i++
			}
		})
	}
}

// BenchmarkRTree is what one would take otherwise: an R-tree of bounding boxes, and orb for the polygons that it gives.
func BenchmarkRTree(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			polygons, places := fleetWorld(n, false)
			var tree rtree.RTreeG[int32]
			for i, p := range polygons {
				box := p.Bound()
				tree.Insert(box.Min, box.Max, int32(i))
			}
			dst := make([]int32, 0, 1000)
			found, i := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				p := places[i&(len(places)-1)].Degrees()
				dst = dst[:0]
				tree.Search(p, p, func(_, _ [2]float64, n int32) bool {
					if planar.PolygonContains(polygons[n], p) {
						dst = append(dst, n)
					}
					return true
				})
				found += len(dst)
				i++
			}
			b.ReportMetric(float64(found)/float64(i), "found/op")
		})
	}
}

// BenchmarkCrossed asks for the shapes that a segment of a vehicle crosses, 30 s at 60 km/h. Most lie in one empty cell.
func BenchmarkCrossed(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			polygons, places := fleetWorld(n, false)
			x := Build(compileAll(b, polygons), runtime.GOMAXPROCS(0))
			rnd := rand.New(rand.NewPCG(1, 2))
			ends := make([]Point, len(places))
			for i, p := range places {
				a := rnd.Float64() * 2 * math.Pi
				ends[i] = Point{Lat: p.Lat + int32(4500*math.Cos(a)), Lon: p.Lon + int32(5500*math.Sin(a))}
			}
			dst := make([]int32, 0, 1000)
			i, clear := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				k := i & (len(places) - 1)
				if x.Clear(places[k], ends[k]) {
					clear++
				} else {
					dst = x.Crossed(places[k], ends[k], dst[:0])
				}
				i++
			}
			b.ReportMetric(100*float64(clear)/float64(i), "%clear")
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		polygons, _ := fleetWorld(n, false)
		shapes := compileAll(b, polygons)
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("%d/workers=%d", n, workers), func(b *testing.B) {
				for b.Loop() {
					Build(shapes, workers)
				}
			})
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{16, 100, 1_000, 10_000} {
		p := starPolygon(rand.New(rand.NewPCG(1, 1)), 112_000_000, 35_000_000, 500_000, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mustCompile(b, p, 0, 0)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/vertex")
		})
	}
}

func BenchmarkContains(b *testing.B) {
	for _, n := range []int{16, 100, 1_000, 10_000} {
		rnd := rand.New(rand.NewPCG(1, 1))
		p := starPolygon(rnd, 112_000_000, 35_000_000, 500_000, n)
		s := mustCompile(b, p, 0, 0)
		places := probes(rnd, s, 1<<9)
		var asked []Point
		for len(asked) < 1<<10 {
			if q := places[rnd.IntN(len(places))]; q != s.verts[0] {
				asked = append(asked, q)
			}
		}
		b.Run(fmt.Sprintf("lushao/%d", n), func(b *testing.B) {
			i := 0
			for b.Loop() {
				s.Contains(asked[i&1023])
				i++
			}
		})
		b.Run(fmt.Sprintf("orb/%d", n), func(b *testing.B) {
			i := 0
			for b.Loop() {
				planar.PolygonContains(p, asked[i&1023].Degrees())
				i++
			}
		})
	}
}

func BenchmarkDistance(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 1))
	var ps [1024]Point
	for i := range ps {
		ps[i] = Point{30_000_000 + rnd.Int32N(1_000_000), 112_000_000 + rnd.Int32N(1_000_000)}
	}
	i := 0
	b.Run("near", func(b *testing.B) {
		for b.Loop() {
			Distance(ps[i&1023], ps[(i+1)&1023])
			i++
		}
	})
	b.Run("segment", func(b *testing.B) {
		for b.Loop() {
			SegmentPoint(ps[i&1023], ps[(i+1)&1023], ps[(i+2)&1023])
			i++
		}
	})
	b.Run("far", func(b *testing.B) {
		for b.Loop() {
			Distance(ps[i&1023], Point{Lat: ps[i&1023].Lat - 40_000_000, Lon: 10_000_000})
			i++
		}
	})
}
