// Package api is the HTTP interface for reading the record: violations, their evidence, and vehicles; and for reading and changing
// the places of the reference data.
//
//	GET /v1/violations              a list, latest first, by filter and page
//	GET /v1/violations/{id}         one
//	GET /v1/violations/{id}/track   what the vehicle reported around it
//	GET /v1/violations/{id}/explanation why it is one, judged again, in Chinese and English
//	GET /v1/shadows/{name}          what settings on trial find, beside what is in force
//	GET /v1/visits                  stays of hazmat vehicles of other regions, latest first
//	GET /v1/visits/{id}             one
//	GET /v1/visits/{id}/track       the way that the vehicle drove
//	GET /v1/vehicles/{plate}        what the record knows of a vehicle
//
//	GET    /v1/reference/{layer}             fences, routes or sections as GeoJSON, also of an old version
//	PUT    /v1/reference/{layer}             replaces all
//	POST   /v1/reference/{layer}             adds features, or replaces those with the same ids
//	DELETE /v1/reference/{layer}/{id}        removes one
//	POST   /v1/reference/import              takes a file of another program: GeoJSON, KML, KMZ, shapefile
//	GET    /v1/reference/versions            who changed what when, latest first
//	GET    /v1/reference/versions/{n}        one
//	POST   /v1/reference/versions/{n}/restore makes it the present one
//	POST   /v1/reference/fences/trial        what would new fences have found?
//
// Answers are JSON; an answer that is no success is {"error":{"code":…,"message":…,"field":…}}.
package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/internal/httpx"
)

// Store is what the interface needs of the record; *store.Store has it.
type Store interface {
	ListViolations(ctx context.Context, f store.ViolationFilter) (store.Page, error)
	Violation(ctx context.Context, id string) (*store.Record, error)
	Track(ctx context.Context, f store.TrackFilter) (store.TrackPage, error)
	CompareShadow(ctx context.Context, f store.ShadowFilter) (map[string]store.ShadowCounts, error)
	ListVisits(ctx context.Context, f store.VisitFilter) (store.VisitPage, error)
	Visit(ctx context.Context, id string) (*store.VisitRecord, error)
	Colors(ctx context.Context, plate string) ([]store.Seen, error)
	Vehicle(ctx context.Context, v ingest.Vehicle, now time.Time) (*store.VehicleSummary, error)
}

var _ Store = (*store.Store)(nil)

// API is an http.Handler for the paths below /v1/.
type API struct {
	cfg     Config
	store   Store
	log     *slog.Logger
	metrics *metrics
	tokens  [][sha256.Size]byte
	slots   chan struct{}
	mux     *http.ServeMux
	now     func() time.Time
}

// New makes the handler. Validate is the caller's, who knows the address.
func New(cfg Config, s Store, log *slog.Logger, reg prometheus.Registerer) (*API, error) {
	tokens, err := cfg.tokens()
	if err != nil {
		return nil, err
	}
	a := &API{cfg: cfg, store: s, log: log, metrics: newMetrics(reg), tokens: tokens, slots: make(chan struct{}, max(cfg.MaxConcurrent, 1)),
		mux: http.NewServeMux(), now: time.Now}
	for _, r := range []struct {
		path   string
		handle handler
	}{
		{"/v1/violations", a.listViolations},
		{"/v1/violations/{id}", a.getViolation},
		{"/v1/violations/{id}/track", a.getTrack},
		{"/v1/shadows/{name}", a.compareShadow},
		{"/v1/visits", a.listVisits},
		{"/v1/visits/{id}", a.getVisit},
		{"/v1/visits/{id}/track", a.getVisitTrack},
		{"/v1/vehicles/{plate}", a.getVehicle},
	} {
		a.mux.HandleFunc("GET "+r.path, a.serve(r.path, r.handle))
		a.mux.HandleFunc(r.path, a.serve(r.path, func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Allow", "GET, HEAD")
			return httpx.Refuse(http.StatusMethodNotAllowed, "method_not_allowed", "this can only be read: use GET", "")
		}))
	}
	a.mux.HandleFunc("/", a.serve("other", func(http.ResponseWriter, *http.Request) error {
		return httpx.Refuse(http.StatusNotFound, "not_found", "there is no such path; see /v1/violations", "")
	}))
	return a, nil
}

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// handler answers a request, or returns why not; then it has written nothing.
type handler func(w http.ResponseWriter, r *http.Request) error

// access is who may use a route, how many at once, and for how long.
type access struct {
	allowed func(*http.Request) bool
	slots   chan struct{}
	timeout time.Duration
}

// serve puts around a handler what all that read the record share: who may read, how many at once, how long, and the metrics.
func (a *API) serve(route string, h handler) http.HandlerFunc {
	return a.serveAs(route, &access{a.allowed, a.slots, a.cfg.Timeout}, h)
}

func (a *API) serveAs(route string, to *access, h handler) http.HandlerFunc {
	seconds := a.metrics.seconds.WithLabelValues(route)
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		out := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		if err := to.guarded(out, r, h); err != nil {
			e := toRequestError(err)
			if e.Status >= 500 && r.Context().Err() == nil {
				a.log.Warn("a request could not be answered", "route", route, "err", err)
			}
			httpx.WriteError(out, e)
		}
		seconds.Observe(time.Since(start).Seconds())
		a.metrics.requests.WithLabelValues(route, strconv.Itoa(out.status)).Inc()
	}
}

func (a *access) guarded(w http.ResponseWriter, r *http.Request, h handler) error {
	if !a.allowed(r) {
		return httpx.Refuse(http.StatusUnauthorized, "unauthorized", "a bearer token is needed: Authorization: Bearer …", "")
	}
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	default:
		return httpx.Refuse(http.StatusTooManyRequests, "busy", fmt.Sprintf("as many requests of this kind as may be are being answered (%d); try again", cap(a.slots)), "")
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.timeout)
	defer cancel()
	if r.ContentLength != 0 {
		// A body that trickles in must not hold the place for longer. Not every writer can do it, such as those of tests.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(a.timeout))
	}
	err := h(w, r.WithContext(ctx))
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		// ClickHouse may have noticed first, and says so in its own words.
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return err
}

func (a *API) allowed(r *http.Request) bool {
	if len(a.tokens) == 0 {
		return true
	}
	return bears(r, a.tokens)
}

// statusWriter remembers the status for the metrics.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
