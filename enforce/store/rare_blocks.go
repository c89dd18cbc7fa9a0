package store

import "lushao/ingest"

// Weighings, driver cards, waybills, safety events and links: some thousand times rarer than positions.

var weighingTable = eventTable("weighings",
	"station LowCardinality(String)", "record String", "unnumbered UInt64", "lat Int32", "lon Int32", "axles UInt8",
	"combination UInt8", "single_drive_axle UInt8", "gross_kg UInt32", "axle_kg Array(UInt32)", "length_mm UInt32",
	"width_mm UInt32", "height_mm UInt32", "speed UInt16", "lane UInt8", "method UInt8", "evaded Bool")

// WeighingBlock is rows for weighings. The zero value is ready.
type WeighingBlock struct {
	head
	station, record                                   []string
	unnumbered                                        []uint64
	lat, lon                                          []int32
	axles, combination, singleDriveAxle, lane, method []uint8
	gross, length, width, height                      []uint32
	axleKg                                            [][]uint32
	speed                                             []uint16
	evaded                                            []bool
}

// Add appends a weighing. What e points to is copied.
func (b *WeighingBlock) Add(e *ingest.Event, at Place) {
	w := e.Weighing
	h := newHasher()
	h.texts(w.Station, w.Record)
	h.numbers(uint64(uint32(w.Lat)), uint64(uint32(w.Lon)), uint64(w.Axles), uint64(w.Combination), uint64(w.SingleDriveAxle), uint64(w.GrossKg))
	h.number(uint64(len(w.AxleKg)))
	for _, kg := range w.AxleKg {
		h.number(uint64(kg))
	}
	h.numbers(uint64(w.LengthMm), uint64(w.WidthMm), uint64(w.HeightMm), uint64(w.Speed), uint64(w.Lane), uint64(w.Method))
	h.truth(w.Evaded)
	digest := h.d.Sum64()
	b.head.add(e, digest, at)
	b.station, b.record = append(b.station, w.Station), append(b.record, w.Record)
	if w.Record != "" {
		b.unnumbered = append(b.unnumbered, 0)
	} else { // nothing but time, vehicle and content tells these apart
		h.number(uint64(e.Time))
		h.number(e.Vehicle.Hash())
		b.unnumbered = append(b.unnumbered, h.d.Sum64()|1)
	}
	b.lat, b.lon = append(b.lat, w.Lat), append(b.lon, w.Lon)
	b.axles, b.combination = append(b.axles, w.Axles), append(b.combination, uint8(w.Combination))
	b.singleDriveAxle = append(b.singleDriveAxle, uint8(w.SingleDriveAxle))
	b.gross, b.axleKg = append(b.gross, w.GrossKg), append(b.axleKg, append([]uint32{}, w.AxleKg...))
	b.length, b.width, b.height = append(b.length, w.LengthMm), append(b.width, w.WidthMm), append(b.height, w.HeightMm)
	b.speed, b.lane = append(b.speed, w.Speed), append(b.lane, w.Lane)
	b.method, b.evaded = append(b.method, uint8(w.Method)), append(b.evaded, w.Evaded)
	b.extra += len(w.Station) + len(w.Record) + 4*len(w.AxleKg) + 128
}

// Table is weighings.
func (b *WeighingBlock) Table() string { return weighingTable.name }

func (b *WeighingBlock) table() *table { return weighingTable }

func (b *WeighingBlock) columns() []any {
	return b.with(b.station, b.record, b.unnumbered, b.lat, b.lon, b.axles, b.combination, b.singleDriveAxle, b.gross, b.axleKg,
		b.length, b.width, b.height, b.speed, b.lane, b.method, b.evaded)
}

// Reset empties the block.
func (b *WeighingBlock) Reset() { *b = WeighingBlock{} }

var driverCardTable = eventTable("driver_cards", "on_duty Bool", "license String", "name String", "org String", "result UInt8")

// DriverCardBlock is rows for driver_cards. The zero value is ready.
type DriverCardBlock struct {
	head
	on                 []bool
	license, name, org []string
	result             []uint8
}

// Add appends a driver's card. What e points to is copied.
func (b *DriverCardBlock) Add(e *ingest.Event, at Place) {
	d := e.Driver
	h := newHasher()
	h.truth(d.On)
	h.texts(d.License, d.Name, d.Org)
	h.number(uint64(d.Result))
	b.head.add(e, h.d.Sum64(), at)
	b.on, b.result = append(b.on, d.On), append(b.result, d.Result)
	b.license, b.name, b.org = append(b.license, d.License), append(b.name, d.Name), append(b.org, d.Org)
	b.extra += len(d.License) + len(d.Name) + len(d.Org) + 64
}

