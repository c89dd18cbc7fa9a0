package geo

import (
	"math"
	"slices"
)

// Near appends to dst the numbers of all shapes that contain p or whose border is less than metres away, ascending. It does not
// look over the antimeridian. It allocates only where dst has no room for the candidates, the shapes in the cells around p.
func (x *Index) Near(p Point, metres float64, dst []int32) []int32 {
	if !(metres > 0) {
		return x.Lookup(p, dst)
	}
	base := len(dst)
	reachLat := float64(metres/leastPerLat*1.01) + 2
	reachLon := 2.0 * maxLon
	if top := math.Abs(float64(p.Lat)) + reachLat; top < maxReachLat {
		_, perLon := scale(top)
		reachLon = min(reachLon, float64(metres/perLon*1.01)+2)
	}
	lat, lon := float64(p.Lat)-float64(x.origin.Lat), float64(p.Lon)-float64(x.origin.Lon)
	dst = x.collect(x.root, cell{shift: x.shift}, &window{
		west: lon - reachLon, east: lon + reachLon, south: lat - reachLat, north: lat + reachLat,
	}, dst)
	dst = compactFrom(dst, base)
	kept := base
	for _, i := range dst[base:] {
		if !x.shapes[i].OutsideBy(p, metres) {
			dst[kept] = i
			kept++
		}
	}
	return dst[:kept]
}

// Crossed appends to dst the numbers of all shapes of which the straight way from a to b has a length inside, ascending. It
// allocates only where dst has no room for the candidates, the shapes in the cells along the way.
func (x *Index) Crossed(a, b Point, dst []int32) []int32 {
	if a == b || !a.onEarth() || !b.onEarth() || crossesAntimeridian(a, b) {
		return dst
	}
	base := len(dst)
	aLat, aLon := float64(a.Lat)-float64(x.origin.Lat), float64(a.Lon)-float64(x.origin.Lon)
	bLat, bLon := float64(b.Lat)-float64(x.origin.Lat), float64(b.Lon)-float64(x.origin.Lon)
	dst = x.collect(x.root, cell{shift: x.shift}, &window{
		west: min(aLon, bLon), east: max(aLon, bLon), south: min(aLat, bLat), north: max(aLat, bLat),
		line: true, lat: aLat, lon: aLon, dLat: bLat - aLat, dLon: bLon - aLon,
	}, dst)
	dst = compactFrom(dst, base)
	kept := base
	for _, i := range dst[base:] {
		if x.shapes[i].InsideLength(a, b) > 0 {
			dst[kept] = i
			kept++
		}
	}
	return dst[:kept]
}

// cell is a square of the tree: its south-west point, offset from the origin of the index, and its size.
type cell struct {
	x, y  uint32
	shift uint32
}

// child returns child i of a cell that is split into 2^k × 2^k.
func (c cell) child(k, i uint32) cell {
	s := c.shift - k
	return cell{x: c.x + i&(1<<k-1)<<s, y: c.y + i>>k<<s, shift: s}
}

// window is what collect looks for: a rectangle in offsets from the origin, and within it a straight way if line is set.
type window struct {
	west, east, south, north float64
	line                     bool
	lat, lon, dLat, dLon     float64 // the way's start and extent
}

// meets reports whether a cell may have places of the window.
func (q *window) meets(c cell) bool {
	// Half a step to the cell's border, another for the rounding of the line's test.
	size := float64(uint32(1) << c.shift)
	west, south := float64(c.x)-1, float64(c.y)-1
	east, north := west+size+1, south+size+1
	if west > q.east || east < q.west || south > q.north || north < q.south {
		return false
	}
	if !q.line {
		return true
	}
	side := func(lon, lat float64) bool {
		return float64(q.dLon*(lat-q.lat))-float64(q.dLat*(lon-q.lon)) > 0
	}
	first := side(west, south)
	return side(east, south) != first || side(west, north) != first || side(east, north) != first
}

// collect appends the shapes of all cells that meet the window, in no order and more than once.
func (x *Index) collect(ref uint32, c cell, q *window, dst []int32) []int32 {
	tag, at := ref&tagMask, ref>>tagBits
	if ref == 0 || !q.meets(c) {
		return dst
	}
	if tag == soleTag {
		return append(dst, int32(at))
	}
	w := x.words[at*unitWords:]
	if tag == 0 {
		return appendLeafShapes(w, dst)
	}
	k := tag &^ coveredTag
	children := uint32(1) << (2 * k)
	if tag&coveredTag != 0 {
		for _, s := range w[children+1 : children+1+w[children]] {
			dst = append(dst, int32(s))
		}
	}
	// Only the rows and columns that the window reaches; meets decides about each.
	size := c.shift - k
	last := int64(1)<<k - 1
	reach := func(v float64, origin uint32) int64 { return min(max((int64(v)-int64(origin))>>size, 0), last) }
	west, east := reach(q.west-1, c.x), reach(q.east+1, c.x)
	south, north := reach(q.south-1, c.y), reach(q.north+1, c.y)
	for row := south; row <= north; row++ {
		for column := west; column <= east; column++ {
			i := uint32(row)<<k | uint32(column)
			if r := w[i]; r != 0 {
				dst = x.collect(r, c.child(k, i), q, dst)
			}
		}
	}
	return dst
}

// appendLeafShapes appends the shapes of a leaf, those that cover it and those of its entries.
func appendLeafShapes(w []uint32, dst []int32) []int32 {
	covers, entries := w[0], w[1]
	w = w[2:]
	for _, s := range w[:covers] {
		dst = append(dst, int32(s))
	}
	w = w[covers:]
	for ; entries > 0; entries-- {
		dst = append(dst, int32(w[0]&shapeMask))
		w = w[entryWords(w):]
	}
	return dst
}

// entryWords returns the length of the entry at the beginning of w.
func entryWords(w []uint32) uint32 {
	var chains, at, perVertex uint32
	switch entryKind(w[0] >> kindShift) {
	case kindNarrow:
		chains, at, perVertex = w[1]&0xffff, 2, 1
	case kindWide:
		chains, at, perVertex = w[1]&0xffff, 2, 2
	case kindBuffer:
		chains, at, perVertex = w[1], 4, 2
	default:
		return 1
	}
	for ; chains > 0; chains-- {
		at += 1 + w[at]*perVertex
	}
	return at
}

// compactFrom sorts dst[base:] and drops repeated numbers.
func compactFrom(dst []int32, base int) []int32 {
	slices.Sort(dst[base:])
	return dst[:base+len(slices.Compact(dst[base:]))]
}

// Clear reports quickly that no shape is near the straight way from a to b: both lie in one cell that nothing meets. Where it
// says no, Crossed tells.
func (x *Index) Clear(a, b Point) bool {
	u, v := uint32(a.Lon)-uint32(x.origin.Lon), uint32(a.Lat)-uint32(x.origin.Lat)
	q, r := uint32(b.Lon)-uint32(x.origin.Lon), uint32(b.Lat)-uint32(x.origin.Lat)
	if (u|v|q|r)>>x.shift != 0 {
		return false
	}
	for ref, shift := x.root, x.shift; ; {
		tag := ref & tagMask
		if tag == 0 || tag == soleTag || tag&coveredTag != 0 {
			return ref == 0
		}
		shift -= tag
		n := uint32(1)<<tag - 1
		at := (v>>shift&n)<<tag | (u >> shift & n)
		if at != (r>>shift&n)<<tag|(q>>shift&n) {
			return false
		}
		ref = x.words[(ref>>tagBits)*unitWords+at]
	}
}
