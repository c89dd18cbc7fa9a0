package api

import (
	"net/http"

	"lushao/detect"
	"lushao/enforce/store"
	"lushao/internal/httpx"
)

// compareShadow answers what a shadow finds beside what is in force: counts by kind over a time. Where the shadow has found nothing of
// a kind, only who names the kind sees what is in force of it.
func (a *API) compareShadow(w http.ResponseWriter, r *http.Request) error {
	p := readParameters(r)
	f := store.ShadowFilter{Name: r.PathValue("name"), Kinds: p.Many("kind", checkKind), From: p.Time("from"), To: p.Time("to")}
	if !detect.IsShadowName(f.Name) {
		return httpx.Refuse(http.StatusNotFound, "not_found", "no shadow can be called so; the names are those under shadow in rules.yaml", "")
	}
	if f.From != 0 && f.To != 0 && f.To <= f.From {
		p.Fail("to", "not after from")
	}
	if err := p.Finish(); err != nil {
		return err
	}
	kinds, err := a.store.CompareShadow(r.Context(), f)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	httpx.WriteJSON(w, http.StatusOK, struct {
		Shadow string                        `json:"shadow"`
		Kinds  map[string]store.ShadowCounts `json:"kinds"`
	}{f.Name, kinds})
	return nil
}
