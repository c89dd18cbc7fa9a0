package detect_test

import (
	"slices"
	"testing"

	"lushao/detect"
	"lushao/ingest"
)

// A vehicle is inside of a fence while that is moved, shrunk, taken out, made another kind or given other hours or limits. The last
// of it that held under the old data stays so; what comes after is judged by the new ones.
func TestFenceChangesWhileInside(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	// Every 30 s in the middle of the fence, which is some 2 km wide.
	track := func(from, to int64, kmh float64) (out []ingest.Event) {
		for s := from; s <= to; s += 30 {
			out = append(out, position(v, s, 35.5, 112.8+float64(s%7)*1e-5, kmh))
		}
		return out
	}
	fence := func(kind detect.FenceKind, set ...func(f *detect.Fence)) detect.ReferenceData {
		f := detect.Fence{ID: "A", Kind: kind, Geometry: square(35.5, 112.8, 0.01)}
		switch kind {
		case detect.FenceSpeed:
			f.SpeedLimit = 600
		case detect.FenceMaxStay:
			f.MaxStayS = 60
		}
		for _, s := range set {
			s(&f)
		}
		return detect.ReferenceData{Fences: []detect.Fence{f}}
	}
	away := func(f *detect.Fence) { f.Geometry = square(35.6, 112.8, 0.01) }
	// The vehicle is 0.0002 degree, 22 m, and 0.0001 degree, 11 m, north of what is left.
	shrunk22 := func(f *detect.Fence) { f.Geometry = square(35.5-0.0052, 112.8, 0.005) }
	shrunk11 := func(f *detect.Fence) { f.Geometry = square(35.5-0.0051, 112.8, 0.005) }
	hours := func(from, to uint16) func(f *detect.Fence) {
		return func(f *detect.Fence) { f.Schedule = []detect.Window{{Days: 0x7f, From: from, To: to}} }
	}
	limit := func(tenths uint16) func(f *detect.Fence) { return func(f *detect.Fence) { f.SpeedLimit = tenths } }
	stay := func(s uint32) func(f *detect.Fence) { return func(f *detect.Fence) { f.MaxStayS = s } }
	none := detect.ReferenceData{}
	drives, on := track(0, 120, 70), track(150, 240, 70)
	stands, stood := track(0, 360, 0), append(track(390, 420, 0), position(v, 450, 35.5, 112.803, 30))

	for _, c := range []changed{
		{name: "an entry: shrunk, 22 m outside", before: fence(detect.FenceForbidden), after: fence(detect.FenceForbidden, shrunk22), open: drives, then: on,
			opened: "[fence_entry A open 0..- 2 fixes []]", atOnce: "[]", atLast: "[fence_entry A closed 0..150 6 fixes []]"},
		{name: "an entry: shrunk, 11 m outside", before: fence(detect.FenceForbidden), after: fence(detect.FenceForbidden, shrunk11), open: drives, then: on,
			opened: "[fence_entry A open 0..- 2 fixes []]", atOnce: "[]", atLast: "[fence_entry A closed 0..240 9 fixes [end_of_data]]"},
		{name: "an entry: the fence is gone", before: fence(detect.FenceForbidden), after: none, open: drives, then: on,
			opened: "[fence_entry A open 0..- 2 fixes []]", atOnce: "[fence_entry A closed 0..120 5 fixes [fence_removed]]", atLast: "[]"},
		{name: "an entry: stopping is forbidden now", before: fence(detect.FenceForbidden), after: fence(detect.FenceNoStop), open: drives, then: on,
			opened: "[fence_entry A open 0..- 2 fixes []]", atOnce: "[fence_entry A closed 0..120 5 fixes [fence_removed]]", atLast: "[]"},
		{name: "an entry: not in force at this hour", before: fence(detect.FenceForbidden), after: fence(detect.FenceForbidden, hours(22*60, 23*60)), open: drives, then: on,
			opened: "[fence_entry A open 0..- 2 fixes []]", atOnce: "[]", atLast: "[fence_entry A closed 0..120 5 fixes []]"},
		{name: "an entry: its hours are longer", before: fence(detect.FenceForbidden, hours(0, 3)), after: fence(detect.FenceForbidden, hours(0, 60)), open: drives, then: on,
			opened: "[fence_entry A open 0..- 2 fixes []]", atOnce: "[]", atLast: "[fence_entry A closed 0..240 9 fixes [end_of_data]]"},
		{name: "an entry: its hours are shorter", before: fence(detect.FenceForbidden, hours(0, 60)), after: fence(detect.FenceForbidden, hours(0, 3)), open: drives, then: on,
			opened: "[fence_entry A open 0..- 2 fixes []]", atOnce: "[]", atLast: "[fence_entry A closed 0..180 7 fixes []]"},
		{name: "an entry: its hours end before the next fix", before: fence(detect.FenceForbidden, hours(0, 60)), after: fence(detect.FenceForbidden, hours(0, 3)), open: drives, then: track(210, 240, 70),
			opened: "[fence_entry A open 0..- 2 fixes []]", atOnce: "[]", atLast: "[fence_entry A closed 0..180 5 fixes []]"},
		{name: "nothing: the fence comes into force round the vehicle", before: none, after: fence(detect.FenceForbidden), open: drives, then: on,
			opened: "[]", atOnce: "[]", atLast: "[fence_entry A closed 150..240 4 fixes [end_of_data] fence_entry A open 150..- 2 fixes []]"},

		{name: "a stay: more is allowed", before: fence(detect.FenceMaxStay), after: fence(detect.FenceMaxStay, stay(200)), open: track(0, 60, 40), then: track(90, 240, 40),
			opened: "[]", atOnce: "[]", atLast: "[fence_stay A closed 0..240 9 fixes [end_of_data] fence_stay A open 0..- 8 fixes []]"},
		{name: "a stay: less is allowed", before: fence(detect.FenceMaxStay, stay(3600)), after: fence(detect.FenceMaxStay), open: drives, then: on,
			opened: "[]", atOnce: "[]", atLast: "[fence_stay A closed 0..240 9 fixes [end_of_data] fence_stay A open 0..- 6 fixes []]"},

		{name: "a stop: the fence is shrunk", before: fence(detect.FenceNoStop), after: fence(detect.FenceNoStop, shrunk11), open: stands, then: stood,
			opened: "[fence_stop A open 0..- 11 fixes []]", atOnce: "[]", atLast: "[fence_stop A closed 0..360 13 fixes []]"},
		{name: "a stop: driving in is forbidden now", before: fence(detect.FenceNoStop), after: fence(detect.FenceForbidden), open: stands, then: stood,
			opened: "[fence_stop A open 0..- 11 fixes []]", atOnce: "[fence_stop A closed 0..360 13 fixes [fence_removed]]",
			atLast: "[fence_entry A closed 390..450 3 fixes [end_of_data] fence_entry A open 390..- 2 fixes []]"},
		{name: "a stop: its hours are shorter", before: fence(detect.FenceNoStop), after: fence(detect.FenceNoStop, hours(0, 6)), open: track(0, 330, 0), then: stood,
			opened: "[fence_stop A open 0..- 11 fixes []]", atOnce: "[]", atLast: "[fence_stop A closed 0..360 12 fixes []]"},
		{name: "a stop: its hours are longer", before: fence(detect.FenceNoStop, hours(0, 6)), after: fence(detect.FenceNoStop, hours(0, 60)), open: track(0, 330, 0), then: stood,
			opened: "[fence_stop A open 0..- 11 fixes []]", atOnce: "[]", atLast: "[fence_stop A closed 0..450 15 fixes []]"},

		{name: "a speed: less is allowed", before: fence(detect.FenceSpeed), after: fence(detect.FenceSpeed, limit(500)), open: drives, then: on,
			opened: "[speeding A open 0..- 2 fixes []]", atOnce: "[]",
			atLast: "[speeding A closed 0..150 6 fixes [] speeding A closed 150..240 4 fixes [end_of_data] speeding A open 150..- 2 fixes []]"},
		{name: "a speed: more is allowed", before: fence(detect.FenceSpeed), after: fence(detect.FenceSpeed, limit(700)), open: drives, then: on,
			opened: "[speeding A open 0..- 2 fixes []]", atOnce: "[]", atLast: "[speeding A closed 0..150 6 fixes []]"},
		{name: "a speed: nothing of it changes", before: fence(detect.FenceSpeed), after: fence(detect.FenceSpeed), open: drives, then: on,
			opened: "[speeding A open 0..- 2 fixes []]", atOnce: "[]", atLast: "[speeding A closed 0..240 9 fixes [end_of_data]]"},
		{name: "a speed: the fence is moved away", before: fence(detect.FenceSpeed), after: fence(detect.FenceSpeed, away), open: drives, then: on,
			opened: "[speeding A open 0..- 2 fixes []]", atOnce: "[]", atLast: "[speeding A closed 0..150 6 fixes []]"},
		{name: "a speed: the fence is gone", before: fence(detect.FenceSpeed), after: none, open: drives, then: on,
			opened: "[speeding A open 0..- 2 fixes []]", atOnce: "[speeding A closed 0..120 5 fixes [fence_removed]]", atLast: "[]"},
		{name: "a speed: the fence is a region now", before: fence(detect.FenceSpeed), after: fence(detect.FenceRegion), open: drives, then: on,
			opened: "[speeding A open 0..- 2 fixes []]", atOnce: "[]", atLast: "[speeding A closed 0..150 6 fixes []]"},
		{name: "a speed: not in force at this hour", before: fence(detect.FenceSpeed), after: fence(detect.FenceSpeed, hours(22*60, 23*60)), open: drives, then: on,
			opened: "[speeding A open 0..- 2 fixes []]", atOnce: "[]", atLast: "[speeding A closed 0..150 6 fixes []]"},
	} {
		c.check(t)
	}
}

