package eventfile

import (
	"encoding/hex"
	"strconv"

	"lushao/ingest"
	"lushao/ingest/eventfile/textform"
)

// AppendJSON appends e as one line of NDJSON without its end. What is unknown is left out; numbers are the shortest
// exact ones, times are +08:00. Reading the line gives e again, but that additional items of one id are brought
// together, and that texts become UTF-8.
//
// Beside the fields of the contract it writes what an event has besides: fuel_l, rssi, extras (additional items as
// lower-case hexadecimal by id, a list where an id repeats), extras_tail (bytes that are no item), org, result, text,
// source (unless file), backfill and encrypted (if true).
func AppendJSON(dst []byte, e *ingest.Event) []byte {
	o := object{append(dst, `{"type":`...)}
	o.b = textform.AppendString(o.b, e.Kind.String())
	o.key("plate")
	o.b = textform.AppendString(o.b, e.Vehicle.Plate())
	o.number("color", int64(e.Vehicle.Color), 0)
	o.time("time", e.Time)
	o.time("received", e.Received)
	switch e.Kind {
	case ingest.KindPosition:
		o.position(&e.Position)
	case ingest.KindDriverCard:
		d := e.Driver
		o.word("event", d.On, "on", "off")
		o.text("license", d.License)
		o.text("name", d.Name)
		o.text("org", d.Org)
		o.known("result", int64(d.Result), 0, 0)
	case ingest.KindWeighing:
		o.weighing(e.Weighing)
	case ingest.KindWaybill:
		w := e.Waybill
		o.text("number", w.Number)
		if w.Start != 0 {
			o.time("start", w.Start)
		}
		if w.End != 0 {
			o.time("end", w.End)
		}
		o.text("cargo_class", w.CargoClass)
		o.text("route", w.Route)
		o.text("text", w.Text)
	case ingest.KindSafety:
		a := e.Safety
		o.text("system", a.System)
		o.text("kind", a.Kind)
		o.known("level", int64(a.Level), 0, 0)
		o.text("flag", a.Flag)
		o.number("alarm_id", int64(a.AlarmID), 0)
		o.known("speed_kmh", int64(a.Speed), int64(ingest.NoSpeed), 1)
	case ingest.KindLink:
		o.word("event", e.Link.Online, "online", "offline")
		o.text("reason", e.Link.Reason)
	}
	if e.Source != ingest.SourceFile {
		o.text("source", e.Source.String())
	}
	if e.Flags&ingest.FlagBackfill != 0 {
		o.truth("backfill", true)
	}
	if e.Flags&ingest.FlagEncrypted != 0 {
		o.truth("encrypted", true)
	}
	return append(o.b, '}')
}

func (o *object) position(p *ingest.Position) {
	o.number("lat", int64(p.Lat), 6)
	o.number("lon", int64(p.Lon), 6)
	o.known("speed_kmh", int64(p.Speed), int64(ingest.NoSpeed), 1)
	o.known("course", int64(p.Course), int64(ingest.NoCourse), 0)
	o.known("altitude_m", int64(p.Altitude), int64(ingest.NoAltitude), 0)
	o.truth("located", p.Located)
	o.truth("acc", p.ACC)
	o.number("alarm", int64(p.Alarm), 0)
	o.number("status", int64(p.Status), 0)
	o.number("video_alarm", int64(p.VideoAlarm), 0)
	o.known("mileage_km", int64(p.Mileage), int64(ingest.NoMileage), 1)
	o.known("recorder_speed_kmh", int64(p.RecorderSpeed), int64(ingest.NoSpeed), 1)
	o.known("satellites", int64(p.Satellites), int64(ingest.NoSatellites), 0)
	o.known("fuel_l", int64(p.Fuel), int64(ingest.NoFuel), 1)
	o.known("rssi", int64(p.RSSI), int64(ingest.NoRSSI), 0)
	o.extras(p.Extras)
}

