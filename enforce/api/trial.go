package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/paulmach/orb"
	"go.yaml.in/yaml/v3"

	"lushao/detect"
	"lushao/detect/reference"
	"lushao/detect/reference/edit"
	"lushao/enforce/store"
	"lushao/geo"
	"lushao/ingest"
	"lushao/internal/httpx"
)

// Archive is what a trial needs of the record; *store.Store has it.
type Archive interface {
	VehiclesIn(ctx context.Context, boxes []store.Box, from, to int64, limit int) (list []store.Presence, all uint64, err error)
	Events(ctx context.Context, f store.EventsFilter, fn func(e *ingest.Event) error) error
}

var _ Archive = (*store.Store)(nil)

// trial answers what new fences would have found: the positions of old hours run through a fresh engine with the present reference
// data and the new fences.
type trial struct {
	*places
	archive Archive
}

const (
	maxTrialFeatures = 100
	maxTrialPlates   = 10_000
	// trialNear is how near to the bounds of the new fences a vehicle must have been, m.
	trialNear = 1000
	// trialLead is how much earlier drivers' cards and waybills are read, ms.
	trialLead = 24 * 3600 * 1000
	// maxFound bounds the violations, and the visits, that an answer shows; all are counted.
	maxFound = 10_000
)

// trialRequest is the body.
type trialRequest struct {
	Features []json.RawMessage `json:"features"`
	From     string            `json:"from"`
	To       string            `json:"to"`
	Plates   []string          `json:"plates"` // "plate/color"; none: those that came near
	Rules    json.RawMessage   `json:"rules"`  // as in rules.yaml; what differs
}

// trialAnswer is the answer.
type trialAnswer struct {
	Violations []detect.Violation        `json:"violations"` // those that name a new fence, by start
	Visits     []detect.Visit            `json:"visits"`
	Truncated  bool                      `json:"truncated"` // more were found than are shown; the counts are of all
	Kinds      map[string]int            `json:"kinds"`     // violations by kind; visits as "visit"
	Vehicles   map[string]map[string]int `json:"vehicles"`  // the same by vehicle
	Fences     map[string]map[string]int `json:"fences"`    // and by new fence
	LookedAt   lookedAt                  `json:"looked_at"`
	Repaired   []edit.Repair             `json:"repaired"`
}

type lookedAt struct {
	From         detect.Time `json:"from"`
	To           detect.Time `json:"to"`
	NearM        *int        `json:"near_m"`        // null where plates were given
	VehiclesNear *uint64     `json:"vehicles_near"` // that came so near; null where plates were given
	Vehicles     int         `json:"vehicles"`      // that were looked at
	Complete     bool        `json:"complete"`      // all that came near; else those with most positions there
	Positions    int         `json:"positions"`
	OtherEvents  int         `json:"other_events"`
	RuleVersion  string      `json:"rule_version"`
}

// question is a request that is understood.
type question struct {
	change   edit.Change
	from, to int64
	vehicles []ingest.Vehicle
	rules    []byte
}

func (t *trial) serve(w http.ResponseWriter, r *http.Request) error {
	q := readParameters(r)
	datum, repair := q.datum(), q.flag("repair")
	if err := q.Finish(); err != nil {
		return err
	}
	b, err := t.body(w, r)
	if err != nil {
		return err
	}
	ask, err := t.understand(b)
	if err != nil {
		return err
	}
	ask.change.Datum, ask.change.Repair = datum, repair
	data, info, res, err := t.dir.Preview(ask.change)
	if err != nil {
		return editError(err)
	}
	settings, err := t.settings(ask.rules)
	if err != nil {
		return err
	}
	answer := &trialAnswer{Repaired: list(res.Repaired), LookedAt: lookedAt{From: detect.Time(ask.from), To: detect.Time(ask.to), RuleVersion: settings.Version()}}
	if err := t.choose(r.Context(), ask, data, answer); err != nil {
		return err
	}
	settings.Shadows = nil // what is asked about is what would be in force
	snap, err := detect.Compile(data, *settings, info.Digest, 1, 1)
	if err != nil { // each feature has been compiled, so the directory is to blame
		return &requestError{Status: http.StatusConflict, Code: "broken", Message: "the reference data do not compile: " + err.Error()}
	}
	j := newJudge(snap, ask, answer)
	err = t.archive.Events(r.Context(), store.EventsFilter{Vehicles: ask.vehicles, From: ask.from, To: ask.to, Lead: trialLead, MaxPositions: t.cfg.Trial.MaxPositions}, j.take)
	if errors.Is(err, store.ErrTooMany) {
		return badField("to", fmt.Sprintf("%d vehicles have more than %d positions from from to to; ask for fewer hours or vehicles, or raise api.trial.max_positions", len(ask.vehicles), t.cfg.Trial.MaxPositions))
	}
	if err != nil {
		return err
	}
	j.finish()
	w.Header().Set("Cache-Control", "no-store")
	httpx.WriteJSON(w, http.StatusOK, answer)
	return nil
}

