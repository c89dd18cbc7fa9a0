// Package inferior is our side of JT/T 809 towards the superior platforms that we report to.
//
//	config.go, deps.go       settings; what the package stands on
//	inferior.go              the peers together: starting, stopping, the answers of staff, requests by hand
//	peer.go                  one superior: its two links, which of them carries data, what is remembered of it
//	mainlink.go, sublink.go  the life of each link (clause 7 of the field reference: states, time-outs, codes)
//	forward.go               the log to the peer: runs, barriers, proofs, offsets; positions.go, alarms.go what is sent
//	take.go                  what the peer sends; take_*.go by subject
//	inspect.go               the sums of inspections; warntypes.go the numbers of alarms
//	ring.go                  what was sent last, to be sent again; stats.go, rate.go, metrics.go figures
//
// What must always hold: an offset is committed only when everything before it was sent on one main link before a 0x1005
// that the superior answered. A login begins again at what is proven; so nothing is lost, and what arrives twice are equal
// positions, which count once. Nothing is read from the log while both links are down, and a slow superior slows the
// reading: no memory grows with an outage.
package inferior

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/ingest/platform/link"
)

// Inferior reports to superior platforms.
type Inferior struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics
	peers   []*peer

	listener net.Listener
	soft     context.Context // ends when we are to stop
	stop     context.CancelFunc
	hard     context.Context // ends when time is up
	kill     context.CancelFunc
	links    sync.WaitGroup // main links and what forwards over them
	subs     sync.WaitGroup // the server of sub links and its connections
	rest     sync.WaitGroup // commits and tasks

	mu    sync.Mutex
	codes chan struct{} // closed and made anew when a verify code or a login changes
}

// New makes an inferior platform that does nothing until Start. It reads the password files.
func New(cfg Config, deps Deps) (*Inferior, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	i := &Inferior{cfg: cfg, deps: deps, log: deps.Logger, now: deps.Now, metrics: newMetrics(deps.Registerer), codes: make(chan struct{})}
	vectors := link.NewVectors(deps.Registerer, platform.RoleInferior)
	for n, c := range cfg.Peers {
		p, err := newPeer(i, c.withDefaults(), vectors)
		if err != nil {
			return nil, fmt.Errorf("inferior.peers[%d].%w", n, err)
		}
		i.peers = append(i.peers, p)
	}
	return i, nil
}

// Start listens for sub links and begins to dial.
func (i *Inferior) Start() error {
	if i.cfg.Listen != "" && len(i.peers) > 0 {
		l, err := net.Listen("tcp", i.cfg.Listen)
		if err != nil {
			return fmt.Errorf("inferior.listen: %w", err)
		}
		i.listener = l
		i.log.Info("listening for sub links of superior platforms", "address", l.Addr())
	}
	i.soft, i.stop = context.WithCancel(context.Background())
	i.hard, i.kill = context.WithCancel(context.Background())
	for _, p := range i.peers {
		p.recall()
		i.rest.Go(p.commitLoop)
		i.rest.Go(p.work)
		i.links.Go(p.forwardLoop)
		i.links.Go(p.dialLoop)
	}
	if i.listener != nil {
		i.subs.Go(i.acceptLoop)
	}
	return nil
}

// Addr is where sub links are listened for; invalid where none are.
func (i *Inferior) Addr() netip.AddrPort {
	if i.listener == nil {
		return netip.AddrPort{}
	}
	return i.listener.Addr().(*net.TCPAddr).AddrPort()
}

// Shutdown proves what was sent, commits it, logs out of every superior and closes all links. When ctx ends first, the
// rest is cut off: what is not proven is sent again after the next start.
func (i *Inferior) Shutdown(ctx context.Context) error {
	if i.stop == nil || i.soft.Err() != nil {
		return nil
	}
	i.stop()
	if i.listener != nil {
		i.listener.Close()
	}
	defer context.AfterFunc(ctx, i.kill)()
	i.links.Wait()
	for _, p := range i.peers {
		p.closeSub()
	}
	i.subs.Wait()
	for _, p := range i.peers {
		close(p.finished)
	}
	i.rest.Wait()
	i.kill()
	return ctx.Err()
}

