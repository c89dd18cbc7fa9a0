package sim

import (
	"encoding/json"
	"strconv"

	"lushao/detect"
	"lushao/ingest"
)

// Truth is a violation that was really driven or carried, by the rule book and from what was sent.
type Truth struct {
	Kind        detect.Kind
	Plate       string
	Color       uint8
	Start, End  int64 // Unix s
	Measured    int64 // 0.1 km/h or kg; of a fence entry 0
	Limit       int64 // likewise
	LimitSource string
	Fence       string
	Station     string
	Record      string
}

// AppendJSON appends t as one line of NDJSON without the newline:
//
//	{"type":"violation","kind":"speeding","plate":"晋E12345","color":2,"start":"…","end":"…","measured":97.3,"limit":80,"over_pct":21.6,"limit_source":"class_cap"}
func (t *Truth) AppendJSON(dst []byte) []byte {
	text := func(name, s string) {
		b, _ := json.Marshal(s) // a string always can be
		dst = append(append(append(append(dst, `,"`...), name...), `":`...), b...)
	}
	dst = append(dst, `{"type":"violation"`...)
	text("kind", string(t.Kind))
	text("plate", t.Plate)
	dst = strconv.AppendInt(append(dst, `,"color":`...), int64(t.Color), 10)
	text("start", beijing(t.Start).Format("2006-01-02T15:04:05-07:00"))
	text("end", beijing(t.End).Format("2006-01-02T15:04:05-07:00"))
	if t.Limit == 0 {
		dst = append(dst, `,"measured":null,"limit":null`...)
	} else {
		tenths := t.Kind == detect.KindSpeeding
		dst = appendAmount(append(dst, `,"measured":`...), t.Measured, tenths)
		dst = appendAmount(append(dst, `,"limit":`...), t.Limit, tenths)
		dst = appendAmount(append(dst, `,"over_pct":`...), halfEven((t.Measured-t.Limit)*1000, t.Limit), true)
	}
	for _, f := range [...][2]string{{"limit_source", t.LimitSource}, {"fence", t.Fence}, {"station", t.Station}, {"record", t.Record}} {
		if f[1] != "" {
			text(f[0], f[1])
		}
	}
	return append(dst, '}')
}

// appendAmount appends n, or n tenths, without a needless ".0".
func appendAmount(dst []byte, n int64, tenths bool) []byte {
	if !tenths {
		return strconv.AppendInt(dst, n, 10)
	}
	dst = strconv.AppendInt(dst, n/10, 10)
	if n%10 != 0 {
		dst = append(dst, '.', byte('0'+n%10))
	}
	return dst
}

// halfEven is a/b rounded to a whole number, halves to the even one; a is not negative.
func halfEven(a, b int64) int64 {
	q, r := a/b, a%b
	if 2*r > b || 2*r == b && q%2 == 1 {
		q++
	}
	return q
}

// The rule book's numbers.
const (
	sustained     = 30  // s, speeding
	mergeTime     = 60  // s, speeding
	nextFix       = 300 // s, the longest way from one fix of a run to the next
	leaveDistance = 20  // m outside that end a fence entry
)

// judge finds the violations of one vehicle in what it sends, in order of time. It relies on what the simulator sees to: no stop near
// forbidden ground, no jump, no spike, no duplicate, every position a fix.
type judge struct {
	w *world
	v *vehicle

	run    speedRun // over the limit now
	done   speedRun // ended less than the merge time ago, or held back by a run that may extend it
	inside []entry  // forbidden ground, hazmat only
}

// speedRun is a run of consecutive fixes over one limit. open: it is sustained, and a violation.
type speedRun struct {
	limit            limit
	first, last, end int64
	fixes            int
	top              uint16
	open             bool
}

// entry is how a vehicle stands to one forbidden fence.
type entry struct {
	fence   int
	first   int64 // first of the consecutive fixes inside
	inside  int   // how many
	open    bool
	leaving int64 // first of the consecutive fixes outside by the distance
	outside int
	start   int64
}

// position judges a fix and appends the violations that it proves to have ended.
func (j *judge) position(f *fix, out []*Truth) []*Truth {
	out = j.speed(f, out)
	if j.v.Class == detect.ClassHazmat {
		out = j.forbidden(f, out)
	}
	return out
}

