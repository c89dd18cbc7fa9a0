package detect

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"lushao/geo"
	"lushao/ingest"
)

// Snapshot is the reference data and the settings, checked and compiled for the engine. It is immutable: every engine of
// a process uses the same one, and a change is a new one.
type Snapshot struct {
	Settings Settings
	// RuleVersion is written into every violation.
	RuleVersion string
	// Digest identifies the reference data; the loader gives it.
	Digest string

	generation uint32 // never 0; engines see by it that there is a new one
	register   map[ingest.Vehicle]*VehicleRecord
	operators  map[string]*Operator
	stations   map[string]*Station
	permits    map[ingest.Vehicle][]*Permit
	filings    map[ingest.Vehicle][]*Filing
	waybills   map[ingest.Vehicle][]*WaybillRecord
	fences     []fence // in the order of the reference data
	fenceByID  map[string]int32
	index      *geo.Index

	bound       []int32    // bound fences
	forbidden   *geo.Index // of forbidden fences; nil: none
	forbiddenAt []int32    // fence of each shape in it
	noStop      *geo.Index // of no_stop fences; nil: none
	routes      map[string]*route
	sections    []section
	sectionByID map[string]int32
	gates       *gateCells // nil: no sections

	// of is the same snapshot with the settings of each class, itself where a class has none of its own: the rules see nothing
	// else of settings by class. Only the snapshot that Compile returns has it.
	of      [classCount]*Snapshot
	rules   []rule        // that see the events, in their order
	enabled map[Kind]bool // by the settings; a kind without a switch is
	shadows []*Snapshot   // in the order of their names
	shadow  string        // name of the shadow that this is of; "": none
	records map[Kind]bool // the kinds that a shadow records; nil: all

	gate        gateLimits
	moving      uint16 // 0.1 km/h
	night       hours
	driving     drivingRules
	resting     nightRules
	spike       uint16             // 0.1 km/h
	spikeWindow int64              // ms
	classCap    [classCount]uint32 // 0.01 km/h; 0 none
	hazmat      struct{ expressway, other, unknown uint32 }

	monitored              ClassSet
	evaders                ClassSet        // by whom going round a station is evasion
	bypassed               map[string]bool // stations that fences lead round
	darkSpeed, frozenSpeed uint16          // 0.1 km/h
	frozenPlace            int32           // 1e-6 degree
	frozenMileage          uint32          // 0.1 km
}

// fence is a fence as the engine uses it.
type fence struct {
	*Fence
	shape    *geo.Shape
	vehicles map[ingest.Vehicle]bool
	register map[ingest.Vehicle]*VehicleRecord // the snapshot's

	everybody bool        // is meant
	inside    *insideRule // what being inside of it means; nil: nothing
	day       uint32      // 0.01 km/h; 0 none
	nightCap  uint32      // 0.01 km/h; 0 as by day
}

// route is a route as the engine uses it.
type route struct {
	*Route
	shape *geo.Shape
}

// applies reports whether the fence means a vehicle: "classes", "plates", "operators" and "regions" are lists, and those in any
// are meant; without all, everybody is.
func (f *fence) applies(e *Engine, v *vehicle) bool {
	if f.everybody || f.Classes.Has(v.class) {
		return true
	}
	if len(f.vehicles)+len(f.Operators)+len(f.Regions) == 0 {
		return false
	}
	id := e.idOf(v)
	if f.vehicles[id] {
		return true
	}
	r := f.register[id]
	return r != nil && (r.Operator != "" && slices.Contains(f.Operators, r.Operator) ||
		r.Region != "" && slices.ContainsFunc(f.Regions, func(region string) bool { return regionHolds(region, r.Region) }))
}

// yieldEvery is after how many records Compile lets others go on: who judges on the same cores must not wait for the scheduler, which
// interrupts after 10 ms only.
const yieldEvery = 1024

