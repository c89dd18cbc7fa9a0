package platform

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"lushao/ingest"
	"lushao/internal/httpx"
)

// Allowed says whether a request may be answered.
type Allowed interface{ Allowed(r *http.Request) bool }

// Violation is what a supervision needs to know of a violation.
type Violation struct {
	ID      string
	Vehicle ingest.Vehicle
	Kind    string
	Time    int64 // Unix ms: when it began
}

// DeskDeps are what the HTTP interface stands on.
type DeskDeps struct {
	Superior Side // nil: the role is off
	Inferior Side // nil: the role is off
	Book     *Book
	Allowed  Allowed
	// Violation returns one of the record; ok is false where there is none. nil: supervisions name vehicle, kind and time.
	Violation func(ctx context.Context, id string) (v Violation, ok bool, err error)
	// WarnType is the alarm type of JT/T 809 for a kind of violation; nil: 0x00FF, other.
	WarnType func(kind string) uint16
	Logger   *slog.Logger
	Now      func() time.Time
}

// Desk is the HTTP interface of the platforms:
//
//	GET  /v1/platforms                          every peer of both roles
//	GET  /v1/platforms/{name}                   one
//	GET  /v1/platforms/{name}/requests          its requests, the latest first
//	POST /v1/platforms/{name}/requests          {"message":"0x9501","plate":…,"color":…,"body":{…},"within":"10m"}
//	POST /v1/platforms/{name}/inspections       {"question":…,"object_type":…,"object_id":…,"within":"1m"}
//	POST /v1/platforms/{name}/supervisions      {"violation":…} or {"plate":…,"color":…,"kind":…,"time":…}
//	GET  /v1/platform-requests                  requests of all; ?kind= state= role= plate= color= violation= since= until=
//	GET  /v1/platform-requests/{id}             one
//	POST /v1/platform-requests/{id}/answer      what staff answers to a request of a superior platform
//
// ?role=superior or inferior is needed where peers of both roles have one name. A POST is answered with the request as the
// book has it: 202 while it waits, 200 otherwise; ?wait=10s waits for the answer of the other side. An answer that is no
// success is {"error":{"code":…,"message":…,"field":…}}.
type Desk struct {
	DeskDeps
	slots chan struct{}
}

// Limits of the interface.
const (
	maxDeskRequests = 64
	maxDeskBody     = 256 << 10
	maxWait         = time.Minute
	maxWithin       = 31 * 24 * time.Hour
	defaultLimit    = 100
	maxLimit        = 1000
)

// NewDesk makes the interface.
func NewDesk(deps DeskDeps) *Desk {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	return &Desk{DeskDeps: deps, slots: make(chan struct{}, maxDeskRequests)}
}

type deskHandler func(w http.ResponseWriter, r *http.Request) error

// Mount adds the paths to a mux.
func (d *Desk) Mount(mux *http.ServeMux) {
	for path, methods := range map[string]map[string]deskHandler{
		"/v1/platforms":                     {"GET": d.getPeers},
		"/v1/platforms/{name}":              {"GET": d.getPeer},
		"/v1/platforms/{name}/requests":     {"GET": d.getRequests, "POST": d.postRequest},
		"/v1/platforms/{name}/inspections":  {"POST": d.postInspection},
		"/v1/platforms/{name}/supervisions": {"POST": d.postSupervision},
		"/v1/platform-requests":             {"GET": d.getRequests},
		"/v1/platform-requests/{id}":        {"GET": d.getRequest},
		"/v1/platform-requests/{id}/answer": {"POST": d.postAnswer},
	} {
		var allow []string
		for method, h := range methods {
			mux.HandleFunc(method+" "+path, d.serve(h))
			allow = append(allow, method)
		}
		slices.Sort(allow)
		mux.HandleFunc(path, d.serve(func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("Allow", strings.Join(allow, ", "))
			return httpx.Refuse(http.StatusMethodNotAllowed, "method_not_allowed", "use "+strings.Join(allow, " or "), "")
		}))
	}
}

