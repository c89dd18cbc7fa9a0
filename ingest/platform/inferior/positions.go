package inferior

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/platform/link"
	"lushao/internal/bus"
)

// sender makes messages of the events of one partition. The reader of the partition owns it, run after run.
type sender struct {
	p     *peer
	known map[ingest.Vehicle]*known
	count atomic.Int64 // vehicles that were sent since the login
	login uint64       // that count is of

	event  ingest.Event
	missed []ingest.Event // positions for 0x1203; their extras alias the batch
	order  []int32
	data   []byte

	live, late int   // positions sent of this batch
	last       int64 // when the last of them was received
}

// known is what is remembered of a vehicle between two positions.
type known struct {
	plate      jt808.Text
	chosen     bool
	visitor    bool   // the peer itself sends its positions
	register   uint64 // versions that chosen and visitor were found with
	changes    uint64
	registered uint64 // login in which 0x1201 was sent
	seen       uint64 // login in which something was sent
}

// maxMissed bounds how many positions are gathered before they are sent.
const maxMissed = 16 << 10

// batchSize is how many positions a 0x1203 holds at most.
const batchSize = 5

func (p *peer) takeEvents(ctx context.Context, r *run, part partition, batch []bus.Message) error {
	return p.sender(part.number).take(ctx, r, part.live, batch)
}

func (p *peer) sender(partition int) *sender {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.senders[partition]
	if s == nil {
		s = &sender{p: p, known: map[ingest.Vehicle]*known{}}
		p.senders[partition] = s
	}
	return s
}

func (s *sender) take(ctx context.Context, r *run, live int64, batch []bus.Message) error {
	p := s.p
	var register uint64
	if p.i.deps.Register != nil {
		register = p.i.deps.Register.Version()
	}
	changes := p.changes.Load()
	if s.login != r.login {
		s.login = r.login
		s.count.Store(0)
	}
	s.missed = s.missed[:0]
	defer s.tell()
	e := &s.event
	for n := range batch {
		m := &batch[n]
		for rest := m.Value; len(rest) > 0; {
			var err error
			if rest, err = ingest.DecodeEvent(rest, e); err != nil {
				p.i.metrics.undecodable.Inc()
				p.log.Error("an event of the log can't be read; it and the rest of its message are passed over", "partition", m.Partition, "offset", m.Offset, "err", err)
				break
			}
			switch e.Kind {
			case ingest.KindPosition, ingest.KindDriverCard, ingest.KindWaybill, ingest.KindLink:
			default:
				continue
			}
			k := s.known[e.Vehicle]
			if k == nil || k.register != register || k.changes != changes {
				k = s.look(&e.Vehicle, k, register, changes)
			}
			// What came from the superior does not go back to it.
			if !k.chosen || k.visitor && e.Source == ingest.SourceJT809 {
				continue
			}
			if k.seen != r.login {
				k.seen = r.login
				s.count.Add(1)
			}
			if e.Kind == ingest.KindLink {
				if !e.Link.Online {
					continue
				}
				k.registered = 0
			}
			if k.registered != r.login {
				if err := s.register(ctx, r, &e.Vehicle, k); err != nil {
					return err
				}
			}
			switch {
			case e.Kind == ingest.KindPosition && e.Time <= 0:
				p.stats.bad.Add(1)
			case e.Kind == ingest.KindPosition && (m.Offset < live || e.Flags&ingest.FlagBackfill != 0):
				s.missed = append(s.missed, ingest.Event{Kind: e.Kind, Source: e.Source, Flags: e.Flags, Vehicle: e.Vehicle, Time: e.Time, Received: e.Received, Position: e.Position})
				if len(s.missed) >= maxMissed {
					err = s.flush(ctx, r)
				}
			case e.Kind == ingest.KindPosition:
				s.data = s.appendPosition(s.data[:0], e)
				if _, err = r.send(ctx, &jt809.Envelope{ID: jt809.IDExchangeUp, Sub: jt809.IDPosition, HasVehicle: true, Plate: k.plate, Color: uint8(e.Vehicle.Color), Data: s.data}, 1); err == nil {
					s.live++
					s.last = e.Received
				}
			case e.Kind == ingest.KindDriverCard && e.Driver.On:
				err = s.driver(ctx, r, e, k)
			case e.Kind == ingest.KindWaybill:
				err = s.waybill(ctx, r, e, k)
			}
			if err != nil {
				return err
			}
		}
	}
	return s.flush(ctx, r)
}

// tell adds what was sent to the figures.
func (s *sender) tell() {
	if s.live+s.late == 0 {
		return
	}
	p := s.p
	p.stats.sent(p.i.now(), s.last, s.live, s.late)
	p.metrics.live.Add(float64(s.live))
	p.metrics.missed.Add(float64(s.late))
	s.live, s.late = 0, 0
}

