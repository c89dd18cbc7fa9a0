package jt809

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	wire "lushao/ingest/fields"
	"lushao/ingest/jt808"
)

// appendPositionJSON appends the position as an object: the members of a position of JT/T 808 whichever form it has,
// "encrypt", and those of 2019 the platforms and their alarms. "gnss" has the bytes of a block of 2019 that the other
// members cannot say.
func appendPositionJSON(dst []byte, l *Location) []byte {
	f := fields{Walker: wire.Describer(dst)}
	if l.Short {
		f.Object(func() {
			f.U8("encrypt", &l.Encrypt)
			describe36(&f, &l.GNSS36)
		})
		return f.Out
	}
	f.Object(func() {
		f.U8("encrypt", &l.Encrypt)
		describeGNSS(&f, l.GNSS)
		for i := range l.Platforms {
			p := &l.Platforms[i]
			n := strconv.Itoa(i + 1)
			f.platformID("platform_id"+n, &p.ID)
			f.U32("alarm"+n, &p.Alarm)
		}
	})
	return f.Out
}

func describeGNSS(f *fields, b []byte) {
	if len(b) == 0 {
		return
	}
	if g, ok := gnssInside(b); ok {
		describe36(f, &g)
	} else if len(b) >= base808 {
		var l jt808.Location
		if jt808.DecodeLocation(b, &l) == nil {
			object := jt808.AppendLocationJSON(nil, &l)
			f.Out = append(f.Out, ',')
			f.Out = append(f.Out, object[1:len(object)-1]...)
			f.Comma = true
			var m locationMembers
			if err := json.Unmarshal(object, &m); err == nil {
				if again, err := m.gnss(); err == nil && bytes.Equal(again, b) {
					return
				}
			}
		}
	}
	f.Key("gnss")
	f.Out = wire.AppendHex(f.Out, b)
}

func describe36(f *fields, g *GNSS36) {
	f.U32("alarm", &g.Alarm)
	f.U32("status", &g.State)
	f.Truth("located", g.State&jt808.StatusLocated != 0)
	f.Truth("acc", g.State&jt808.StatusACC != 0)
	f.Key("lat")
	f.Out = wire.AppendDegrees(f.Out, g.Lat, g.State&jt808.StatusSouth != 0)
	f.Key("lon")
	f.Out = wire.AppendDegrees(f.Out, g.Lon, g.State&jt808.StatusWest != 0)
	f.Int("altitude_m", int64(int16(g.Altitude)))
	f.Tenths("speed_kmh", int64(g.Vec1)*10)
	f.U16("course", &g.Direction)
	f.Key("time")
	if ms, ok := g.UnixMilli(); ok {
		f.Out = append(f.Out, '"')
		f.Out = time.UnixMilli(ms).In(beijing).AppendFormat(f.Out, time.RFC3339)
		f.Out = append(f.Out, '"')
	} else {
		f.Out = append(f.Out, "null"...)
		f.Key("time_raw")
		f.Out = wire.AppendHex(f.Out, g.append(nil)[:7])
	}
	f.Tenths("mileage_km", int64(g.Vec3)*10)
	f.Tenths("recorder_speed_kmh", int64(g.Vec2)*10)
	f.Key("extras")
	f.Out = append(f.Out, "{}"...)
}

// locationMembers are the members of a position that say what its bytes are; the others follow from them.
type locationMembers struct {
	Encrypt    uint8           `json:"encrypt"`
	Alarm      uint32          `json:"alarm"`
	Status     uint32          `json:"status"`
	Lat        json.Number     `json:"lat"`
	Lon        json.Number     `json:"lon"`
	Altitude   int16           `json:"altitude_m"`
	Speed      json.Number     `json:"speed_kmh"`
	Course     uint16          `json:"course"`
	Time       *string         `json:"time"`
	TimeRaw    string          `json:"time_raw"`
	Mileage    json.Number     `json:"mileage_km"`
	Recorder   json.Number     `json:"recorder_speed_kmh"`
	Fuel       json.Number     `json:"fuel_l"`
	Satellites *uint8          `json:"satellites"`
	RSSI       *uint8          `json:"rssi"`
	Extras     json.RawMessage `json:"extras"`
	GNSS       string          `json:"gnss"`
	Platform1  string          `json:"platform_id1"`
	Platform2  string          `json:"platform_id2"`
	Platform3  string          `json:"platform_id3"`
	Alarm1     uint32          `json:"alarm1"`
	Alarm2     uint32          `json:"alarm2"`
	Alarm3     uint32          `json:"alarm3"`
}

