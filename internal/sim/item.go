package sim

import (
	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/jt808"
)

// fix is one position as a terminal reports it, in the units of ingest.Position.
type fix struct {
	t          int64 // Unix s
	lat, lon   int32
	status     uint32
	mileage    uint32
	signals    uint32
	speed, rec uint16
	course     uint16
	fuel       uint16
	alt        int16
	sats, rssi uint8
}

// cardEvent is a driver's card put in or pulled.
type cardEvent struct {
	t  int64 // Unix s
	on bool
	card
}

// weighRecord is the record of a weigh station.
type weighRecord struct {
	t                        int64 // Unix s
	station                  *detect.Station
	number                   string
	grossKg                  uint32
	axleKg                   []uint32
	axles                    uint8
	combination, singleDrive ingest.Tri
	sizeMm                   [3]uint32
	speed                    uint16 // 0.1 km/h
	lane                     uint8
}

type itemKind uint8

const (
	itemPosition itemKind = iota
	itemBatch             // stored positions, 0x0704 kind 1
	itemCard
	itemWeighing
)

// item is one thing that is sent: a message of a terminal or a record of a station.
type item struct {
	kind   itemKind
	at     int64 // when it is sent, simulated Unix ms
	fix    fix
	batch  []fix
	card   cardEvent
	weigh  *weighRecord
	truths []*Truth // what is proven once this is acknowledged
}

// fixes returns the positions of the item.
func (it *item) fixes() []fix {
	switch it.kind {
	case itemPosition:
		return []fix{it.fix}
	case itemBatch:
		return it.batch
	}
	return nil
}

// latest is the time of what the item reports, in Unix s: it is not sent before.
func (it *item) latest() int64 {
	switch it.kind {
	case itemPosition:
		return it.fix.t
	case itemBatch:
		return it.batch[len(it.batch)-1].t
	case itemCard:
		return it.card.t
	}
	return it.weigh.t
}

// appendExtras appends the additional items of 0x0200 that the edition has (8.18).
func (f *fix) appendExtras(dst jt808.Extras, e jt808.Edition) jt808.Extras {
	dst = jt808.AppendItem32(dst, jt808.ItemMileage, f.mileage)
	dst = jt808.AppendItem16(dst, jt808.ItemFuel, f.fuel)
	dst = jt808.AppendItem16(dst, jt808.ItemRecorderSpeed, f.rec)
	if e != jt808.Edition2011 {
		dst = jt808.AppendItem32(dst, jt808.ItemSignals, f.signals)
		dst = jt808.AppendItem8(dst, jt808.ItemRSSI, f.rssi)
		dst = jt808.AppendItem8(dst, jt808.ItemSatellites, f.sats)
	}
	return dst
}

// location makes l the position as the terminal sends it. Its additional items are appended to extras, which l then aliases.
func (f *fix) location(l *jt808.Location, e jt808.Edition, extras jt808.Extras) jt808.Extras {
	n := len(extras)
	extras = f.appendExtras(extras, e)
	*l = jt808.Location{Status: f.status, Altitude: f.alt, Speed: f.speed, Direction: f.course, Time: jt808.TimeOf(f.t * 1000), Extras: extras[n:]}
	l.SetCoordinates(f.lat, f.lon)
	return extras
}

// appendMessage appends the body of the message that carries the item; a weigh record is none.
func (it *item) appendMessage(dst []byte, v *vehicle) (jt808.MessageID, []byte) {
	var l jt808.Location
	switch it.kind {
	case itemPosition:
		it.fix.location(&l, v.edition, make(jt808.Extras, 0, 40))
		return jt808.IDLocation, jt808.AppendLocation(dst, &l)
	case itemBatch:
		all := make([]jt808.Location, len(it.batch))
		extras := make(jt808.Extras, 0, 40*len(it.batch)) // never grows: what was appended stays where it is
		for i := range it.batch {
			extras = it.batch[i].location(&all[i], v.edition, extras)
		}
		return jt808.IDBatch, jt808.AppendBatch(dst, jt808.BatchBlindSpots, all)
	}
	c := &it.card
	m := jt808.DriverIdentity{State: jt808.CardPulled, Time: jt808.TimeOf(c.t * 1000)}
	if c.on {
		m.State = jt808.CardInserted
		m.Name, m.Licence, m.Org, m.IDCard = jt808.GBK(c.name), jt808.Text(c.licence), jt808.GBK(issuer), jt808.Text(c.id)
		m.Expiry = jt808.Date{0x20, 0x35, 0x12, 0x31}
	}
	return jt808.IDDriverIdentity, jt808.AppendBody(dst, v.edition, &m)
}

// event makes e the position as the platform gets it.
func (f *fix) event(e *ingest.Event, v *vehicle) {
	p := &e.Position
	p.Reset()
	e.Kind, e.Source, e.Vehicle, e.Time = ingest.KindPosition, ingest.SourceJT808, v.Vehicle, f.t*1000
	p.Lat, p.Lon, p.Status, p.Mileage = f.lat, f.lon, f.status, f.mileage
	p.Speed, p.RecorderSpeed, p.Course, p.Fuel, p.Altitude = f.speed, f.rec, f.course, f.fuel, f.alt
	p.Located, p.ACC = f.status&2 != 0, f.status&1 != 0
	if v.edition != jt808.Edition2011 {
		p.Satellites, p.RSSI = f.sats, f.rssi
	}
	p.Extras = f.appendExtras(p.Extras[:0], v.edition)
}

// events calls fn with each event of the item, as the platform gets it.
func (it *item) events(v *vehicle, fn func(*ingest.Event)) {
	e := ingest.Event{Received: it.at}
	switch it.kind {
	case itemPosition, itemBatch:
		for _, f := range it.fixes() {
			f.event(&e, v)
			if it.kind == itemBatch {
				e.Flags = ingest.FlagBackfill
			}
			fn(&e)
		}
	case itemCard:
		c := &it.card
		if !v.edition.Has(jt808.FeatureCardEvent) {
			return // without state and time nobody can tell on from off
		}
		e.Kind, e.Source, e.Vehicle, e.Time = ingest.KindDriverCard, ingest.SourceJT808, v.Vehicle, c.t*1000
		e.Driver = &ingest.DriverCard{On: c.on}
		if c.on {
			e.Driver.License, e.Driver.Name, e.Driver.Org = c.licence, c.name, issuer
		}
		fn(&e)
	case itemWeighing:
		r := it.weigh
		e.Kind, e.Source, e.Vehicle, e.Time = ingest.KindWeighing, ingest.SourceHTTP, v.Vehicle, r.t*1000
		e.Weighing = &ingest.Weighing{Station: r.station.ID, Record: r.number, Lat: r.station.Lat, Lon: r.station.Lon, Axles: r.axles,
			Combination: r.combination, SingleDriveAxle: r.singleDrive, GrossKg: r.grossKg, AxleKg: r.axleKg, LengthMm: r.sizeMm[0],
			WidthMm: r.sizeMm[1], HeightMm: r.sizeMm[2], Speed: r.speed, Lane: r.lane, Method: r.station.Method}
		fn(&e)
	}
}

// issuer is the body that issued the drivers' certificates.
const issuer = "路哨县交通运输局"
