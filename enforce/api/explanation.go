package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"lushao/detect"
	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/internal/httpx"
)

// EventArchive is what an explanation needs of the record beside the violation; *store.Store has it.
type EventArchive interface {
	History(ctx context.Context, f store.HistoryFilter) ([]store.ArchivedEvent, error)
}

// Snapshots gives the reference data and rules in force; *worker.Reference does.
type Snapshots interface {
	Current() *detect.Snapshot
}

var _ EventArchive = (*store.Store)(nil)

// explanations answers why a violation is one: what the vehicle reported around it is judged again, and watched.
type explanations struct {
	*API
	archive   EventArchive
	snapshots Snapshots
}

// MountExplanations adds GET /v1/violations/{id}/explanation.
func (a *API) MountExplanations(snapshots Snapshots, archive EventArchive) {
	x := &explanations{a, archive, snapshots}
	const path = "/v1/violations/{id}/explanation"
	// Judging again takes a core for a while: more than two at once would take them from the detector.
	to := &access{a.allowed, make(chan struct{}, 2), a.cfg.Explanation.Timeout}
	a.mux.HandleFunc("GET "+path, a.serveAs(path, to, x.serve))
	a.mux.HandleFunc(path, a.serve(path, func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Allow", "GET, HEAD")
		return httpx.Refuse(http.StatusMethodNotAllowed, "method_not_allowed", "this can only be read: use GET", "")
	}))
}

// explanationAnswer is the answer.
type explanationAnswer struct {
	Violation *store.Record `json:"violation"`
	// Reproduced says that the events of the archive, judged by the rules and places in force now, give the same violation with the same
	// evidence.
	Reproduced  bool                `json:"reproduced"`
	Explanation *detect.Explanation `json:"explanation"`
	// Differences are the fields in which what is found now differs from the record; Why says why it may.
	Differences []difference  `json:"differences"`
	Why         []detect.Text `json:"why"`
	// Instead are violations of the same kind that are found now at that time.
	Instead     []instead     `json:"instead"`
	LookedAt    explainedFrom `json:"looked_at"`
	NotLookedAt []detect.Text `json:"not_looked_at"`
}

type difference struct {
	Field    string `json:"field"`
	Recorded any    `json:"recorded"`
	Now      any    `json:"now"`
}

type instead struct {
	ID    string       `json:"id"`
	Start detect.Time  `json:"start"`
	End   *detect.Time `json:"end"`
}

type explainedFrom struct {
	From            detect.Time  `json:"from"`
	To              detect.Time  `json:"to"`
	Positions       int          `json:"positions"`
	FirstPosition   *detect.Time `json:"first_position"` // null: there is none
	OtherEvents     int          `json:"other_events"`
	RuleVersion     string       `json:"rule_version"`
	ReferenceDigest string       `json:"reference_digest"`
}

func (x *explanations) serve(w http.ResponseWriter, r *http.Request) error {
	p := readParameters(r)
	languages, page := p.languages(), p.page(r)
	if err := p.Finish(); err != nil {
		return err
	}
	v, err := x.violation(r)
	if err != nil {
		return err
	}
	out, err := x.explain(r.Context(), v)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept")
	if page {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(out.page(languages)) // who does not wait for it does not get it
		return nil
	}
	out.only(languages)
	httpx.WriteJSON(w, http.StatusOK, out)
	return nil
}

// languages reads lang; both where it is not there.
func (p *parameters) languages() detect.Languages {
	s, there := p.One("lang", 16)
	switch {
	case !there:
		return detect.BothLanguages
	case s == "zh":
		return detect.Chinese
	case s == "en":
		return detect.English
	}
	p.Fail("lang", "%q; one of zh, en", s)
	return detect.BothLanguages
}

// page reports whether plain text is asked for, by format or by what the client accepts.
func (p *parameters) page(r *http.Request) bool {
	switch s, there := p.One("format", 16); {
	case there && s == "text":
		return true
	case there && s != "json":
		p.Fail("format", "%q; one of json, text", s)
	case there:
		return false
	}
	accept := strings.Join(r.Header.Values("Accept"), ",")
	return strings.Contains(accept, "text/plain") && !strings.Contains(accept, "application/json")
}

