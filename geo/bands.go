package geo

import "unsafe"

// bands is a table of edges by bands of latitude: all edges that touch the latitudes of band i are in
// list[first[i]:first[i+1]], as the number of their first vertex. Heights are powers of two, so that the band of a latitude
// is a shift away.
type bands struct {
	origin int32
	shift  uint8
	first  []uint32
	list   []uint32
}

// makeBands makes the table for edges, each the number of its first vertex in verts. There are about eight edges a band; where edges
// are so long that the table would have more than four entries for each edge, the bands are higher.
func (c *Compiler) makeBands(verts []Point, edges []uint32) bands {
	if len(edges) == 0 {
		return bands{}
	}
	b := emptyBox()
	for _, e := range edges {
		b = b.with(verts[e]).with(verts[e+1])
	}
	t := bands{origin: b.min.Lat}
	height := uint32(int64(b.max.Lat) - int64(b.min.Lat))
	for height>>t.shift >= uint32(max(len(edges)/4, 1)) {
		t.shift++
	}
	for ; ; t.shift++ {
		entries := 0
		for _, e := range edges {
			lo, hi := t.span(verts[e], verts[e+1])
			entries += hi - lo + 1
		}
		if entries <= 4*len(edges) || height>>t.shift == 0 {
			t.list = c.lists.take(entries)
			break
		}
	}
	// Counting sort: counts, then starts, then the entries; each start is moved while its band is filled.
	t.first = c.lists.take(int(height>>t.shift) + 2)
	for _, e := range edges {
		lo, hi := t.span(verts[e], verts[e+1])
		for i := lo; i <= hi; i++ {
			t.first[i+1]++
		}
	}
	for i := 1; i < len(t.first); i++ {
		t.first[i] += t.first[i-1]
	}
	c.next = append(c.next[:0], t.first[:len(t.first)-1]...)
	for _, e := range edges {
		lo, hi := t.span(verts[e], verts[e+1])
		for i := lo; i <= hi; i++ {
			t.list[c.next[i]] = e
			c.next[i]++
		}
	}
	return t
}

// span returns the first and the last band that an edge touches.
func (t *bands) span(a, b Point) (lo, hi int) {
	lo = int(uint32(min(a.Lat, b.Lat)-t.origin) >> t.shift)
	hi = int(uint32(max(a.Lat, b.Lat)-t.origin) >> t.shift)
	return lo, hi
}

func (t *bands) count() int {
	return max(len(t.first)-1, 0)
}

// index returns the band of a latitude, the nearest one for latitudes beyond.
func (t *bands) index(lat int32) int {
	i := (int64(lat) - int64(t.origin)) >> t.shift
	return int(max(min(i, int64(t.count())-1), 0))
}

func (t *bands) band(i int) []uint32 {
	return t.list[t.first[i]:t.first[i+1]]
}

// at returns the edges that may touch a latitude, which must be within the edges' own.
func (t *bands) at(lat int32) []uint32 {
	return t.band(int(uint32(lat-t.origin) >> t.shift))
}

// metresTo returns a lower bound of the metres from a latitude to those of band i.
func (t *bands) metresTo(i int, lat int32) float64 {
	lo := int64(t.origin) + int64(i)<<t.shift
	hi := lo + 1<<t.shift - 1
	switch v := int64(lat); {
	case v < lo:
		return float64(lo-v) * leastPerLat
	case v > hi:
		return float64(v-hi) * leastPerLat
	}
	return 0
}

func (t *bands) bytes() int {
	return (cap(t.first) + cap(t.list)) * int(unsafe.Sizeof(uint32(0)))
}
