package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"lushao/detect"
	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/ingest/eventfile"
	"lushao/internal/httpx"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// filter reads the parameters that choose violations.
func (p *parameters) filter() store.ViolationFilter {
	f := store.ViolationFilter{
		Kinds:      p.Many("kind", checkKind),
		Classes:    p.Many("class", checkClass),
		Bands:      p.Many("band", checkBand),
		Plate:      p.plate(),
		Color:      p.color(),
		Operator:   p.text("operator"),
		Region:     p.text("region"),
		Station:    p.text("station"),
		Fence:      p.text("fence"),
		From:       p.Time("from"),
		To:         p.Time("to"),
		MinOverPct: p.Number("min_over_pct"),
		Shadow:     p.shadow(),
	}
	for _, s := range p.Many("state", checkState) {
		f.States = append(f.States, detect.State(s))
	}
	if f.From != 0 && f.To != 0 && f.To <= f.From {
		p.Fail("to", "not after from")
	}
	return f
}

// cursor is null on the last page.
func nextCursor(next string) *string {
	if next == "" {
		return nil
	}
	return &next
}

func (a *API) listViolations(w http.ResponseWriter, r *http.Request) error {
	p := readParameters(r)
	f := p.filter()
	f.Limit = p.Integer("limit", defaultLimit, 1, maxLimit)
	f.Cursor, _ = p.One("cursor", 256)
	if err := p.Finish(); err != nil {
		return err
	}
	page, err := a.store.ListViolations(r.Context(), f)
	if err != nil {
		return err
	}
	if page.Violations == nil {
		page.Violations = []store.Record{}
	}
	w.Header().Set("Cache-Control", "no-store")
	httpx.WriteJSON(w, http.StatusOK, struct {
		Violations []store.Record `json:"violations"`
		Next       *string        `json:"next"`
	}{page.Violations, nextCursor(page.Next)})
	return nil
}

// violation reads the one that the path names.
func (a *API) violation(r *http.Request) (*store.Record, error) {
	id := r.PathValue("id")
	if len(id) > 64 {
		return nil, store.ErrNotFound
	}
	return a.store.Violation(r.Context(), id)
}

func (a *API) getViolation(w http.ResponseWriter, r *http.Request) error {
	if err := readParameters(r).Finish(); err != nil {
		return err
	}
	v, err := a.violation(r)
	if err != nil {
		return err
	}
	writeVersion(w, r, v.ID, v.Version, v)
	return nil
}

// writeVersion answers with a record, or that the caller has it already. A version never changes, but a newer one may come: it may
// be kept, and must be asked about again.
func writeVersion(w http.ResponseWriter, r *http.Request, id string, version uint64, record any) {
	tag := fmt.Sprintf(`"%s-%d"`, strings.Map(tagRune, id), version)
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, no-cache")
	if etagMatches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	httpx.WriteJSON(w, http.StatusOK, record)
}

// tagRune keeps what may stand in an ETag.
func tagRune(r rune) rune {
	if r <= ' ' || r == '"' || r >= 0x7f {
		return '_'
	}
	return r
}

func etagMatches(header, tag string) bool {
	for t := range strings.SplitSeq(header, ",") {
		if t = strings.TrimPrefix(strings.TrimSpace(t), "W/"); t == tag || t == "*" {
			return true
		}
	}
	return false
}

const (
	defaultMarginS    = 300   // positions from 5 minutes before the start to 5 minutes after the end
	maxMarginS        = 86400 // a day either side
	defaultTrackLimit = 5000
	maxTrackLimit     = 20000
)

// getTrack answers with the positions around a violation: as in files of events, with what the gate says of each, and
// whether it lies between start and end.
func (a *API) getTrack(w http.ResponseWriter, r *http.Request) error {
	return a.writeTrack(w, r, "violation", "in_violation", func() (*stretchOfTime, error) {
		v, err := a.violation(r)
		if err != nil {
			return nil, err
		}
		return &stretchOfTime{v.ID, v.Plate, v.Color, v.Start, v.End}, nil
	})
}

// stretchOfTime is what a track is asked for.
type stretchOfTime struct {
	id    string
	plate string
	color ingest.Color
	start detect.Time
	end   *detect.Time // nil: it goes on
}

// writeTrack answers with the track around what find returns, under name, each position marked by mark when it lies within.
func (a *API) writeTrack(w http.ResponseWriter, r *http.Request, name, mark string, find func() (*stretchOfTime, error)) error {
	p := readParameters(r)
	margin := time.Duration(p.Integer("margin_s", defaultMarginS, 0, maxMarginS)) * time.Second
	limit := p.Integer("limit", defaultTrackLimit, 1, maxTrackLimit)
	cursor, _ := p.One("cursor", 256)
	if err := p.Finish(); err != nil {
		return err
	}
	v, err := find()
	if err != nil {
		return err
	}
	vehicle, err := ingest.NewVehicle(v.plate, v.color)
	if err != nil {
		return fmt.Errorf("%s %s: %w", name, v.id, err)
	}
	// One that is open goes on until something says otherwise. Its end is no moving time, because a cursor belongs to a
	// question: the start of the next day is the same for all pages but those around midnight.
	end := a.now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour).UnixMilli()
	if v.end != nil {
		end = int64(*v.end)
	}
	f := store.TrackFilter{Vehicle: vehicle, From: int64(v.start) - margin.Milliseconds(), To: end + margin.Milliseconds(), Limit: limit, Cursor: cursor}
	if v.end != nil {
		f.To += 999 // times of a record are whole seconds
	}
	page, err := a.store.Track(r.Context(), f)
	if err != nil {
		return err
	}
	positions := make([]json.RawMessage, len(page.Positions))
	for i := range page.Positions {
		at := page.Positions[i].Event.Time / 1000
		in := at >= int64(v.start)/1000 && (v.end == nil || at <= end/1000)
		positions[i] = appendPosition(nil, &page.Positions[i], mark, &in)
	}
	w.Header().Set("Cache-Control", "no-store")
	httpx.WriteJSON(w, http.StatusOK, map[string]any{name: v.id, "positions": positions, "next": nextCursor(page.Next)})
	return nil
}

// appendPosition appends a position as in files of events, with "quality" (null: not judged) and, where it is asked for,
// a mark added.
func appendPosition(dst []byte, p *store.TrackPosition, mark string, in *bool) []byte {
	dst = eventfile.AppendJSON(dst, &p.Event)
	dst = append(dst[:len(dst)-1], `,"quality":`...)
	if p.Quality == "" {
		dst = append(dst, "null"...)
	} else {
		q, _ := json.Marshal(p.Quality) // a string has a JSON form
		dst = append(dst, q...)
	}
	if in != nil {
		dst = strconv.AppendBool(append(append(append(dst, `,"`...), mark...), `":`...), *in)
	}
	return append(dst, '}')
}
