package geo

import (
	"slices"
	"sync"
	"sync/atomic"
)

// How far cells are split. A leaf of leafEdges is tested in some 20 ns, about the cost of one more level.
const (
	leafEdges  = 16
	leastShift = 3 // the smallest cells are 8 × 8 points, about 0.9 m
	// Edges that are more than longEdge times as long as the cell do not call for a further split: it would only copy them. This keeps
	// the index linear in the edges whatever their number in one place.
	longEdge = 4
	// taskShare is the share of all edges below which a cell is left to the workers.
	taskShare = 64
	// maxUnits is how many units a reference can number.
	maxUnits = 1 << (32 - tagBits)
)

// Build makes the index of shapes with up to workers goroutines, which have ended when it returns; 0 or 1 starts none. The index is
// the same for any number of them. It keeps the slice and the shapes. A nil shape contains nothing. More than 2^28 shapes are
// refused by a panic.
func Build(shapes []*Shape, workers int) *Index {
	return build(shapes, workers, maxUnits)
}

// build makes leaves larger until the index fits into limit units, and at last refers to the shapes instead of copying them.
func build(shapes []*Shape, workers int, limit uint64) *Index {
	if len(shapes) > maxShapes {
		panic("geo: more than 2^28 shapes")
	}
	for edges := leafEdges; ; edges *= 4 {
		plan := plan{shapes: shapes, leafEdges: edges, direct: edges > 1<<20, limit: limit}
		if x, ok := plan.build(workers); ok || plan.direct {
			return x
		}
	}
}

// plan is what all workers of a build share.
type plan struct {
	shapes    []*Shape
	origin    Point
	shift     uint32
	leafEdges int
	direct    bool // leaves do not copy edges
	limit     uint64
	taskEdges int // cells with fewer edges become tasks
	tasks     []task
}

// record says that a shape is in a cell: that it covers it (no edges), or that the edges lo to hi of a list may meet it.
type record struct {
	child  uint32 // of the cell that was split
	shape  int32
	wind   int32 // winding number just beyond the cell's south-west corner, at the latitude of its southernmost points and a little more
	lo, hi uint32
}

func (r *record) covers() bool { return r.lo == r.hi }

// task is a cell that a worker builds by itself.
type task struct {
	cell    cell
	records []record
	edges   []uint32
	at      uint32 // the word that gets the reference
	words   []uint32
	ref     uint32
}

func (p *plan) build(workers int) (*Index, bool) {
	whole, edges := p.wholeCell()
	x := &Index{shapes: p.shapes, origin: p.origin, shift: p.shift}
	if len(whole) == 0 {
		return x, true
	}
	p.taskEdges = len(edges) / taskShare
	top := &builder{plan: p, top: true, words: make([]uint32, unitWords)}
	x.root = top.cell(cell{shift: p.shift}, whole, edges, 0)
	p.run(workers, top.scratch)

	total := uint64(len(top.words))
	for i := range p.tasks {
		total += uint64(len(p.tasks[i].words))
	}
	if total/unitWords >= p.limit && !p.direct {
		return nil, false
	}
	x.words = append(make([]uint32, 0, total), top.words...)
	for i := range p.tasks {
		t := &p.tasks[i]
		// The first unit of the task is the reserved one: what follows it moves to the end of the words so far.
		by := uint32(len(x.words)/unitWords) - 1
		relocate(t.words, t.ref, by)
		x.words = append(x.words, t.words[unitWords:]...)
		x.words[t.at] = moved(t.ref, by)
		top.pace.did(len(t.words))
		t.words = nil
	}
	return x, true
}

// run builds the tasks, in scratch first.
func (p *plan) run(workers int, sc scratch) {
	var next atomic.Int64
	work := func(sc scratch) {
		b := &builder{plan: p, scratch: sc}
		for {
			i := int(next.Add(1)) - 1
			if i >= len(p.tasks) {
				return
			}
			t := &p.tasks[i]
			b.words = append(b.words[:0], make([]uint32, unitWords)...)
			t.ref = b.cell(t.cell, t.records, t.edges, 0)
			t.words, t.records, t.edges = slices.Clone(b.words), nil, nil
		}
	}
	var wg sync.WaitGroup
	for range min(workers, len(p.tasks)) - 1 {
		wg.Go(func() { work(scratch{}) })
	}
	work(sc)
	wg.Wait()
}

// wholeCell places the root cell round all shapes and returns the records of all of them with the list of all edges.
func (p *plan) wholeCell() (records []record, edges []uint32) {
	all := emptyBox()
	n := 0
	for _, s := range p.shapes {
		if s != nil && len(s.verts) > 0 {
			all = all.with(s.box.min).with(s.box.max)
			n += len(s.verts)
		}
	}
	if n == 0 {
		return nil, nil
	}
	p.origin = all.min
	for extent := max(int64(all.max.Lat)-int64(all.min.Lat), int64(all.max.Lon)-int64(all.min.Lon)); extent>>p.shift != 0; {
		p.shift++
	}
	edges, records = make([]uint32, 0, n), make([]record, 0, len(p.shapes))
	var pace pace
	for i, s := range p.shapes {
		if s == nil || len(s.verts) == 0 {
			continue
		}
		pace.did(len(s.verts))
		r := record{shape: int32(i), lo: uint32(len(edges))}
		for _, ring := range s.rings {
			for e := ring.start; e+1 < ring.end; e++ {
				edges = append(edges, uint32(e))
			}
		}
		if !s.isArea() {
			for e := range max(len(s.verts)-1, 1) {
				edges = append(edges, uint32(e))
			}
		}
		r.hi = uint32(len(edges))
		records = append(records, r)
	}
	return records, edges
}

