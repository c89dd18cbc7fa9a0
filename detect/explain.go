package detect

import (
	"slices"

	"lushao/geo"
	"lushao/ingest"
)

// Explanation is what a person needs in order to defend a violation, or to take it back: the rule with its numbers as set, the limit and where
// it comes from, what was reported, the moments at which the rule decided and why, and whether the evidence is what it was.
type Explanation struct {
	ID          string             `json:"id"`
	Kind        Kind               `json:"kind"`
	Title       Text               `json:"title"`
	Summary     Text               `json:"summary"`
	Rule        []Text             `json:"rule"` // with the numbers of the settings
	RuleVersion string             `json:"rule_version"`
	Basis       []BasisExplained   `json:"basis"`
	Limit       *LimitExplained    `json:"limit"` // null where the kind has none
	Facts       []Text             `json:"facts"`
	Driving     []DrivingExplained `json:"driving,omitempty"` // of kinds about driving time
	Moments     []Moment           `json:"moments"`
	Notes       []NoteExplained    `json:"notes"`
	Timeline    Timeline           `json:"timeline"`
	Evidence    EvidenceExplained  `json:"evidence"`
}

// BasisExplained is a place in the law.
type BasisExplained struct {
	Code string `json:"code"`
	Text Text   `json:"text"`
}

// LimitExplained is what must not be exceeded.
type LimitExplained struct {
	Value  *float64 `json:"value"`
	Unit   string   `json:"unit"`
	Source string   `json:"source"` // of speeding and overload as in the record; else setting, fence, section, station or permit
	Text   Text     `json:"text"`
	// Applied are, of speeding, all limits that applied when it opened; the least is the one that counts.
	Applied []LimitApplied `json:"applied,omitempty"`
}

// LimitApplied is a speed limit that applied.
type LimitApplied struct {
	Value  float64 `json:"value"` // km/h
	Source string  `json:"source"`
	Fence  string  `json:"fence,omitempty"`
	Counts bool    `json:"counts"`
	Text   Text    `json:"text"`
}

// Moment is one at which the rule decided something.
type Moment struct {
	Time Time `json:"time"`
	// What is began, opened, extended, changed, closed or retracted.
	What string `json:"what"`
	Text Text   `json:"text"`
}

// NoteExplained is a note of the record.
type NoteExplained struct {
	Code string `json:"code"`
	Text Text   `json:"text"`
}

// EvidenceExplained says whether the evidence hash comes out again.
type EvidenceExplained struct {
	Of       string `json:"of"` // fixes or weighing
	Recorded string `json:"recorded"`
	Computed string `json:"computed"` // empty where there is nothing to compute it from
	Equal    bool   `json:"equal"`
	Fixes    int    `json:"fixes"` // in it
	Text     Text   `json:"text"`
}

// ExplainOptions say what is explained, and how fully.
type ExplainOptions struct {
	Close   bool   // what is open at the end of the data is closed
	Clock   int64  // the stream's clock stands at this in the end, or later; Unix ms
	Margin  int64  // of the timeline before the start and after the end, ms; 0: 5 min
	Entries int    // of the timeline at most; 0: 200
	ID      string // only this violation is wanted; empty: all
}

const (
	defaultMargin  = 5 * minuteMs
	defaultEntries = 200
)

// Findings are what Explain found.
type Findings struct {
	engine  *Engine
	options ExplainOptions
	list    []Violation
}

// Explain judges events as Replay does, watching. The events stand in the order of arrival; the slice is sorted in place, and must stay as
// it is as long as the findings are used.
func Explain(snap *Snapshot, events []ingest.Event, o ExplainOptions) *Findings {
	if o.Margin <= 0 {
		o.Margin = defaultMargin
	}
	if o.Entries <= 0 {
		o.Entries = defaultEntries
	}
	e := New(snap)
	sortByTime(events)
	e.trace = newTracer(events)
	for _, sh := range e.shadows { // each sees the events by itself
		sh.trace = newTracer(events)
	}
	list := e.replay(events, o.Close, o.Clock)
	if o.ID != "" {
		list = slices.DeleteFunc(list, func(v Violation) bool { return v.ID != o.ID })
	}
	slices.SortFunc(list, inList)
	return &Findings{engine: e, options: o, list: list}
}