func (j *judge) speed(f *fix, out []*Truth) []*Truth {
	l := j.w.limitAt(j.v.Class, j.v.MaxSpeed, coord{f.lat, f.lon}, isNight(f.t))
	over := l.value != 0 && f.speed > l.value
	if r := &j.run; r.fixes > 0 && (!over || r.limit != l || f.t-r.last > nextFix) {
		if r.open {
			r.end = f.t
			if f.t-r.last > nextFix {
				r.end = r.last
			}
			out = j.release(out)
			j.done = *r
		}
		*r = speedRun{}
	}
	if over {
		r := &j.run
		if r.fixes == 0 {
			*r = speedRun{limit: l, first: f.t}
		}
		r.last, r.top = f.t, max(r.top, f.speed)
		if r.fixes++; !r.open && r.fixes >= 2 && r.last-r.first >= sustained {
			r.open = true
			if d := &j.done; d.fixes > 0 && d.limit == l && r.first-d.end < mergeTime {
				r.first, r.top = d.first, max(r.top, d.top)
				*d = speedRun{}
			}
		}
	}
	if j.done.fixes > 0 && f.t-j.done.end >= mergeTime && (j.run.fixes == 0 || j.run.open || j.run.first-j.done.end >= mergeTime) {
		out = j.release(out)
	}
	return out
}

// release gives out the violation that waited for a run that might extend it.
func (j *judge) release(out []*Truth) []*Truth {
	if d := j.done; d.fixes > 0 {
		t := j.truth(detect.KindSpeeding, d.first, d.end)
		t.Measured, t.Limit, t.LimitSource, t.Fence = int64(d.top), int64(d.limit.value), d.limit.source, d.limit.fence
		out = append(out, t)
		j.done = speedRun{}
	}
	return out
}

func (j *judge) forbidden(f *fix, out []*Truth) []*Truth {
	if j.inside == nil {
		for i := range j.w.fences {
			if j.w.fences[i].Kind == detect.FenceForbidden {
				j.inside = append(j.inside, entry{fence: i})
			}
		}
	}
	for i := range j.inside {
		e := &j.inside[i]
		place := &j.w.fences[e.fence]
		d := place.shape.signed(coord{f.lat, f.lon})
		switch {
		case d < 0:
			if e.inside == 0 {
				e.first = f.t
			}
			e.outside = 0
			if e.inside++; e.inside >= 2 && !e.open {
				e.open, e.start = true, e.first
			}
		case d >= leaveDistance:
			e.inside = 0
			if e.outside == 0 {
				e.leaving = f.t
			}
			if e.outside++; e.outside >= 2 && e.open {
				t := j.truth(detect.KindFenceEntry, e.start, e.leaving)
				t.Fence = place.ID
				out = append(out, t)
				e.open = false
			}
		default: // on the border's doorstep: neither
			e.inside, e.outside = 0, 0
		}
	}
	return out
}

// weighing judges a weigh record and appends the overload, if it is one.
func (j *judge) weighing(r *weighRecord, out []*Truth) []*Truth {
	axles, combination, single := r.axles, r.combination, r.singleDrive
	if axles == 0 {
		axles = j.v.Axles
	}
	if combination == ingest.Unknown {
		combination = j.v.Combination
	}
	if single == ingest.Unknown {
		single = j.v.SingleDriveAxle
	}
	limit := massLimit(axles, combination == ingest.Yes, single == ingest.Yes, j.v.GrossLimitKg)
	if limit == 0 || uint64(r.grossKg)*100 <= uint64(limit)*uint64(100+tolerance(r.station)) {
		return out
	}
	t := j.truth(detect.KindOverload, r.t, r.t)
	t.Measured, t.Limit, t.Station, t.Record = int64(r.grossKg), int64(limit), r.station.ID, r.number
	return append(out, t)
}

func (j *judge) truth(kind detect.Kind, start, end int64) *Truth {
	return &Truth{Kind: kind, Plate: j.v.plate, Color: j.v.color, Start: start, End: end}
}

// open counts the violations that have not ended.
func (j *judge) open() int {
	n := 0
	if j.run.open {
		n++
	}
	if j.done.fixes > 0 {
		n++
	}
	for _, e := range j.inside {
		if e.open {
			n++
		}
	}
	return n
}
