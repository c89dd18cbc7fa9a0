package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"lushao/detect"
	"lushao/ingest"
)

func ids(list []Record) string {
	var out []string
	for _, r := range list {
		out = append(out, r.ID)
	}
	return strings.Join(out, " ")
}

func (s *Store) list(t testing.TB, f ViolationFilter) string {
	t.Helper()
	if f.Limit == 0 {
		f.Limit = 1000
	}
	p, err := s.ListViolations(t.Context(), f)
	must(t, err)
	return ids(p.Violations)
}

// The highest version is the record, whatever came first, and the message comes back byte for byte.
func TestViolationVersions(t *testing.T) {
	s := newStore(t)
	open := violationJSON("a1", "speeding", "晋E00001", base, `"state":"closed"`, `"state":"open"`)
	closed := violationJSON("a1", "speeding", "晋E00001", base, `"version":1`, `"version":5`, `"notes":["n"]`, `"notes":["n","m"],"new_field":{"of":"later"}`)
	for _, order := range [][]string{{open, closed, open}, {closed, open, closed}} {
		for _, v := range order {
			s.addViolations(t, v)
		}
		r, err := s.Violation(t.Context(), "a1")
		must(t, err)
		if string(r.JSON) != closed || r.Version != 5 || r.State != detect.StateClosed {
			t.Errorf("got %s", r.JSON)
		}
		if got := s.list(t, ViolationFilter{}); got != "a1" {
			t.Errorf("list %q", got)
		}
		b, err := json.Marshal(r)
		must(t, err)
		if string(b) != closed {
			t.Errorf("marshalled %s", b)
		}
	}
	if _, err := s.Violation(t.Context(), "' OR 1 = 1 --"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	s.addViolations(t, violationJSON("a1", "speeding", "晋E00001", base, `"version":1`, `"version":6`, `"state":"closed"`, `"state":"retracted"`))
	if got := s.list(t, ViolationFilter{}); got != "" {
		t.Errorf("a retracted one is listed: %q", got)
	}
	if got := s.list(t, ViolationFilter{States: []detect.State{detect.StateRetracted}}); got != "a1" {
		t.Errorf("asked for the retracted: %q", got)
	}
	if _, err := s.Violation(t.Context(), "a1"); err != nil {
		t.Errorf("a retracted one can't be read: %v", err)
	}
}

// Every column holds what the message says.
func TestViolationColumns(t *testing.T) {
	s := newStore(t)
	s.addViolations(t, violationJSON("a1", "speeding", "晋E00001", base))
	var got string
	must(t, s.db.QueryRow(t.Context(), `SELECT toString(tuple(id, version, state, kind, counted, plate, color, class, operator, region, driver_license, driver_name,
toUnixTimestamp64Milli(start), toUnixTimestamp64Milli(end), start_lat, start_lon, end_lat, end_lon, measured, `+"`limit`"+`, unit, over_pct, band, limit_source, fence, station, section,
permit, duration_s, distance_m, fixes, basis, rule_version, evidence_hash, notes)) FROM violations FINAL`).Scan(&got))
	want := `('a1',1,'closed','speeding',true,'晋E00001',2,'hazmat','O17','140502','1405','张三',1777593600000,1777593750000,35.5,112.85,35.6,112.9,97.3,80,'km/h',21.6,'20-50','class_cap','F12','','','',150,3920,6,['haz-speed'],'r1','ab',['n'])`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// A number too large for a float64 is in the message as it was.
	r, err := s.Violation(t.Context(), "a1")
	must(t, err)
	if !strings.Contains(string(r.JSON), "12345678901234567}") {
		t.Errorf("got %s", r.JSON)
	}
}

func TestViolationFilters(t *testing.T) {
	s := newStore(t)
	hostile := `晋E'\";--`
	s.addViolations(t,
		violationJSON("a", "speeding", "晋E00001", base),
		violationJSON("b", "overload", "晋E00001", base+1000, `"color":2`, `"color":1`, `"station":null`, `"station":"S1"`, `"class":"hazmat"`, `"class":"truck"`),
		violationJSON("c", "speeding", hostile, base+2000, `"operator":"O17"`, `"operator":"O18"`, `"region":"140502"`, `"region":"140600"`),
		violationJSON("d", "speeding", "晋E00002", base+3000, `"state":"closed"`, `"state":"open"`, `"band":"20-50"`, `"band":">=70"`, `"over_pct":21.6`, `"over_pct":80`),
		violationJSON("e", "fence_entry", "晋E00003", base+4000, `"fence":"F12"`, `"fence":"F13"`, `"over_pct":21.6`, `"over_pct":null`, `"region":"140502"`, `"region":null`),
		violationJSON("f", "speeding", "晋E00003", base-400*86400_000), // over a year before
		violationJSON("g", "speeding", "晋E00003", base+5000, `"version":1`, `"version":1,"shadow":"strict"`),
		violationJSON("h", "overload", "晋E00003", base+6000, `"version":1`, `"version":1,"shadow":"lax"`),
	)
	one := ingest.Color(1)
	pct := 50.0
	for _, c := range []struct {
		f    ViolationFilter
		want string
	}{
		{ViolationFilter{}, "e d c b a f"},
		{ViolationFilter{Kinds: []string{"overload", "fence_entry"}}, "e b"},
		{ViolationFilter{Kinds: []string{`x','speeding`, `']) OR 1=1 --`}}, ""},
		{ViolationFilter{Plate: "晋E00001"}, "b a"},
		{ViolationFilter{Plate: "晋E00001", Color: &one}, "b"},
		{ViolationFilter{Plate: hostile}, "c"},
		{ViolationFilter{Plate: `' OR 1=1 --`}, ""},
		{ViolationFilter{Plate: `{p1:String}`}, ""},
		{ViolationFilter{Plate: `\N`}, ""},
		{ViolationFilter{Classes: []string{"truck"}}, "b"},
		{ViolationFilter{Operator: "O18"}, "c"},
		{ViolationFilter{Region: "140502"}, "d b a f"},
		{ViolationFilter{Region: "140500"}, "d b a f"},
		{ViolationFilter{Region: "140600"}, "c"},
		{ViolationFilter{Region: "140000"}, "d c b a f"},
		{ViolationFilter{States: []detect.State{detect.StateOpen}}, "d"},
		{ViolationFilter{From: base + 1000, To: base + 3000}, "c b"},
		{ViolationFilter{To: base}, "f"},
		{ViolationFilter{From: base + 5000}, ""},
		{ViolationFilter{From: math.MaxInt64 - 1, To: math.MaxInt64}, ""},
		{ViolationFilter{From: math.MinInt64, To: math.MinInt64}, ""},
		{ViolationFilter{Bands: []string{">=70"}}, "d"},
		{ViolationFilter{Station: "S1"}, "b"},
		{ViolationFilter{Fence: "F13"}, "e"},
		{ViolationFilter{MinOverPct: &pct}, "d"},
		{ViolationFilter{Shadow: "strict"}, "g"},
		{ViolationFilter{Shadow: "*"}, "h g"},
		{ViolationFilter{Shadow: "*", Kinds: []string{"overload"}}, "h"},
		{ViolationFilter{Shadow: "none"}, ""},
	} {
		if got := s.list(t, c.f); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.f, got, c.want)
		}
	}
	counts, err := s.CountViolations(t.Context(), ViolationFilter{From: base})
	must(t, err)
	if fmt.Sprint(counts) != "map[fence_entry:1 overload:1 speeding:3]" {
		t.Errorf("counts %v", counts)
	}
	if counts, err = s.CountViolations(t.Context(), ViolationFilter{Shadow: "*"}); err != nil || len(counts) != 0 {
		t.Errorf("of what is only tried %v %v", counts, err)
	}
	if _, err := s.ListViolations(t.Context(), ViolationFilter{}); err == nil {
		t.Error("no limit was taken")
	}
}

