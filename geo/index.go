package geo

import (
	"math"
	"slices"
	"unsafe"
)

// Index finds the shapes round a point. It is immutable and may be used by many goroutines.
//
// It is a tree of square cells over the rectangle of all shapes. A cell is split into 2×2 to 32×32 children until few edges
// are left in it. A shape that covers a cell wholly is noted once, at the largest such cell; what passes through a leaf is
// copied into it, so that a look-up reads a few words of each level and then one piece of memory:
//
//	node: 4^k children, row by row from the south-west [, number of covers, their shapes]
//	leaf: number of covers, number of entries, covers, entries
//	entry: shape | kind<<28, then by kind
//	  narrow, wide: number of chains | constant<<16, chains of vertices (narrow: two int16 from the cell's south-west corner in a
//	                word; wide: latitude, longitude)
//	  buffer:       number of chains, half width (float64, two words), chains of vertices as in wide
//	  direct:       nothing; the shape is asked
//	chain: number of vertices, vertices
//
// Cell borders lie half-way between the grid of Points, so no Point and no vertex is ever on one.
//
// The winding number of a point is the constant plus what the edges of the chains add by a ray to the west. The edges left out
// do not meet the cell, so what they add is the same for all points of one latitude in the cell; it changes with the latitude only
// where a chain ends west of the cell, and there the chain is led on to the south, below the cell, which takes the change over.
// What is left is one constant.
type Index struct {
	shapes []*Shape
	origin Point  // south-west corner of the root cell
	shift  uint32 // the root cell has 2^shift × 2^shift points
	root   uint32
	words  []uint32
}

// A reference to a cell is its place in words, in units of unitWords, and a tag in the low four bits: 0 leaf, 1 to maxFan node with
// 2^tag × 2^tag children, with coveredTag added where it has covers of its own, soleTag leaf that a single shape covers, whose number
// stands for the place. The reference 0 is an empty leaf.
const (
	tagBits    = 4
	tagMask    = 1<<tagBits - 1
	maxFan     = 5
	soleTag    = 6
	coveredTag = 8
	unitWords  = 4
	maxShapes  = 1 << 28
)

type entryKind uint32

const (
	kindNarrow entryKind = iota
	kindWide
	kindBuffer
	kindDirect
)

const (
	kindShift = 28
	shapeMask = 1<<kindShift - 1
)

// Len returns the number of shapes.
func (x *Index) Len() int { return len(x.shapes) }

// Shape returns a shape by its number.
func (x *Index) Shape(i int32) *Shape { return x.shapes[i] }

// Bytes returns the memory of the index, without that of the shapes, which it keeps.
func (x *Index) Bytes() int {
	return int(unsafe.Sizeof(*x)) + 4*cap(x.words) + int(unsafe.Sizeof((*Shape)(nil)))*cap(x.shapes)
}

// Lookup appends to dst the numbers of all shapes that contain p, ascending. It allocates only where dst has no room.
func (x *Index) Lookup(p Point, dst []int32) []int32 {
	// Differences wrap round; only points of the root cell come out below its size.
	u, v := uint32(p.Lon)-uint32(x.origin.Lon), uint32(p.Lat)-uint32(x.origin.Lat)
	if (u|v)>>x.shift != 0 {
		return dst
	}
	base := len(dst)
	words, ref, shift := x.words, x.root, x.shift
	for {
		tag := ref & tagMask
		at := ref >> tagBits
		if tag == 0 {
			if ref != 0 {
				size := uint32(1)<<shift - 1
				dst = x.leaf(words[at*unitWords:], p, int32(u&size), int32(v&size), dst)
			}
			break
		}
		if tag == soleTag {
			dst = append(dst, int32(at))
			break
		}
		k := tag &^ coveredTag
		shift -= k
		n := uint32(1)<<k - 1
		node := words[at*unitWords:]
		if tag&coveredTag != 0 {
			covers := node[uint32(1)<<(2*k):]
			for _, c := range covers[1 : 1+covers[0]] {
				dst = append(dst, int32(c))
			}
		}
		ref = node[(v>>shift&n)<<k|(u>>shift&n)]
	}
	if found := dst[base:]; len(found) > 1 {
		sortNumbers(found)
	}
	return dst
}

