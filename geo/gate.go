package geo

// GatePass tells whether the straight way from a to b comes within radius metres of a gate (inclusive), and where it is
// nearest: the fraction of the way, 0 at a and 1 at b, linear in distance. The time of the pass is that fraction of the
// time between the fixes.
func GatePass(a, b, gate Point, radius float64) (fraction, metres float64, ok bool) {
	metres, fraction = SegmentPoint(gate, a, b)
	return fraction, metres, metres <= radius
}