// While violations arrive before, between and after the pages, nothing that was there is left out or given twice.
func TestPagingIsStable(t *testing.T) {
	s := newStore(t)
	var list, want []string
	for i := range 40 { // four at each start
		id := fmt.Sprintf("id%02d", i)
		list = append(list, violationJSON(id, "speeding", "晋E00001", base+int64(i/4)*3600_000*9))
	}
	for i := 9; i >= 0; i-- {
		for j := range 4 {
			want = append(want, fmt.Sprintf("id%02d", 4*i+j))
		}
	}
	s.addViolations(t, list...)
	f := ViolationFilter{Limit: 3, Kinds: []string{"speeding"}}
	var got []string
	for n := 0; ; n++ {
		p, err := s.ListViolations(t.Context(), f)
		must(t, err)
		if len(p.Violations) > 3 {
			t.Fatalf("%d in a page of 3", len(p.Violations))
		}
		for _, r := range p.Violations {
			if strings.HasPrefix(r.ID, "id") {
				got = append(got, r.ID)
			}
		}
		if p.Next == "" {
			break
		}
		f.Cursor = p.Next
		s.addViolations(t, // one later than all, one between, and a new version of one
			violationJSON(fmt.Sprintf("new%02d", n), "speeding", "晋E00002", base+int64(100+n)*3600_000*9),
			violationJSON(fmt.Sprintf("mid%02d", n), "speeding", "晋E00002", base+int64(n%10)*3600_000*9),
			violationJSON(fmt.Sprintf("id%02d", n), "speeding", "晋E00001", base+int64(n/4)*3600_000*9, `"version":1`, `"version":2`))
		if n > 100 {
			t.Fatal("the pages do not end")
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// emergency is the record of a driver's alarm.
func emergency(id, plate string, start int64, change ...string) string {
	return violationJSON(id, "terminal_alarm", plate, start, append([]string{`{"x":12345678901234567}`, `{"alarm":{"bit":0,"name":"emergency"}}`}, change...)...)
}

// Emergencies stand before everything else, however old, in every list; other alarms of the terminal do not, nor what only looks like one.
func TestEmergenciesFirst(t *testing.T) {
	s := newStore(t)
	const day = 86400_000
	alarm := func(id, detail string, start int64) string {
		return violationJSON(id, "terminal_alarm", "晋E00002", start, `{"x":12345678901234567}`, detail)
	}
	s.addViolations(t,
		violationJSON("new", "speeding", "晋E00001", base),
		emergency("old emergency", "晋E00001", base-700*day),
		alarm("fatigue", `{"alarm":{"bit":2}}`, base-1000),
		violationJSON("speeding with a bit", "speeding", "晋E00002", base-2000, `{"x":12345678901234567}`, `{"alarm":{"bit":0}}`),
		alarm("no bit", `{"alarm":"emergency"}`, base-3000),
		emergency("emergency", "晋E00002", base-30*day),
		emergency("at the same time", "晋E00002", base-30*day),
		emergency("false alarm", "晋E00002", base-10*day, `"version":1`, `"version":3`, `"state":"closed"`, `"state":"retracted"`),
		emergency("goes on", "晋E00003", base-40*day, `"state":"closed"`, `"state":"open"`))
	// A new version of one; and an old one of one that was taken back.
	s.addViolations(t, emergency("goes on", "晋E00003", base-40*day, `"version":1`, `"version":2`), emergency("false alarm", "晋E00002", base-10*day))
	const first, rest = "at the same time emergency goes on old emergency", "new fatigue speeding with a bit no bit"
	for _, c := range []struct {
		f    ViolationFilter
		want string
	}{
		{ViolationFilter{}, first + " " + rest},
		{ViolationFilter{Plate: "晋E00001"}, "old emergency new"},
		{ViolationFilter{Kinds: []string{"speeding"}}, "new speeding with a bit"},
		{ViolationFilter{Kinds: []string{"terminal_alarm"}}, first + " fatigue no bit"},
		{ViolationFilter{States: []detect.State{detect.StateRetracted}}, "false alarm"},
		{ViolationFilter{From: base - 35*day}, "at the same time emergency " + rest},
		{ViolationFilter{To: base - 35*day}, "goes on old emergency"},
	} {
		if got := s.list(t, c.f); got != c.want {
			t.Errorf("%+v:\n got %q\nwant %q", c.f, got, c.want)
		}
	}
	must(t, s.db.Exec(t.Context(), "OPTIMIZE TABLE violations FINAL")) // merged, it is the same
	if got := s.list(t, ViolationFilter{}); got != first+" "+rest {
		t.Errorf("after a merge %q", got)
	}
	v, err := s.Vehicle(t.Context(), vehicle(t, "晋E00001", 2), time.UnixMilli(base))
	must(t, err)
	if got := ids(v.Recent); got != "old emergency new" {
		t.Errorf("latest of the vehicle: %q", got)
	}
}

// Rows of before the column was there are found by it too.
func TestEmergencyColumnOfOldRows(t *testing.T) {
	s := openEmpty(t, testConfig(t))
	before := fstest.MapFS{}
	files, err := fs.Glob(migrationFiles, "migrations/*")
	must(t, err)
	for _, name := range files {
		if name < "migrations/0005" {
			text, err := migrationFiles.ReadFile(name)
			must(t, err)
			before[name] = &fstest.MapFile{Data: text}
		}
	}
	must(t, s.migrate(t.Context(), before))
	// Today's blocks have columns that these tables have not.
	for _, text := range []string{violationJSON("new", "speeding", "晋E00001", base), emergency("old", "晋E00001", base-1000)} {
		var v detect.Violation
		must(t, json.Unmarshal([]byte(text), &v))
		detail, err := json.Marshal(v.Detail)
		must(t, err)
		must(t, s.db.Exec(t.Context(), "INSERT INTO violations (id, version, state, kind, plate, color, start, detail, json) VALUES (?, ?, ?, ?, ?, ?, fromUnixTimestamp64Milli(?), ?, ?)",
			v.ID, v.Version, string(v.State), string(v.Kind), v.Plate, uint8(v.Color), int64(v.Start), string(detail), text))
	}
	must(t, s.Migrate(t.Context()))
	must(t, s.Migrate(t.Context()))
	if got := s.list(t, ViolationFilter{}); got != "old new" {
		t.Errorf("got %q", got)
	}
}

// Pages of any size go from the emergencies to all others without a gap, while both arrive.
func TestPagesOfEmergencies(t *testing.T) {
	for _, limit := range []int{1, 2, 3, 7, 100} {
		s := newStore(t)
		var list, alarms, want []string
		for i := range 20 {
			id := fmt.Sprintf("id%02d", i)
			start := base - int64(i/2)*9*3600_000 // two at each start
			if i%3 == 0 {
				list, alarms = append(list, emergency(id, "晋E00001", start)), append(alarms, id)
			} else {
				list, want = append(list, violationJSON(id, "speeding", "晋E00001", start)), append(want, id)
			}
		}
		s.addViolations(t, list...)
		want = append(alarms, want...)
		var got []string
		f := ViolationFilter{Limit: limit}
		for n := 0; n < 100; n++ {
			p, err := s.ListViolations(t.Context(), f)
			must(t, err)
			if len(p.Violations) > limit {
				t.Fatalf("%d in a page of %d", len(p.Violations), limit)
			}
			for _, r := range p.Violations {
				if strings.HasPrefix(r.ID, "id") {
					got = append(got, r.ID)
				}
			}
			if f.Cursor = p.Next; f.Cursor == "" {
				break
			}
			s.addViolations(t, emergency(fmt.Sprint("new", n), "晋E00002", base+int64(n)*1000), violationJSON(fmt.Sprint("mid", n), "speeding", "晋E00002", base-int64(n)*7*3600_000),
				emergency("id00", "晋E00001", base, `"version":1`, fmt.Sprintf(`"version":%d`, n+2)))
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d:\n got %v\nwant %v", limit, got, want)
		}
	}
}

func TestCursors(t *testing.T) {
	s := newStore(t)
	s.addViolations(t, violationJSON("a", "speeding", "晋E00001", base), violationJSON("b", "speeding", "晋E00001", base))
	p, err := s.ListViolations(t.Context(), ViolationFilter{Limit: 1})
	must(t, err)
	if p.Next == "" {
		t.Fatal("no next page")
	}
	q, err := s.ListViolations(t.Context(), ViolationFilter{Limit: 5, Cursor: p.Next}) // the limit may change
	must(t, err)
	if ids(q.Violations) != "b" || q.Next != "" {
		t.Errorf("second page %q, next %q", ids(q.Violations), q.Next)
	}
	for _, c := range []string{"x", "!!", strings.Repeat("A", 4000), p.Next + "A", encodeCursor(1, base, "a"), encodeCursor(1, -5, "a")} {
		f := ViolationFilter{Limit: 1, Cursor: c}
		if c == p.Next+"A" {
			f.Plate = "晋E00001" // another question
			f.Cursor = p.Next
		}
		if _, err := s.ListViolations(t.Context(), f); !errors.Is(err, ErrCursor) {
			t.Errorf("cursor %.20q: %v", c, err)
		}
	}
	if _, err := s.Track(t.Context(), TrackFilter{Vehicle: vehicle(t, "晋E00001", 2), Limit: 1, Cursor: p.Next}); !errors.Is(err, ErrCursor) {
		t.Errorf("a list's cursor for a track: %v", err)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(encodeCursor(7, base, "abc"))
	f.Add("")
	f.Fuzz(func(t *testing.T, c string) {
		ms, key, err := decodeCursor(c, 7)
		if err != nil {
			return
		}
		if m, k, err := decodeCursor(encodeCursor(7, ms, key), 7); err != nil || m != ms || k != key {
			t.Fatalf("%q: %d %q, again %d %q %v", c, ms, key, m, k, err)
		}
	})
}

func TestViolationBlockRefuses(t *testing.T) {
	good := violationJSON("a", "speeding", "晋E00001", base)
	var b ViolationBlock
	for want, raw := range map[string]string{
		"violation: unexpected end":   "",
		"violation: invalid":          "\x00\x01",
		"id: 0 bytes":                 violationJSON("", "speeding", "晋E00001", base),
		"id: 65 bytes":                violationJSON(strings.Repeat("a", 65), "speeding", "晋E00001", base),
		"kind: empty":                 violationJSON("a", "", "晋E00001", base),
		"plate: empty":                violationJSON("a", "speeding", "", base),
		"state: ":                     strings.Replace(good, `"closed"`, `"shut"`, 1),
		"shadow: ":                    strings.Replace(good, `"version":1`, `"version":1,"shadow":"A B"`, 1),
		"start: missing":              strings.Replace(good, `"start":"2026-05-01T08:00:00+08:00",`, ``, 1),
		"start: -":                    strings.Replace(good, "2026-05-01T08:00:00", "0001-01-01T00:00:00", 1),
		"end: ":                       strings.Replace(good, "2026-05-01T08:02:30", "9999-01-01T00:00:00", 1),
		"1048577 bytes; at most":      strings.Repeat("x", 1048577),
		"cannot unmarshal string":     strings.Replace(good, `"version":1`, `"version":"1"`, 1),
		"violation: json: cannot unm": `[1]`,
	} {
		err := b.Add([]byte(raw), base, Place{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	if b.Rows() != 0 || b.Size() != 0 {
		t.Errorf("%d rows, %d bytes of refused ones", b.Rows(), b.Size())
	}
}

func TestCounted(t *testing.T) {
	for _, c := range []struct {
		kind, detail string
		want         bool
	}{
		{"speeding", `{}`, true},
		{"collision_risk", `{}`, false},
		{"terminal_alarm", `{"alarm":0}`, true},
		{"terminal_alarm", `{"alarm":18}`, false},
		{"terminal_alarm", `{"alarm":"18 driving time of the day"}`, false},
		{"terminal_alarm", `{"alarm":{"bit":2,"name":"fatigue"}}`, false},
		{"terminal_alarm", `{"alarm":[20,"area"]}`, false},
		{"terminal_alarm", `{"alarm":"area"}`, true},
		{"terminal_alarm", `{}`, true},
	} {
		v := detect.Violation{Kind: detect.Kind(c.kind)}
		must(t, json.Unmarshal([]byte(c.detail), &v.Detail))
		if Counted(&v) != c.want {
			t.Errorf("%s %s: %v", c.kind, c.detail, !c.want)
		}
	}
}

func TestVehicle(t *testing.T) {
	s := newStore(t)
	v := vehicle(t, "晋E00001", 2)
	position := func(v ingest.Vehicle, at, received int64, lat int32) ingest.Event {
		e := ingest.Event{Kind: ingest.KindPosition, Source: ingest.SourceJT808, Vehicle: v, Time: at, Received: received}
		e.Position.Reset()
		e.Position.Lat = lat
		return e
	}
	var b PositionBlock
	add := func(e ingest.Event, quality string) { b.Add(&e, quality, Place{}) }
	add(position(v, base, base, 1), "ok")
	add(position(v, base+60_000, base+61_000, 2), "ok")
	add(position(v, base+60_000, base+60_500, 3), "ok") // as late, but received before
	add(position(v, base+90_000, base+90_000, 4), "speed")
	add(position(v, base+999_000_000, base+90_000, 5), "future") // a wrong clock
	add(position(vehicle(t, "晋E00001", 1), base+5, base+5, 6), "ok")
	must(t, s.Insert(t.Context(), &b))
	now := time.UnixMilli(base + 86400_000)
	s.addViolations(t, violationJSON("a", "speeding", "晋E00001", base), violationJSON("b", "speeding", "晋E00001", base-100*86400_000),
		violationJSON("c", "collision_risk", "晋E00001", base), violationJSON("d", "overload", "晋E00001", base, `"color":2`, `"color":1`),
		violationJSON("e", "overload", "晋E00001", base, `"state":"closed"`, `"state":"retracted"`))
	got, err := s.Vehicle(t.Context(), v, now)
	must(t, err)
	if got.Vehicle != v || got.Seen.First != base-100*86400_000 || got.Seen.Last != base+90_000 {
		t.Errorf("seen %+v", got.Seen)
	}
	if got.Last == nil || got.Last.Event.Position.Lat != 3 {
		t.Errorf("last position %+v", got.Last)
	}
	if fmt.Sprint(got.Days30, got.Days365) != "map[speeding:1] map[speeding:2]" || ids(got.Recent) != "a c b" {
		t.Errorf("counts %v %v, recent %s", got.Days30, got.Days365, ids(got.Recent))
	}
	colors, err := s.Colors(t.Context(), "晋E00001")
	must(t, err)
	if len(colors) != 2 || colors[0].Vehicle.Color != 1 || colors[1].Vehicle.Color != 2 {
		t.Errorf("colours %+v", colors)
	}
	for _, other := range []ingest.Vehicle{vehicle(t, "晋E00001", 3), vehicle(t, "晋E9' OR '1'='1", 2)} {
		if _, err := s.Vehicle(t.Context(), other, now); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", other, err)
		}
	}
}

func TestReadsEndWithTheirContext(t *testing.T) {
	s := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.ListViolations(ctx, ViolationFilter{Limit: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("list: %v", err)
	}
	if _, err := s.Track(ctx, TrackFilter{Vehicle: vehicle(t, "晋E00001", 2), Limit: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("track: %v", err)
	}
	var b DeadLetterBlock
	b.Add(DeadLetter{Topic: "t"})
	if err := s.Insert(ctx, &b); !errors.Is(err, context.Canceled) {
		t.Errorf("insert: %v", err)
	}
}

// Who is blamed for stopping in a place and time: by the violation's own place, open ones too, and what stands only.
func TestStopsAt(t *testing.T) {
	s := newStore(t)
	stop := func(id, plate string, start int64, change ...string) string {
		return violationJSON(id, "fence_stop", plate, start, change...)
	}
	s.addViolations(t,
		stop("a", "晋E00001", base),                                         // until base + 150 s
		stop("b", "晋E00002", base+600_000),                                 // later
		stop("c", "晋E00003", base, `"start_lat":35.5`, `"start_lat":35.7`), // elsewhere
		stop("d", "晋E00004", base-3600_000, `"state":"closed"`, `"state":"open"`, `"end":"`, `"end":null,"x":"`),
		stop("e", "晋E00005", base, `"state":"closed"`, `"state":"retracted"`),
		stop("f", "晋E00006", base, `"version":1`, `"version":1,"shadow":"s"`),
		violationJSON("g", "speeding", "晋E00007", base),
		stop("h", "晋E00008", base, `"start_lat":35.5,"start_lon":112.85`, `"start_lat":null,"start_lon":null`))
	here := Box{35_490_000, 112_840_000, 35_510_000, 112_860_000}
	for _, x := range []struct {
		scenes []Scene
		want   string
	}{
		{nil, "[]"},
		{[]Scene{{here, base + 150_000, base + 200_000}}, "[晋E00001/2 晋E00004/2]"},
		{[]Scene{{here, base + 150_001, base + 200_000}}, "[晋E00004/2]"},
		{[]Scene{{here, base - 1000, base - 1}}, "[晋E00004/2]"},
		{[]Scene{{here, base - 10_000_000, base - 7200_000}}, "[]"},
		{[]Scene{{here, base + 600_000, base + 600_000}, {Box{35_690_000, 112_840_000, 35_710_000, 112_860_000}, base, base}}, "[晋E00002/2 晋E00003/2 晋E00004/2]"},
	} {
		got, err := s.StopsAt(t.Context(), x.scenes)
		must(t, err)
		names := []string{}
		for _, o := range got {
			names = append(names, o.Vehicle.String())
		}
		if fmt.Sprint(names) != x.want {
			t.Errorf("%v: %v, want %s", x.scenes, names, x.want)
		}
	}
	if got, err := s.StopsAt(t.Context(), []Scene{{here, base, base}}); err != nil || len(got) == 0 || got[0].Start != base {
		t.Errorf("%v %v", got, err)
	}
}