// locationNames are the members of a position that may stand in its JSON. Those that locationMembers has not follow from
// its bits or say again what its additional items say.
var locationNames = map[string]bool{
	"located": true, "acc": true, "extras_error": true, "alarm_event_id": true, "tyre_pressure": true, "carriage_temperature_c": true,
	"overspeed": true, "area": true, "section": true, "video_alarm": true, "video_lost": true, "video_occluded": true,
	"storage_fault": true, "abnormal_driving": true, "signals": true, "io": true, "analog": true, "adas": true, "dsm": true,
	"tpms": true, "bsd": true,
	"encrypt": true, "alarm": true, "status": true, "lat": true, "lon": true, "altitude_m": true, "speed_kmh": true, "course": true,
	"time": true, "time_raw": true, "mileage_km": true, "recorder_speed_kmh": true, "fuel_l": true, "satellites": true, "rssi": true,
	"extras": true, "gnss": true, "platform_id1": true, "platform_id2": true, "platform_id3": true, "alarm1": true, "alarm2": true,
	"alarm3": true,
}

// readMembers reads the JSON of a position.
func readMembers(b []byte, m *locationMembers) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil || all == nil {
		return fmt.Errorf("want a position as an object")
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !locationNames[name] {
			return fmt.Errorf("%s: no such field", name)
		}
	}
	for _, name := range [...]string{"lat", "lon", "speed_kmh", "mileage_km", "recorder_speed_kmh", "fuel_l"} {
		if v := all[name]; len(v) > 0 && v[0] == '"' { // a json.Number takes it, or fails without a name
			return fmt.Errorf("%s: want a number", name)
		}
	}
	if err := json.Unmarshal(b, m); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return fmt.Errorf("%s: want %s, have a %s", wrong.Field, wrong.Type, wrong.Value)
		}
		return err
	}
	return nil
}

// fillLocation reads a position from the JSON that appendPositionJSON writes. short is the form to make of it.
func (f *fields) fillLocation(name string, l *Location, short bool) {
	b := f.Member(name)
	if b == nil {
		return
	}
	var m locationMembers
	err := readMembers(b, &m)
	if err == nil {
		err = m.fill(l, short)
	}
	if err != nil {
		f.Refuse(name, err.Error())
	}
}

// fillLocations reads a row of positions.
func (f *fields) fillLocations(name string, v *[]Location) {
	b := f.Member(name)
	if b == nil {
		return
	}
	var items []json.RawMessage
	if err := json.Unmarshal(b, &items); err != nil {
		f.Refuse(name, "want a list of positions")
		return
	}
	if len(items) > maxPositions {
		f.Refuse(name, fmt.Sprintf("%d positions, at most %d go into one message", len(items), maxPositions))
		return
	}
	*v = make([]Location, len(items))
	for i := range items {
		var m locationMembers
		err := readMembers(items[i], &m)
		if err == nil {
			err = m.fill(&(*v)[i], !f.ed.Has(FeaturePosition2019))
		}
		if err != nil {
			f.Refuse(fmt.Sprintf("%s[%d]", name, i), err.Error())
			return
		}
	}
}

func (m *locationMembers) fill(l *Location, short bool) error {
	*l = Location{Encrypt: m.Encrypt, Short: short}
	if short {
		return m.fill36(&l.GNSS36)
	}
	var err error
	switch {
	case m.GNSS != "":
		if l.GNSS, err = hex.DecodeString(m.GNSS); err != nil {
			return fmt.Errorf("gnss: want bytes as hex")
		}
	case m.Lat != "" || m.Lon != "" || m.Time != nil:
		if l.GNSS, err = m.gnss(); err != nil {
			return err
		}
	}
	for i, p := range [...]struct {
		id    string
		alarm uint32
	}{{m.Platform1, m.Alarm1}, {m.Platform2, m.Alarm2}, {m.Platform3, m.Alarm3}} {
		id := jt808.GBK(p.id)
		if digits, ok := strings.CutPrefix(p.id, "0x"); ok && len(digits) == 2*platformSize {
			raw, err := hex.DecodeString(digits)
			if err != nil {
				return fmt.Errorf("platform_id%d: want a text, or bytes as hex", i+1)
			}
			id = Text(raw)
		}
		if len(id) > platformSize {
			return fmt.Errorf("platform_id%d: want at most %d bytes in GBK", i+1, platformSize)
		}
		l.Platforms[i] = PlatformAlarm{ID: id, Alarm: p.alarm}
	}
	return nil
}

func (m *locationMembers) fill36(g *GNSS36) (err error) {
	*g = GNSS36{State: m.Status, Alarm: m.Alarm, Direction: m.Course, Altitude: uint16(m.Altitude)}
	if g.Lat, err = m.degrees("lat", m.Lat, jt808.StatusSouth, &g.State); err != nil {
		return err
	}
	if g.Lon, err = m.degrees("lon", m.Lon, jt808.StatusWest, &g.State); err != nil {
		return err
	}
	speed, err := scaled("speed_kmh", m.Speed, 0, math.MaxUint16)
	if err != nil {
		return err
	}
	recorder, err := scaled("recorder_speed_kmh", m.Recorder, 0, math.MaxUint16)
	if err != nil {
		return err
	}
	mileage, err := scaled("mileage_km", m.Mileage, 0, math.MaxUint32)
	if err != nil {
		return err
	}
	g.Vec1, g.Vec2, g.Vec3 = uint16(speed), uint16(recorder), uint32(mileage)
	switch {
	case m.Time != nil:
		ms, err := instant(*m.Time)
		if err != nil {
			return err
		}
		g.setTime(ms)
	case m.TimeRaw != "":
		b, err := hex.DecodeString(m.TimeRaw)
		if err != nil || len(b) != 7 {
			return fmt.Errorf("time_raw: want 7 bytes as hex")
		}
		g.Day, g.Month, g.Year = b[0], b[1], binary.BigEndian.Uint16(b[2:])
		g.Hour, g.Minute, g.Second = b[4], b[5], b[6]
	}
	return nil
}