// Compile checks data and settings together and compiles them. workers bounds the goroutines that build the fence index.
// generation is a number that no snapshot before has had; 0 is none.
//
// The errors name the record; all are reported at once.
func Compile(data *ReferenceData, settings Settings, digest string, generation uint32, workers int) (*Snapshot, error) {
	if err := settings.Validate(); err != nil {
		return nil, err
	}
	s := &Snapshot{Settings: settings, RuleVersion: settings.Version(), Digest: digest, generation: generation,
		register: make(map[ingest.Vehicle]*VehicleRecord, len(data.Vehicles)), operators: map[string]*Operator{},
		stations: map[string]*Station{}, permits: map[ingest.Vehicle][]*Permit{}, bypassed: map[string]bool{},
		filings: map[ingest.Vehicle][]*Filing{}, waybills: map[ingest.Vehicle][]*WaybillRecord{}, rules: rules, routes: map[string]*route{}, sectionByID: map[string]int32{}}
	for i := range data.Vehicles {
		if i%yieldEvery == 0 {
			runtime.Gosched()
		}
		v := &data.Vehicles[i]
		s.register[v.Vehicle] = v
	}
	for i := range data.Operators {
		s.operators[data.Operators[i].ID] = &data.Operators[i]
	}
	for i := range data.Stations {
		s.stations[data.Stations[i].ID] = &data.Stations[i]
	}
	for i := range data.Permits {
		p := &data.Permits[i]
		s.permits[p.Vehicle] = append(s.permits[p.Vehicle], p)
	}
	for i := range data.Filings {
		f := &data.Filings[i]
		s.filings[f.Vehicle] = append(s.filings[f.Vehicle], f)
	}
	for i := range data.Waybills {
		w := &data.Waybills[i]
		s.waybills[w.Vehicle] = append(s.waybills[w.Vehicle], w)
	}
	if err := errors.Join(s.compileFences(data.Fences, workers), s.compileRoutes(data.Routes), s.compileSections(data.Sections)); err != nil {
		return nil, err
	}
	s.compileSettings()
	s.compileClasses()
	s.compileShadows()
	return s, nil
}

// compileFences compiles the shapes side by side, because a border of ten thousand vertices takes its time, and builds the
// indexes.
func (s *Snapshot) compileFences(fences []Fence, workers int) error {
	shapes := make([]*geo.Shape, len(fences))
	errs := make([]error, len(fences))
	var next atomic.Int64
	var done sync.WaitGroup
	for range max(1, min(workers, len(fences)/64)) {
		done.Go(func() {
			compiler := geo.NewCompiler()
			for {
				i := int(next.Add(1)) - 1
				if i >= len(fences) {
					return
				}
				f := &fences[i]
				var err error
				if shapes[i], err = compiler.Compile(f.Geometry, f.RadiusM, f.WidthM); err != nil {
					errs[i] = fmt.Errorf("fence %q: %w", f.ID, err)
				}
			}
		})
	}
	done.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var forbidden, noStop []*geo.Shape
	s.fences, s.fenceByID = make([]fence, 0, len(fences)), make(map[string]int32, len(fences))
	for i := range fences {
		if i%yieldEvery == 0 {
			runtime.Gosched()
		}
		f := &fences[i]
		c := fence{Fence: f, shape: shapes[i], register: s.register, inside: insideRuleOf(f.Kind),
			everybody: f.Classes.Empty() && len(f.Vehicles)+len(f.Operators)+len(f.Regions) == 0, day: uint32(f.SpeedLimit) * 10, nightCap: uint32(f.NightSpeedLimit) * 10}
		if len(f.Vehicles) > 0 {
			c.vehicles = map[ingest.Vehicle]bool{}
			for _, v := range f.Vehicles {
				c.vehicles[v] = true
			}
		}
		n := int32(len(s.fences))
		switch f.Kind {
		case FenceForbidden:
			forbidden, s.forbiddenAt = append(forbidden, c.shape), append(s.forbiddenAt, n)
		case FenceNoStop:
			noStop = append(noStop, c.shape)
		case FenceBound:
			s.bound = append(s.bound, n)
		case FenceBypass:
			if f.Station != "" {
				s.bypassed[f.Station] = true
			}
		}
		s.fenceByID[f.ID] = n
		s.fences = append(s.fences, c)
	}
	s.index = geo.Build(shapes, workers)
	if len(forbidden) > 0 {
		s.forbidden = geo.Build(forbidden, workers)
	}
	if len(noStop) > 0 {
		s.noStop = geo.Build(noStop, workers)
	}
	return nil
}

func (s *Snapshot) compileRoutes(routes []Route) error {
	var errs []error
	for i := range routes {
		r := &routes[i]
		shape, err := geo.CompileCorridor(r.Line, r.WidthM)
		if err != nil {
			errs = append(errs, fmt.Errorf("route %q: %w", r.ID, err))
			continue
		}
		s.routes[r.ID] = &route{r, shape}
	}
	return errors.Join(errs...)
}

func (s *Snapshot) compileSections(sections []Section) error {
	var errs []error
	for i := range sections {
		sec := &sections[i]
		line, err := geo.CompileLine(sec.Line)
		if err != nil {
			errs = append(errs, fmt.Errorf("section %q: %w", sec.ID, err))
			continue
		}
		if sec.SpeedLimit == 0 { // nothing to exceed
			continue
		}
		length := sec.LengthM
		if length == 0 { // no road is shorter than its line
			length = geo.Length(line)
		}
		if s.gates == nil {
			s.gates = &gateCells{list: map[gateCell][]int32{}}
		}
		n := int32(len(s.sections))
		c := section{Section: sec, line: line, first: line[0], last: line[len(line)-1], lengthMm: int64(math.Round(length * 1000)), sum: sumOf(line)}
		s.sectionByID[sec.ID] = n
		s.sections = append(s.sections, c)
		s.gates.add(c.first, n)
	}
	return errors.Join(errs...)
}

