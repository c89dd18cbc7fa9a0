package sim809

import (
	"lushao/ingest"
)

// check watches what one platform reports: what comes twice, what is out of order, which serials are missing.
type check struct {
	s       *Sim
	p       *superior
	serials *received
	seen    map[ingest.Vehicle]*history
	order   []ingest.Vehicle

	now   *history // of the vehicle of the message
	batch int64    // time of the position before in this message
}

// history is what came of one vehicle.
type history struct {
	last       int64 // Unix s of the newest position
	days       map[int64]*[86400 / 64]uint64
	registered bool
	reported   bool
}

func newCheck(s *Sim, p *superior) *check {
	return &check{s: s, p: p, serials: newReceived(s.edition), seen: map[ingest.Vehicle]*history{}}
}

func (c *check) of(v ingest.Vehicle) *history {
	h := c.seen[v]
	if h == nil {
		h = &history{days: map[int64]*[86400 / 64]uint64{}}
		c.seen[v] = h
		c.order = append(c.order, v)
	}
	return h
}

// register notes a registration; true for the first one.
func (c *check) register(v ingest.Vehicle) bool {
	h := c.of(v)
	first := !h.registered
	h.registered = true
	return first
}

// pick is the i-th vehicle that reported, going round; false while there is none.
func (c *check) pick(i int) (ingest.Vehicle, bool) {
	if len(c.order) == 0 {
		return ingest.Vehicle{}, false
	}
	return c.order[i%len(c.order)], true
}

// begin starts on the positions of a message.
func (c *check) begin(v ingest.Vehicle) {
	c.now, c.batch = c.of(v), 0
	if !c.now.reported && !c.now.registered {
		c.s.n.unregistered.Add(1)
	}
	c.now.reported = true
}

// position takes one.
func (c *check) position(e *ingest.Event, live bool) {
	n := &c.s.n
	if e.Time == 0 {
		n.undated.Add(1)
		return
	}
	if c.p.s.cfg.OnTake != nil {
		c.p.s.cfg.OnTake(e)
	}
	if e.Flags&ingest.FlagEncrypted != 0 {
		n.encrypted.Add(1)
	}
	if !e.Position.Located {
		n.empty.Add(1)
	}
	h, t := c.now, e.Time/1000
	day := h.days[t/86400]
	if day == nil {
		day = new([86400 / 64]uint64)
		h.days[t/86400] = day
	}
	word, bit := t%86400/64, uint64(1)<<(t%64)
	if day[word]&bit != 0 {
		n.duplicates.Add(1)
		return
	}
	day[word] |= bit
	n.positions.Add(1)
	if live && t < h.last || !live && t < c.batch {
		n.disordered.Add(1)
	}
	c.batch = t
	h.last = max(h.last, t)
	c.p.write(e)
}
