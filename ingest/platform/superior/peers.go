package superior

import (
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/ingest/platform/link"
)

// Peers implements platform.Side: what is known of the inferior platforms, in the order of the settings.
func (s *Superior) Peers() []platform.Peer {
	list := make([]platform.Peer, 0, len(s.peers))
	for _, p := range s.peers {
		list = append(list, p.describe())
	}
	return list
}

func (p *peer) describe() platform.Peer {
	now := p.s.now()
	n := p.positions.Load()
	p.mu.Lock()
	defer p.mu.Unlock()
	d := platform.Peer{Name: p.cfg.Name, Role: platform.RoleSuperior, Edition: p.edition.String(), Encrypted: p.cfg.Encrypt, AccessCode: p.cfg.AccessCode,
		Main: p.mainState, Sub: p.subState, Vehicles: p.vehicles.len(), Positions: n, BackfillPositions: p.backfill.Load(),
		PositionsPerS: p.rate.perSecond(now, n), BadPositions: p.bad.Load(), LastPosition: platform.Time(p.lastPosition.Load()),
		CountedByPeer: p.counted.Load(), SerialGaps: p.seen.missing(), LastLogin: timeOf(p.lastLogin), LastFailed: timeOf(p.lastFailed), FailedWhy: p.failedWhy,
		Gaps: []platform.Gap{}}
	counts(&d.Main, p.mainLink, p.main.worker())
	counts(&d.Sub, p.subLink, p.sub.worker())
	for _, g := range p.outages.list {
		d.Gaps = append(d.Gaps, gapOf(g))
	}
	if p.edition == jt809.EditionAuto {
		d.Edition = "auto"
	}
	return d
}

// counts fills in what passed over a link.
func counts(l *platform.LinkState, m *link.Metrics, w *worker) {
	c := m.Counts()
	l.FramesIn, l.FramesOut, l.BytesIn, l.BytesOut, l.BadFrames = c.FramesIn, c.FramesOut, c.BytesIn, c.BytesOut, c.BadFrames
	if w != nil {
		l.LastRead, l.LastWrite = platform.Time(w.conn.LastRead().UnixMilli()), platform.Time(w.conn.LastWrite().UnixMilli())
	}
}
