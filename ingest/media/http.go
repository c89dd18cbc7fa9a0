package media

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"lushao/ingest"
)

// Limits of the handler.
const (
	maxRequests  = 16 // answered at once
	defaultLimit = 100
	maxLimit     = 1000
	latestTime   = 200 * 366 * 24 * 3600 * 1000 // Unix ms
)

// Handler gives out what the store has:
//
//	GET /v1/vehicles/{plate}/media?color=2&from=…&to=…&limit=100  the metadata, latest first; times of receipt, RFC 3339
//	GET /v1/vehicles/{plate}/media/{day}/{file}?color=2           a file
//
// Without a color the vehicles of all colours with the plate are meant in a list; a file needs it. allowed says who may
// read; nil: everybody who can reach it. Errors are {"error":{"code":…,"message":…,"field":…}}.
func (s *Store) Handler(allowed func(*http.Request) bool) http.Handler {
	slots := make(chan struct{}, maxRequests)
	guard := func(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if allowed != nil && !allowed(r) {
				w.Header().Set("WWW-Authenticate", `Bearer realm="lushao"`)
				writeError(w, &requestError{http.StatusUnauthorized, "unauthorized", "a bearer token is needed: Authorization: Bearer …", ""})
				return
			}
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
			default:
				w.Header().Set("Retry-After", "2")
				writeError(w, &requestError{http.StatusTooManyRequests, "busy", fmt.Sprintf("%d requests are being answered; try again", maxRequests), ""})
				return
			}
			err := h(w, r)
			var e *requestError
			switch {
			case err == nil:
			case errors.As(err, &e):
				writeError(w, e)
			case errors.Is(err, fs.ErrNotExist):
				writeError(w, &requestError{http.StatusNotFound, "not_found", "there is no such file", ""})
			default:
				s.log.Warn("files can't be read", "path", r.URL.Path, "err", err)
				writeError(w, &requestError{http.StatusServiceUnavailable, "unavailable", "the files can't be read now; try again later", ""})
			}
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /v1/vehicles/{plate}/media", guard(s.serveList))
	mux.Handle("GET /v1/vehicles/{plate}/media/{day}/{file}", guard(s.serveFile))
	return mux
}

// Patterns are the paths that Handler is to be mounted at.
var Patterns = []string{"GET /v1/vehicles/{plate}/media", "GET /v1/vehicles/{plate}/media/{day}/{file}"}

type requestError struct {
	status               int
	code, message, field string
}

func (e *requestError) Error() string { return e.message }

func badField(field, message string) error {
	return &requestError{http.StatusBadRequest, "bad_parameter", field + ": " + message, field}
}

func writeError(w http.ResponseWriter, e *requestError) {
	var body struct {
		Error struct {
			Code    string  `json:"code"`
			Message string  `json:"message"`
			Field   *string `json:"field"`
		} `json:"error"`
	}
	body.Error.Code, body.Error.Message = e.code, e.message
	if e.field != "" {
		body.Error.Field = &e.field
	}
	writeJSON(w, e.status, body)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"the answer can't be written","field":null}}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
}

// query holds the parameters of a request; a parameter that is not in known, or that comes twice, is an error: a filter
// that is spelt wrongly must not pass for none.
func query(r *http.Request, known ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &requestError{http.StatusBadRequest, "bad_parameter", "the query can't be read", ""}
	}
next:
	for name, values := range q {
		for _, k := range known {
			if name == k {
				if len(values) != 1 {
					return nil, badField(name, "given more than once")
				}
				continue next
			}
		}
		return nil, badField(name, "there is no such parameter; there are "+strings.Join(known, ", "))
	}
	return q, nil
}

func colorOf(q url.Values) (color ingest.Color, given bool, err error) {
	if !q.Has("color") {
		return 0, false, nil
	}
	n, err := strconv.ParseUint(q.Get("color"), 10, 8)
	if err != nil {
		return 0, false, badField("color", "a number from 0 to 255 is needed")
	}
	return ingest.Color(n), true, nil
}

func timeOf(q url.Values, name string, def int64) (int64, error) {
	if !q.Has(name) {
		return def, nil
	}
	at, err := time.Parse(time.RFC3339, q.Get(name))
	if err != nil {
		return 0, badField(name, "a time as 2026-05-01T08:00:00+08:00 is needed; + in a query is written %2B")
	}
	// Folders are named by days of four-digit years.
	return min(max(at.UnixMilli(), 0), latestTime), nil
}

// item is an entry of a list, with the path of its file.
type item struct {
	Entry
	Href string `json:"href,omitempty"`
}

func (s *Store) serveList(w http.ResponseWriter, r *http.Request) error {
	plate := r.PathValue("plate")
	q, err := query(r, "color", "from", "to", "limit")
	if err != nil {
		return err
	}
	color, given, err := colorOf(q)
	if err != nil {
		return err
	}
	v, err := ingest.NewVehicle(plate, color)
	if err != nil {
		return badField("plate", strings.TrimPrefix(err.Error(), "plate: "))
	}
	from, err := timeOf(q, "from", 0)
	if err != nil {
		return err
	}
	to, err := timeOf(q, "to", time.Now().Add(24*time.Hour).UnixMilli())
	if err != nil {
		return err
	}
	limit := defaultLimit
	if q.Has("limit") {
		if limit, err = strconv.Atoi(q.Get("limit")); err != nil || limit < 1 || limit > maxLimit {
			return badField("limit", fmt.Sprintf("a number from 1 to %d is needed", maxLimit))
		}
	}
	var list []Entry
	var more bool
	if given {
		list, more, err = s.List(v, from, to, limit)
	} else {
		list, more, err = s.ListPlate(plate, from, to, limit)
	}
	if err != nil {
		return err
	}
	out := struct {
		Media []item `json:"media"`
		More  bool   `json:"more"` // ask again with the received of the last for to
	}{[]item{}, more}
	for _, e := range list {
		i := item{Entry: e}
		if e.File != "" {
			i.Href = fmt.Sprintf("/v1/vehicles/%s/media/%s/%s?color=%d", url.PathEscape(e.Plate), e.Day, e.File, e.Color)
		}
		out.Media = append(out.Media, i)
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// serveFile gives out a file as a download: its content is the terminal's, so no browser may take it for a page of ours.
func (s *Store) serveFile(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, "color")
	if err != nil {
		return err
	}
	color, given, err := colorOf(q)
	if err == nil && !given {
		err = badField("color", "is needed: the colour is part of the vehicle")
	}
	if err != nil {
		return err
	}
	v, err := ingest.NewVehicle(r.PathValue("plate"), color)
	if err != nil {
		return badField("plate", strings.TrimPrefix(err.Error(), "plate: "))
	}
	name := r.PathValue("file")
	f, contentType, err := s.Open(v, r.PathValue("day"), name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`) // fileName allows nothing that needs quoting
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "private, no-store")
	http.ServeContent(w, r, "", info.ModTime(), f)
	return nil
}
