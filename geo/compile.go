package geo

import (
	"errors"
	"fmt"
	"math"

	"github.com/paulmach/orb"
)

// Compile compiles any geometry of a fence: orb.Point with radius, orb.LineString with its whole width, orb.Polygon,
// orb.MultiPolygon; radius and width in metres, 0 where they do not belong.
func Compile(g orb.Geometry, radius, width float64) (*Shape, error) {
	switch g := g.(type) {
	case orb.Point:
		return CompileCircle(g, radius)
	case orb.LineString:
		return CompileCorridor(g, width)
	case orb.Polygon:
		return CompilePolygon(g)
	case orb.MultiPolygon:
		return CompileMultiPolygon(g)
	case nil:
		return nil, errors.New("no geometry")
	}
	return nil, fmt.Errorf("geometry %s is no fence: use Point with a radius, LineString with a width, Polygon or MultiPolygon", g.GeoJSONType())
}

// CompileCircle compiles the places nearer than radius metres to a centre.
func CompileCircle(centre orb.Point, radius float64) (*Shape, error) {
	if !(radius > 0 && radius <= MaxRadius) {
		return nil, fmt.Errorf("radius %v m: must be over 0 and at most %d", radius, MaxRadius)
	}
	p, err := PointOf(centre)
	if err != nil {
		return nil, fmt.Errorf("centre: %w", err)
	}
	return compileBuffer([]Point{p}, radius)
}

// CompileCorridor compiles the places nearer than half of width metres to a line.
func CompileCorridor(line orb.LineString, width float64) (*Shape, error) {
	if !(width > 0 && width <= MaxWidth) {
		return nil, fmt.Errorf("width %v m: must be over 0 and at most %d", width, MaxWidth)
	}
	points, err := CompileLine(line)
	if err != nil {
		return nil, err
	}
	return compileBuffer(points, width/2)
}

// CompileLine rounds a line to the grid and drops repeated vertices. It refuses what CompileCorridor refuses.
func CompileLine(line orb.LineString) ([]Point, error) {
	points, err := roundVertices(line)
	if err != nil {
		return nil, err
	}
	if len(points) < 2 {
		return nil, fmt.Errorf("%d distinct vertices: a line needs 2 or more", len(points))
	}
	return points, nil
}

func compileBuffer(line []Point, half float64) (*Shape, error) {
	s := &Shape{verts: line, half: half, box: emptyBox()}
	for _, p := range line {
		s.box = s.box.with(p)
	}
	// One in a hundred more than the reach, for the curvature within it.
	reachLat := float64(half/leastPerLat*1.01) + 2
	top := max(-float64(s.box.min.Lat), float64(s.box.max.Lat)) + reachLat
	if top > maxReachLat {
		return nil, fmt.Errorf("reaches latitude %.3f: at most %d degrees north or south", top/microDegrees, maxReachLat/microDegrees)
	}
	_, perLon := scale(top)
	reachLon := float64(half/perLon*1.01) + 2
	if float64(s.box.min.Lon)-reachLon < -maxLon || float64(s.box.max.Lon)+reachLon > maxLon {
		return nil, errors.New("reaches over the antimeridian: split it there")
	}
	s.reach = Point{Lat: int32(math.Ceil(reachLat)), Lon: int32(math.Ceil(reachLon))}
	s.box.min.Lat -= s.reach.Lat
	s.box.max.Lat += s.reach.Lat
	s.box.min.Lon -= s.reach.Lon
	s.box.max.Lon += s.reach.Lon
	edges := make([]uint32, max(len(line)-1, 0))
	for i := range edges {
		edges[i] = uint32(i)
	}
	s.bands = makeBands(line, edges)
	return s, nil
}

// CompilePolygon compiles an outer ring and its holes.
func CompilePolygon(polygon orb.Polygon) (*Shape, error) {
	s := &Shape{}
	if err := s.addPolygon(polygon); err != nil {
		return nil, err
	}
	s.finishArea()
	return s, nil
}

