package geo

import (
	"math"
	"slices"
)

// split deals the records of a cell out to its 2^k × 2^k children.
func (b *builder) split(c cell, k uint32, records []record, edges []uint32, lv *level) {
	lv.edges, lv.records = lv.edges[:0], lv.records[:0]
	n := 1 << k
	if len(lv.counts) < n*n {
		lv.counts = make([]uint32, n*n)
		lv.covered = make([]bool, n*n)
		lv.diff = make([]int32, n*(n+1))
	}
	total := 0
	for i := range records {
		total += int(records[i].hi - records[i].lo)
	}
	lv.edges, lv.records = slices.Grow(lv.edges, total+total/8), slices.Grow(lv.records, len(records))
	for i := range records {
		r := &records[i]
		if r.covers() {
			continue // noted at the cell itself
		}
		b.pace.did(int(r.hi - r.lo))
		s := b.shapes[r.shape]
		g := b.grid(c, k, s)
		lv.pairs = lv.pairs[:0]
		if s.isArea() {
			g.splitArea(s, r, edges[r.lo:r.hi], lv)
		} else {
			g.splitBuffer(s, r, edges[r.lo:r.hi], lv)
		}
	}
	// Counting sort by child.
	lv.starts = append(lv.starts[:0], make([]uint32, n*n+1)...)
	for i := range lv.records {
		lv.starts[lv.records[i].child+1]++
	}
	for i := 1; i < len(lv.starts); i++ {
		lv.starts[i] += lv.starts[i-1]
	}
	if cap(lv.sorted) < len(lv.records) {
		lv.sorted = make([]record, len(lv.records), len(lv.records)+len(lv.records)/4)
	}
	lv.sorted = lv.sorted[:len(lv.records)]
	for i := range lv.records {
		r := lv.records[i]
		lv.sorted[lv.starts[r.child]] = r
		lv.starts[r.child]++
	}
	copy(lv.starts[1:], lv.starts)
	lv.starts[0] = 0
}

// grid is the children of a cell, and which of them a shape can be in. Offsets are from the cell's south-west point.
type grid struct {
	origin           Point  // south-west point of the cell
	k, shift         uint32 // 2^k × 2^k children of 2^shift × 2^shift points
	n, size          int64
	row0, row1       int64 // first and last row
	column0, column1 int64
}

func (b *builder) grid(c cell, k uint32, s *Shape) grid {
	g := grid{k: k, shift: c.shift - k, n: 1 << k, size: 1 << (c.shift - k)}
	g.origin = Point{Lat: int32(int64(b.origin.Lat) + int64(c.y)), Lon: int32(int64(b.origin.Lon) + int64(c.x))}
	x0, y0 := g.offset(s.box.min)
	x1, y1 := g.offset(s.box.max)
	g.row0, g.row1 = g.clip(y0>>g.shift), g.clip(y1>>g.shift)
	g.column0, g.column1 = g.clip(x0>>g.shift), g.clip(x1>>g.shift)
	return g
}

func (g *grid) offset(p Point) (x, y int64) {
	return int64(p.Lon) - int64(g.origin.Lon), int64(p.Lat) - int64(g.origin.Lat)
}

func (g *grid) clip(i int64) int64 { return max(0, min(i, g.n-1)) }

// rowsBelow returns the number of rows, of all numbers, whose southernmost points lie south of y.
func (g *grid) rowsBelow(y int64) int64 { return (y + g.size - 1) >> g.shift }