// look finds out whether the vehicle is forwarded.
func (s *sender) look(v *ingest.Vehicle, k *known, register, changes uint64) *known {
	if k == nil {
		if len(s.known) >= s.p.i.cfg.MaxVehicles {
			// Forgetting costs look-ups and registrations that are sent again, nothing else.
			clear(s.known)
		}
		k = &known{plate: jt809.PlateOf(*v)}
		s.known[*v] = k
	}
	k.chosen, k.visitor = s.p.chosen(v)
	k.register, k.changes = register, changes
	return k
}

// chosen reports whether the vehicle is forwarded, and whether its positions come from the peer itself.
func (p *peer) chosen(v *ingest.Vehicle) (chosen, visitor bool) {
	record, known := p.record(v)
	p.mu.Lock()
	defer p.mu.Unlock()
	_, visitor = p.visitors[*v]
	_, asked := p.exchange[*v]
	return asked && p.cfg.OnRequest || p.choice.has(v, &record, known), visitor
}

func (p *peer) record(v *ingest.Vehicle) (Record, bool) {
	if p.i.deps.Register == nil {
		return Record{}, false
	}
	return p.i.deps.Register.Vehicle(v)
}

// send sends a payload over the link that carries data, and waits while the peer reads slowly. It fails when ctx ends,
// which it does when both links are down.
func (r *run) send(ctx context.Context, e *jt809.Envelope, positions int) (serial uint32, err error) {
	return r.sendThen(ctx, e, positions, nil)
}

// sendThen is send that calls queued, where it is given, before the message can leave.
func (r *run) sendThen(ctx context.Context, e *jt809.Envelope, positions int, queued func(serial uint32)) (serial uint32, err error) {
	for {
		c := r.p.data.Load()
		if c == nil {
			if err := r.p.carried(ctx); err != nil {
				return 0, err
			}
			continue
		}
		serial, err = c.SendDataThen(ctx, e, queued)
		if err == nil {
			r.p.keep(e, nil, serial)
			r.on(c, positions)
			return serial, nil
		}
		if !errors.Is(err, link.ErrClosed) {
			return 0, err
		}
		r.p.leave(c)
	}
}

// sendBody is send for a message that is not frequent.
func (r *run) sendBody(ctx context.Context, e jt809.Envelope, m jt809.Body) (serial uint32, err error) {
	return r.sendBodyThen(ctx, e, m, nil)
}

func (r *run) sendBodyThen(ctx context.Context, e jt809.Envelope, m jt809.Body, queued func(serial uint32)) (serial uint32, err error) {
	e.Data = jt809.AppendBody(nil, r.p.edition, m)
	return r.sendThen(ctx, &e, 0, queued)
}

// appendPosition appends the payload of 0x1202. In 2019 our platform's id goes into it: the first of the three at its end,
// 45 bytes long {id 11, alarm 4} each.
func (s *sender) appendPosition(dst []byte, e *ingest.Event) []byte {
	begin := len(dst)
	dst = jt809.AppendPositionData(dst, s.p.edition, e)
	if s.p.edition.Has(jt809.FeaturePosition2019) && len(dst)-begin >= platformsSize {
		id := dst[len(dst)-platformsSize:][:platformIDSize]
		clear(id[copy(id, s.p.cfg.PlatformID):])
	}
	return dst
}

const platformsSize = 3 * (platformIDSize + 4)

// flush sends what was missed: by vehicle, in the order of time, five at a time (7.6).
func (s *sender) flush(ctx context.Context, r *run) error {
	if len(s.missed) == 0 {
		return nil
	}
	s.order = s.order[:0]
	for n := range s.missed {
		s.order = append(s.order, int32(n))
	}
	slices.SortFunc(s.order, func(a, b int32) int {
		x, y := &s.missed[a], &s.missed[b]
		if c := x.Vehicle.Compare(&y.Vehicle); c != 0 {
			return c
		}
		if x.Time != y.Time {
			if x.Time < y.Time {
				return -1
			}
			return 1
		}
		return int(a - b)
	})
	for from := 0; from < len(s.order); {
		first := &s.missed[s.order[from]]
		to := from
		s.data = append(s.data[:0], 0)
		for to < len(s.order) && to-from < batchSize && s.missed[s.order[to]].Vehicle == first.Vehicle {
			s.data = s.appendPosition(s.data, &s.missed[s.order[to]])
			to++
		}
		s.data[0] = byte(to - from)
		e := jt809.Envelope{ID: jt809.IDExchangeUp, Sub: jt809.IDPositionBatch, HasVehicle: true, Color: uint8(first.Vehicle.Color), Data: s.data}
		if k := s.known[first.Vehicle]; k != nil {
			e.Plate = k.plate
		} else { // forgotten in between
			e.Plate = jt809.PlateOf(first.Vehicle)
		}
		if _, err := r.send(ctx, &e, to-from); err != nil {
			return err
		}
		s.late += to - from
		s.last = first.Received
		for _, n := range s.order[from:to] {
			s.p.fillGap(s.missed[n].Time)
		}
		from = to
	}
	s.missed = s.missed[:0]
	return nil
}

