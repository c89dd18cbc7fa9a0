package geo

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/paulmach/orb"
)

// Compile compiles any geometry of a fence: orb.Point with radius, orb.LineString with its whole width, orb.Polygon,
// orb.MultiPolygon; radius and width in metres, 0 where they do not belong.
func Compile(g orb.Geometry, radius, width float64) (*Shape, error) {
	return new(Compiler).compile(g, radius, width)
}

func (c *Compiler) compile(g orb.Geometry, radius, width float64) (*Shape, error) {
	c.verts, c.marks = c.verts[:0], c.marks[:0]
	switch g := g.(type) {
	case orb.Point:
		return c.circle(g, radius)
	case orb.LineString:
		return c.corridor(g, width)
	case orb.Polygon:
		return c.polygon(g)
	case orb.MultiPolygon:
		return c.multiPolygon(g)
	case nil:
		return nil, errors.New("no geometry")
	}
	return nil, fmt.Errorf("geometry %s is no fence: use Point with a radius, LineString with a width, Polygon or MultiPolygon", g.GeoJSONType())
}

// CompileCircle compiles the places nearer than radius metres to a centre.
func CompileCircle(centre orb.Point, radius float64) (*Shape, error) {
	return new(Compiler).circle(centre, radius)
}

func (c *Compiler) circle(centre orb.Point, radius float64) (*Shape, error) {
	if !(radius > 0 && radius <= MaxRadius) {
		return nil, fmt.Errorf("radius %v m: must be over 0 and at most %d", radius, MaxRadius)
	}
	p, err := PointOf(centre)
	if err != nil {
		return nil, fmt.Errorf("centre: %w", err)
	}
	c.verts = append(c.verts[:0], p)
	return c.buffer(radius)
}

// CompileCorridor compiles the places nearer than half of width metres to a line.
func CompileCorridor(line orb.LineString, width float64) (*Shape, error) {
	return new(Compiler).corridor(line, width)
}

func (c *Compiler) corridor(line orb.LineString, width float64) (*Shape, error) {
	if !(width > 0 && width <= MaxWidth) {
		return nil, fmt.Errorf("width %v m: must be over 0 and at most %d", width, MaxWidth)
	}
	var err error
	if c.verts, err = compileLine(line, c.verts[:0]); err != nil {
		return nil, err
	}
	return c.buffer(width / 2)
}

// CompileLine rounds a line to the grid and drops repeated vertices. It refuses what CompileCorridor refuses.
func CompileLine(line orb.LineString) ([]Point, error) {
	return compileLine(line, nil)
}

// compileLine appends the line to dst, which is empty.
func compileLine(line orb.LineString, dst []Point) ([]Point, error) {
	points, err := roundVertices(line, dst)
	if err != nil {
		return points, err
	}
	if len(points) < 2 {
		return points, fmt.Errorf("%d distinct vertices: a line needs 2 or more", len(points))
	}
	return points, nil
}

// buffer makes the shape round the line of c.verts.
func (c *Compiler) buffer(half float64) (*Shape, error) {
	box, line := emptyBox(), c.verts
	for _, p := range line {
		box = box.with(p)
	}
	s := Shape{half: half, box: box}
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
	c.edges = c.edges[:0]
	for i := range len(line) - 1 {
		c.edges = append(c.edges, uint32(i))
	}
	return c.finish(s), nil
}

// CompilePolygon compiles an outer ring and its holes.
func CompilePolygon(polygon orb.Polygon) (*Shape, error) {
	return new(Compiler).polygon(polygon)
}

func (c *Compiler) polygon(polygon orb.Polygon) (*Shape, error) {
	if err := c.addPolygon(polygon, 0); err != nil {
		return nil, err
	}
	return c.area(1), nil
}

// CompileMultiPolygon compiles several polygons, which may overlap: inside is what is inside of any.
func CompileMultiPolygon(polygons orb.MultiPolygon) (*Shape, error) {
	return new(Compiler).multiPolygon(polygons)
}

