package store

import "lushao/ingest"

var positionTable = eventTable("positions",
	"lat Int32", "lon Int32", "speed UInt16", "recorder_speed UInt16", "course UInt16", "altitude Int16", "mileage UInt32",
	"fuel UInt16", "satellites UInt8", "rssi UInt8", "located Bool", "acc Bool", "alarm UInt32", "status UInt32",
	"video_alarm UInt32", "extras String", "quality LowCardinality(String)")

// PositionBlock is rows for positions. The zero value is ready.
type PositionBlock struct {
	head
	lat, lon                           []int32
	speed, recorderSpeed, course, fuel []uint16
	altitude                           []int16
	mileage, alarm, status, videoAlarm []uint32
	satellites, rssi                   []uint8
	located, acc                       []bool
	extras                             texts
	quality                            []string
}

// Add appends a position, with what the gate says of it: "ok", or why it is refused; empty where it was not asked. What
// e points to is copied.
func (b *PositionBlock) Add(e *ingest.Event, quality string, at Place) {
	p := &e.Position
	b.head.add(e, positionDigest(e), at)
	b.lat, b.lon = append(b.lat, p.Lat), append(b.lon, p.Lon)
	b.speed, b.recorderSpeed = append(b.speed, p.Speed), append(b.recorderSpeed, p.RecorderSpeed)
	b.course, b.altitude = append(b.course, p.Course), append(b.altitude, p.Altitude)
	b.mileage, b.fuel = append(b.mileage, p.Mileage), append(b.fuel, p.Fuel)
	b.satellites, b.rssi = append(b.satellites, p.Satellites), append(b.rssi, p.RSSI)
	b.located, b.acc = append(b.located, p.Located), append(b.acc, p.ACC)
	b.alarm, b.status, b.videoAlarm = append(b.alarm, p.Alarm), append(b.status, p.Status), append(b.videoAlarm, p.VideoAlarm)
	b.extras.addBytes(p.Extras)
	b.quality = append(b.quality, quality)
	b.extra += len(p.Extras) + 72
}

// Table is positions.
func (b *PositionBlock) Table() string { return positionTable.name }

func (b *PositionBlock) table() *table { return positionTable }

func (b *PositionBlock) columns() []any {
	return b.with(b.lat, b.lon, b.speed, b.recorderSpeed, b.course, b.altitude, b.mileage, b.fuel, b.satellites, b.rssi,
		b.located, b.acc, b.alarm, b.status, b.videoAlarm, b.extras.strings(), b.quality)
}

// Reset empties the block and keeps its memory.
func (b *PositionBlock) Reset() {
	b.head.reset()
	b.lat, b.lon, b.speed, b.recorderSpeed = b.lat[:0], b.lon[:0], b.speed[:0], b.recorderSpeed[:0]
	b.course, b.fuel, b.altitude, b.mileage = b.course[:0], b.fuel[:0], b.altitude[:0], b.mileage[:0]
	b.alarm, b.status, b.videoAlarm = b.alarm[:0], b.status[:0], b.videoAlarm[:0]
	b.satellites, b.rssi, b.located, b.acc = b.satellites[:0], b.rssi[:0], b.located[:0], b.acc[:0]
	b.extras.reset()
	b.quality = b.quality[:0]
}