// understand checks a request against the bounds.
func (t *trial) understand(b []byte) (*question, error) {
	var in trialRequest
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return nil, &requestError{Status: http.StatusBadRequest, Code: "bad_body", Message: "want {\"features\":[…],\"from\":…,\"to\":…}: " + err.Error()}
	}
	q := &question{change: edit.Change{Layer: edit.Fences}, rules: in.Rules}
	switch n := len(in.Features); {
	case n == 0:
		return nil, badField("features", "none; give the new fences, or those to be changed")
	case n > maxTrialFeatures:
		return nil, badField("features", fmt.Sprintf("%d; at most %d", n, maxTrialFeatures))
	}
	text := append([]byte(`{"type":"FeatureCollection","features":`), mustJSON(in.Features)...)
	var err error
	if q.change.Features, err = edit.ParseFeatures(append(text, '}')); err != nil {
		return nil, badField("features", err.Error())
	}
	for _, x := range []struct {
		name, value string
		ms          *int64
	}{{"from", in.From, &q.from}, {"to", in.To, &q.to}} {
		var reason string
		if *x.ms, reason = httpx.ParseTime(x.value); reason != "" {
			return nil, badField(x.name, reason)
		}
	}
	if q.to <= q.from {
		return nil, badField("to", "not after from")
	}
	if hours := float64(q.to-q.from) / 3600_000; hours > float64(t.cfg.Trial.MaxHours) {
		return nil, badField("to", fmt.Sprintf("%.1f hours after from; at most %d (api.trial.max_hours)", hours, t.cfg.Trial.MaxHours))
	}
	if n := len(in.Plates); n > min(t.cfg.Trial.MaxVehicles, maxTrialPlates) {
		return nil, badField("plates", fmt.Sprintf("%d; at most %d (api.trial.max_vehicles)", n, min(t.cfg.Trial.MaxVehicles, maxTrialPlates)))
	}
	for i, s := range in.Plates {
		v, err := parseVehicle(s)
		if err != nil {
			return nil, badField(fmt.Sprintf("plates[%d]", i), err.Error())
		}
		if !slices.Contains(q.vehicles, v) {
			q.vehicles = append(q.vehicles, v)
		}
	}
	return q, nil
}

func mustJSON(list []json.RawMessage) []byte {
	b, err := json.Marshal(list)
	if err != nil { // they were parts of a JSON text
		panic(err)
	}
	return b
}

// parseVehicle reads "plate/color".
func parseVehicle(s string) (v ingest.Vehicle, err error) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return v, fmt.Errorf(`%.40q is no vehicle; want "plate/color", like "晋E12345/2"`, s)
	}
	color, err := strconv.ParseUint(s[i+1:], 10, 8)
	if err != nil {
		return v, fmt.Errorf("%.40q is no plate colour; want a number, like 2 for yellow", s[i+1:])
	}
	return ingest.NewVehicle(s[:i], ingest.Color(color))
}

// settings are the directory's rules with what the request changes.
func (t *trial) settings(override []byte) (*detect.Settings, error) {
	present, err := t.dir.Settings()
	if err != nil {
		return nil, &requestError{Status: http.StatusConflict, Code: "broken", Message: err.Error()}
	}
	if len(override) == 0 || string(override) == "null" {
		return present, nil
	}
	base := map[string]any{}
	b, err := os.ReadFile(filepath.Join(t.dir.Path(), reference.Rules))
	if err == nil {
		err = yaml.Unmarshal(b, &base)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, &directoryError{err}
	}
	over := map[string]any{}
	if err := yaml.Unmarshal(override, &over); err != nil { // JSON is YAML
		return nil, badField("rules", "want an object as in rules.yaml: "+err.Error())
	}
	overlay(base, over)
	if b, err = yaml.Marshal(base); err != nil {
		return nil, badField("rules", err.Error())
	}
	s, err := detect.ParseSettings(b)
	if err != nil {
		return nil, badField("rules", err.Error())
	}
	return s, nil
}

// overlay puts the values of over into base, map by map.
func overlay(base, over map[string]any) {
	for k, v := range over {
		was, ok := base[k].(map[string]any)
		if is, both := v.(map[string]any); ok && both {
			overlay(was, is)
			continue
		}
		base[k] = v
	}
}

