package gateway

import (
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

// session is an authenticated terminal on a connection. Its vehicle does not change: another one is another session.
type session struct {
	conn    *conn
	phone   jt808.Phone // canonical
	vehicle ingest.Vehicle
	peer    *peer
	head    jt808.Header  // of its authentication: the form of the platform's messages to it
	edition jt808.Edition // of their bodies

	replaced atomic.Bool // by a session on another connection
	sent     sentParts   // long messages to it
	memory   *memory     // nil: nothing is remembered

	// Guarded by sessions.mu.
	leaving chan struct{} // closed once its offline event is on its way to the log; nil while online
	older   *session      // another terminal of the same vehicle

	// Guarded by commands.mu.
	open []*command
	gone bool // it takes no more commands
}

// sessions knows who is online where.
//
// The events of a vehicle's link must reach the log in their order, although an old connection may end while a new one
// begins. So a session that ends stays here until its offline event was handed to the log, and who takes its place waits
// for that; a session that is replaced while it is online leaves it to the new connection to write both events.
type sessions struct {
	mu      sync.Mutex
	byPhone map[jt808.Phone]*session
	// byVehicle has the terminal of a vehicle that came last; the others follow as older.
	byVehicle map[ingest.Vehicle]*session
	gauge     prometheus.Gauge
}

func newSessions(gauge prometheus.Gauge) *sessions {
	return &sessions{byPhone: map[jt808.Phone]*session{}, byVehicle: map[ingest.Vehicle]*session{}, gauge: gauge}
}

// enter makes s the session of its phone and returns the one that it replaced, which is online no more. A connection that
// lost its last session is stopped.
func (r *sessions) enter(s *session, done <-chan struct{}) (old *session) {
	for {
		r.mu.Lock()
		old = r.byPhone[s.phone]
		if old == nil || old.leaving == nil {
			break
		}
		leaving := old.leaving
		r.mu.Unlock()
		select {
		case <-leaving:
		case <-done: // the gateway gives up: order does not matter any more
			return nil
		}
	}
	defer r.mu.Unlock()
	r.byPhone[s.phone] = s
	if old != nil {
		r.unlink(old)
	}
	s.older, r.byVehicle[s.vehicle] = r.byVehicle[s.vehicle], s
	s.conn.live++
	if old == nil {
		r.gauge.Inc()
		return nil
	}
	old.conn.live--
	old.replaced.Store(true)
	if old.conn != s.conn && old.conn.live == 0 {
		old.conn.stop(reasonReplaced)
	}
	return old
}

// leave begins the end of s. It reports false where s was replaced: then its offline event is written already. After
// true, left must follow.
func (r *sessions) leave(s *session) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byPhone[s.phone] != s || s.leaving != nil {
		return false
	}
	s.leaving = make(chan struct{})
	s.conn.live--
	return true
}

// left ends s: its offline event was handed to the log, or could not be.
func (r *sessions) left(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byPhone, s.phone)
	r.unlink(s)
	close(s.leaving)
	r.gauge.Dec()
}

// of returns the terminal of a vehicle that came last, nil where none is online.
func (r *sessions) of(v ingest.Vehicle) *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.byVehicle[v]
	for s != nil && s.leaving != nil {
		s = s.older
	}
	return s
}

func (r *sessions) unlink(s *session) {
	at := r.byVehicle[s.vehicle]
	if at == s {
		if s.older == nil {
			delete(r.byVehicle, s.vehicle)
		} else {
			r.byVehicle[s.vehicle] = s.older
		}
		return
	}
	for ; at != nil; at = at.older {
		if at.older == s {
			at.older = s.older
			return
		}
	}
}
