package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"

	"lushao/detect"
	"lushao/ingest"
)

// Record is a violation as it stands in the record. JSON is the message of the topic as it came, with all that a newer
// detector may have added; it is also the record's JSON form.
type Record struct {
	detect.Violation
	JSON json.RawMessage
}

// MarshalJSON returns the message.
func (r Record) MarshalJSON() ([]byte, error) { return r.JSON, nil }

// ViolationFilter says which violations are asked for. Empty fields do not limit.
type ViolationFilter struct {
	Kinds, Classes, Bands    []string
	Plate                    string
	Color                    *ingest.Color
	Operator, Station, Fence string
	// Region is a code of GB/T 2260; 140500 stands also for all that begins with 1405, and 140000 for 14.
	Region string
	// Shadow names the shadow whose violations are asked for, "*" all shadows; empty: what is in force.
	Shadow string
	States []detect.State // empty: open and closed; what was retracted is seen only by who asks for it
	// From and To bound the start, Unix ms, To exclusive; 0 is open.
	From, To   int64
	MinOverPct *float64
	Limit      int    // rows in a page; must be greater than 0
	Cursor     string // Page.Next of the page before
}

// Page is a part of a list: emergencies before everything else, each in the order of start, latest first, then id.
type Page struct {
	Violations []Record
	Next       string // cursor of the next page; empty: this is the last
}

// asked is the filter without what differs from page to page.
func (f ViolationFilter) asked() ViolationFilter {
	f.Limit, f.Cursor = 0, ""
	return f
}

func (f *ViolationFilter) conditions() *conditions {
	c := new(conditions)
	c.in("kind", f.Kinds)
	c.in("class", f.Classes)
	c.in("band", f.Bands)
	c.equal("plate", f.Plate)
	if f.Color != nil {
		c.compare("color", "=", "UInt8", uint8(*f.Color))
	}
	c.equal("operator", f.Operator)
	c.equal("station", f.Station)
	c.equal("fence", f.Fence)
	if f.Region != "" {
		c.text = append(c.text, "startsWith(region, "+c.param("String", regionPrefix(f.Region))+")")
	}
	states := []string{string(detect.StateOpen), string(detect.StateClosed)}
	if len(f.States) > 0 {
		states = states[:0]
		for _, s := range f.States {
			states = append(states, string(s))
		}
	}
	c.in("state", states)
	if f.Shadow == "*" {
		c.text = append(c.text, "shadow != ''")
	} else {
		c.compare("shadow", "=", "String", f.Shadow)
	}
	if f.MinOverPct != nil {
		c.compare("over_pct", ">=", "Float64", *f.MinOverPct)
	}
	return c
}

// regionPrefix cuts the pairs of zeros by which a code of GB/T 2260 names a whole province or prefecture.
func regionPrefix(code string) string {
	for len(code) == 6 || len(code) == 4 {
		short, ok := strings.CutSuffix(code, "00")
		if !ok {
			break
		}
		code = short
	}
	return code
}

// The parts of the list, in their order.
const (
	emergencies = "e"
	others      = "o"
)

// selectOf begins the question for a part. Whether a violation is an emergency is the same in all its versions, so that it may be asked
// before FINAL has merged them, and by the index: of years only the granules are read that hold one.
func selectOf(part string) (query, settings string) {
	if part == emergencies {
		return "SELECT json FROM violations FINAL PREWHERE kind = 'terminal_alarm' AND emergency", " SETTINGS use_skip_indexes_if_final = 1"
	}
	return "SELECT json FROM violations FINAL", ""
}