// A fence that is taken out and put back while a vehicle is inside is entered anew at the first fix at which it is back.
func TestFenceTakenOutAndPutBack(t *testing.T) {
	v := vehicleOf(t, "晋E12345")
	for _, c := range []struct {
		kind        detect.FenceKind
		kmh         float64
		first, then string
	}{
		{detect.FenceForbidden, 70, "[fence_entry A closed 0..330 12 fixes [fence_removed]]",
			"[fence_entry A closed 720..1050 12 fixes [end_of_data] fence_entry A open 720..- 2 fixes []]"},
		{detect.FenceSpeed, 70, "[speeding A closed 0..330 12 fixes [fence_removed]]",
			"[speeding A closed 720..1050 12 fixes [end_of_data] speeding A open 720..- 2 fixes []]"},
		// The stop goes on; its place is inside again.
		{detect.FenceNoStop, 0, "[fence_stop A closed 0..330 12 fixes [fence_removed]]",
			"[fence_stop A closed 720..1050 12 fixes [end_of_data] fence_stop A open 720..- 11 fixes []]"},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			with := detect.ReferenceData{Fences: []detect.Fence{{ID: "A", Kind: c.kind, SpeedLimit: 600, Geometry: square(35.5, 112.8, 0.01)}}}
			e := detect.New(compile(t, &with, 1))
			drive := func(from, to int64) (out []detect.Violation) {
				for s := from; s <= to; s += 30 {
					out = append(out, e.Process([]ingest.Event{position(v, s, 35.5, 112.8+float64(s%7)*1e-5, c.kmh)}, uint64(s+1))...)
				}
				return out
			}
			drive(0, 330)
			e.Use(compile(t, &detect.ReferenceData{}, 2))
			if got := short(drive(360, 690)); got != c.first {
				t.Errorf("taken out: %s, want %s", got, c.first)
			}
			e.Use(compile(t, &with, 3))
			if got := short(slices.Concat(drive(720, 1050), e.Finish(5000, true))); got != c.then {
				t.Errorf("put back: %s, want %s", got, c.then)
			}
		})
	}
}