func (d *Desk) serve(h deskHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		err := d.guarded(w, r, h)
		if err == nil {
			return
		}
		var e *httpx.Error
		switch {
		case errors.As(err, &e):
		case errors.Is(err, ErrNoPeer):
			e = httpx.Refuse(http.StatusNotFound, "not_found", "there is no such platform in the settings", "name")
		case errors.Is(err, ErrUnknown):
			e = httpx.Refuse(http.StatusNotFound, "not_found", "there is no such request", "id")
		case errors.Is(err, ErrAnswered), errors.Is(err, ErrConflict):
			e = httpx.Refuse(http.StatusConflict, "conflict", err.Error(), "")
		case errors.Is(err, ErrUnsupported):
			e = httpx.Refuse(http.StatusUnprocessableEntity, "unsupported", err.Error(), "")
		case errors.Is(err, ErrOffline):
			e = httpx.Refuse(http.StatusServiceUnavailable, "offline", err.Error(), "")
		case errors.Is(err, ErrFull):
			e = httpx.Refuse(http.StatusServiceUnavailable, "full", err.Error(), "")
		default:
			e = httpx.Refuse(http.StatusServiceUnavailable, "unavailable", "it could not be done now; try again later", "")
			if r.Context().Err() == nil {
				d.Logger.Warn("a request about platforms could not be answered", "path", r.URL.Path, "err", err)
			}
		}
		httpx.WriteError(w, e)
	}
}

func (d *Desk) guarded(w http.ResponseWriter, r *http.Request, h deskHandler) error {
	if !d.Allowed.Allowed(r) {
		return httpx.Refuse(http.StatusUnauthorized, "unauthorized", "platforms need a bearer token of api.tokens: Authorization: Bearer …", "")
	}
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	default:
		return httpx.Refuse(http.StatusTooManyRequests, "busy", fmt.Sprintf("%d requests are under way; try again", cap(d.slots)), "")
	}
	return h(w, r)
}

// peers returns those of both roles.
func (d *Desk) peers() []Peer {
	out := []Peer{}
	for _, s := range []struct {
		side Side
		role string
	}{{d.Superior, RoleSuperior}, {d.Inferior, RoleInferior}} {
		if s.side == nil {
			continue
		}
		for _, p := range s.side.Peers() {
			p.Role = s.role
			p.Requests = d.Book.Count(p.Name, s.role)
			if p.Gaps == nil {
				p.Gaps = []Gap{}
			}
			out = append(out, p)
		}
	}
	return out
}

// peer returns the one that a request names.
func (d *Desk) peer(r *http.Request, role string) (Peer, Side, error) {
	var found []Peer
	for _, p := range d.peers() {
		if p.Name == r.PathValue("name") && (role == "" || p.Role == role) {
			found = append(found, p)
		}
	}
	switch {
	case len(found) == 0:
		return Peer{}, nil, ErrNoPeer
	case len(found) > 1:
		return Peer{}, nil, httpx.BadParameter("role", "platforms of both roles have this name; say ?role=superior or ?role=inferior")
	case found[0].Role == RoleSuperior:
		return found[0], d.Superior, nil
	}
	return found[0], d.Inferior, nil
}

// role reads ?role=.
func role(p *httpx.Params) string {
	s, there := p.One("role", 16)
	if there && s != RoleSuperior && s != RoleInferior {
		p.Fail("role", "%q; superior or inferior", s)
	}
	return s
}

func (d *Desk) getPeers(w http.ResponseWriter, r *http.Request) error {
	p := httpx.ReadParams(r)
	want := role(&p)
	if err := p.Finish(); err != nil {
		return err
	}
	peers := slices.DeleteFunc(d.peers(), func(p Peer) bool { return want != "" && p.Role != want })
	httpx.WriteJSON(w, http.StatusOK, map[string]any{"platforms": peers})
	return nil
}

