package detect

import (
	"cmp"
	"slices"

	"lushao/geo"
	"lushao/ingest"
)

// tracer watches an engine for Explain: what became of every event, how every fix was judged, who drove when, and each record that came
// out, with what brought it about. An engine without one pays a nil check where it is called, and allocates nothing. A rule tells it
// nothing: what is shown of a rule is what the rule was given and what it handed out, so it stays true when the rule changes.
type tracer struct {
	events   []ingest.Event // in the order in which they are judged
	next     int            // number of the next one
	vehicles map[ingest.Vehicle]*vehicleTrace
	driven   map[drivenBy][]drivenTrace
	cause    cause
	ids      []string // of the violations, in the order in which they were first handed out
	handed   map[string][]handedOut
	limits   []appliedLimit // of the fix that is asked about
}

func newTracer(events []ingest.Event) *tracer {
	return &tracer{events: events, vehicles: map[ingest.Vehicle]*vehicleTrace{}, driven: map[drivenBy][]drivenTrace{}, handed: map[string][]handedOut{}}
}

// vehicleTrace is what happened to the events of one vehicle, in order of time.
type vehicleTrace struct{ list []traced }

// traced is one event.
type traced struct {
	event   int32 // number
	quality Quality
	crowd   uint8 // vehicles that stood around, where stopping is forbidden near; no more than 255 are counted
	marks   traceMarks
	place   geo.Point // where fences judged it
	segment float64   // metres from the fix before
}

type traceMarks uint16

const (
	traceJudged   traceMarks = 1 << iota // a fix that the rules have seen
	traceMoving                          //
	traceStopped                         // of a stop
	traceNewStop                         // the first of it
	traceWaited                          // for the fix after it
	traceSpike                           //
	traceLone                            // moving, but of the stop around it
	traceBroken                          // no segment leads to it
	traceBelieved                        // a jump that became a fix
)

func (t *traced) is(m traceMarks) bool { return t.marks&m != 0 }

// cause is what a record came of.
type cause struct {
	what causeKind
	time int64 // of the fix or event; of the clock when it was due
}

type causeKind uint8

const (
	causeEvent causeKind = iota
	causeFix
	causeClock
	causeEnd // of the data
)

// handedOut is a record as it came out.
type handedOut struct {
	v     Violation
	cause cause
}

// drivenBy is who has driven: a driver with a card, else the vehicle.
type drivenBy struct {
	driver  uint32
	vehicle ingest.Vehicle // where the driver is not known
}

func byWhom(driver uint32, v ingest.Vehicle) drivenBy {
	if driver != 0 {
		return drivenBy{driver: driver}
	}
	return drivenBy{vehicle: v}
}

// drivenTrace is driving in one piece, Unix ms. assumed: the least driving of a gap.
type drivenTrace struct {
	from, to int64
	vehicle  ingest.Vehicle
	assumed  bool
}

// appliedLimit is one of the limits that applied at a fix.
type appliedLimit struct {
	limit  uint32 // 0.01 km/h
	source limitSource
	fence  int32
}

// event takes note of an event. One that the engine passes over before has none.
func (t *tracer) event(ev *ingest.Event) {
	for t.next < len(t.events) && &t.events[t.next] != ev {
		t.next++
	}
	t.of(ev.Vehicle).list = append(t.of(ev.Vehicle).list, traced{event: int32(t.next)})
	t.next++
	t.cause = cause{causeEvent, ev.Time}
}

func (t *tracer) of(v ingest.Vehicle) *vehicleTrace {
	x := t.vehicles[v]
	if x == nil {
		x = &vehicleTrace{}
		t.vehicles[v] = x
	}
	return x
}

// gated takes note of what the gate made of a position, and of the jumps before it that became fixes with it.
func (t *tracer) gated(e *Engine, v *vehicle, q Quality, fixes []fix) {
	list := t.of(e.idOf(v)).list
	list[len(list)-1].quality = q
	if len(fixes) < 2 {
		return
	}
	for i := range fixes[:len(fixes)-1] {
		for j := t.firstAt(list, fixes[i].time); j < len(list) && t.events[list[j].event].Time == fixes[i].time; j++ {
			if list[j].quality == QualityJump {
				list[j].quality = QualityOK
				list[j].marks |= traceBelieved
				break
			}
		}
	}
	list[len(list)-1].marks |= traceBelieved
}

// firstAt returns the number in a vehicle's list of the first event at a time or later.
func (t *tracer) firstAt(list []traced, at int64) int {
	i, _ := slices.BinarySearchFunc(list, at, func(x traced, at int64) int { return cmp.Compare(t.events[x.event].Time, at) })
	return i
}

// fixAt returns the fix of a time; nil where there is none.
func (t *tracer) fixAt(list []traced, at int64) *traced {
	for i := t.firstAt(list, at); i < len(list) && t.events[list[i].event].Time == at; i++ {
		if x := &list[i]; t.events[x.event].Kind == ingest.KindPosition && x.quality == QualityOK {
			return x
		}
	}
	return nil
}

// judging takes note of how a fix is judged; the rules have not seen it yet.
func (t *tracer) judging(e *Engine, m *moment) {
	t.cause, t.limits = cause{causeFix, m.f.time}, t.limits[:0]
	x := t.fixAt(t.of(e.idOf(m.v)).list, m.f.time)
	if x == nil { // waits for a state that was read back
		return
	}
	x.place, x.segment = m.place, m.segment
	x.marks |= traceJudged
	for _, is := range [...]struct {
		so   bool
		mark traceMarks
	}{{m.spike, traceSpike}, {m.lone, traceLone}, {m.broken, traceBroken}, {m.newStop, traceNewStop}, {int(x.event) != t.next-1, traceWaited},
		{speedKnown(m.f.speed) && m.v.has(flagStopped), traceStopped}, {speedKnown(m.f.speed) && !m.v.has(flagStopped), traceMoving}} {
		if is.so {
			x.marks |= is.mark
		}
	}
	if m.v.has(flagCrowd) {
		x.crowd = uint8(min(e.standing(m.place, m.f.time), 255))
	}
}

// drove takes note of driving.
func (t *tracer) drove(e *Engine, v *vehicle, driver uint32, from, to int64) {
	if from >= to {
		return
	}
	id := e.idOf(v)
	who, assumed := byWhom(driver, id), e.gapFrom != noGap
	list := t.driven[who]
	if n := len(list); n > 0 && list[n-1].to == from && list[n-1].assumed == assumed && list[n-1].vehicle == id {
		list[n-1].to = to
		return
	}
	t.driven[who] = append(list, drivenTrace{from, to, id, assumed})
}

// due takes note that the clock has come to a time.
func (t *tracer) due(at int64) { t.cause = cause{causeClock, at} }

func (t *tracer) ending() { t.cause = cause{what: causeEnd} }

func (t *tracer) hand(o *Violation) {
	if _, ok := t.handed[o.ID]; !ok {
		t.ids = append(t.ids, o.ID)
	}
	t.handed[o.ID] = append(t.handed[o.ID], handedOut{*o, t.cause})
}

func (t *tracer) applies(limit uint32, source limitSource, fence int32) {
	t.limits = append(t.limits, appliedLimit{limit, source, fence})
}
