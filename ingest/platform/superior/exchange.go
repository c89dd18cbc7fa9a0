package superior

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"lushao/ingest"
	"lushao/ingest/jt809"
	"lushao/ingest/platform/link"
)

// watches are the applications of peers for the positions of vehicles that other peers report (0x1207).
type watches struct {
	any atomic.Bool // there is one: positions look no further otherwise

	mu sync.RWMutex
	by map[ingest.Vehicle][]watch
	n  map[*peer]int
}

type watch struct {
	p     *peer
	until int64 // Unix s; 0: until it is cancelled
}

func (ws *watches) add(p *peer, v ingest.Vehicle, until int64, most int) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.by == nil {
		ws.by, ws.n = map[ingest.Vehicle][]watch{}, map[*peer]int{}
	}
	list := slices.Clone(ws.by[v])
	if i := slices.IndexFunc(list, func(w watch) bool { return w.p == p }); i >= 0 {
		list[i].until = until
	} else {
		if ws.n[p] >= most {
			return false
		}
		list = append(list, watch{p, until})
		ws.n[p]++
	}
	ws.by[v] = list // a new slice: pass reads the old one without the lock
	ws.any.Store(true)
	return true
}

func (ws *watches) remove(p *peer, v ingest.Vehicle) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.drop(v, func(w watch) bool { return w.p == p })
}

// drop removes watches of a vehicle. mu is held.
func (ws *watches) drop(v ingest.Vehicle, which func(watch) bool) bool {
	left := make([]watch, 0, len(ws.by[v]))
	for _, w := range ws.by[v] {
		if which(w) {
			if ws.n[w.p]--; ws.n[w.p] == 0 {
				delete(ws.n, w.p)
			}
			continue
		}
		left = append(left, w)
	}
	dropped := len(left) < len(ws.by[v])
	if !dropped {
		return false
	}
	if ws.by[v] = left; len(left) == 0 {
		delete(ws.by, v)
	}
	ws.any.Store(len(ws.by) > 0)
	return true
}

// expire drops what has ended at the time now, in Unix s.
func (ws *watches) expire(now int64) {
	if !ws.any.Load() {
		return
	}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, v := range slices.Collect(maps.Keys(ws.by)) {
		ws.drop(v, func(w watch) bool { return w.until != 0 && w.until < now })
	}
}

// pass sends a position on to the peers that applied for its vehicle, but not to the one that it came from. What a peer has
// no link for is not kept: it asks by 0x1209 for what it missed (7.6).
func (ws *watches) pass(from *peer, e *ingest.Event) {
	ws.mu.RLock()
	list := ws.by[e.Vehicle]
	ws.mu.RUnlock()
	for _, w := range list {
		if w.p == from {
			continue
		}
		ed := w.p.ed()
		env := envelope(jt809.IDPositionDown, &e.Vehicle)
		if e.Flags&ingest.FlagBackfill != 0 {
			env = envelope(jt809.IDPositionBatchDown, &e.Vehicle)
			env.Data = append(env.Data, 1)
		}
		env.Data = jt809.AppendPositionData(env.Data, ed, e)
		if c := w.p.route(); c != nil {
			w.p.sendEnvelope(c, env)
		}
	}
}

// Results of 0x9207 and 0x9208 besides those of package jt809.
const (
	applyWrongPeriod = uint8(2)
	applyOther       = uint8(3)
)

// takeApplyStart takes 0x1207.
func takeApplyStart(w *worker, m *up) error {
	d := m.body.(*jt809.Period)
	now := w.received / 1000
	until := d.End.UnixMilli() / 1000
	result := jt809.ApplyGranted
	switch {
	case m.v == nil || w.p.s.reporter(m.v.Vehicle, w.p) == nil:
		result = jt809.ApplyNoData
	case until != 0 && (until < now || until < d.Start.UnixMilli()/1000):
		result = applyWrongPeriod
	case !w.p.s.watches.add(w.p, m.v.Vehicle, until, w.p.s.cfg.MaxWatches):
		result = applyOther
	}
	return w.apply(m, jt809.IDApplyStartReply, result)
}

