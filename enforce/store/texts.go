package store

// texts gathers the values of a text column in one piece of memory: a string for each of 50,000 plates would cost more
// than the rest of the row.
type texts struct {
	buf  []byte
	ends []int
}

func (t *texts) addBytes(b []byte) {
	t.buf = append(t.buf, b...)
	t.ends = append(t.ends, len(t.buf))
}

// strings returns the values; it allocates twice, whatever their number.
func (t *texts) strings() []string {
	all, out, from := string(t.buf), make([]string, len(t.ends)), 0
	for i, to := range t.ends {
		out[i] = all[from:to]
		from = to
	}
	return out
}

func (t *texts) reset() { t.buf, t.ends = t.buf[:0], t.ends[:0] }
