package store

import (
	"context"
	"encoding/json"
	"fmt"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"

	"lushao/detect"
	"lushao/ingest"
)

// VisitRecord is a visit as it stands in the record; JSON is the message of the topic as it came.
type VisitRecord struct {
	detect.Visit
	JSON json.RawMessage
}

// MarshalJSON returns the message.
func (r VisitRecord) MarshalJSON() ([]byte, error) { return r.JSON, nil }

// VisitFilter says which visits are asked for. Empty fields do not limit.
type VisitFilter struct {
	Plate        string
	Color        *ingest.Color
	Operator     string
	Fence        string
	Region       string // the vehicle's home; 140500 stands also for all that begins with 1405
	Jurisdiction string // likewise
	Filed        *bool  // with a filing that was valid at the entry, or without
	Inside       *bool  // not left yet, or left
	// From and To bound the stay: those are asked for that were inside at some time in [From, To), Unix ms; 0 is open.
	From, To int64
	Limit    int
	Cursor   string
}

// VisitPage is a part of a list, in the order of entry, latest first, then id.
type VisitPage struct {
	Visits []VisitRecord
	Next   string // cursor of the next page; empty: this is the last
}

func (f VisitFilter) asked() VisitFilter {
	f.Limit, f.Cursor = 0, ""
	return f
}

func (f *VisitFilter) conditions() *conditions {
	c := new(conditions)
	c.equal("plate", f.Plate)
	if f.Color != nil {
		c.compare("color", "=", "UInt8", uint8(*f.Color))
	}
	c.equal("operator", f.Operator)
	c.equal("fence", f.Fence)
	for column, code := range map[string]string{"region": f.Region, "jurisdiction": f.Jurisdiction} {
		if code != "" {
			c.text = append(c.text, "startsWith("+column+", "+c.param("String", regionPrefix(code))+")")
		}
	}
	if f.Filed != nil {
		c.compare("(filing != '')", "=", "Bool", *f.Filed)
	}
	if f.Inside != nil {
		c.compare("isNull(`left`)", "=", "Bool", *f.Inside)
	}
	c.text = append(c.text, "state != 'retracted'")
	if f.From != 0 {
		c.text = append(c.text, "(isNull(`left`) OR `left` >= "+c.instant(f.From)+")")
	}
	if f.To != 0 {
		c.time("entered", "<", f.To)
	}
	return c
}

// ListVisits returns a page of the visits that a filter lets through. Visits are few: the whole list is sorted for each page.
func (s *Store) ListVisits(ctx context.Context, f VisitFilter) (VisitPage, error) {
	if f.Limit <= 0 {
		return VisitPage{}, fmt.Errorf("store: limit: %d; must be greater than 0", f.Limit)
	}
	question, err := questionHash("visits", f.asked())
	if err != nil {
		return VisitPage{}, err
	}
	c := f.conditions()
	if f.Cursor != "" {
		after, id, err := decodeCursor(f.Cursor, question)
		if err != nil {
			return VisitPage{}, err
		}
		c.after("entered", "<", after, "id", "String", id)
	}
	found, err := s.readVisits(ctx, "SELECT json FROM visits FINAL"+c.where()+" ORDER BY entered DESC, id LIMIT {n:UInt64}",
		append(c.params, clickhouse.Named("n", uint64(f.Limit+1)))...)
	if err != nil {
		return VisitPage{}, err
	}
	out := VisitPage{Visits: found}
	if len(found) > f.Limit {
		out.Visits = found[:f.Limit]
		last := &out.Visits[f.Limit-1]
		out.Next = encodeCursor(question, int64(last.Entered), last.ID)
	}
	return out, nil
}

// Visit returns one visit in its last version, or ErrNotFound.
func (s *Store) Visit(ctx context.Context, id string) (*VisitRecord, error) {
	found, err := s.readVisits(ctx, "SELECT json FROM visits WHERE id = {id:String} ORDER BY version DESC LIMIT 1", clickhouse.Named("id", id))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, ErrNotFound
	}
	return &found[0], nil
}

func (s *Store) readVisits(ctx context.Context, query string, params ...any) ([]VisitRecord, error) {
	rows, err := s.db.Query(ctx, query, params...)
	if err != nil {
		return nil, fmt.Errorf("store: read visits: %w", err)
	}
	defer rows.Close()
	out := []VisitRecord{}
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("store: read visits: %w", err)
		}
		r := VisitRecord{JSON: json.RawMessage(text)}
		if err := json.Unmarshal(r.JSON, &r.Visit); err != nil {
			return nil, fmt.Errorf("store: a visit in the record is damaged: %w", err)
		}
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: read visits: %w", err)
	}
	return out, nil
}