// leaf tests the entries of a leaf. x and y are the offsets of p in the cell.
func (x *Index) leaf(w []uint32, p Point, px, py int32, dst []int32) []int32 {
	covers, entries := w[0], w[1]
	w = w[2:]
	for _, c := range w[:covers] {
		dst = append(dst, int32(c))
	}
	w = w[covers:]
	for ; entries > 0; entries-- {
		shape := int32(w[0] & shapeMask)
		var inside, on bool
		switch entryKind(w[0] >> kindShift) {
		case kindNarrow:
			inside, on, w = narrowContains(w[1:], px, py)
		case kindWide:
			inside, on, w = wideContains(w[1:], p)
		case kindBuffer:
			inside, w = bufferContains(w[1:], p)
		default:
			inside, w = x.shapes[shape].Contains(p), w[1:]
		}
		if on {
			s := x.shapes[shape]
			inside = s.parts > 1 && s.anyPartContains(p)
		}
		if inside {
			dst = append(dst, shape)
		}
	}
	return dst
}

// narrowContains tests an entry of the kind narrow and returns the words after it.
func narrowContains(w []uint32, px, py int32) (inside, on bool, rest []uint32) {
	chains, count := w[0]&0xffff, int32(w[0])>>16
	w = w[1:]
	for ; chains > 0; chains-- {
		n := w[0]
		chain := w[1 : 1+n]
		w = w[1+n:]
		ax, ay := int32(int16(chain[0]))-px, int32(chain[0])>>16-py
		for _, c := range chain[1:] {
			bx, by := int32(int16(c))-px, int32(c)>>16-py
			if (ay <= 0) != (by <= 0) {
				// p is the origin: the cross product of the edge's ends tells its side.
				side := int64(ax)*int64(by) - int64(ay)*int64(bx)
				switch {
				case side == 0:
					on = true
				case ay <= 0: // upwards; west of p where p is on its right
					if side < 0 {
						count--
					}
				case side > 0:
					count++
				}
			} else if by == 0 {
				// p is b, or between the ends of a level edge. That p is a was seen at the edge before: a chain begins
				// outside of the cell, or where another one ends.
				on = on || bx == 0 || (ay == 0 && (ax < 0) != (bx < 0))
			}
			ax, ay = bx, by
		}
	}
	return count > 0, on, w
}

// wideContains tests an entry of the kind wide and returns the words after it.
func wideContains(w []uint32, p Point) (inside, on bool, rest []uint32) {
	chains, count := w[0]&0xffff, int(int32(w[0])>>16)
	w = w[1:]
	for ; chains > 0; chains-- {
		n := w[0]
		chain := w[1 : 1+2*n]
		w = w[1+2*n:]
		a := Point{int32(chain[0]), int32(chain[1])}
		for i := 2; i+1 < len(chain); i += 2 {
			b := Point{int32(chain[i]), int32(chain[i+1])}
			d, o := winding(a, b, p)
			count += d
			on = on || o
			a = b
		}
	}
	return count > 0, on, w
}

// bufferContains tests an entry of the kind buffer and returns the words after it.
func bufferContains(w []uint32, p Point) (inside bool, rest []uint32) {
	chains := w[0]
	half := math.Float64frombits(uint64(w[1]) | uint64(w[2])<<32)
	w = w[3:]
	for ; chains > 0; chains-- {
		n := w[0]
		chain := w[1 : 1+2*n]
		w = w[1+2*n:]
		a := Point{int32(chain[0]), int32(chain[1])}
		if n == 1 {
			inside = inside || Distance(p, a) < half
		}
		for i := 2; i+1 < len(chain) && !inside; i += 2 {
			b := Point{int32(chain[i]), int32(chain[i+1])}
			m, _ := SegmentPoint(p, a, b)
			inside = m < half
			a = b
		}
	}
	return inside, w
}

// sortNumbers sorts; most often there are two or three.
func sortNumbers(n []int32) {
	if len(n) > 16 {
		slices.Sort(n)
		return
	}
	for i := 1; i < len(n); i++ {
		for j := i; j > 0 && n[j] < n[j-1]; j-- {
			n[j], n[j-1] = n[j-1], n[j]
		}
	}
}