func (i *Inferior) peer(name string) *peer {
	for _, p := range i.peers {
		if p.cfg.Name == name {
			return p
		}
	}
	return nil
}

// Peers tells of every superior platform.
func (i *Inferior) Peers() []platform.Peer {
	list := make([]platform.Peer, 0, len(i.peers))
	for _, p := range i.peers {
		list = append(list, p.state())
	}
	return list
}

// Do sends a message up to a superior by hand and notes it in the book. One that is answered waits there until deadline;
// the zero time sets none. v is nil where the message means no vehicle.
func (i *Inferior) Do(ctx context.Context, peer string, v *ingest.Vehicle, id jt809.MessageID, m jt809.Body, deadline time.Time) (platform.Request, error) {
	p := i.peer(peer)
	if p == nil {
		return platform.Request{}, platform.ErrNoPeer
	}
	info, ok := id.Info()
	if !ok || !info.Up || id < jt809.IDExchangeUp || id.IsContainer() || m == nil {
		return platform.Request{}, platform.ErrUnsupported
	}
	now := i.now()
	r := platform.Request{Role: platform.RoleInferior, Platform: p.cfg.Name, Kind: kindOf(id), Message: id.String(), Asked: now.UnixMilli(),
		State: platform.StateWaiting, Body: jt809.AppendBodyJSON(nil, p.edition, m)}
	if info.Answer == 0 {
		r.State, r.Answered = platform.StateAnswered, now.UnixMilli()
	} else if !deadline.IsZero() {
		r.Deadline = deadline.UnixMilli()
	}
	e := envelope(id)
	if v != nil {
		e.SetVehicle(*v)
		r.Plate, r.Color = v.Plate(), v.Color
	}
	// Its answer is not looked for before the request is in the book.
	p.asking.Lock()
	defer p.asking.Unlock()
	serial, err := p.send(ctx, &e, m)
	if err != nil {
		return platform.Request{}, err
	}
	r.Serial = serial
	return r, i.deps.Book.Put(ctx, &r)
}

// Answer sends what staff answered to a request of a superior that waits in the book:
//
//	inspection   {"responder": "…", "responder_tel": "…", "text": "…"}
//	supervision  {"result": 0 to 3, or "in_progress", "done", "no_need", "later"; "note": "…"}
//	others       the fields of the answering message
func (i *Inferior) Answer(ctx context.Context, id string, answer json.RawMessage) error {
	r, ok := i.deps.Book.Get(id)
	if !ok {
		return platform.ErrUnknown
	}
	p := i.peer(r.Platform)
	if p == nil {
		return platform.ErrNoPeer
	}
	if r.Role != platform.RoleInferior {
		return platform.ErrUnsupported
	}
	if r.Done() {
		return platform.ErrAnswered
	}
	switch r.Message {
	case jt809.IDInspection.String():
		return p.answerInspection(ctx, &r, answer)
	case jt809.IDSupervision.String():
		return p.answerSupervision(ctx, &r, answer)
	}
	return p.answerByHand(ctx, &r, answer)
}

// envelope is that of a message or sub-message up.
func envelope(id jt809.MessageID) jt809.Envelope {
	if c := id.Container(); c != id && c != 0 {
		return jt809.Envelope{ID: c, Sub: id}
	}
	return jt809.Envelope{ID: id}
}

// kindOf is the kind of a request in the book.
func kindOf(id jt809.MessageID) string {
	switch id & 0x0F00 {
	case 0x0200:
		return platform.KindExchange
	case 0x0300:
		if id == jt809.IDInspection || id == jt809.IDInspectionReply {
			return platform.KindInspection
		}
		return platform.KindText
	case 0x0400:
		if id == jt809.IDSupervision || id == jt809.IDSupervisionReply {
			return platform.KindSupervision
		}
		return platform.KindReport
	case 0x0500:
		return platform.KindControl
	case 0x0600:
		return platform.KindStatic
	}
	return platform.KindVideo
}