// takeApplyEnd takes 0x1208.
func takeApplyEnd(w *worker, m *up) error {
	result := jt809.ApplyNoData
	if m.v != nil && w.p.s.watches.remove(w.p, m.v.Vehicle) {
		result = jt809.ApplyGranted
	}
	return w.apply(m, jt809.IDApplyEndReply, result)
}

func (w *worker) apply(m *up, id jt809.MessageID, result uint8) error {
	var v ingest.Vehicle
	if m.v != nil {
		v = m.v.Vehicle
	}
	return w.answer(reply{id: id, v: v, body: &jt809.ApplyReply{Source: m.source(), Result: result}})
}

// historyBatch is how many positions one 0x9203 has at most, and maxHistory how long a time may be asked for at once.
const (
	historyBatch = 5
	maxHistory   = 31 * 24 * 3600 * 1000 // ms
)

// takeApplyHistory takes 0x1209: what the peer missed of a vehicle follows its 0x9209, as 0x9203.
func takeApplyHistory(w *worker, m *up) error {
	d := m.body.(*jt809.Period)
	s, p := w.p.s, w.p
	from, to := d.Start.UnixMilli(), d.End.UnixMilli()
	if to == 0 {
		to = w.received
	}
	result := jt809.ApplyGranted
	switch {
	case m.v == nil || s.deps.History == nil:
		result = jt809.HistoryNoData
	case from > to || to-from > maxHistory:
		result = jt809.HistoryWrong
	case s.reporter(m.v.Vehicle, p) == nil && !p.watching(m.v.Vehicle):
		result = jt809.HistoryNoData // what it reports itself it has
	case !p.serving.CompareAndSwap(false, true):
		result = jt809.HistoryOther // one at a time: it can ask again
	}
	if result != jt809.ApplyGranted {
		return w.apply(m, jt809.IDApplyHistoryReply, result)
	}
	v, source := m.v.Vehicle, m.source()
	s.running.Go(func() {
		defer p.serving.Store(false)
		if err := p.history(s.closing, v, from, to, source); err != nil && s.closing.Err() == nil {
			s.logger.Warn("a platform's question for missed positions was not answered in full", "peer", p.cfg.Name, "vehicle", v, "err", err)
		}
	})
	return nil
}

func (p *peer) watching(v ingest.Vehicle) bool {
	p.s.watches.mu.RLock()
	defer p.s.watches.mu.RUnlock()
	return slices.ContainsFunc(p.s.watches.by[v], func(w watch) bool { return w.p == p })
}

// history sends the archived positions of a vehicle: 0x9209 before the first, or alone where there is none.
func (p *peer) history(ctx context.Context, v ingest.Vehicle, from, to int64, source jt809.Source) error {
	c := p.route()
	if c == nil {
		return link.ErrClosed
	}
	ed := p.ed()
	told := false
	tell := func(result uint8) error {
		told = true
		_, err := p.sendOver(c, jt809.IDApplyHistoryReply, &v, &jt809.ApplyReply{Source: source, Result: result})
		return err
	}
	n, data := 0, []byte{0}
	flush := func() error {
		if n == 0 {
			return nil
		}
		env := envelope(jt809.IDPositionBatchDown, &v)
		data[0] = byte(n)
		env.Data = data
		_, err := c.SendData(ctx, env)
		n, data = 0, data[:1]
		return err
	}
	err := p.s.deps.History(ctx, v, from, to, func(e *ingest.Event) error {
		if !told {
			if err := tell(jt809.ApplyGranted); err != nil {
				return err
			}
		}
		data = jt809.AppendPositionData(data, ed, e)
		if n++; n < historyBatch {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if !told {
		result := jt809.HistoryNoData
		if err != nil {
			result = jt809.HistoryOther
		}
		if e := tell(result); err == nil {
			err = e
		}
	}
	return err
}
