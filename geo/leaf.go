package geo

import "math"

// leaf writes a leaf and returns its reference.
func (b *builder) leaf(c cell, records []record, edges []uint32) uint32 {
	covers, entries := 0, 0
	var sole uint32
	for i := range records {
		if records[i].covers() {
			covers++
			sole = uint32(records[i].shape)
		} else {
			entries++
		}
	}
	if entries == 0 && covers == 0 {
		return 0
	}
	if entries == 0 && covers == 1 {
		return sole<<tagBits | soleTag
	}
	at := len(b.words)
	b.words = append(b.words, uint32(covers), uint32(entries))
	for i := range records {
		if records[i].covers() {
			b.words = append(b.words, uint32(records[i].shape))
		}
	}
	for i := range records {
		if r := &records[i]; !r.covers() {
			b.entry(c, r, edges[r.lo:r.hi])
		}
	}
	for len(b.words)%unitWords != 0 {
		b.words = append(b.words, 0)
	}
	return uint32(at/unitWords) << tagBits
}

// entry writes what of a shape passes through a leaf.
func (b *builder) entry(c cell, r *record, edges []uint32) {
	s := b.shapes[r.shape]
	chains := 0
	for i, e := range edges {
		if i == 0 || edges[i-1] != e-1 {
			chains++
		}
	}
	if b.direct || chains > math.MaxUint16 {
		b.words = append(b.words, uint32(r.shape)|uint32(kindDirect)<<kindShift)
		return
	}
	w := entryWriter{words: b.words, origin: Point{
		Lat: int32(int64(b.origin.Lat) + int64(c.y)),
		Lon: int32(int64(b.origin.Lon) + int64(c.x)),
	}}
	if !s.isArea() {
		half := math.Float64bits(s.half)
		w.words = append(w.words, uint32(r.shape)|uint32(kindBuffer)<<kindShift, uint32(chains), uint32(half), uint32(half>>32))
		for i := 0; i < len(edges); {
			j := chainEnd(edges, i)
			w.begin()
			for _, v := range s.verts[edges[i]:min(int(edges[j-1])+2, len(s.verts))] {
				w.vertex(v)
			}
			i = j
		}
		b.words = w.words
		return
	}
	// West of the cell a chain is led on to the south, to just below the cell.
	size := int64(1) << c.shift
	below := func(v Point) (Point, bool) {
		x, y := int64(v.Lon)-int64(w.origin.Lon), int64(v.Lat)-int64(w.origin.Lat)
		return Point{Lat: w.origin.Lat - 1, Lon: v.Lon}, x < 0 && y >= 0 && y < size
	}
	w.narrow = c.shift <= 15
	for _, e := range edges {
		w.narrow = w.narrow && w.fits(s.verts[e]) && w.fits(s.verts[e+1])
	}
	kind := kindWide
	if w.narrow {
		kind = kindNarrow
	}
	head := len(w.words)
	w.words = append(w.words, uint32(r.shape)|uint32(kind)<<kindShift, 0)
	// The winding number at the corner less what the chains add there leaves the constant. The corner is just west of the cell's
	// south-west point and takes that point's latitude.
	constant := r.wind
	corner := Point{Lat: w.origin.Lat, Lon: w.origin.Lon}
	count := func(a, b Point) { constant -= windingBefore(a, b, corner) }
	for i := 0; i < len(edges); {
		j := chainEnd(edges, i)
		w.begin()
		chain := s.verts[edges[i] : edges[j-1]+2]
		if v, ok := below(chain[0]); ok {
			w.vertex(v)
			count(v, chain[0])
		}
		for m, v := range chain {
			w.vertex(v)
			if m > 0 {
				count(chain[m-1], v)
			}
		}
		if v, ok := below(chain[len(chain)-1]); ok {
			w.vertex(v)
			count(chain[len(chain)-1], v)
		}
		i = j
	}
	w.words[head+1] = uint32(chains) | uint32(constant)<<16
	b.words = w.words
}

// chainEnd returns the end of the run of consecutive edges that begins at i.
func chainEnd(edges []uint32, i int) int {
	j := i + 1
	for j < len(edges) && edges[j] == edges[j-1]+1 {
		j++
	}
	return j
}

// windingBefore returns what the edge from a to b adds to the winding number of the place half a step west of p.
func windingBefore(a, b, p Point) int32 {
	if (a.Lat <= p.Lat) == (b.Lat <= p.Lat) {
		return 0
	}
	// Twice the cross product for the place half a step west of p. An edge through that very place does not count, here as in
	// columnAfter.
	c := 2*cross(a, b, p) + (int64(b.Lat) - int64(a.Lat))
	switch {
	case a.Lat <= p.Lat && c < 0:
		return -1
	case a.Lat > p.Lat && c > 0:
		return 1
	}
	return 0
}

// entryWriter appends the chains of an entry.
type entryWriter struct {
	words  []uint32
	origin Point // south-west point of the cell
	narrow bool
	count  int // where the number of the chain's vertices stands
}

func (w *entryWriter) begin() {
	w.count = len(w.words)
	w.words = append(w.words, 0)
}

func (w *entryWriter) vertex(v Point) {
	w.words[w.count]++
	if w.narrow {
		x, y := uint16(v.Lon-w.origin.Lon), uint16(v.Lat-w.origin.Lat)
		w.words = append(w.words, uint32(x)|uint32(y)<<16)
		return
	}
	w.words = append(w.words, uint32(v.Lat), uint32(v.Lon))
}

// fits reports whether a vertex is within 16 bits of the cell's corner.
func (w *entryWriter) fits(v Point) bool {
	x, y := int64(v.Lon)-int64(w.origin.Lon), int64(v.Lat)-int64(w.origin.Lat)
	return x == int64(int16(x)) && y == int64(int16(y))
}