// explain judges again what the vehicle reported around a violation.
func (x *explanations) explain(ctx context.Context, v *store.Record) (*explanationAnswer, error) {
	vehicle, err := ingest.NewVehicle(v.Plate, v.Color)
	if err != nil {
		return nil, fmt.Errorf("violation %s: %w", v.ID, err)
	}
	snap := x.snapshots.Current()
	if snap == nil {
		return nil, httpx.Refuse(http.StatusServiceUnavailable, "unavailable", "the reference data are not loaded yet; try again later", "")
	}
	now := x.now().UnixMilli()
	around := windowOf(&v.Violation, &snap.Settings)
	from, to := int64(v.Start)-around.before.Milliseconds(), now
	if v.End != nil {
		to = min(to, int64(*v.End)+around.after.Milliseconds())
	}
	to = max(to, int64(v.Start)+999)
	most := x.cfg.Explanation.MaxPositions
	archived, err := x.archive.History(ctx, store.HistoryFilter{Span: store.Span{Vehicle: vehicle, From: from, To: to}, Loads: true, MaxPositions: most})
	if errors.Is(err, store.ErrTooMany) {
		return nil, httpx.Refuse(http.StatusUnprocessableEntity, "too_many",
			fmt.Sprintf("the vehicle has more than %d positions from %s to %s, which must all be judged again; raise api.explanation.max_positions", most,
				detect.Time(from).Std().Format("2006-01-02T15:04:05-07:00"), detect.Time(to).Std().Format("2006-01-02T15:04:05-07:00")), "")
	}
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	events := store.EventsOf(archived)
	found := detect.Explain(snap, events, detect.ExplainOptions{Clock: now})
	out := &explanationAnswer{Violation: v, Differences: []difference{}, Why: []detect.Text{}, Instead: []instead{}, NotLookedAt: notLookedAt(&v.Violation),
		LookedAt: explainedFrom{From: detect.Time(from), To: detect.Time(to), RuleVersion: snap.RuleVersion, ReferenceDigest: snap.Digest}}
	for i := range events {
		if events[i].Kind != ingest.KindPosition || events[i].Time < from {
			out.LookedAt.OtherEvents++
			continue
		}
		if out.LookedAt.Positions++; out.LookedAt.FirstPosition == nil {
			first := detect.Time(events[i].Time)
			out.LookedAt.FirstPosition = &first
		}
	}
	same, is := found.Same(v.ID, v.EvidenceHash), found.Violation(v.ID)
	out.Reproduced = same != nil && (is.State == detect.StateRetracted) == (v.State == detect.StateRetracted)
	switch {
	case out.Reproduced:
		if is.State != v.State || is.EvidenceHash != v.EvidenceHash { // the record was handed out before it went on
			is = same
		}
		out.Explanation = found.Explanation(is)
	default:
		out.Explanation = found.Explanation(&v.Violation)
	}
	if out.Differences, err = differences(v, is); err != nil {
		return nil, err
	}
	out.tellWhy(v, found, is)
	return out, nil
}

// differences compares the record with what is found now, field by field. nil: it is not found.
func differences(v *store.Record, is *detect.Violation) ([]difference, error) {
	out := []difference{}
	if is == nil {
		return append(out, difference{"id", v.ID, nil}), nil
	}
	recorded, now := map[string]any{}, map[string]any{}
	b, err := json.Marshal(is)
	if err == nil {
		err = errors.Join(json.Unmarshal(b, &now), json.Unmarshal(v.JSON, &recorded))
	}
	if err != nil {
		return nil, fmt.Errorf("violation %s: %w", v.ID, err)
	}
	for _, field := range slices.Sorted(maps.Keys(now)) {
		if field == "notes" && onlyLate(v.Notes, is.Notes) {
			continue
		}
		if field == "version" || reflect.DeepEqual(recorded[field], now[field]) {
			continue
		}
		out = append(out, difference{field, recorded[field], now[field]})
	}
	return out, nil
}

// onlyLate reports whether the notes of a record differ only in that data came late, which is seen by nobody who has them all.
func onlyLate(recorded, now []string) bool {
	return slices.Equal(detect.WithoutCorrection(recorded), now)
}

// tellWhy says why what is found now may differ from the record.
func (a *explanationAnswer) tellWhy(v *store.Record, found *detect.Findings, is *detect.Violation) {
	why := func(zh, en string) { a.Why = append(a.Why, detect.Text{Zh: zh, En: en}) }
	if len(a.Differences) == 0 {
		return
	}
	if v.RuleVersion != a.LookedAt.RuleVersion {
		why(fmt.Sprintf("规则在此后已变更（记录%s，现行%s）", v.RuleVersion, a.LookedAt.RuleVersion), fmt.Sprintf("the rules have changed since (%s then, %s now)", v.RuleVersion, a.LookedAt.RuleVersion))
	}
	switch first := a.LookedAt.FirstPosition; {
	case first == nil:
		why("档案中已没有该时段的位置，可能已过保存期限", "the archive has no positions of that time; they may have expired")
	case *first > v.Start:
		why("档案中没有记录开始时的位置，可能已过保存期限", "the archive has no positions of the record's start; they may have expired")
	}
	switch {
	case is == nil:
		why("按现行规则、基础数据和档案中的报告不再得出该记录：围栏、线路、登记、证件可能已变更，或者迟到的报告改变了结论",
			"by the rules, reference data and reports of now the violation is not found: places, register or papers may have changed, or reports that came late decide otherwise")
	case is.State == detect.StateRetracted && v.State != detect.StateRetracted:
		why("后来的报告或证件否定了该记录，见说明中的撤销原因", "what came later disproves it; the explanation says what")
	case is.EvidenceHash != v.EvidenceHash:
		why("档案中该时段的定位点与判定时不同：有报告迟到，或记录之后仍在继续，或数据有改动", "the fixes of that time are not those that were judged: some came late, it went on after the record, or data were changed")
	default:
		why("证据相同，其余字段因基础数据变更或仅查看了部分数据而不同", "the evidence is the same; other fields differ because reference data have changed, or because only a part of the data was looked at")
	}
	end := v.End
	for _, o := range found.Violations() {
		if o.ID == v.ID || o.Kind != v.Kind || o.State == detect.StateRetracted || o.End != nil && *o.End < v.Start || end != nil && o.Start > *end {
			continue
		}
		a.Instead = append(a.Instead, instead{o.ID, o.Start, o.End})
	}
}

