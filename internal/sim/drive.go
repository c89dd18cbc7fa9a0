package sim

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"

	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/jt808"
)

// Drive is the fleet for those who speak another protocol than JT/T 808 for it: they take what vehicles say in the order of time, send
// it in their way, and say what became of it. Truth, events, weigh records and counts are as with 808.
type Drive struct {
	s        *Sim
	ctx      context.Context
	cancel   context.CancelCauseFunc
	stations sync.WaitGroup
	mu       sync.Mutex
	tracks   []*track
}

// Open begins the drive: simulated time runs from now on. The context it returns ends with ctx, or when truth or events can't be
// written. A fleet is driven once, by Open or by Run.
func (s *Sim) Open(ctx context.Context) (*Drive, context.Context) {
	d := &Drive{s: s}
	d.ctx, d.cancel = context.WithCancelCause(ctx)
	s.fail, s.began = d.cancel, time.Now()
	s.out.open(s)
	if s.cfg.WeighURL != "" {
		d.stations.Go(func() { s.postAll(d.ctx) })
	}
	return d, d.ctx
}

// Close ends the drive, after the weigh records that were taken from feeds have been posted, and says what was sent. No feed may be
// in use any more.
func (d *Drive) Close() (Report, error) {
	close(d.s.posts)
	d.stations.Wait()
	err := context.Cause(d.ctx)
	d.cancel(nil)
	for _, t := range d.tracks {
		d.s.finish(t)
	}
	return d.s.report(), errors.Join(err, d.s.out.flush())
}

// Member is a vehicle of the fleet and what is known about it beside the road.
type Member struct {
	detect.VehicleRecord
	Index        int
	OperatorName string
	Drivers      []ingest.DriverCard // who take turns, all of them on duty
	IDCards      []string            // of the drivers, in their order
}

// Feed is what some vehicles of the fleet say, in the order of time. One goroutine may use it.
type Feed struct {
	d       *Drive
	queue   tracks
	started bool
	own     []*track
}

// Share is the feed of every n-th vehicle, from the i-th on. Each vehicle may be in one feed only.
func (d *Drive) Share(i, n int) *Feed {
	f := &Feed{d: d}
	for k := i; k < len(d.s.fleet); k += n {
		f.own = append(f.own, newTrack(d.s.world, d.s.fleet[k], &d.s.cfg))
	}
	d.mu.Lock()
	d.tracks = append(d.tracks, f.own...)
	d.mu.Unlock()
	return f
}

// Members are the vehicles of the feed.
func (f *Feed) Members() []Member {
	all := make([]Member, len(f.own))
	for i, t := range f.own {
		m := Member{VehicleRecord: t.v.VehicleRecord, Index: t.v.index}
		for k, o := range operatorTable {
			if operatorID(k) == t.v.Operator {
				m.OperatorName = o.name
			}
		}
		for _, c := range t.v.drivers {
			m.Drivers = append(m.Drivers, ingest.DriverCard{On: true, License: c.licence, Name: c.name, Org: issuer})
			m.IDCards = append(m.IDCards, c.id)
		}
		all[i] = m
	}
	return all
}

// Next is what is said next; false at the end of the drive.
func (f *Feed) Next() (*Item, bool) {
	if !f.started {
		f.started = true
		for _, t := range f.own {
			if it, ok := t.next(); ok {
				f.queue = append(f.queue, queued{it, t})
			}
		}
		heap.Init(&f.queue)
	}
	if len(f.queue) == 0 {
		return nil, false
	}
	q := &f.queue[0]
	out := &Item{it: q.it, v: q.t.v}
	if next, ok := q.t.next(); ok {
		q.it = next
		heap.Fix(&f.queue, 0)
	} else {
		heap.Pop(&f.queue)
	}
	return out, true
}

// Item is what one vehicle or station says at once.
type Item struct {
	it item
	v  *vehicle
}

