package geo

import (
	"errors"
	"fmt"
	"slices"

	"github.com/paulmach/orb"
)

// maxSplits bounds the crossings of one polygon that Repair undoes: what crosses itself oftener was not drawn by a person.
const maxSplits = 1000

// minLoop is twice the area, in 1e-12 square degree, of the least loop that Repair keeps: about 1 m². Less than that is where
// lines were meant to meet.
const minLoop = 2 * 100

// Repair undoes what happens when people draw an outline by hand: an outer ring that crosses itself, as in a figure of eight or
// where its end overshoots its beginning, is cut at each crossing into loops, and each loop is a polygon of the result. Every place
// round which the outline winds is inside of the result. Where the crossings were is told, to be shown to who drew it; of a polygon that
// needs no repair there are none, and it is returned as it is, on the grid of 1e-6 degree.
//
// What a person must decide is an error: rings that cross each other, holes of an outline that crosses itself.
func Repair(polygon orb.Polygon) (result orb.MultiPolygon, crossings []Point, err error) {
	if len(polygon) == 0 {
		return nil, nil, errors.New("no outer ring")
	}
	outer, err := compileRing(polygon[0], nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", ringName(0), err)
	}
	if checkSimple([][]Point{outer}) == nil {
		if _, err := CompilePolygon(polygon); err != nil {
			return nil, nil, err
		}
		return orb.MultiPolygon{polygon}, nil, nil
	}
	if len(polygon) > 1 {
		return nil, nil, fmt.Errorf("%w; an outline with holes is not repaired: it could mean several things", checkSimple([][]Point{outer}))
	}
	for todo := [][]Point{outer}; len(todo) > 0; {
		r := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		var c *CrossingError
		if !errors.As(checkSimple([][]Point{r}), &c) {
			result = append(result, orb.Polygon{degreesOf(r)})
			continue
		}
		if crossings = append(crossings, c.At); len(crossings) > maxSplits {
			return nil, nil, fmt.Errorf("crosses itself more than %d times: draw it anew", maxSplits)
		}
		for _, loop := range splitRing(r, c) {
			if loop = tidyRing(loop); loop != nil {
				todo = append(todo, loop)
			}
		}
	}
	if len(result) == 0 {
		return nil, nil, errors.New("has no area: it crosses itself and nothing is left")
	}
	if _, err := CompileMultiPolygon(result); err != nil {
		return nil, nil, err
	}
	slices.Reverse(result) // the loop with the first vertex first
	return result, crossings, nil
}

// splitRing cuts a closed ring at a crossing of two of its edges.
func splitRing(r []Point, c *CrossingError) [2][]Point {
	open := r[:len(r)-1]
	i, j := min(c.Edge1, c.Edge2), max(c.Edge1, c.Edge2)
	inner := append([]Point{c.At}, open[i+1:j+1]...)
	rest := append(slices.Clone(open[:i+1]), c.At)
	return [2][]Point{append(rest, open[j+1:]...), inner}
}

// tidyRing drops what has no area from an open ring and closes it; nil where too little is left.
func tidyRing(open []Point) []Point {
	open = slices.Compact(open)
	for len(open) > 1 && open[0] == open[len(open)-1] {
		open = open[:len(open)-1]
	}
	if distinct(open) < 3 {
		return nil
	}
	if open = dropSpikes(open); len(open) < 3 {
		return nil
	}
	r := append(open, open[0])
	if a := doubleArea(r); a < minLoop && a > -minLoop {
		// A ring that crosses itself may have lobes that cancel each other.
		if checkSimple([][]Point{r}) == nil {
			return nil
		}
	}
	return r
}

func degreesOf(r []Point) orb.Ring {
	out := make(orb.Ring, len(r))
	for i, p := range r {
		out[i] = p.Degrees()
	}
	return out
}