// fillGap counts a position that was sent after the outage in which it was taken.
func (p *peer) fillGap(at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := len(p.gaps) - 1; n >= 0; n-- {
		if g := &p.gaps[n]; at >= int64(g.From) && at <= int64(g.To) {
			g.Positions++
			return
		}
	}
}

// register sends 0x1201 for a vehicle, and is right before the first that is sent of it after a login.
func (s *sender) register(ctx context.Context, r *run, v *ingest.Vehicle, k *known) error {
	rec, _ := s.p.record(v)
	m := &jt809.Registration{PlatformID: jt808.Text(s.p.cfg.PlatformID), ProducerID: jt808.GBK(rec.ProducerID), TerminalModelType: jt808.GBK(rec.TerminalType),
		TerminalIMEI: jt808.GBK(rec.IMEI), TerminalID: jt808.GBK(rec.TerminalID), TerminalSimcode: jt808.GBK(simcode(rec.Phone, s.p.edition))}
	if m.ProducerID == "" {
		m.ProducerID = jt808.GBK(s.p.cfg.ProducerID)
	}
	_, err := r.sendBody(ctx, jt809.Envelope{ID: jt809.IDExchangeUp, Sub: jt809.IDRegistration, HasVehicle: true, Plate: k.plate, Color: uint8(v.Color)}, m)
	if err == nil {
		k.registered = r.login
		s.p.metrics.registrations.Inc()
	}
	return err
}

// simcode is terminal_simcode: a number that is shorter gets zeros in front (section 5 of the field reference).
func simcode(phone string, ed jt809.Edition) string {
	size := 12
	if ed.Has(jt809.FeatureLongIDs) {
		size = 13
	}
	if phone == "" || len(phone) >= size {
		return phone
	}
	return "0000000000000"[:size-len(phone)] + phone
}

// driver remembers a card and reports it (0x120C, which 2011 does not have).
func (s *sender) driver(ctx context.Context, r *run, e *ingest.Event, k *known) error {
	d := *e.Driver
	s.p.remember(e.Vehicle, func(f *facts) { f.driver = &d })
	if s.p.edition == jt809.Edition2011 {
		return nil
	}
	m := driverOf(&d)
	_, err := r.sendBody(ctx, jt809.Envelope{ID: jt809.IDExchangeUp, Sub: jt809.IDDriverReport, HasVehicle: true, Plate: k.plate, Color: uint8(e.Vehicle.Color)}, &m)
	return err
}

func driverOf(d *ingest.DriverCard) jt809.Driver {
	return jt809.Driver{DriverName: jt808.GBK(d.Name), Licence: jt808.GBK(d.License), OrgName: jt808.GBK(d.Org)}
}

// waybill remembers a waybill and reports it (0x120D, which 2011 does not have).
func (s *sender) waybill(ctx context.Context, r *run, e *ingest.Event, k *known) error {
	w := *e.Waybill
	s.p.remember(e.Vehicle, func(f *facts) { f.waybill = &w })
	if s.p.edition == jt809.Edition2011 {
		return nil
	}
	_, err := r.sendBody(ctx, jt809.Envelope{ID: jt809.IDExchangeUp, Sub: jt809.IDWaybillReport, HasVehicle: true, Plate: k.plate, Color: uint8(e.Vehicle.Color)},
		&jt809.WaybillReport{EwaybillInfo: waybillOf(&w)})
	return err
}

// waybillOf is the text of a waybill: as it came, else made of what is known.
func waybillOf(w *ingest.Waybill) jt808.Text {
	if w.Text != "" {
		return jt808.GBK(w.Text)
	}
	return jt809.Info{{Key: "number", Value: w.Number}, {Key: "cargo_class", Value: w.CargoClass}, {Key: "route", Value: w.Route}}.Text()
}

// remember keeps what was last seen of a vehicle.
func (p *peer) remember(v ingest.Vehicle, set func(f *facts)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.facts[v]
	if f == nil {
		if len(p.facts) >= p.i.cfg.MaxVehicles {
			clear(p.facts)
		}
		f = &facts{}
		p.facts[v] = f
	} else { // who has the old one may still read it
		c := *f
		f = &c
		p.facts[v] = f
	}
	set(f)
}
