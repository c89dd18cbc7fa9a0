package api

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"lushao/detect/reference/edit"
)

// places is the part of the interface that reads and changes fences, routes and sections.
type places struct {
	*API
	dir *edit.Dir
}

// MountPlaces adds the paths below /v1/reference/. Changing needs a token of the settings, or, where there is none, that nobody but
// this machine can reach the server. archive is what trials read.
func (a *API) MountPlaces(dir *edit.Dir, writers *Tokens, archive Archive) {
	p := &places{a, dir}
	read := &access{a.allowed, a.slots, a.cfg.Timeout}
	// Changes are made one after another; a second one may arrive meanwhile.
	write := &access{writers.Allowed, make(chan struct{}, 2), a.cfg.ChangeTimeout}
	try := &access{a.allowed, make(chan struct{}, 1), a.cfg.Trial.Timeout}
	trial := &trial{places: p, archive: archive}
	for _, r := range []struct {
		path    string
		methods map[string]route
	}{
		{"/v1/reference/{layer}", map[string]route{"GET": {read, p.getLayer}, "PUT": {write, p.putLayer}, "POST": {write, p.postLayer}}},
		{"/v1/reference/{layer}/{id}", map[string]route{"DELETE": {write, p.deleteFeature}}},
		{"/v1/reference/fences/trial", map[string]route{"POST": {try, trial.serve}}},
		{"/v1/reference/import", map[string]route{"POST": {write, p.importFile}}},
		{"/v1/reference/versions", map[string]route{"GET": {read, p.listVersions}}},
		{"/v1/reference/versions/{n}", map[string]route{"GET": {read, p.getVersion}}},
		{"/v1/reference/versions/{n}/restore", map[string]route{"POST": {write, p.restore}}},
	} {
		for m, to := range r.methods {
			a.mux.HandleFunc(m+" "+r.path, a.serveAs(r.path, to.access, to.handle))
		}
	}
	// One answer for all wrong methods: patterns without a method would be at odds with those above.
	a.mux.HandleFunc("/v1/reference/", a.serveAs("/v1/reference/", read, p.wrongMethod))
}

// wrongMethod answers what no other path takes.
func (p *places) wrongMethod(w http.ResponseWriter, r *http.Request) error {
	var allow []string
	for _, m := range []string{"GET", "PUT", "POST", "DELETE"} {
		try := r.Clone(r.Context())
		try.Method = m
		if _, pattern := p.mux.Handler(try); strings.HasPrefix(pattern, m+" ") {
			allow = append(allow, m)
		}
	}
	if len(allow) == 0 {
		return &requestError{Status: http.StatusNotFound, Code: "not_found", Message: "there is no such path; see /v1/reference/fences and /v1/reference/versions"}
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	return &requestError{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Message: "use " + strings.Join(allow, " or ")}
}

type route struct {
	access *access
	handle handler
}

func layerOf(r *http.Request) (edit.Layer, error) {
	l, ok := edit.ParseLayer(r.PathValue("layer"))
	if !ok {
		return "", &requestError{Status: http.StatusNotFound, Code: "not_found", Message: "there are fences, routes and sections"}
	}
	return l, nil
}

func (p *parameters) datum() edit.Datum {
	s, _ := p.One("datum", 16)
	d, err := edit.ParseDatum(s)
	if err != nil {
		p.Fail("datum", "%v", err)
	}
	return d
}

func (p *parameters) flag(name string) bool {
	b := p.Truth(name)
	return b != nil && *b
}

// number64 returns 0 where the parameter is not there.
func (p *parameters) number64(field string) uint64 {
	s, there := p.One(field, 20)
	if !there {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 {
		p.Fail(field, "%q; a whole number from 1", s)
	}
	return n
}

// bbox returns west, south, east, north in degrees; nil where it is not there.
func (p *parameters) bbox() *[4]float64 {
	s, there := p.One("bbox", 100)
	if !there {
		return nil
	}
	var box [4]float64
	parts := strings.Split(s, ",")
	ok := len(parts) == 4
	for i := 0; ok && i < 4; i++ {
		var err error
		box[i], err = strconv.ParseFloat(strings.TrimSpace(parts[i]), 64)
		ok = err == nil && box[i] >= -180 && box[i] <= 180
	}
	if !ok || box[0] > box[2] || box[1] > box[3] {
		p.Fail("bbox", "%.80q; want west,south,east,north in degrees", s)
		return nil
	}
	return &box
}

func tagOf(version uint64) string { return fmt.Sprintf(`"%d"`, version) }

// expected returns the version that If-Match names; nil where it does not matter.
func expected(r *http.Request) (*uint64, error) {
	h := strings.TrimSpace(r.Header.Get("If-Match"))
	if h == "" || h == "*" {
		return nil, nil
	}
	n, err := strconv.ParseUint(strings.Trim(strings.TrimPrefix(h, "W/"), `"`), 10, 64)
	if err != nil {
		return nil, &requestError{Status: http.StatusBadRequest, Code: "bad_header", Message: fmt.Sprintf(`If-Match: %.64q; want the ETag of the layer as it was read, like "12", or *`, h), Field: "If-Match"}
	}
	return &n, nil
}

const maxOfficer = 64 // characters

// whoOf says who makes a change: the header X-Officer, UTF-8 or percent-encoded, and a fingerprint of the token, which tells tokens
// apart and gives nothing of them away.
func whoOf(r *http.Request) (string, error) {
	name := r.Header.Get("X-Officer")
	if decoded, err := url.PathUnescape(name); err == nil {
		name = decoded
	}
	bad := func(c rune) bool { return unicode.IsControl(c) || c == '\u2028' || c == '\u2029' }
	if name = strings.TrimSpace(name); !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxOfficer || strings.ContainsFunc(name, bad) {
		return "", &requestError{Status: http.StatusBadRequest, Code: "bad_header", Message: fmt.Sprintf("X-Officer: want a name of at most %d characters, in UTF-8 or percent-encoded", maxOfficer), Field: "X-Officer"}
	}
	mark := "no token"
	if t := bearer(r); t != "" {
		sum := sha256.Sum256([]byte(t))
		mark = "token " + hex.EncodeToString(sum[:4])
	}
	if name == "" {
		return mark, nil
	}
	return name + " (" + mark + ")", nil
}

// maxProblems is how many refused features an answer names.
const maxProblems = 100

// editError translates what went wrong with the reference directory.
func editError(err error) error {
	var refused *edit.RefusedError
	var moved *edit.MovedError
	var broken *edit.BrokenError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		first := refused.Problems[0]
		e := &requestError{Status: http.StatusUnprocessableEntity, Code: "refused", Message: first.Error(), Field: first.Field, Problems: refused.Problems[:min(len(refused.Problems), maxProblems)]}
		if n := len(refused.Problems); n > 1 {
			e.Message += fmt.Sprintf(" (the first of %d problems)", n)
		}
		return e
	case errors.As(err, &moved):
		return &requestError{Status: http.StatusPreconditionFailed, Code: "changed", Message: moved.Error(), Field: "If-Match", ETag: tagOf(moved.Now)}
	case errors.As(err, &broken):
		return &requestError{Status: http.StatusConflict, Code: "broken", Message: broken.Error()}
	case errors.Is(err, edit.ErrNoVersion), errors.Is(err, edit.ErrNoFeature):
		return &requestError{Status: http.StatusNotFound, Code: "not_found", Message: err.Error()}
	}
	return &directoryError{err}
}

// directoryError is a fault of the disk or of the folder of versions.
type directoryError struct{ error }

func (e *directoryError) Unwrap() error { return e.error }