// notLookedAt says what an explanation from one vehicle's events can't know.
func notLookedAt(v *detect.Violation) []detect.Text {
	out := []detect.Text{}
	switch v.Kind {
	case detect.KindFenceStop:
		out = append(out, detect.Text{Zh: "未查看其他车辆：当时附近是否有多车停驶（拥堵）未重新核实", En: "other vehicles were not looked at: whether many stood there (a traffic jam) was not judged again"})
	case detect.KindPositionConflict:
		out = append(out, detect.Text{Zh: "未查看其他车辆：站点本身是否有误未重新核实", En: "other vehicles were not looked at: whether the station itself was wrong was not judged again"})
	case detect.KindFatigueContinuous, detect.KindFatigueNight, detect.KindFatigueSevere, detect.KindFatigueDaily, detect.KindFatigueWeekly:
		if v.Driver != nil {
			out = append(out, detect.Text{Zh: "未查看该驾驶员驾驶的其他车辆：其在他车上的驾驶时间未计入本次复算", En: "other vehicles of this driver were not looked at: what he drove in them is not in these sums"})
		}
	}
	return out
}

// only leaves the languages that were asked for.
func (a *explanationAnswer) only(l detect.Languages) {
	a.Explanation.Only(l)
	for _, list := range [...][]detect.Text{a.Why, a.NotLookedAt} {
		for i := range list {
			list[i] = list[i].Only(l)
		}
	}
}

// page writes the answer as a page that can be printed into a case file.
func (a *explanationAnswer) page(l detect.Languages) []byte {
	var b []byte
	for _, chinese := range [...]bool{true, false} {
		one := detect.English
		if chinese {
			one = detect.Chinese
		}
		if l&one == 0 {
			continue
		}
		if len(b) > 0 {
			b = append(b, "\n========================================\n\n"...)
		}
		b = a.Explanation.AppendPage(b, one)
		b = a.appendChecks(b, chinese)
	}
	return b
}

// appendChecks appends whether the record comes out again, and what was not looked at.
func (a *explanationAnswer) appendChecks(b []byte, chinese bool) []byte {
	line := func(zh, en string, args ...any) {
		b = append(fmt.Appendf(b, detect.Text{Zh: zh, En: en}.In(chinese), args...), '\n')
	}
	line("\n【复核】", "\nChecked again")
	if a.Reproduced {
		line("  按现行规则和基础数据，由档案中的报告复算出同一记录，证据一致", "  by the rules and reference data of now the archive gives the same violation, with the same evidence")
	} else {
		line("  按现行规则和基础数据，由档案中的报告未能复算出同一记录", "  by the rules and reference data of now the archive does not give the same violation")
	}
	for _, w := range a.Why {
		line("  %s", "  %s", w.In(chinese))
	}
	for _, d := range a.Differences {
		line("  %s：记录为%s，现为%s", "  %s: %s in the record, %s now", d.Field, plain(d.Recorded), plain(d.Now))
	}
	for _, o := range a.Instead {
		line("  现得出同类记录%s，自%s起", "  found instead: %s, from %s", o.ID, o.Start.Std().Format("2006-01-02 15:04:05"))
	}
	line("  依据：%s至%s的%d条位置、%d条其他报告，规则%s", "  from %[3]d positions and %[4]d other events from %[1]s to %[2]s, rules %[5]s", a.LookedAt.From.Std().Format("2006-01-02 15:04:05"),
		a.LookedAt.To.Std().Format("2006-01-02 15:04:05"), a.LookedAt.Positions, a.LookedAt.OtherEvents, a.LookedAt.RuleVersion)
	for _, t := range a.NotLookedAt {
		line("  %s", "  %s", t.In(chinese))
	}
	return b
}

// plain is a value of a record as JSON.
func plain(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