// ListViolations returns a page of the violations that a filter lets through: emergencies, latest first, then all others.
//
// Pages are stable: what arrives between two pages is on a later page or on none, nothing is given twice, and nothing
// that was there at the first page is left out. The list is read in windows of time from the latest back, each four
// times as wide as the one before, so that a page of the latest does not cost a pass over years.
func (s *Store) ListViolations(ctx context.Context, f ViolationFilter) (Page, error) {
	if f.Limit <= 0 {
		return Page{}, fmt.Errorf("store: limit: %d; must be greater than 0", f.Limit)
	}
	question, err := questionHash("violations, emergencies first", f.asked())
	if err != nil {
		return Page{}, err
	}
	parts := []string{emergencies, others}
	if len(f.Kinds) > 0 && !slices.Contains(f.Kinds, string(detect.KindTerminalAlarm)) {
		parts = parts[1:]
	}
	var after int64
	var afterID string
	if f.Cursor != "" {
		var key string
		if after, key, err = decodeCursor(f.Cursor, question); err != nil {
			return Page{}, err
		}
		n := slices.IndexFunc(parts, func(p string) bool { return strings.HasPrefix(key, p) })
		if n < 0 {
			return Page{}, ErrCursor
		}
		parts, afterID = parts[n:], key[1:]
	}
	lo, hi, err := s.violationBounds(ctx)
	if err != nil {
		return Page{}, err
	}
	if f.From != 0 {
		lo = max(lo, f.From)
	}
	if f.To != 0 {
		hi = min(hi, f.To)
	}
	out := Page{Violations: []Record{}}
	for n, part := range parts {
		to := hi
		goesOn := n == 0 && f.Cursor != ""
		if goesOn {
			to = min(to, after+1) // the cursor's own instant may hold more ids
		}
		for width := 24 * time.Hour.Milliseconds(); to > lo && len(out.Violations) <= f.Limit; width *= 4 {
			from := max(lo, to-width)
			c := f.conditions()
			c.time("start", ">=", from)
			c.time("start", "<", to)
			if part == others {
				c.text = append(c.text, "NOT emergency")
			}
			if goesOn {
				c.after("start", "<", after, "id", "String", afterID)
			}
			query, settings := selectOf(part)
			err := s.readRecords(ctx, &out.Violations, query+c.where()+" ORDER BY start DESC, id LIMIT {n:UInt64}"+settings,
				append(c.params, clickhouse.Named("n", uint64(f.Limit+1-len(out.Violations))))...)
			if err != nil {
				return Page{}, err
			}
			to = from
		}
		if len(out.Violations) <= f.Limit {
			continue
		}
		out.Violations = out.Violations[:f.Limit]
		last := &out.Violations[f.Limit-1]
		part := others
		if isEmergency(&last.Violation) {
			part = emergencies
		}
		out.Next = encodeCursor(question, int64(last.Start), part+last.ID)
		break
	}
	return out, nil
}

// isEmergency is the column of that name: the alarm that the driver gave (JT/T 808 0x0200, alarm bit 0).
func isEmergency(v *detect.Violation) bool {
	alarm, _ := v.Detail["alarm"].(map[string]any)
	return v.Kind == detect.KindTerminalAlarm && alarm["bit"] == 0.0 // a number of JSON
}

// violationBounds returns the first start and 1 ms after the last, from the bounds of the parts: no row is read.
func (s *Store) violationBounds(ctx context.Context) (lo, hi int64, err error) {
	var n uint64
	err = s.db.QueryRow(ctx, "SELECT toUnixTimestamp64Milli(min(start)), toUnixTimestamp64Milli(max(start)) + 1, count() FROM violations").Scan(&lo, &hi, &n)
	if err != nil {
		return 0, 0, fmt.Errorf("store: bounds of violations: %w", err)
	}
	if n == 0 {
		return 0, 0, nil
	}
	return lo, hi, nil
}

func (s *Store) readRecords(ctx context.Context, dst *[]Record, query string, params ...any) error {
	rows, err := s.db.Query(ctx, query, params...)
	if err != nil {
		return fmt.Errorf("store: read violations: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r Record
		var text string
		if err := rows.Scan(&text); err != nil {
			return fmt.Errorf("store: read violations: %w", err)
		}
		r.JSON = json.RawMessage(text)
		if err := json.Unmarshal(r.JSON, &r.Violation); err != nil {
			return fmt.Errorf("store: a violation in the record is damaged: %w", err)
		}
		*dst = append(*dst, r)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("store: read violations: %w", err)
	}
	return nil
}

// Violation returns one violation in its last version, also a retracted one, or ErrNotFound.
func (s *Store) Violation(ctx context.Context, id string) (*Record, error) {
	var found []Record
	err := s.readRecords(ctx, &found, "SELECT json FROM violations WHERE id = {id:String} ORDER BY version DESC LIMIT 1", clickhouse.Named("id", id))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, ErrNotFound
	}
	return &found[0], nil
}

// CountViolations returns the number of violations by kind of those that a filter lets through and that are in counts.
// Limit and Cursor are not used.
func (s *Store) CountViolations(ctx context.Context, f ViolationFilter) (map[string]uint64, error) {
	c := f.conditions()
	if f.From != 0 {
		c.time("start", ">=", f.From)
	}
	if f.To != 0 {
		c.time("start", "<", f.To)
	}
	c.text = append(c.text, "counted")
	rows, err := s.db.Query(ctx, "SELECT kind, count() FROM violations FINAL"+c.where()+" GROUP BY kind", c.params...)
	if err != nil {
		return nil, fmt.Errorf("store: count violations: %w", err)
	}
	defer rows.Close()
	out := map[string]uint64{}
	for rows.Next() {
		var kind string
		var n uint64
		if err := rows.Scan(&kind, &n); err != nil {
			return nil, fmt.Errorf("store: count violations: %w", err)
		}
		out[kind] = n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: count violations: %w", err)
	}
	return out, nil
}