// CompileMultiPolygon compiles several polygons, which may overlap: inside is what is inside of any.
func CompileMultiPolygon(polygons orb.MultiPolygon) (*Shape, error) {
	if len(polygons) == 0 {
		return nil, errors.New("no polygon")
	}
	if len(polygons) > maxParts {
		return nil, fmt.Errorf("%d polygons: at most %d in one multi-polygon", len(polygons), maxParts)
	}
	s := &Shape{}
	for i, polygon := range polygons {
		if err := s.addPolygon(polygon); err != nil {
			return nil, fmt.Errorf("polygon %d: %w", i, err)
		}
	}
	s.finishArea()
	return s, nil
}

// addPolygon rounds, checks and turns the rings of one polygon and appends them.
func (s *Shape) addPolygon(polygon orb.Polygon) error {
	if len(polygon) == 0 {
		return errors.New("no outer ring")
	}
	rings := make([][]Point, len(polygon))
	total := len(s.verts)
	for i, r := range polygon {
		points, err := compileRing(r)
		if err != nil {
			return fmt.Errorf("%s: %w", ringName(i), err)
		}
		total += len(points)
		if total > MaxVertices {
			return fmt.Errorf("more than %d vertices: simplify it", MaxVertices)
		}
		rings[i] = points
	}
	if err := checkSimple(rings); err != nil {
		return err
	}
	for i, r := range rings {
		if doubleArea(r) > 0 != (i == 0) {
			for a, b := 0, len(r)-1; a < b; a, b = a+1, b-1 {
				r[a], r[b] = r[b], r[a]
			}
		}
	}
	if err := checkHoles(rings); err != nil {
		return err
	}
	for i, r := range rings {
		start := len(s.verts)
		s.verts = append(s.verts, r...)
		s.rings = append(s.rings, ring{start: int32(start), end: int32(len(s.verts)), part: int32(s.parts), hole: i > 0})
	}
	s.parts++
	return nil
}

// finishArea makes the table of edges.
func (s *Shape) finishArea() {
	s.box = emptyBox()
	edges := make([]uint32, 0, len(s.verts))
	for _, r := range s.rings {
		for e := r.start; e+1 < r.end; e++ {
			edges = append(edges, uint32(e))
			s.box = s.box.with(s.verts[e])
		}
	}
	s.verts = append(make([]Point, 0, len(s.verts)), s.verts...)
	s.rings = append(make([]ring, 0, len(s.rings)), s.rings...)
	s.bands = makeBands(s.verts, edges)
}

// compileRing rounds a ring, drops what has no area (repeated vertices, ways there and straight back) and closes it.
func compileRing(r orb.Ring) ([]Point, error) {
	points, err := roundVertices(r)
	if err != nil {
		return nil, err
	}
	if n := len(points); n > 1 && points[0] == points[n-1] {
		points = points[:n-1]
	}
	if n := distinct(points); n < 3 {
		return nil, fmt.Errorf("%d distinct vertices: a ring needs 3 or more", n)
	}
	if n := len(points); crossesAntimeridian(points[n-1], points[0]) {
		return nil, fmt.Errorf("vertex %d to 0: crosses the antimeridian: split it there", n-1)
	}
	points = dropSpikes(points)
	if len(points) < 3 {
		return nil, errors.New("has no area: all its vertices are on one line")
	}
	return append(points, points[0]), nil
}

// distinct counts different vertices, up to 3.
func distinct(points []Point) int {
	var seen [3]Point
	n := 0
next:
	for _, p := range points {
		for _, q := range seen[:n] {
			if p == q {
				continue next
			}
		}
		seen[n] = p
		if n++; n == 3 {
			break
		}
	}
	return n
}

// roundVertices rounds degrees to the grid and drops vertices that repeat the one before.
func roundVertices[S ~[]orb.Point](vertices S) ([]Point, error) {
	if len(vertices) > MaxVertices {
		return nil, fmt.Errorf("%d vertices: at most %d; simplify it", len(vertices), MaxVertices)
	}
	points := make([]Point, 0, len(vertices)+1)
	for i, v := range vertices {
		p, err := PointOf(v)
		if err != nil {
			return nil, fmt.Errorf("vertex %d: %w", i, err)
		}
		if n := len(points); n > 0 {
			if points[n-1] == p {
				continue
			}
			if crossesAntimeridian(points[n-1], p) {
				return nil, fmt.Errorf("vertex %d to %d: crosses the antimeridian: split it there", i-1, i)
			}
		}
		points = append(points, p)
	}
	return points, nil
}