// choose finds the vehicles that came near, where the request names none.
func (t *trial) choose(ctx context.Context, q *question, data *detect.ReferenceData, out *trialAnswer) error {
	defer func() { out.LookedAt.Vehicles = len(q.vehicles) }()
	if len(q.vehicles) > 0 {
		out.LookedAt.Complete = true
		return nil
	}
	fresh := q.ids()
	var boxes []store.Box
	for i := range data.Fences {
		f := &data.Fences[i]
		if !fresh[f.ID] {
			continue
		}
		s, err := geo.Compile(f.Geometry, f.RadiusM, f.WidthM)
		if err != nil {
			return err
		}
		lo, hi := s.Bounds()
		boxes = append(boxes, boxOf(widened(orb.Bound{Min: lo.Degrees(), Max: hi.Degrees()}, trialNear)))
	}
	near, all, err := t.archive.VehiclesIn(ctx, boxes, q.from, q.to, t.cfg.Trial.MaxVehicles)
	if err != nil {
		return err
	}
	for i := range near {
		q.vehicles = append(q.vehicles, near[i].Vehicle)
	}
	metres := trialNear
	out.LookedAt.NearM, out.LookedAt.VehiclesNear, out.LookedAt.Complete = &metres, &all, uint64(len(near)) == all
	return nil
}

func boxOf(b orb.Bound) store.Box {
	micro := func(v, most float64) int32 { return int32(math.Round(min(max(v, -most), most) * 1e6)) }
	return store.Box{MinLat: micro(b.Min[1], 90), MaxLat: micro(b.Max[1], 90), MinLon: micro(b.Min[0], 180), MaxLon: micro(b.Max[0], 180)}
}

func (q *question) ids() map[string]bool {
	ids := map[string]bool{}
	for i := range q.change.Features {
		ids[q.change.Features[i].ID] = true
	}
	return ids
}

// judge runs events through a fresh engine, in order of time, as detect.Replay does; what is open at the end stays open.
type judge struct {
	engine     *detect.Engine
	fresh      map[string]bool
	batch      []ingest.Event
	violations map[string]detect.Violation
	visits     map[string]detect.Visit
	out        *trialAnswer
}

func newJudge(snap *detect.Snapshot, q *question, out *trialAnswer) *judge {
	const batch = 256
	return &judge{engine: detect.New(snap), fresh: q.ids(), batch: make([]ingest.Event, 0, batch),
		violations: map[string]detect.Violation{}, visits: map[string]detect.Visit{}, out: out}
}

func (j *judge) take(e *ingest.Event) error {
	if e.Kind == ingest.KindPosition {
		j.out.LookedAt.Positions++
	} else {
		j.out.LookedAt.OtherEvents++
	}
	if j.batch = append(j.batch, *e); len(j.batch) == cap(j.batch) {
		j.flush()
	}
	return nil
}

func (j *judge) flush() {
	j.keep(j.engine.Process(j.batch, 1))
	j.batch = j.batch[:0]
}

func (j *judge) keep(vs []detect.Violation) {
	for i := range vs {
		if f := vs[i].Fence; f != nil && j.fresh[*f] {
			j.violations[vs[i].ID] = vs[i]
		}
	}
	for _, v := range j.engine.Visits() {
		if j.fresh[v.Fence] {
			j.visits[v.ID] = v
		}
	}
}

func (j *judge) finish() {
	j.flush()
	j.keep(j.engine.Finish(1, false))
	j.out.fill(j.violations, j.visits)
}

// fill sorts and counts what was found.
func (a *trialAnswer) fill(violations map[string]detect.Violation, visits map[string]detect.Visit) {
	a.Violations, a.Visits = []detect.Violation{}, []detect.Visit{}
	a.Kinds, a.Vehicles, a.Fences = map[string]int{}, map[string]map[string]int{}, map[string]map[string]int{}
	count := func(kind, plate string, color ingest.Color, fence string) {
		a.Kinds[kind]++
		for _, x := range []struct {
			in  map[string]map[string]int
			key string
		}{{a.Vehicles, fmt.Sprintf("%s/%d", plate, color)}, {a.Fences, fence}} {
			if x.in[x.key] == nil {
				x.in[x.key] = map[string]int{}
			}
			x.in[x.key][kind]++
		}
	}
	for _, v := range violations {
		if v.State != detect.StateRetracted {
			a.Violations = append(a.Violations, v)
			count(string(v.Kind), v.Plate, v.Color, *v.Fence)
		}
	}
	for _, v := range visits {
		if v.State != detect.StateRetracted {
			a.Visits = append(a.Visits, v)
			count("visit", v.Plate, v.Color, v.Fence)
		}
	}
	slices.SortFunc(a.Violations, func(x, y detect.Violation) int { return order(x.Start, y.Start, x.ID, y.ID) })
	slices.SortFunc(a.Visits, func(x, y detect.Visit) int { return order(x.Entered, y.Entered, x.ID, y.ID) })
	a.Truncated = len(a.Violations) > maxFound || len(a.Visits) > maxFound
	a.Violations, a.Visits = a.Violations[:min(len(a.Violations), maxFound)], a.Visits[:min(len(a.Visits), maxFound)]
}

func order(s, t detect.Time, a, b string) int {
	if s != t {
		return int(max(min(int64(s-t), 1), -1))
	}
	return strings.Compare(a, b)
}