func (c *Compiler) multiPolygon(polygons orb.MultiPolygon) (*Shape, error) {
	if len(polygons) == 0 {
		return nil, errors.New("no polygon")
	}
	if len(polygons) > maxParts {
		return nil, fmt.Errorf("%d polygons: at most %d in one multi-polygon", len(polygons), maxParts)
	}
	for i, polygon := range polygons {
		if err := c.addPolygon(polygon, i); err != nil {
			return nil, fmt.Errorf("polygon %d: %w", i, err)
		}
	}
	return c.area(len(polygons)), nil
}

// addPolygon rounds, checks and turns the rings of one polygon and appends them to c.verts.
func (c *Compiler) addPolygon(polygon orb.Polygon, part int) error {
	if len(polygon) == 0 {
		return errors.New("no outer ring")
	}
	c.rings = c.rings[:0]
	room := 0
	for _, r := range polygon {
		room += len(r) + 1
	}
	room = min(room, MaxVertices) // more is refused, but for what repeats: that gets room of its own
	c.room = slices.Grow(c.room[:0], room)
	free := c.room[:room]
	total := len(c.verts)
	for i, r := range polygon {
		n := min(len(r)+1, len(free))
		points, err := compileRing(r, free[:0:n])
		if err != nil {
			return fmt.Errorf("%s: %w", ringName(i), err)
		}
		total += len(points)
		if total > MaxVertices {
			return fmt.Errorf("more than %d vertices: simplify it", MaxVertices)
		}
		c.rings, free = append(c.rings, points), free[n:]
	}
	if err := c.sweep.check(c.rings); err != nil {
		return err
	}
	for i, r := range c.rings {
		if doubleArea(r) > 0 != (i == 0) {
			slices.Reverse(r)
		}
	}
	if err := checkHoles(c.rings); err != nil {
		return err
	}
	for i, r := range c.rings {
		start := len(c.verts)
		c.verts = append(c.verts, r...)
		c.marks = append(c.marks, ring{start: int32(start), end: int32(len(c.verts)), part: int32(part), hole: i > 0})
	}
	return nil
}

// area makes the shape of the rings of c.verts.
func (c *Compiler) area(parts int) *Shape {
	s := Shape{parts: parts, box: emptyBox()}
	c.edges = c.edges[:0]
	for _, r := range c.marks {
		for e := r.start; e+1 < r.end; e++ {
			c.edges = append(c.edges, uint32(e))
			s.box = s.box.with(c.verts[e])
		}
	}
	s.rings = c.parts.take(len(c.marks))
	copy(s.rings, c.marks)
	return c.finish(s)
}

// finish gives the shape its vertices and the table of its edges.
func (c *Compiler) finish(s Shape) *Shape {
	s.verts = c.points.take(len(c.verts))
	copy(s.verts, c.verts)
	s.bands = c.makeBands(s.verts, c.edges)
	out := &c.shapes.take(1)[0]
	*out = s
	return out
}

// compileRing rounds a ring, drops what has no area (repeated vertices, ways there and straight back) and closes it. The
// result is in the room of dst, which is empty, where that is one more than r has vertices.
func compileRing(r orb.Ring, dst []Point) ([]Point, error) {
	points, err := roundVertices(r, dst)
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

// roundVertices rounds degrees to the grid, drops vertices that repeat the one before, and appends them to dst, which is empty.
func roundVertices[S ~[]orb.Point](vertices S, dst []Point) ([]Point, error) {
	if len(vertices) > MaxVertices {
		return dst, fmt.Errorf("%d vertices: at most %d; simplify it", len(vertices), MaxVertices)
	}
	points := slices.Grow(dst, len(vertices)+1)
	for i, v := range vertices {
		p, err := PointOf(v)
		if err != nil {
			return dst, fmt.Errorf("vertex %d: %w", i, err)
		}
		if n := len(points); n > 0 {
			if points[n-1] == p {
				continue
			}
			if crossesAntimeridian(points[n-1], p) {
				return dst, fmt.Errorf("vertex %d to %d: crosses the antimeridian: split it there", i-1, i)
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
// where a ring was very narrow, until none is left. The result takes the place of points.
func dropSpikes(points []Point) []Point {
	out := points[:0]
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
