package detect

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"

	"lushao/ingest"
)

// A shadow is a set of settings that is tried beside what is in force: what it finds is recorded, marked with its name, and nobody
// is prompted or charged. It is an engine of its own inside of the engine, fed the same events, with the kinds that its settings can
// affect and no others: so it has the whole state that they make, and what is in force can't be touched by it. It costs as much
// memory as the engine itself, and the time of its kinds.

// ShadowSettings are the settings of a shadow, those in force included.
type ShadowSettings struct {
	Name     string
	Settings Settings
}

// MaxShadows bounds the shadows at a time.
const MaxShadows = 8

var shadowNameRE = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// IsShadowName reports whether a shadow may be called so: small letters, digits and hyphens, at most 40.
func IsShadowName(s string) bool { return shadowNameRE.MatchString(s) }

// shadows reads the shadows of the file.
func (r *settingsReader) shadows(pairs []pair, s *Settings) {
	var list []pair
	for _, p := range pairs {
		if p.key.Value == "shadow" {
			list = append(list, r.pairs(p.value, "shadow")...)
		}
	}
	var before map[string][]pair // settings by class of what is in force
	if len(list) > 0 {
		r.again = true
		before = r.classes(pairs, "", s.clone(), nil)
		r.again = false
	}
	for i, p := range list {
		name := p.key.Value
		switch {
		case !IsShadowName(name):
			r.fail(p.key, "shadow", "%s is no name of a shadow; want small letters, digits and hyphens, at most 40, like stricter-stretch", shown(p.key))
			continue
		case i >= MaxShadows:
			r.fail(p.key, "shadow."+name, "more than %d shadows; each costs as much memory as what is in force", MaxShadows)
			continue
		}
		own := s.clone()
		own.Classes, own.Shadows = nil, nil
		under := r.pairs(p.value, "shadow."+name)
		r.settings(under, "shadow."+name+".", own)
		r.classes(under, "shadow."+name+".", own, before)
		s.Shadows = append(s.Shadows, ShadowSettings{name, *own})
	}
	slices.SortFunc(s.Shadows, func(a, b ShadowSettings) int { return compareText(a.Name, b.Name) })
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Kinds are the kinds that the shadow records: those that what differs from the rules in force can affect.
func (s *ShadowSettings) Kinds(inForce *Settings) []Kind {
	affected := affectedKinds(inForce, &s.Settings)
	return slices.DeleteFunc(Kinds(), func(k Kind) bool { return !affected[k] })
}

// kindGroups are the kinds that the same functions find; every other is by itself.
var kindGroups = [][]Kind{kindsOfPlaces, {KindFenceExit, KindRouteDeviation}, kindsOfDriving,
	{KindTerminalAlarm, KindOvercrowding, KindTampering, KindDriverBehavior, KindCollisionRisk}}

// withGroups returns kinds with those that are found together with them.
func withGroups(kinds map[Kind]bool) map[Kind]bool {
	out := map[Kind]bool{}
	for k := range kinds {
		out[k] = true
	}
	for _, g := range kindGroups {
		if slices.ContainsFunc(g, func(k Kind) bool { return kinds[k] }) {
			for _, k := range g {
				out[k] = true
			}
		}
	}
	return out
}

// switchOf returns the switch of a kind, which is that of its section of the settings; nil where it has none.
func (s *Settings) switchOf(k Kind) *bool {
	v := reflect.ValueOf(s).Elem()
	i, ok := settingFields(v.Type())[string(k)]
	if !ok {
		return nil
	}
	f := v.Field(i).FieldByName("Enabled")
	if !f.IsValid() {
		return nil
	}
	return f.Addr().Interface().(*bool)
}

// compileShadows makes the snapshot of each shadow: the same reference data and indexes, other settings, fewer rules.
func (s *Snapshot) compileShadows() {
	for i := range s.Settings.Shadows {
		sh := &s.Settings.Shadows[i]
		kinds := affectedKinds(&s.Settings, &sh.Settings)
		needed := withGroups(kinds)
		set := sh.Settings.clone()
		set.Classes = map[string]*Settings{}
		for c, own := range sh.Settings.Classes {
			set.Classes[c] = own.clone()
		}
		o := *s
		o.of, o.shadows = [classCount]*Snapshot{}, nil
		o.shadow, o.records, o.RuleVersion = sh.Name, kinds, sh.Settings.Version()
		o.rules = slices.DeleteFunc(slices.Clone(rules), func(r rule) bool { return !needed[r.kind] })
		for _, k := range Kinds() {
			if !needed[k] {
				set.switchOff(k)
				for _, own := range set.Classes {
					own.switchOff(k)
				}
			}
		}
		o.Settings = *set
		o.compileSettings()
		o.compileClasses()
		s.shadows = append(s.shadows, &o)
	}
}

func (s *Settings) switchOff(k Kind) {
	if on := s.switchOf(k); on != nil {
		*on = false
	}
}

// ended is the snapshot of a shadow that is no more: under it, what is open ends.
func (s *Snapshot) ended(name string) *Snapshot {
	o := *s
	o.shadows, o.shadow, o.records, o.rules = nil, name, map[Kind]bool{}, nil
	for c := range o.of {
		own := *s.of[c]
		own.shadow, own.records = name, o.records
		o.of[c] = &own
	}
	return &o
}

// InForce returns the snapshot without its shadows.
func (s *Snapshot) InForce() *Snapshot {
	o := *s
	o.shadows = nil
	return &o
}

// Shadows returns the names of the shadows, in order.
func (s *Snapshot) Shadows() []string {
	out := make([]string, len(s.shadows))
	for i, o := range s.shadows {
		out[i] = o.shadow
	}
	return out
}

// useShadows makes the shadows' engines go on with those of the snapshot. A new one begins without state; what is open in one that is
// gone ends.
func (e *Engine) useShadows() {
	var kept []*Engine
	for _, o := range e.whole.shadows {
		i := slices.IndexFunc(e.shadows, func(sh *Engine) bool { return sh.whole.shadow == o.shadow })
		if i < 0 {
			sh := New(o)
			sh.clock = e.clock
			kept = append(kept, sh)
			continue
		}
		e.shadows[i].Use(o)
		kept = append(kept, e.shadows[i])
	}
	for _, sh := range e.shadows {
		if !slices.Contains(kept, sh) {
			sh.Use(e.whole.ended(sh.whole.shadow))
			e.rebased = append(e.rebased, sh.rebased...)
		}
	}
	e.shadows = kept
}

// shadowsProcess gives a batch to the shadows and takes what they find.
func (e *Engine) shadowsProcess(events []ingest.Event, first uint64) {
	for _, sh := range e.shadows {
		sh.frozen = e.frozen
		e.out = append(e.out, sh.Process(events, first)...)
	}
}

func (e *Engine) shadowsFinish(version uint64, close bool, clock int64) {
	for _, sh := range e.shadows {
		sh.frozen = e.frozen
		e.out = append(e.out, sh.finishAt(version, close, clock)...)
	}
}

// In a checkpoint the shadows are named first, with the kinds that they record; then each has its state of a vehicle behind the
// vehicle's own.

func (e *Engine) writeShadows(w *stateWriter) {
	w.u8(byte(len(e.shadows)))
	for _, sh := range e.shadows {
		w.text(sh.whole.shadow)
		var kinds []Kind
		for _, k := range Kinds() {
			if sh.whole.records[k] {
				kinds = append(kinds, k)
			}
		}
		w.u32(uint32(len(kinds)))
		for _, k := range kinds {
			w.text(string(k))
		}
	}
}

func (e *Engine) writeShadowed(w *stateWriter, v *vehicle) {
	for _, sh := range e.shadows {
		id := e.idOf(v)
		slot, ok := sh.store.find(&id, id.Hash())
		w.truth(ok)
		if !ok { // the shadow is younger than what is known of the vehicle
			continue
		}
		at := len(w.b)
		w.u32(0)
		sh.writeVehicle(w, sh.store.at(slot))
		n := len(w.b) - at - 4
		w.b[at], w.b[at+1], w.b[at+2], w.b[at+3] = byte(n), byte(n>>8), byte(n>>16), byte(n>>24)
	}
}

// readShadows returns the engines that take the state of the shadows: those of the same names, else ones in which it ends.
func (e *Engine) readShadows(r *stateReader) (out []*Engine) {
	n := int(r.u8())
	if n > MaxShadows {
		r.fail(fmt.Errorf("%d shadows; at most %d", n, MaxShadows))
		return nil
	}
	for range n {
		name := r.text()
		was := map[Kind]bool{}
		for k := r.count(); k > 0 && r.err == nil; k-- {
			was[Kind(r.text())] = true
		}
		if r.err != nil {
			return nil
		}
		i := slices.IndexFunc(e.shadows, func(sh *Engine) bool { return sh.whole.shadow == name })
		var sh *Engine
		if i >= 0 {
			sh = e.shadows[i]
		} else {
			sh = New(e.whole.ended(name))
		}
		sh.clock, sh.recorded = max(sh.clock, e.clock), was
		sh.out, sh.mark, sh.visits = sh.out[:0], 0, sh.visits[:0]
		out = append(out, sh)
	}
	return out
}

func (e *Engine) readShadowed(r *stateReader, shadows []*Engine) {
	for _, sh := range shadows {
		if !r.truth() || r.err != nil {
			continue
		}
		in := stateReader{b: r.take(r.count())}
		if r.err != nil {
			return
		}
		sh.loadVehicle(&in)
		if len(in.b) > 0 {
			in.fail(fmt.Errorf("%d bytes more than a vehicle of shadow %s has", len(in.b), sh.whole.shadow))
		}
		if in.err != nil {
			r.err = in.err
		}
	}
}

// keepShadowed keeps what the state of shadows closed for the next call.
func (e *Engine) keepShadowed(shadows []*Engine) {
	for _, sh := range shadows {
		sh.keepRebased()
		sh.out, sh.visits = sh.out[:0], sh.visits[:0]
		sh.recorded = nil
		if !slices.Contains(e.shadows, sh) { // it has ended
			e.rebased = append(e.rebased, sh.rebased...)
		}
	}
}
