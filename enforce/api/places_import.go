package api

import (
	"errors"
	"net/http"

	"lushao/detect/reference/edit"
	"lushao/detect/reference/mapfile"
	"lushao/internal/httpx"
)

// importFile takes a file of another program; the options of lushao import are query parameters with _ for -.
func (p *places) importFile(w http.ResponseWriter, r *http.Request) error {
	q := readParameters(r)
	o := mapfile.Options{Layer: edit.Fences, Kind: q.text("kind"), RadiusM: q.metres("radius"), WidthM: q.metres("width"), IDProperty: q.text("id_property"),
		NameProperty: q.text("name_property"), Datum: string(q.datumGiven()), Repair: q.flag("repair"), Replace: q.flag("replace"), SkipBad: q.flag("skip_bad"), DryRun: q.flag("dry_run")}
	if as, there := q.One("as", 16); there {
		var ok bool
		if o.Layer, ok = edit.ParseLayer(as); !ok {
			q.Fail("as", "%q; one of fences, routes, sections", as)
		}
	}
	name, there := q.One("file", 200)
	if !there {
		name = "file"
	}
	o.Comment, _ = q.One("comment", 1000)
	if err := q.Finish(); err != nil {
		return err
	}
	var err error
	if o.Who, err = whoOf(r); err != nil {
		return err
	}
	b, err := p.body(w, r)
	if err != nil {
		return err
	}
	files, err := mapfile.Read(mapfile.Source{Name: name, Data: b})
	if err != nil {
		return &requestError{Status: http.StatusBadRequest, Code: "bad_file", Message: err.Error()}
	}
	rep, err := mapfile.Import(p.dir, files, o)
	var refused *mapfile.RefusedError
	var bad *mapfile.FileError
	switch {
	case errors.As(err, &refused):
		writeRefusedImport(w, refused)
		return nil
	case errors.As(err, &bad):
		return &requestError{Status: http.StatusBadRequest, Code: "bad_file", Message: bad.Error()}
	case err != nil:
		return editError(err)
	}
	p.answer(w, rep.Result, o.DryRun, struct {
		changed
		Files    []mapfile.FileReport `json:"files"`
		Taken    int                  `json:"taken"`
		Repaired []mapfile.Repair     `json:"repaired"`
		Refused  []mapfile.Problem    `json:"refused"`
		Remarks  []string             `json:"remarks"`
	}{answerOf(rep.Result, o.DryRun), rep.Files, rep.Taken, rep.Repaired, rep.Refused, rep.Remarks})
	return nil
}

// writeRefusedImport is the error of an import, with the places that were refused.
func writeRefusedImport(w http.ResponseWriter, e *mapfile.RefusedError) {
	type body struct {
		Code     string            `json:"code"`
		Message  string            `json:"message"`
		Field    *string           `json:"field"`
		Problems []mapfile.Problem `json:"problems"`
	}
	first := &e.Refused[0]
	httpx.WriteJSON(w, http.StatusUnprocessableEntity, map[string]body{"error": {"refused", e.Error(), &first.Field, e.Refused[:min(len(e.Refused), maxProblems)]}})
}

// datumGiven is the datum, empty where the parameter is not there.
func (p *parameters) datumGiven() edit.Datum {
	if p.Has("datum") {
		return p.datum()
	}
	return ""
}

// metres returns 0 where the parameter is not there.
func (p *parameters) metres(field string) float64 {
	n := p.Number(field)
	if n == nil {
		return 0
	}
	if *n <= 0 {
		p.Fail(field, "%v m; must be greater than 0", *n)
	}
	return *n
}