// Table is driver_cards.
func (b *DriverCardBlock) Table() string { return driverCardTable.name }

func (b *DriverCardBlock) table() *table { return driverCardTable }

func (b *DriverCardBlock) columns() []any { return b.with(b.on, b.license, b.name, b.org, b.result) }

// Reset empties the block.
func (b *DriverCardBlock) Reset() { *b = DriverCardBlock{} }

var waybillTable = eventTable("waybills", "number String", "valid_start Int64", "valid_end Int64",
	"cargo_class LowCardinality(String)", "route String", "text String")

// WaybillBlock is rows for waybills. The zero value is ready.
type WaybillBlock struct {
	head
	number, cargoClass, route, text []string
	start, end                      []int64
}

// Add appends a waybill. What e points to is copied.
func (b *WaybillBlock) Add(e *ingest.Event, at Place) {
	w := e.Waybill
	h := newHasher()
	h.texts(w.Number)
	h.numbers(uint64(w.Start), uint64(w.End))
	h.texts(w.CargoClass, w.Route, w.Text)
	b.head.add(e, h.d.Sum64(), at)
	b.number, b.cargoClass = append(b.number, w.Number), append(b.cargoClass, w.CargoClass)
	b.start, b.end = append(b.start, w.Start), append(b.end, w.End)
	b.route, b.text = append(b.route, w.Route), append(b.text, w.Text)
	b.extra += len(w.Number) + len(w.CargoClass) + len(w.Route) + len(w.Text) + 80
}

// Table is waybills.
func (b *WaybillBlock) Table() string { return waybillTable.name }

func (b *WaybillBlock) table() *table { return waybillTable }

func (b *WaybillBlock) columns() []any {
	return b.with(b.number, b.start, b.end, b.cargoClass, b.route, b.text)
}

// Reset empties the block.
func (b *WaybillBlock) Reset() { *b = WaybillBlock{} }

var safetyTable = eventTable("safety_events", "system LowCardinality(String)", "kind LowCardinality(String)", "level UInt8",
	"flag LowCardinality(String)", "alarm_id UInt32", "speed UInt16")

// SafetyBlock is rows for safety_events. The zero value is ready.
type SafetyBlock struct {
	head
	system, kind, flag []string
	level              []uint8
	alarmID            []uint32
	speed              []uint16
}

// Add appends an alarm of an assistance system. What e points to is copied.
func (b *SafetyBlock) Add(e *ingest.Event, at Place) {
	s := e.Safety
	h := newHasher()
	h.texts(s.System, s.Kind)
	h.number(uint64(s.Level))
	h.texts(s.Flag)
	h.numbers(uint64(s.AlarmID), uint64(s.Speed))
	b.head.add(e, h.d.Sum64(), at)
	b.system, b.kind, b.flag = append(b.system, s.System), append(b.kind, s.Kind), append(b.flag, s.Flag)
	b.level, b.alarmID, b.speed = append(b.level, s.Level), append(b.alarmID, s.AlarmID), append(b.speed, s.Speed)
	b.extra += len(s.System) + len(s.Kind) + len(s.Flag) + 56
}

// Table is safety_events.
func (b *SafetyBlock) Table() string { return safetyTable.name }

func (b *SafetyBlock) table() *table { return safetyTable }

func (b *SafetyBlock) columns() []any {
	return b.with(b.system, b.kind, b.level, b.flag, b.alarmID, b.speed)
}

// Reset empties the block.
func (b *SafetyBlock) Reset() { *b = SafetyBlock{} }

var linkTable = eventTable("links", "online Bool", "reason LowCardinality(String)")

// LinkBlock is rows for links. The zero value is ready.
type LinkBlock struct {
	head
	online []bool
	reason []string
}

// Add appends a change of the link. What e points to is copied.
func (b *LinkBlock) Add(e *ingest.Event, at Place) {
	l := e.Link
	h := newHasher()
	h.truth(l.Online)
	h.texts(l.Reason)
	b.head.add(e, h.d.Sum64(), at)
	b.online, b.reason = append(b.online, l.Online), append(b.reason, l.Reason)
	b.extra += len(l.Reason) + 17
}

// Table is links.
func (b *LinkBlock) Table() string { return linkTable.name }

func (b *LinkBlock) table() *table { return linkTable }

func (b *LinkBlock) columns() []any { return b.with(b.online, b.reason) }

// Reset empties the block.
func (b *LinkBlock) Reset() { *b = LinkBlock{} }
