package jt808

import (
	wire "lushao/ingest/fields"
)

// appendLocationJSON appends the location as an object: its base, what its additional items say, and the items as they
// came under "extras", by id in hex; an id that comes twice gives a list.
func appendLocationJSON(dst []byte, l *Location) []byte {
	f := fields{Walker: wire.Describer(dst)}
	f.Object(func() { describeLocation(&f, l) })
	return f.Out
}

func describeLocation(f *fields, l *Location) {
	f.U32("alarm", &l.Alarm)
	f.U32("status", &l.Status)
	f.Truth("located", l.Status&StatusLocated != 0)
	f.Truth("acc", l.Status&StatusACC != 0)
	f.Key("lat")
	f.Out = wire.AppendDegrees(f.Out, l.Lat, l.Status&StatusSouth != 0)
	f.Key("lon")
	f.Out = wire.AppendDegrees(f.Out, l.Lon, l.Status&StatusWest != 0)
	f.Int("altitude_m", int64(l.Altitude))
	f.Tenths("speed_kmh", int64(l.Speed))
	f.U16("course", &l.Direction)
	f.Key("time")
	if _, ok := l.Time.utcMilli(); ok {
		f.Out = append(f.Out, '"')
		f.Out = l.Time.append(f.Out, "+08:00")
		f.Out = append(f.Out, '"')
	} else {
		f.Out = append(f.Out, "null"...)
	}
	describeItems(f, l.Extras)
	f.Key("extras")
	f.Object(func() { describeExtras(f, l.Extras) })
	if l.ExtrasErr != nil {
		f.Note("extras_error", l.ExtrasErr.Error())
	}
}

// describeExtras lists the items in the order in which their ids come first.
func describeExtras(f *fields, x Extras) {
	var count [256]int
	for id := range x.All() {
		count[id]++
	}
	for id, v := range x.All() {
		n := count[id]
		if n == 0 {
			continue // written with the first of its id
		}
		count[id] = 0
		f.Key(string([]byte{wire.HexDigit(id >> 4), wire.HexDigit(id & 15)}))
		if n == 1 {
			f.Out = wire.AppendHex(f.Out, v)
			continue
		}
		sep := byte('[')
		for i, w := range x.All() {
			if i == id {
				f.Out = append(f.Out, sep)
				f.Out = wire.AppendHex(f.Out, w)
				sep = ','
			}
		}
		f.Out = append(f.Out, ']')
	}
}
