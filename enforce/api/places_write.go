package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"lushao/detect/reference/edit"
)

// changed is the answer to a change.
type changed struct {
	Version  *uint64        `json:"version"` // that was made; null after a dry run and where nothing is different
	Present  uint64         `json:"present"` // version of the layer now
	DryRun   bool           `json:"dry_run"`
	Added    []string       `json:"added"`
	Changed  []string       `json:"changed"`
	Removed  []string       `json:"removed"`
	Repaired []edit.Repair  `json:"repaired"`
	Refused  []edit.Problem `json:"refused"`
	Remarks  []string       `json:"remarks"` // of the loader
}

func list[T any](in []T) []T {
	if in == nil {
		return []T{}
	}
	return in
}

func answerOf(res *edit.Result, dryRun bool) changed {
	c := changed{Present: res.Present, DryRun: dryRun, Added: list(res.Added), Changed: list(res.Changed), Removed: list(res.Removed),
		Repaired: list(res.Repaired), Refused: list(res.Refused), Remarks: list(res.Warnings)}
	if res.Version != nil {
		c.Version = &res.Version.Number
	}
	return c
}

// body reads the body of a change.
func (a *API) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, a.cfg.MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &requestError{status: http.StatusRequestEntityTooLarge, code: "too_large", message: fmt.Sprintf("the body is over %d bytes; send it in parts, or raise api.max_body", tooLarge.Limit)}
	case err != nil:
		return nil, &requestError{status: http.StatusBadRequest, code: "bad_body", message: "the body could not be read to its end: " + err.Error()}
	case len(b) == 0:
		return nil, &requestError{status: http.StatusBadRequest, code: "bad_body", message: "the body is empty"}
	}
	return b, nil
}

// asked reads what all changes have in common.
func asked(r *http.Request, q *parameters, how string) (c edit.Change, err error) {
	c.Datum, c.Repair, c.DryRun, c.How = q.datum(), q.flag("repair"), q.flag("dry_run"), how
	c.Comment, _ = q.one("comment", 1000)
	if err := q.finish(); err != nil {
		return c, err
	}
	if c.If, err = expected(r); err != nil {
		return c, err
	}
	c.Who, err = whoOf(r)
	return c, err
}

func (p *places) putLayer(w http.ResponseWriter, r *http.Request) error {
	if r.Header.Get("If-Match") == "" {
		return &requestError{status: http.StatusPreconditionRequired, code: "if_match_needed", message: `replacing everything needs If-Match with the ETag of what is replaced, like "12", or "0" where nothing was there, or * for whatever there is`, field: "If-Match"}
	}
	return p.change(w, r, true)
}

func (p *places) postLayer(w http.ResponseWriter, r *http.Request) error {
	return p.change(w, r, false)
}

func (p *places) change(w http.ResponseWriter, r *http.Request, replace bool) error {
	layer, err := layerOf(r)
	if err != nil {
		return err
	}
	c, err := asked(r, readParameters(r), edit.HowAPI)
	if err != nil {
		return err
	}
	b, err := p.body(w, r)
	if err != nil {
		return err
	}
	c.Layer, c.Replace = layer, replace
	if c.Features, err = edit.ParseFeatures(b); err != nil {
		return &requestError{status: http.StatusBadRequest, code: "bad_body", message: err.Error()}
	}
	return p.apply(w, c)
}

func (p *places) apply(w http.ResponseWriter, c edit.Change) error {
	res, err := p.dir.Apply(c)
	if err != nil {
		return editError(err)
	}
	p.answer(w, res, c.DryRun, answerOf(res, c.DryRun))
	return nil
}

// answer writes the answer to a change and notes in the log what was done.
func (p *places) answer(w http.ResponseWriter, res *edit.Result, dryRun bool, body any) {
	if v := res.Version; v != nil {
		p.log.Info("reference data changed", "version", v.Number, "who", v.Who, "how", v.How, "file", v.File, "added", len(v.Added), "changed", len(v.Changed), "removed", len(v.Removed))
	}
	if !dryRun {
		w.Header().Set("ETag", tagOf(res.Present))
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, body)
}

func (p *places) deleteFeature(w http.ResponseWriter, r *http.Request) error {
	layer, err := layerOf(r)
	if err != nil {
		return err
	}
	q := readParameters(r)
	c := edit.Change{Layer: layer, Remove: []string{r.PathValue("id")}, DryRun: q.flag("dry_run"), How: edit.HowAPI}
	c.Comment, _ = q.one("comment", 1000)
	if err := q.finish(); err != nil {
		return err
	}
	if c.If, err = expected(r); err != nil {
		return err
	}
	if c.Who, err = whoOf(r); err != nil {
		return err
	}
	return p.apply(w, c)
}

func (p *places) restore(w http.ResponseWriter, r *http.Request) error {
	n, err := versionNumber(r)
	if err != nil {
		return err
	}
	q := readParameters(r)
	dryRun := q.flag("dry_run")
	comment, _ := q.one("comment", 1000)
	if err := q.finish(); err != nil {
		return err
	}
	match, err := expected(r)
	if err != nil {
		return err
	}
	who, err := whoOf(r)
	if err != nil {
		return err
	}
	res, err := p.dir.Restore(n, match, who, comment, dryRun)
	if err != nil {
		return editError(err)
	}
	p.answer(w, res, dryRun, answerOf(res, dryRun))
	return nil
}

func (p *places) importFile(http.ResponseWriter, *http.Request) error { return errors.New("not yet") }