// crossesAntimeridian reports whether the short way from a to b leads over 180 degrees.
func crossesAntimeridian(a, b Point) bool {
	d := int64(b.Lon) - int64(a.Lon)
	return d > maxLon || d < -maxLon
}

// dropSpikes removes, from an open ring, vertices at which the border turns straight back on itself, as rounding leaves them
// where a ring was very narrow, until none is left.
func dropSpikes(points []Point) []Point {
	out := points[:0:0]
	for _, p := range points {
		out = append(out, p)
		for len(out) >= 3 && isSpike(out[len(out)-3], out[len(out)-2], out[len(out)-1]) {
			out = pullIn(out, p)
		}
	}
	// The same where the end meets the beginning.
	for changed := true; changed && len(out) >= 3; {
		changed = false
		n := len(out)
		switch {
		case out[0] == out[n-1]:
			out, changed = out[:n-1], true
		case isSpike(out[n-2], out[n-1], out[0]):
			out, changed = out[:n-1], true
		case isSpike(out[n-1], out[0], out[1]):
			out, changed = out[1:], true
		}
	}
	return out
}

// pullIn removes the last but one vertex, and the last one if it then repeats the one before.
func pullIn(out []Point, last Point) []Point {
	out = append(out[:len(out)-2], last)
	if n := len(out); n >= 2 && out[n-2] == last {
		out = out[:n-1]
	}
	return out
}

// isSpike reports whether the way a, v, b turns straight back at v.
func isSpike(a, v, b Point) bool {
	if cross(a, v, b) != 0 {
		return false
	}
	dot := (int64(v.Lon)-int64(a.Lon))*(int64(b.Lon)-int64(v.Lon)) + (int64(v.Lat)-int64(a.Lat))*(int64(b.Lat)-int64(v.Lat))
	return dot < 0
}

// doubleArea is twice the signed area of a closed ring, positive counter-clockwise. Of a simple ring it is below 2^58, and sums on the
// way wrap round without harm.
func doubleArea(r []Point) int64 {
	var sum int64
	for i := 1; i+1 < len(r); i++ {
		sum += cross(r[0], r[i], r[i+1])
	}
	return sum
}

// checkHoles refuses holes outside of the outer ring and holes inside of holes. The rings do not cross, so that one vertex
// that is on no border tells for all of its ring.
func checkHoles(rings [][]Point) error {
	for i := 1; i < len(rings); i++ {
		if side := ringSide(rings[0], rings[i]); side < 0 {
			return fmt.Errorf("%s: lies outside of the outer ring", ringName(i))
		}
		for j := 1; j < len(rings); j++ {
			if j != i && ringSide(rings[j], rings[i]) > 0 {
				return fmt.Errorf("%s: lies inside of %s", ringName(i), ringName(j))
			}
		}
	}
	return nil
}

// ringSide tells whether the ring inner, which does not cross outer, lies inside (1) or outside (-1) of it; 0 where all its vertices
// are on the border of outer.
func ringSide(outer, inner []Point) int {
	b := emptyBox()
	for _, p := range outer {
		b = b.with(p)
	}
	for _, p := range inner {
		if !b.contains(p) {
			return -1
		}
	}
	for _, p := range inner {
		w, on := 0, false
		for i := 0; i+1 < len(outer); i++ {
			d, o := winding(outer[i], outer[i+1], p)
			w += d
			on = on || o
		}
		if !on {
			if w != 0 {
				return 1
			}
			return -1
		}
	}
	return 0
}

// ringName names ring i of a polygon as errors do.
func ringName(i int) string {
	if i == 0 {
		return "outer ring"
	}
	return fmt.Sprintf("hole %d", i)
}