func (d *Desk) getPeer(w http.ResponseWriter, r *http.Request) error {
	p := httpx.ReadParams(r)
	want := role(&p)
	if err := p.Finish(); err != nil {
		return err
	}
	peer, _, err := d.peer(r, want)
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, peer)
	return nil
}

func (d *Desk) getRequests(w http.ResponseWriter, r *http.Request) error {
	p := httpx.ReadParams(r)
	f := Filter{Role: role(&p), Kinds: p.Many("kind", httpx.OneOf(Kinds)), States: p.Many("state", httpx.OneOf(States)),
		Since: p.Time("since"), Until: p.Time("until"), Limit: p.Integer("limit", defaultLimit, 1, maxLimit)}
	if s, there := p.One("plate", 256); there {
		if _, err := ingest.NewVehicle(s, 0); err != nil {
			p.Fail("plate", "%s", strings.TrimPrefix(err.Error(), "plate: "))
		}
		f.Plate = s
	}
	if n := p.Integer("color", -1, 0, 255); n >= 0 {
		c := ingest.Color(n)
		f.Color = &c
	}
	f.Violation, _ = p.One("violation", 64)
	f.Cursor, _ = p.One("cursor", 256)
	if err := p.Finish(); err != nil {
		return err
	}
	if f.Platform = r.PathValue("name"); f.Platform != "" && !slices.ContainsFunc(d.peers(), func(p Peer) bool { return p.Name == f.Platform }) {
		// One that is no longer in the settings may still have requests in the book.
		if d.Book.Count(f.Platform, "") == (RequestCounts{}) {
			return ErrNoPeer
		}
	}
	page, next, err := d.Book.Page(f)
	if err != nil {
		return httpx.BadParameter("cursor", "it was not given out here; begin again without it")
	}
	if page == nil {
		page = []Request{}
	}
	var cursor *string
	if next != "" {
		cursor = &next
	}
	httpx.WriteJSON(w, http.StatusOK, map[string]any{"requests": page, "next": cursor})
	return nil
}

func (d *Desk) getRequest(w http.ResponseWriter, r *http.Request) error {
	p := httpx.ReadParams(r)
	wait := waitOf(&p)
	if err := p.Finish(); err != nil {
		return err
	}
	req, err := d.wait(r.Context(), r.PathValue("id"), wait)
	if err != nil {
		return err
	}
	httpx.WriteJSON(w, http.StatusOK, req)
	return nil
}

// waitOf reads ?wait=, 0 without.
func waitOf(p *httpx.Params) time.Duration {
	s, there := p.One("wait", 20)
	if !there {
		return 0
	}
	t, err := time.ParseDuration(s)
	if err != nil || t < 0 || t > maxWait {
		p.Fail("wait", "%q; a time such as 10s, at most %v", s, maxWait)
	}
	return t
}

// wait returns a request when it waits no more, or after a time.
func (d *Desk) wait(ctx context.Context, id string, most time.Duration) (Request, error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return d.Book.Wait(ctx, id)
}

// respond writes what became of a request.
func (d *Desk) respond(w http.ResponseWriter, r *http.Request, req Request, wait time.Duration) error {
	if now, err := d.wait(r.Context(), req.ID, wait); err == nil {
		req = now
	}
	status := http.StatusOK
	if req.State == StateWaiting {
		status = http.StatusAccepted
	}
	httpx.WriteJSON(w, status, req)
	return nil
}

// within reads a time that the other side has.
func within(s string, otherwise time.Duration) (time.Duration, error) {
	if s == "" {
		return otherwise, nil
	}
	t, err := time.ParseDuration(s)
	if err != nil || t < time.Second || t > maxWithin {
		return 0, httpx.BadParameter("within", "%.40q; a time such as 10m, from 1s to %v", s, maxWithin)
	}
	return t, nil
}

// number is an id for info_id and supervision_id: nothing but its being another one matters.
func number() (uint32, error) {
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(b[:])>>1 | 1, nil
}