func (o *object) weighing(w *ingest.Weighing) {
	o.text("station", w.Station)
	o.text("record", w.Record)
	if w.Lat != 0 || w.Lon != 0 {
		o.number("lat", int64(w.Lat), 6)
		o.number("lon", int64(w.Lon), 6)
	}
	o.known("axles", int64(w.Axles), 0, 0)
	o.tri("combination", w.Combination)
	o.tri("single_drive_axle", w.SingleDriveAxle)
	o.known("gross_kg", int64(w.GrossKg), 0, 0)
	if len(w.AxleKg) > 0 {
		o.key("axle_kg")
		for i, kg := range w.AxleKg {
			o.b = append(o.b, "[,"[min(i, 1)])
			o.b = strconv.AppendUint(o.b, uint64(kg), 10)
		}
		o.b = append(o.b, ']')
	}
	o.known("length_mm", int64(w.LengthMm), 0, 0)
	o.known("width_mm", int64(w.WidthMm), 0, 0)
	o.known("height_mm", int64(w.HeightMm), 0, 0)
	o.known("speed_kmh", int64(w.Speed), int64(ingest.NoSpeed), 1)
	o.known("lane", int64(w.Lane), 0, 0)
	if w.Method != ingest.MethodUnknown {
		o.text("method", w.Method.String())
	}
	o.truth("evaded", w.Evaded)
}

// object writes the members of a JSON object that has one already.
type object struct{ b []byte }

func (o *object) key(name string) {
	o.b = append(o.b, ',', '"')
	o.b = append(o.b, name...)
	o.b = append(o.b, '"', ':')
}

func (o *object) number(name string, v int64, places int) {
	o.key(name)
	o.b = textform.AppendDecimal(o.b, v, places)
}

// known is number where v is not the one that stands for unknown.
func (o *object) known(name string, v, unknown int64, places int) {
	if v != unknown {
		o.number(name, v, places)
	}
}

func (o *object) text(name, s string) {
	if s != "" {
		o.key(name)
		o.b = textform.AppendString(o.b, s)
	}
}

func (o *object) word(name string, is bool, yes, no string) {
	if !is {
		yes = no
	}
	o.text(name, yes)
}

func (o *object) truth(name string, v bool) {
	o.key(name)
	o.b = strconv.AppendBool(o.b, v)
}

func (o *object) tri(name string, v ingest.Tri) {
	if v != ingest.Unknown {
		o.truth(name, v == ingest.Yes)
	}
}

func (o *object) time(name string, ms int64) {
	o.key(name)
	o.b = append(o.b, '"')
	o.b = textform.AppendTime(o.b, ms)
	o.b = append(o.b, '"')
}

// extras writes additional items {id, length, content} by id in the order of their first appearance.
func (o *object) extras(items []byte) {
	if len(items) == 0 {
		return
	}
	end := 0 // of the items that are whole
	var count [256]int
	for end+2 <= len(items) && end+2+int(items[end+1]) <= len(items) {
		count[items[end]]++
		end += 2 + int(items[end+1])
	}
	if end > 0 {
		o.key("extras")
		sep := byte('{')
		for at := 0; at < end; at += 2 + int(items[at+1]) {
			id := items[at]
			if count[id] == 0 {
				continue // written with the first of its id
			}
			o.b = append(o.b, sep, '"')
			sep = ','
			o.b = hex.AppendEncode(o.b, items[at:at+1])
			o.b = append(o.b, '"', ':')
			if count[id] == 1 {
				o.hex(items[at+2 : at+2+int(items[at+1])])
			} else {
				o.list(items[at:end], id)
			}
			count[id] = 0
		}
		o.b = append(o.b, '}')
	}
	if end < len(items) {
		o.key("extras_tail")
		o.hex(items[end:])
	}
}

// list writes the contents of all items of one id.
func (o *object) list(items []byte, id byte) {
	sep := byte('[')
	for ; len(items) > 0; items = items[2+int(items[1]):] {
		if items[0] == id {
			o.b = append(o.b, sep)
			sep = ','
			o.hex(items[2 : 2+int(items[1])])
		}
	}
	o.b = append(o.b, ']')
}

func (o *object) hex(b []byte) {
	o.b = append(o.b, '"')
	o.b = hex.AppendEncode(o.b, b)
	o.b = append(o.b, '"')
}