// splitArea finds, for an area, which edges may meet each child, and the winding number at each child's south-west corner. The latter is
// summed up from west to east along the southernmost points of every row: an edge that crosses that latitude counts for all
// children east of the crossing. What the edges that are not in the list add is the same for all, see Index.
func (g *grid) splitArea(s *Shape, r *record, edges []uint32, lv *level) {
	n := int(g.n)
	for row := range int(g.row1) + 1 {
		clear(lv.diff[row*(n+1) : (row+1)*(n+1)])
	}
	addRows := func(from, to, column int64, d int32) {
		if column >= g.n {
			return
		}
		for row := max(from, 0); row < min(to, g.row1+1); row++ {
			lv.diff[int(row)*(n+1)+int(max(column, 0))] += d
		}
	}
	for i, e := range edges {
		ax, ay := g.offset(s.verts[e])
		bx, by := g.offset(s.verts[e+1])
		if g.endsWest(ax, ay) && (i == 0 || edges[i-1] != e-1) { // led on from the south
			addRows(0, g.rowsBelow(ay), 0, -1)
		}
		if g.endsWest(bx, by) && (i == len(edges)-1 || edges[i+1] != e+1) { // led on to the south
			addRows(0, g.rowsBelow(by), 0, 1)
		}
		ca, cb := ax>>g.shift, bx>>g.shift
		ra, rb := g.rowsBelow(ay), g.rowsBelow(by)
		if ra != rb {
			d, from, to := int32(-1), ra, rb
			if ra > rb {
				d, from, to = 1, rb, ra
			}
			if ca == cb {
				addRows(from, to, ca+1, d)
			} else {
				for row := max(from, 0); row < min(to, g.row1+1); row++ {
					addRows(row, row+1, g.columnAfter(ax, ay, bx, by, row<<g.shift), d)
				}
			}
		}
		if row := ay >> g.shift; ca == cb && row == by>>g.shift {
			if ca >= 0 && ca < g.n && row >= 0 && row < g.n {
				lv.pairs = append(lv.pairs, pair{child: uint32(row<<g.k | ca), edge: e})
			}
			continue
		}
		g.touch(ax, ay, bx, by, e, lv)
	}

	constant := r.wind - lv.diff[0]
	from := lv.deal(g)
	for row := g.row0; row <= g.row1; row++ {
		wind := constant
		for column := int64(0); column <= g.column1; column++ {
			wind += lv.diff[int(row)*(n+1)+int(column)]
			if column < g.column0 {
				continue
			}
			child := uint32(row<<g.k | column)
			if to := lv.counts[child]; to > from {
				lv.records = append(lv.records, record{child: child, shape: r.shape, wind: wind, lo: from, hi: to})
				from = to
			} else if wind > 0 {
				lv.records = append(lv.records, record{child: child, shape: r.shape})
			}
			lv.counts[child] = 0
		}
	}
}

// deal moves the edges of the pairs to the level's list, those of a child together and in their order, the children row by row. It returns
// where they begin and leaves in counts where those of each child end.
func (lv *level) deal(g *grid) (base uint32) {
	for _, p := range lv.pairs {
		lv.counts[p.child]++
	}
	base = uint32(len(lv.edges))
	next := base
	for row := g.row0; row <= g.row1; row++ {
		for column := g.column0; column <= g.column1; column++ {
			c := &lv.counts[row<<g.k|column]
			*c, next = next, next+*c
		}
	}
	lv.edges = append(lv.edges, make([]uint32, len(lv.pairs))...)
	for _, p := range lv.pairs {
		lv.edges[lv.counts[p.child]] = p.edge
		lv.counts[p.child]++
	}
	return base
}

// endsWest reports whether a vertex at an offset lies west of the cell and within its latitudes.
func (g *grid) endsWest(x, y int64) bool {
	return x < 0 && y >= 0 && y < g.n<<g.shift
}

// columnAfter returns the first column whose western border lies east of where an edge crosses the latitude h. Exact: the border of
// column j is at j*size - 1/2, so it is the floor of (X + 1/2) / size, and one.
func (g *grid) columnAfter(ax, ay, bx, by, h int64) int64 {
	dx, dy := bx-ax, by-ay
	num, den := 2*dx*(h-ay)+(2*ax+1)*dy, 2*dy
	if den < 0 {
		num, den = -num, -den
	}
	q := num / den
	if num%den < 0 {
		q--
	}
	return q>>g.shift + 1
}