// Index is the number of the vehicle in the fleet.
func (i *Item) Index() int { return i.v.index }

// Vehicle is who it is about.
func (i *Item) Vehicle() ingest.Vehicle { return i.v.Vehicle }

// Edition is that of JT/T 808 that the terminal speaks.
func (i *Item) Edition() jt808.Edition { return i.v.edition }

// Kind is KindPosition, KindDriverCard or KindWeighing.
func (i *Item) Kind() ingest.Kind {
	switch i.it.kind {
	case itemCard:
		return ingest.KindDriverCard
	case itemWeighing:
		return ingest.KindWeighing
	}
	return ingest.KindPosition
}

// Stored reports whether the positions are such as the terminal kept while it had no radio.
func (i *Item) Stored() bool { return i.it.kind == itemBatch }

// Positions counts those of the item.
func (i *Item) Positions() int { return len(i.it.fixes()) }

// Time is that of the latest fact in the item, in Unix ms.
func (i *Item) Time() int64 { return i.it.latest() * 1000 }

// Truths are the violations that the item proves.
func (i *Item) Truths() []*Truth { return i.it.truths }

// Driver is who went on or off duty, and his identity card's number, where the item is of KindDriverCard.
func (i *Item) Driver() (card ingest.DriverCard, identity string) {
	c := &i.it.card
	return ingest.DriverCard{On: c.on, License: c.licence, Name: c.name, Org: issuer}, c.id
}

// Events calls fn with each event of the item as a platform gets it over JT/T 809. The event is valid during the call.
func (d *Drive) Events(i *Item, fn func(*ingest.Event)) {
	i.it.events(i.v, func(e *ingest.Event) {
		if d.s.shape(e) {
			fn(e)
		}
	})
}

// Due is the real time at which the item may be sent.
func (d *Drive) Due(i *Item) time.Time { return d.s.due(&i.it) }

// Sent counts and writes down an item that is sent for the first time. Weigh records are posted by it, and nothing more is to be done
// about them.
func (d *Drive) Sent(i *Item) {
	d.s.sent(&i.it, i.v)
	if i.it.kind == itemWeighing {
		d.s.post(d.ctx, i.it, i.v)
	}
}

// Acked counts an item that the platform has, and writes down what it proves.
func (d *Drive) Acked(i *Item) { d.s.acked(&i.it, i.v) }

// Carrier says what becomes of positions on a way other than a terminal's own connection.
type Carrier uint8

const (
	// CarrierNone is the terminal's own JT/T 808.
	CarrierNone Carrier = iota
	// CarrierCoarse is JT/T 809-2011 and 2013: whole km/h, whole km, no additional items (its position of 36 bytes).
	CarrierCoarse
	// CarrierFull is JT/T 809-2019, which carries the body of 0x0200.
	CarrierFull
)

// coarsen rounds a fix to what the carrier can say, before anybody judges it.
func (c Carrier) coarsen(f *fix) {
	if c == CarrierCoarse {
		f.speed, f.rec, f.mileage = (f.speed+5)/10*10, (f.rec+5)/10*10, f.mileage/10*10
	}
}

// shape makes an event what the carrier leaves of it; false where the carrier can't say it at all.
func (s *Sim) shape(e *ingest.Event) bool {
	if s.cfg.Carrier == CarrierNone || e.Kind == ingest.KindWeighing {
		return true
	}
	e.Source = ingest.SourceJT809
	if e.Kind == ingest.KindDriverCard {
		return false // 0x120C has no time and no state: who drives now is told, not when he began
	}
	if p := &e.Position; s.cfg.Carrier == CarrierCoarse {
		if p.RecorderSpeed == 0 {
			p.RecorderSpeed = ingest.NoSpeed // 0 is what a vehicle without a recorder sends
		}
		p.Fuel, p.Satellites, p.RSSI, p.Extras = ingest.NoFuel, ingest.NoSatellites, ingest.NoRSSI, p.Extras[:0]
	}
	return true
}