// Violations returns what was found in its final state, by start and then id; also what was retracted.
func (f *Findings) Violations() []Violation { return f.list }

// Violation returns one of those; nil where it was not found.
func (f *Findings) Violation(id string) *Violation {
	for i := range f.list {
		if f.list[i].ID == id {
			return &f.list[i]
		}
	}
	return nil
}

// Same returns the record of an id with an evidence hash, in the last state in which it was handed out with it; nil: there is none. What is open
// is handed out with more fixes when it closes.
func (f *Findings) Same(id, evidence string) *Violation {
	for _, e := range append([]*Engine{f.engine}, f.engine.shadows...) {
		list := e.trace.handed[id]
		for i := len(list) - 1; i >= 0; i-- {
			if list[i].v.EvidenceHash == evidence {
				return &list[i].v
			}
		}
	}
	return nil
}

// Explanation explains one of Violations. A record that these events do not give again, because events, places or rules have
// changed, is explained as far as it says itself what it was made of, and by what the vehicle reported.
func (f *Findings) Explanation(o *Violation) *Explanation {
	e := f.engine
	for _, sh := range f.engine.shadows {
		if sh.whole.shadow == o.Shadow {
			e = sh
		}
	}
	x := &explainer{e: e, s: e.whole, t: e.trace, o: o, options: f.options, handed: e.trace.handed[o.ID]}
	x.id, _ = ingest.NewVehicle(o.Plate, o.Color) // a record has a vehicle
	slot, ok := x.e.store.find(&x.id, x.id.Hash())
	if !ok { // nothing of it was among the events
		slot = x.e.store.add(&x.id, x.id.Hash())
	}
	x.v = x.e.store.at(slot)
	x.e.turnTo(x.v) // the numbers are those of its class
	x.s = x.e.snap
	x.tr = x.t.of(x.id)
	x.start = int64(o.Start)
	x.end = x.start + o.DurationS*1000
	if o.End != nil {
		x.end = int64(*o.End)
	}
	x.settleEnd()
	x.words = wordsOf(o.Kind)
	x.out = &Explanation{ID: o.ID, Kind: o.Kind, Title: x.words.name, RuleVersion: o.RuleVersion, Rule: []Text{}, Basis: []BasisExplained{}, Facts: []Text{}, Moments: []Moment{}, Notes: []NoteExplained{}}
	x.explain()
	return x.out
}

// explainer makes one explanation.
type explainer struct {
	e       *Engine
	s       *Snapshot
	t       *tracer
	o       *Violation
	options ExplainOptions
	handed  []handedOut // of the violation, in order; none where it was not found
	id      ingest.Vehicle
	v       *vehicle
	tr      *vehicleTrace
	words   *kindWords
	out     *Explanation
	// start and end are those of the record, Unix ms; of one that is open end is the last fix at which it held.
	start, end int64
	deciding   []int64 // times that the timeline shows with what is around them
}

// kindWords are how a kind of violation is told.
type kindWords struct {
	name Text
	// rule says the rule, with its numbers as set.
	rule func(x *explainer) []Text
	// facts adds to x.out what the rule found; nil: no more than the record says.
	facts func(x *explainer)
	// opened and closed say why it opened at a fix or event, and why it closed. nil: the general words.
	opened func(x *explainer, h *handedOut) Text
	closed func(x *explainer, h *handedOut) Text
	// due is when the clock made it due, Unix ms; nil: when it was woken.
	due func(x *explainer) int64
}

func (x *explainer) explain() {
	o := x.out
	o.Rule = append(o.Rule, x.words.rule(x)...)
	o.Summary = x.summary()
	for _, code := range x.o.Basis {
		o.Basis = append(o.Basis, BasisExplained{code, basisText(code)})
	}
	if x.words.facts != nil {
		x.words.facts(x)
	}
	x.tellMoments()
	for _, n := range x.o.Notes {
		o.Notes = append(o.Notes, NoteExplained{n, noteText(n)})
	}
	o.Evidence = x.evidence()
	o.Timeline = x.timeline()
}