// touch appends a pair for every child that an edge may meet. Rounding may only add children.
func (g *grid) touch(ax, ay, bx, by int64, e uint32, lv *level) {
	const slop = 1e-3
	slope := 0.0
	if ay != by {
		slope = float64(bx-ax) / float64(by-ay)
	}
	size := float64(g.size)
	for row := max(min(ay, by)>>g.shift, g.row0); row <= min(max(ay, by)>>g.shift, g.row1); row++ {
		x0, x1 := float64(ax), float64(bx)
		if ay != by {
			south := max(float64(float64(row)*size)-0.5, float64(min(ay, by)))
			north := min(float64(float64(row+1)*size)-0.5, float64(max(ay, by)))
			x0 = float64(ax) + float64(slope*(south-float64(ay)))
			x1 = float64(ax) + float64(slope*(north-float64(ay)))
		}
		if x0 > x1 {
			x0, x1 = x1, x0
		}
		first := max(int64(math.Floor((x0+0.5-slop)/size)), g.column0)
		last := min(int64(math.Floor((x1+0.5+slop)/size)), g.column1)
		for column := first; column <= last; column++ {
			lv.pairs = append(lv.pairs, pair{child: uint32(row<<g.k | column), edge: e})
		}
	}
}

// splitBuffer finds, for a corridor or circle, which segments may come near enough to places of each child, and which children are
// inside wholly, by the distance from the child's centre and half its diagonal. Both judge with some slack for what the plane
// formulas leave.
func (g *grid) splitBuffer(s *Shape, r *record, edges []uint32, lv *level) {
	size := float64(g.size)
	for _, e := range edges {
		a := s.verts[e]
		b := a
		if len(s.verts) > 1 {
			b = s.verts[e+1]
		}
		ax, ay := g.offset(a)
		bx, by := g.offset(b)
		reachLat, reachLon := int64(s.reach.Lat), int64(s.reach.Lon)
		row0, row1 := max((min(ay, by)-reachLat)>>g.shift, g.row0), min((max(ay, by)+reachLat)>>g.shift, g.row1)
		column0, column1 := max((min(ax, bx)-reachLon)>>g.shift, g.column0), min((max(ax, bx)+reachLon)>>g.shift, g.column1)
		for row := row0; row <= row1; row++ {
			lat := float64(g.origin.Lat) + float64((float64(row)+0.5)*size) - 0.5
			perLat, perLon := scale(max(math.Abs(lat)-size/2, 0))
			perLat = max(perLat, 0.1117) // of the pole, the greatest
			half := float64(size / 2 * math.Sqrt(float64(perLat*perLat)+float64(perLon*perLon)))
			for column := column0; column <= column1; column++ {
				child := uint32(row<<g.k | column)
				if lv.covered[child] {
					continue
				}
				lon := float64(g.origin.Lon) + float64((float64(column)+0.5)*size) - 0.5
				d, _ := segmentPoint(lat, lon, a, b)
				slack := float64(0.002*(s.half+half)) + 0.5
				if g.size > microDegrees {
					slack += float64(0.03 * (d + half))
				}
				switch {
				case d-half-slack >= s.half:
				case d+half+slack < s.half:
					lv.covered[child] = true
				default:
					lv.pairs = append(lv.pairs, pair{child: child, edge: e})
				}
			}
		}
	}
	from := lv.deal(g)
	for row := g.row0; row <= g.row1; row++ {
		for column := g.column0; column <= g.column1; column++ {
			child := uint32(row<<g.k | column)
			to := lv.counts[child]
			switch {
			case lv.covered[child]:
				lv.records = append(lv.records, record{child: child, shape: r.shape})
			case to > from:
				lv.records = append(lv.records, record{child: child, shape: r.shape, lo: from, hi: to})
			}
			from = to
			lv.counts[child], lv.covered[child] = 0, false
		}
	}
}
