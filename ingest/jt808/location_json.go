package jt808

import "strconv"

// appendLocationJSON appends the location as an object: its base, what its additional items say, and the items as they
// came under "extras", by id in hex; an id that comes twice gives a list.
func appendLocationJSON(dst []byte, l *Location) []byte {
	f := fields{mode: describing, out: dst}
	f.object(func() { describeLocation(&f, l) })
	return f.out
}

func describeLocation(f *fields, l *Location) {
	f.u32("alarm", &l.Alarm)
	f.u32("status", &l.Status)
	f.truth("located", l.Status&StatusLocated != 0)
	f.truth("acc", l.Status&StatusACC != 0)
	f.key("lat")
	f.out = appendDegrees(f.out, l.Lat, l.Status&StatusSouth != 0)
	f.key("lon")
	f.out = appendDegrees(f.out, l.Lon, l.Status&StatusWest != 0)
	f.int("altitude_m", int64(l.Altitude))
	f.tenths("speed_kmh", int64(l.Speed))
	f.u16("course", &l.Direction)
	f.key("time")
	if _, ok := l.Time.utcMilli(); ok {
		f.out = append(f.out, '"')
		f.out = l.Time.append(f.out, "+08:00")
		f.out = append(f.out, '"')
	} else {
		f.out = append(f.out, "null"...)
	}
	describeItems(f, l.Extras)
	f.key("extras")
	f.object(func() { describeExtras(f, l.Extras) })
	if l.ExtrasErr != nil {
		f.note("extras_error", l.ExtrasErr.Error())
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
		f.key(string([]byte{hexDigit(id >> 4), hexDigit(id & 15)}))
		if n == 1 {
			f.out = appendHex(f.out, v)
			continue
		}
		sep := byte('[')
		for i, w := range x.All() {
			if i == id {
				f.out = append(f.out, sep)
				f.out = appendHex(f.out, w)
				sep = ','
			}
		}
		f.out = append(f.out, ']')
	}
}

func (f *fields) truth(name string, v bool) {
	f.key(name)
	f.out = strconv.AppendBool(f.out, v)
}

func (f *fields) tenths(name string, v int64) {
	f.key(name)
	f.out = appendTenths(f.out, v)
}

func (f *fields) int(name string, v int64) {
	f.key(name)
	f.out = strconv.AppendInt(f.out, v, 10)
}