func (s *Snapshot) compileSettings() {
	tenth := func(kmh float64) uint16 { return uint16(math.Round(kmh * 10)) }
	hundredth := func(kmh float64) uint32 { return uint32(math.Round(kmh*10)) * 10 }
	micro := func(degrees float64) int32 { return int32(math.Round(degrees * 1e6)) }
	g := &s.Settings.Gate
	s.gate = gateLimits{future: int64(g.FutureS) * 1000, past: int64(g.PastS) * 1000, minLat: micro(g.MinLat), maxLat: micro(g.MaxLat),
		minLon: micro(g.MinLon), maxLon: micro(g.MaxLon), speed: tenth(g.MaxSpeed), jump: g.JumpSpeed / 3.6, jumps: g.JumpsToAccept}
	s.moving = tenth(s.Settings.Movement.Moving)
	s.spike = tenth(s.Settings.Speeding.Spike)
	s.night.from, _ = parseClock(s.Settings.Night.From) // Validate has seen them
	s.night.to, _ = parseClock(s.Settings.Night.To)
	s.driving, s.resting = compileDriving(&s.Settings, s.night), compileNightDriving(&s.Settings)
	s.enabled = make(map[Kind]bool, len(rules))
	for i := range rules {
		on := s.Settings.switchOf(rules[i].kind)
		s.enabled[rules[i].kind] = on == nil || *on
	}
	s.spikeWindow = int64(s.Settings.Speeding.SpikeWindowS) * 1000
	s.classCap, s.monitored = [classCount]uint32{}, 0
	for name, kmh := range s.Settings.Speeding.ClassCap {
		c, _ := ParseClass(name)
		s.classCap[c] = hundredth(kmh)
	}
	h := s.Settings.Speeding.HazmatCap
	for _, name := range s.Settings.Monitoring.Classes {
		c, _ := ParseClass(name)
		s.monitored = s.monitored.With(c)
	}
	s.evaders = classSet(s.Settings.WeighEvasion.Classes)
	s.darkSpeed, s.frozenSpeed = tenth(s.Settings.GoneDark.MinSpeed), tenth(s.Settings.FrozenPosition.MinSpeed)
	s.frozenPlace, s.frozenMileage = micro(s.Settings.FrozenPosition.Place), uint32(tenth(s.Settings.FrozenPosition.MileageKm))
	s.hazmat.expressway, s.hazmat.other, s.hazmat.unknown = hundredth(h.Expressway), hundredth(h.Other), hundredth(h.Unknown)
}

// compileClasses makes the snapshot of each class that has settings of its own.
func (s *Snapshot) compileClasses() {
	keep := s.driving.keep
	for c := range s.of {
		s.of[c] = s
		set := s.Settings.Classes[Class(c).String()]
		if set == nil {
			continue
		}
		own := *s
		own.Settings, own.of = *set, [classCount]*Snapshot{}
		own.compileSettings()
		s.of[c] = &own
		keep = max(keep, own.driving.keep)
	}
	// A driver's sums go with him from class to class: they are kept for as long as any class asks.
	s.driving.keep = keep
	for _, o := range s.of {
		o.driving.keep = keep
	}
}

// forVehicle returns the snapshot with the settings of a vehicle's class, for those who have not the engine's state of it.
func (s *Snapshot) forVehicle(id *ingest.Vehicle) *Snapshot {
	if len(s.Settings.Classes) == 0 {
		return s
	}
	class := ClassOther
	if r := s.register[*id]; r != nil {
		class = r.Class
	}
	return s.of[class]
}

// Vehicles returns the number of vehicles in the register, Fences that of the fences.
func (s *Snapshot) Vehicles() int { return len(s.register) }

// HasStation reports whether a weigh station is in the register.
func (s *Snapshot) HasStation(id string) bool { return s.stations[id] != nil }

// Fences returns the number of fences.
func (s *Snapshot) Fences() int { return len(s.fences) }

// Generation returns the number that Compile was given.
func (s *Snapshot) Generation() uint32 { return s.generation }

// fenceID returns the id of a fence by its number; "" for -1.
func (s *Snapshot) fenceID(n int32) string {
	if n < 0 {
		return ""
	}
	return s.fences[n].ID
}

// validPermits returns the vehicle's permits of a kind that are valid at t, by number.
func (s *Snapshot) validPermits(v ingest.Vehicle, kind PermitKind, t int64) []*Permit {
	var out []*Permit
	for _, p := range s.permits[v] {
		if p.Kind == kind && p.Start <= t && (p.End == 0 || t < p.End) {
			out = append(out, p)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Number < out[j].Number })
	return out
}
