package api

import (
	"net/http"

	"lushao/enforce/store"
	"lushao/internal/httpx"
)

func (a *API) listVisits(w http.ResponseWriter, r *http.Request) error {
	p := readParameters(r)
	f := store.VisitFilter{
		Plate:        p.plate(),
		Color:        p.color(),
		Operator:     p.text("operator"),
		Fence:        p.text("fence"),
		Region:       p.text("region"),
		Jurisdiction: p.text("jurisdiction"),
		Filed:        p.Truth("filed"),
		Inside:       p.Truth("inside"),
		From:         p.Time("from"),
		To:           p.Time("to"),
		Limit:        p.Integer("limit", defaultLimit, 1, maxLimit),
	}
	if f.From != 0 && f.To != 0 && f.To <= f.From {
		p.Fail("to", "not after from")
	}
	f.Cursor, _ = p.One("cursor", 256)
	if err := p.Finish(); err != nil {
		return err
	}
	page, err := a.store.ListVisits(r.Context(), f)
	if err != nil {
		return err
	}
	if page.Visits == nil {
		page.Visits = []store.VisitRecord{}
	}
	w.Header().Set("Cache-Control", "no-store")
	httpx.WriteJSON(w, http.StatusOK, struct {
		Visits []store.VisitRecord `json:"visits"`
		Next   *string             `json:"next"`
	}{page.Visits, nextCursor(page.Next)})
	return nil
}

// visit reads the one that the path names.
func (a *API) visit(r *http.Request) (*store.VisitRecord, error) {
	id := r.PathValue("id")
	if len(id) > 64 {
		return nil, store.ErrNotFound
	}
	return a.store.Visit(r.Context(), id)
}

func (a *API) getVisit(w http.ResponseWriter, r *http.Request) error {
	if err := readParameters(r).Finish(); err != nil {
		return err
	}
	v, err := a.visit(r)
	if err != nil {
		return err
	}
	writeVersion(w, r, v.ID, v.Version, v)
	return nil
}

// getVisitTrack answers with the way that the vehicle drove.
func (a *API) getVisitTrack(w http.ResponseWriter, r *http.Request) error {
	return a.writeTrack(w, r, "visit", "in_visit", func() (*stretchOfTime, error) {
		v, err := a.visit(r)
		if err != nil {
			return nil, err
		}
		return &stretchOfTime{v.ID, v.Plate, v.Color, v.Entered, v.Left}, nil
	})
}
