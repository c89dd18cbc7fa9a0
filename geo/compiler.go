package geo

import (
	"runtime"

	"github.com/paulmach/orb"
)

// Compiler compiles many shapes for one index, as Compile does each, with little garbage: what is needed on the way is used again,
// and shapes are cut from common pieces of memory. A piece lives as long as any shape that was cut from it, so that a Compiler is
// for shapes that come and go together. One goroutine at a time may use it.
type Compiler struct {
	room   []Point   // of the rings of a polygon while it is checked
	rings  [][]Point // into room
	verts  []Point   // of the shape so far
	marks  []ring    // of the shape so far
	edges  []uint32
	next   []uint32 // of makeBands
	sweep  sweep
	pace   pace
	shapes slab[Shape]
	points slab[Point]
	parts  slab[ring]
	lists  slab[uint32]
}

// NewCompiler makes a Compiler. The zero value makes every shape by itself.
func NewCompiler() *Compiler {
	const piece = 64 << 10 // bytes, about
	return &Compiler{shapes: slab[Shape]{piece: piece / 256}, points: slab[Point]{piece: piece / 8}, parts: slab[ring]{piece: piece / 16},
		lists: slab[uint32]{piece: piece / 4}}
}

// Compile is the function Compile.
func (c *Compiler) Compile(g orb.Geometry, radius, width float64) (*Shape, error) {
	s, err := c.compile(g, radius, width)
	c.pace.did(len(c.verts) + 1)
	return s, err
}

// slab cuts slices from pieces of so many elements. What is larger than a quarter of a piece, everything where piece is 0, is
// made by itself.
type slab[T any] struct {
	free  []T
	piece int
}

// take returns n zero elements that are the caller's.
func (s *slab[T]) take(n int) []T {
	if n > s.piece/4 {
		return make([]T, n)
	}
	if len(s.free) < n {
		s.free = make([]T, s.piece)
	}
	out := s.free[:n:n]
	s.free = s.free[n:]
	return out
}

// pace lets other goroutines go on after every so many edges: shapes are compiled and indexed beside work on the same cores that
// must not wait for the scheduler, which interrupts after 10 ms only.
type pace struct{ edges int }

const paceEdges = 2048 // 0.1 to 0.5 ms

func (p *pace) did(edges int) {
	if p.edges += edges; p.edges >= paceEdges {
		p.edges = 0
		runtime.Gosched()
	}
}
