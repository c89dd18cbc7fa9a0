package gateway

import (
	"context"
	"slices"
	"sync"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

// Online reports whether a terminal of the vehicle is online here.
func (g *Gateway) Online(v ingest.Vehicle) bool { return g.sessions.of(v) != nil }

// SendText is Send of a text to the driver (0x8300), shown and spoken, with the flags of the terminal's edition.
func (g *Gateway) SendText(ctx context.Context, v ingest.Vehicle, text jt808.Text, urgent bool, opts CommandOptions) Outcome {
	ch := make(chan Outcome, 1)
	c := g.start(v, jt808.IDText, func(ed jt808.Edition) jt808.Body { return textMessage(ed, text, urgent) }, opts, func(o Outcome) { ch <- o })
	select {
	case o := <-ch:
		return o
	case <-ctx.Done():
	}
	if c != nil {
		g.commands.end(c, Outcome{State: CommandCancelled})
	}
	return <-ch
}

// Photo is an image that a terminal made on order.
type Photo struct {
	jt808.MediaHead
	Location    jt808.Location // where it was made, without additional items
	HasLocation bool           // not in 2011
	Data        []byte
}

// Limits of photos that somebody waits for.
const (
	maxShots   = 64 // of all terminals
	maxArrived = 4  // images of a terminal that one who waits has not looked at
)

// shot is somebody who waits for a photo of a vehicle.
type shot struct {
	vehicle ingest.Vehicle
	arrived chan *Photo
}

// shots are those who wait for photos.
type shots struct {
	mu      sync.Mutex
	waiting []*shot
}

// begin makes the shot one that waits; it reports false where too many do.
func (r *shots) begin(s *shot) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) >= maxShots {
		return false
	}
	r.waiting = append(r.waiting, s)
	return true
}

func (r *shots) end(s *shot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.waiting, s); i >= 0 {
		r.waiting = slices.Delete(r.waiting, i, i+1)
	}
}

// came hands an image over to all who wait for one of the vehicle.
func (r *shots) came(v ingest.Vehicle, m *jt808.MediaData, hasLocation bool) {
	if m.Type != 0 { // no image
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var p *Photo
	for _, s := range r.waiting {
		if s.vehicle != v {
			continue
		}
		if p == nil {
			p = &Photo{m.MediaHead, m.Location, hasLocation, slices.Clone(m.Data)} // m is valid during the call only
			p.Location.Extras, p.Location.ExtrasErr = nil, nil
		}
		select {
		case s.arrived <- p:
		default: // a terminal that sends images and does not answer the order
		}
	}
}

// Shoot orders a photo (0x8801) and waits for it (0x0801), each for the time-out of the options. The photo is nil unless
// the outcome is CommandDone. It needs a place for files: without one no terminal's photo is taken.
//
// The answer of a terminal (0x0805) names the photo; where it is 0x0001 alone, the next photo of the channel that is made on
// order is meant.
func (g *Gateway) Shoot(ctx context.Context, v ingest.Vehicle, m *jt808.Shoot, opts CommandOptions) (*Photo, Outcome) {
	if g.files == nil {
		return nil, Outcome{State: CommandNotSupported}
	}
	s := &shot{vehicle: v, arrived: make(chan *Photo, maxArrived)}
	if !g.shots.begin(s) {
		return nil, Outcome{State: CommandBusy}
	}
	defer g.shots.end(s)
	opts.KeepReply = true
	o := g.Send(ctx, v, jt808.IDShoot, m, opts)
	if o.State != CommandDone {
		return nil, o
	}
	var reply jt808.ShootReply
	if o.ReplyID == jt808.IDShootReply {
		if jt808.Decode(o.Reply, o.ReplyHead.Edition, &reply) != nil {
			o.State = CommandMalformed
			return nil, o
		}
		if o.Result = reply.Result; reply.Result != 0 {
			o.State = CommandFailed
			return nil, o
		}
	}
	timeout := opts.Timeout
	if timeout <= 0 {
		timeout = g.cfg.CommandTimeout
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		select {
		case p := <-s.arrived:
			if len(reply.Media) > 0 && slices.Contains(reply.Media, p.ID) ||
				len(reply.Media) == 0 && p.Channel == m.Channel && p.Event == 0 {
				return p, o
			}
		case <-timer.C:
			o.State = CommandTimeout
			return nil, o
		case <-ctx.Done():
			o.State = CommandCancelled
			return nil, o
		}
	}
}

// answeredIfAsked is answered for a message that terminals send by themselves as well.
func (w *work) answeredIfAsked(p *peer, h *jt808.Header, body []byte) {
	r := &w.c.g.commands
	if c, o := r.match(p.session, h, body); c != nil {
		r.metrics.count(c.id, o.State)
		c.done(o)
	}
}