// reproduced reports whether the events gave the record that is explained.
func (x *explainer) reproduced() bool { return len(x.handed) > 0 }

func (x *explainer) fact(zh, en string, args ...any) {
	x.out.Facts = append(x.out.Facts, say(zh, en, args...))
}

// limit tells what must not be exceeded; its value is the record's.
func (x *explainer) limit(source, zh, en string, args ...any) {
	unit := ""
	if x.o.Unit != nil {
		unit = *x.o.Unit
	}
	x.out.Limit = &LimitExplained{Value: x.o.Limit, Unit: unit, Source: source, Text: say(zh, en, args...)}
}

// settleEnd makes end the last fix that is counted of a record that is open, or that tells its times in whole seconds.
func (x *explainer) settleEnd() {
	n := int64(0)
	for i := x.t.firstAt(x.tr.list, x.start); x.o.End == nil && n < x.o.Fixes && i < len(x.tr.list); i++ {
		if f := &x.tr.list[i]; f.is(traceJudged) {
			x.end = x.time(f)
			n++
		}
	}
}

func (x *explainer) time(f *traced) int64          { return x.t.events[f.event].Time }
func (x *explainer) event(f *traced) *ingest.Event { return &x.t.events[f.event] }
func (x *explainer) speed(f *traced) uint16        { return x.t.events[f.event].Position.Speed }
func (x *explainer) point(f *traced) geo.Point {
	p := &x.t.events[f.event].Position
	return geo.Point{Lat: p.Lat, Lon: p.Lon}
}

// fixes returns the fixes from one time to another, both inclusive.
func (x *explainer) fixes(from, to int64) (out []*traced) {
	for i := x.t.firstAt(x.tr.list, from); i < len(x.tr.list) && x.time(&x.tr.list[i]) <= to; i++ {
		if f := &x.tr.list[i]; f.is(traceJudged) {
			out = append(out, f)
		}
	}
	return out
}

// fixAt returns the fix of a time; nil where there is none.
func (x *explainer) fixAt(at int64) *traced {
	if f := x.t.fixAt(x.tr.list, at); f != nil && f.is(traceJudged) {
		return f
	}
	return nil
}

// fixBefore and fixAfter return the next fix before or after a time; nil where there is none.
func (x *explainer) fixBefore(at int64) *traced {
	for i := x.t.firstAt(x.tr.list, at) - 1; i >= 0; i-- {
		if f := &x.tr.list[i]; f.is(traceJudged) {
			return f
		}
	}
	return nil
}

func (x *explainer) fixAfter(at int64) *traced {
	for i := x.t.firstAt(x.tr.list, at+1); i < len(x.tr.list); i++ {
		if f := &x.tr.list[i]; f.is(traceJudged) {
			return f
		}
	}
	return nil
}

// decides says that the timeline must show a time and what is around it.
func (x *explainer) decides(at int64) { x.deciding = append(x.deciding, at) }

// detail returns a text of the record's detail; "" where it has none.
func (x *explainer) detail(name string) string {
	s, _ := x.o.Detail[name].(string)
	return s
}

// number returns a number of the record's detail, as the engine made it or as it was read back from JSON; 0 where it has none.
func (x *explainer) number(name string) float64 {
	switch n := x.o.Detail[name].(type) {
	case float64:
		return n
	case int64:
		return float64(n)
	case int:
		return float64(n)
	case uint32:
		return float64(n)
	case uint8:
		return float64(n)
	}
	return 0
}

// instant returns an instant of the record's detail; 0 where it has none.
func (x *explainer) instant(name string) int64 {
	switch t := x.o.Detail[name].(type) {
	case Time:
		return int64(t)
	case string:
		var at Time
		if at.UnmarshalJSON([]byte(`"`+t+`"`)) == nil {
			return int64(at)
		}
	}
	return 0
}
