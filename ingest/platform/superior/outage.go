package superior

import (
	"sync/atomic"
	"time"

	"lushao/ingest/jt809"
	"lushao/ingest/platform"
)

// maxOutages bounds the times without any link that are remembered of a peer.
const maxOutages = 32

// outages are the times in which a peer had no link, oldest first. mu of the peer guards them.
type outages struct {
	list []*outage
	// first and last are the bounds of all that are remembered, Unix ms, so that a back-filled position outside of them
	// needs no look at the list.
	first, last atomic.Int64
}

type outage struct {
	from, to  int64         // Unix ms; to 0 while it lasts
	positions atomic.Uint64 // with a time inside that were sent afterwards
	looked    bool          // it was seen that nothing came
	asked     bool          // and asked for
}

// cut notes that the peer has no link; from is when it was last heard. mu is held.
func (p *peer) cut(from time.Time) {
	o := &p.outages
	if n := len(o.list); n > 0 && o.list[n-1].to == 0 {
		return
	}
	p.metrics.outages.Inc()
	if len(o.list) >= maxOutages {
		o.list = o.list[1:]
	}
	o.list = append(o.list, &outage{from: from.UnixMilli()})
	o.first.Store(o.list[0].from)
}

// over notes that the peer has logged in again, and returns how long it was away. mu is held.
func (o *outages) over(now time.Time) time.Duration {
	n := len(o.list)
	if n == 0 || o.list[n-1].to != 0 {
		return 0
	}
	g := o.list[n-1]
	g.to = max(now.UnixMilli(), g.from)
	o.last.Store(g.to)
	return time.Duration(g.to-g.from) * time.Millisecond
}

// backfilled counts a position that came late to the outage it is of.
func (p *peer) backfilled(at int64) {
	o := &p.outages
	if at < o.first.Load() || at > o.last.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(o.list) - 1; i >= 0; i-- {
		if g := o.list[i]; at >= g.from && at <= g.to {
			g.positions.Add(1)
			return
		}
	}
}

// due returns the outages of which nothing has come within the time that the settings give. mu is held.
func (o *outages) due(now time.Time, within time.Duration) (list []*outage) {
	for _, g := range o.list {
		if g.to != 0 && !g.looked && g.positions.Load() == 0 && now.UnixMilli()-g.to > within.Milliseconds() {
			g.looked = true
			list = append(list, g)
		}
	}
	return list
}

// askOutage asks a peer of 2019 for what it has sent since an outage began (0x9303 with a time); others can't be asked.
func (p *peer) askOutage(g *outage) {
	if p.ed() != jt809.Edition2019 {
		p.s.logger.Warn("nothing was back-filled for an outage, and the edition has no way to ask for it", "peer", p.cfg.Name,
			"from", time.UnixMilli(g.from), "to", time.UnixMilli(g.to))
		return
	}
	_, err := p.send(jt809.IDRetransmitDown, nil, &jt809.Retransmit{Short: true, Time: jt809.SecondsOf(g.from)})
	p.mu.Lock()
	defer p.mu.Unlock()
	g.asked, g.looked = err == nil, err == nil // else again at the next tick
}

func gapOf(g *outage) platform.Gap {
	return platform.Gap{From: platform.Time(g.from), To: platform.Time(g.to), Positions: g.positions.Load(), Asked: g.asked}
}