// relocate moves all references below ref by a number of units. words are those of a task, from their beginning.
func relocate(words []uint32, ref, by uint32) {
	tag := ref & tagMask
	if tag == 0 || tag == soleTag {
		return
	}
	node := words[ref>>tagBits*unitWords:]
	for i := range node[:uint32(1)<<(2*(tag&^coveredTag))] {
		relocate(words, node[i], by)
		node[i] = moved(node[i], by)
	}
}

// moved returns a reference whose place has moved by a number of units.
func moved(ref, by uint32) uint32 {
	if ref == 0 || ref&tagMask == soleTag {
		return ref
	}
	return ref + by<<tagBits
}

// builder builds cells into its own words.
type builder struct {
	*plan
	scratch
	top   bool // leaves small cells to the tasks
	words []uint32
	pace  pace
}

// scratch is the room that splitting cells takes, by the depth of the recursion.
type scratch struct{ levels []*level }

// level is the scratch of one depth of the recursion: what a split of a cell at that depth yields.
type level struct {
	pairs   []pair
	counts  []uint32 // of pairs by child
	diff    []int32  // by row and column of children: change of the winding number
	covered []bool   // by child
	edges   []uint32 // lists of edges, those of a child and shape together
	records []record // in the order of shapes
	sorted  []record // by child, then in the order of shapes
	starts  []uint32 // of each child in sorted
}

// pair says that an edge may meet a child.
type pair struct{ child, edge uint32 }

func (sc *scratch) level(depth int) *level {
	for len(sc.levels) <= depth {
		sc.levels = append(sc.levels, &level{})
	}
	return sc.levels[depth]
}

// cell builds a cell from its records, in the order of shapes, and returns the reference.
func (b *builder) cell(c cell, records []record, edges []uint32, depth int) uint32 {
	b.pace.did(leafEdges)
	k := b.fan(c, records, edges)
	if k == 0 {
		return b.leaf(c, records, edges)
	}
	lv := b.level(depth)
	b.split(c, k, records, edges, lv)

	covers := 0
	for i := range records {
		if records[i].covers() {
			covers++
		}
	}
	tag := k
	children := uint32(1) << (2 * k)
	size := children
	if covers > 0 {
		tag |= coveredTag
		size += 1 + uint32(covers)
	}
	at := b.alloc(size)
	ref := at/unitWords<<tagBits | tag
	if covers > 0 {
		w := b.words[at+children:]
		w[0] = uint32(covers)
		w = w[1:]
		for i := range records {
			if records[i].covers() {
				w[0] = uint32(records[i].shape)
				w = w[1:]
			}
		}
	}
	for i := range children {
		part := lv.sorted[lv.starts[i]:lv.starts[i+1]]
		if len(part) == 0 {
			continue
		}
		child := c.child(k, i)
		if b.top && b.postpone(child, part, lv.edges, at+i) {
			continue
		}
		r := b.cell(child, part, lv.edges, depth+1)
		b.words[at+i] = r
	}
	return ref
}

// postpone makes a task of a cell that has few edges, but some.
func (b *builder) postpone(c cell, records []record, edges []uint32, at uint32) bool {
	n := 0
	for i := range records {
		n += int(records[i].hi - records[i].lo)
	}
	if n == 0 || n > b.taskEdges {
		return false
	}
	t := task{cell: c, records: append([]record(nil), records...), edges: make([]uint32, 0, n), at: at}
	for i := range t.records {
		r := &t.records[i]
		lo := uint32(len(t.edges))
		t.edges = append(t.edges, edges[r.lo:r.hi]...)
		r.lo, r.hi = lo, uint32(len(t.edges))
	}
	b.tasks = append(b.tasks, t)
	return true
}

// alloc returns the place of n words, all zero, at a unit.
func (b *builder) alloc(n uint32) uint32 {
	at := uint32(len(b.words))
	n = (n + unitWords - 1) &^ (unitWords - 1)
	b.words = append(b.words, make([]uint32, n)...)
	return at
}

// fan decides into how many children a cell is split: 2^k × 2^k; 0 makes it a leaf.
func (b *builder) fan(c cell, records []record, edges []uint32) (k uint32) {
	if c.shift <= leastShift {
		return 0
	}
	total, shapes, useful, extent := 0, 0, 0, int64(0)
	for i := range records {
		r := &records[i]
		if r.covers() {
			continue
		}
		shapes++
		total += int(r.hi - r.lo)
		b.pace.did(int(r.hi - r.lo))
		s := b.shapes[r.shape]
		for _, e := range edges[r.lo:r.hi] {
			if l := s.edgeExtent(e); l <= longEdge<<c.shift {
				useful++
				extent += l
			}
		}
	}
	if total <= b.leafEdges || useful <= b.leafEdges {
		return 0
	}
	extent /= int64(useful)
	// As fine as the edges' number asks for, but not finer than a quarter of their length, nor so fine that the shapes that cover
	// children outweigh the edges.
	for k = 1; k < maxFan; k++ {
		next := c.shift - k - 1
		if c.shift <= k+leastShift || total>>(3*k/2) <= b.leafEdges || extent > longEdge<<next || shapes<<(2*k+2) > 8*total+256 {
			break
		}
	}
	return k
}

// edgeExtent returns the larger side of the rectangle that an edge, or a segment with its width, takes up.
func (s *Shape) edgeExtent(e uint32) int64 {
	a := s.verts[e]
	if len(s.verts) == 1 {
		return int64(2 * max(s.reach.Lat, s.reach.Lon))
	}
	v := s.verts[e+1]
	return max(abs(int64(v.Lat)-int64(a.Lat))+2*int64(s.reach.Lat), abs(int64(v.Lon)-int64(a.Lon))+2*int64(s.reach.Lon))
}

func abs(v int64) int64 {
	if v < 0 {
		return -v
	}
	return v
}