// gnss makes the body of an 808 position report.
func (m *locationMembers) gnss() (out []byte, err error) {
	l := jt808.Location{Alarm: m.Alarm, Status: m.Status, Altitude: m.Altitude, Direction: m.Course}
	if l.Lat, err = m.degrees("lat", m.Lat, jt808.StatusSouth, &l.Status); err != nil {
		return nil, err
	}
	if l.Lon, err = m.degrees("lon", m.Lon, jt808.StatusWest, &l.Status); err != nil {
		return nil, err
	}
	speed, err := scaled("speed_kmh", m.Speed, 1, math.MaxUint16)
	if err != nil {
		return nil, err
	}
	l.Speed = uint16(speed)
	if m.Time != nil {
		ms, err := instant(*m.Time)
		if err != nil {
			return nil, err
		}
		l.Time = jt808.TimeOf(ms)
	}
	if len(m.Extras) > 0 {
		l.Extras, err = parseExtras(m.Extras)
	} else {
		l.Extras, err = m.items()
	}
	if err != nil {
		return nil, err
	}
	return jt808.AppendLocation(nil, &l), nil
}

// items makes the additional items of what is known, for a position whose JSON has none of its own.
func (m *locationMembers) items() (x jt808.Extras, err error) {
	for _, n := range [...]struct {
		name string
		v    json.Number
		id   uint8
		most uint64
	}{{"mileage_km", m.Mileage, jt808.ItemMileage, math.MaxUint32}, {"fuel_l", m.Fuel, jt808.ItemFuel, math.MaxUint16},
		{"recorder_speed_kmh", m.Recorder, jt808.ItemRecorderSpeed, math.MaxUint16}} {
		if n.v == "" {
			continue
		}
		v, err := scaled(n.name, n.v, 1, n.most)
		if err != nil {
			return nil, err
		}
		if n.most == math.MaxUint32 {
			x = jt808.AppendItem32(x, n.id, uint32(v))
		} else {
			x = jt808.AppendItem16(x, n.id, uint16(v))
		}
	}
	if m.RSSI != nil {
		x = jt808.AppendItem8(x, jt808.ItemRSSI, *m.RSSI)
	}
	if m.Satellites != nil {
		x = jt808.AppendItem8(x, jt808.ItemSatellites, *m.Satellites)
	}
	return x, nil
}

func instant(s string) (ms int64, err error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0, fmt.Errorf("time: want a time such as 2026-03-01T08:00:00+08:00")
	}
	return t.UnixMilli(), nil
}

// degrees reads a coordinate; a sign sets the bit of its hemisphere in status.
func (m *locationMembers) degrees(name string, n json.Number, bit uint32, status *uint32) (uint32, error) {
	s := n.String()
	if digits, ok := strings.CutPrefix(s, "-"); ok {
		*status |= bit
		s = digits
	}
	v, err := scaled(name, json.Number(s), 6, math.MaxUint32)
	return uint32(v), err
}

// scaled reads a number of at most that many decimals, times ten to their power; further ones round it.
func scaled(name string, n json.Number, decimals int, most uint64) (uint64, error) {
	if n == "" {
		return 0, nil
	}
	v, err := strconv.ParseFloat(n.String(), 64)
	v = math.Round(v * math.Pow10(decimals))
	if err != nil || !(v >= 0 && v <= float64(most)) {
		return 0, fmt.Errorf("%s: want a number from 0 to %g", name, float64(most)/math.Pow10(decimals))
	}
	return uint64(v), nil
}

// parseExtras reads the additional items, by id in hex, in the order in which they stand.
func parseExtras(b []byte) (x jt808.Extras, err error) {
	bad := fmt.Errorf("extras: want an object of hex by id in hex, or of lists of it")
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, bad
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, bad
		}
		key, _ := t.(string)
		id, err := strconv.ParseUint(key, 16, 8)
		if err != nil {
			return nil, bad
		}
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return nil, bad
		}
		var values []string
		if len(raw) > 0 && raw[0] == '[' {
			err = json.Unmarshal(raw, &values)
		} else {
			values = []string{""}
			err = json.Unmarshal(raw, &values[0])
		}
		if err != nil {
			return nil, bad
		}
		for _, s := range values {
			v, err := hex.DecodeString(s)
			if err != nil || len(v) > 255 {
				return nil, bad
			}
			x = jt808.AppendItem(x, uint8(id), v)
		}
	}
	return x, nil
}
