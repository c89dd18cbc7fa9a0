package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/internal/httpx"
)

// Allowed says whether a request may command terminals.
type Allowed interface{ Allowed(r *http.Request) bool }

// CommandsDeps are what the HTTP interface for commands stands on.
type CommandsDeps struct {
	Gateway  *Gateway
	Prompter *Prompter
	Allowed  Allowed
	// Areas gives the fences and routes of the reference data that mean a vehicle.
	Areas  func(v ingest.Vehicle) []Area
	Logger *slog.Logger
}

// Commands is the HTTP interface down to the terminals that are online on this gateway:
//
//	POST /v1/vehicles/{plate}/prompts         {"text":…,"urgent":…}: a text to the driver, spoken
//	POST /v1/vehicles/{plate}/position-query  where it is now
//	GET  /v1/vehicles/{plate}/parameters      settings of the terminal; ?id=max_speed,0x0001 for some
//	PUT  /v1/vehicles/{plate}/parameters      {"parameters":{"max_speed":100}}
//	POST /v1/vehicles/{plate}/fences          {"fences":[…ids],"replace":…}: fences and routes to the terminal
//
// All take ?color=; without it the plate must be online with one colour. What was sent is answered with 200 and its
// "outcome", which is "done" only where the terminal said so; an answer that is no success is
// {"error":{"code":…,"message":…,"field":…}}.
type Commands struct {
	CommandsDeps
	slots chan struct{}
}

// Limits of the interface.
const (
	maxCommandRequests = 64
	maxCommandBody     = 64 << 10
	maxAreaMessages    = 200 // to a terminal by one request
)

// NewCommands makes the interface.
func NewCommands(deps CommandsDeps) *Commands {
	return &Commands{CommandsDeps: deps, slots: make(chan struct{}, maxCommandRequests)}
}

// Mount adds the paths to a mux.
func (c *Commands) Mount(mux *http.ServeMux) {
	for path, methods := range map[string]map[string]commandHandler{
		"prompts":        {"POST": c.postPrompt},
		"position-query": {"POST": c.postPosition},
		"parameters":     {"GET": c.getParameters, "PUT": c.putParameters},
		"fences":         {"POST": c.postFences},
	} {
		path = "/v1/vehicles/{plate}/" + path
		var allow []string
		for method, h := range methods {
			mux.HandleFunc(method+" "+path, c.serve(h))
			allow = append(allow, method)
		}
		slices.Sort(allow)
		mux.HandleFunc(path, c.serve(func(w http.ResponseWriter, _ *http.Request, _ ingest.Vehicle) error {
			w.Header().Set("Allow", strings.Join(allow, ", "))
			return httpx.Refuse(http.StatusMethodNotAllowed, "method_not_allowed", "use "+strings.Join(allow, " or "), "")
		}))
	}
}

// commandHandler answers a request about a vehicle, or returns why not; then it has written nothing.
type commandHandler func(w http.ResponseWriter, r *http.Request, v ingest.Vehicle) error

// commandError is an answer that is no success.
type commandError = httpx.Error

func badRequest(field, format string, args ...any) error {
	return httpx.BadParameter(field, format, args...)
}

func (c *Commands) serve(h commandHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := c.guarded(w, r, h)
		if err == nil {
			return
		}
		var e *commandError
		if !errors.As(err, &e) {
			e = httpx.Refuse(http.StatusInternalServerError, "internal", "a mistake in the program", "")
			c.Logger.Error("a request could not be answered", "path", r.URL.Path, "err", err)
		}
		httpx.WriteError(w, e)
	}
}

func (c *Commands) guarded(w http.ResponseWriter, r *http.Request, h commandHandler) error {
	if !c.Allowed.Allowed(r) {
		return httpx.Refuse(http.StatusUnauthorized, "unauthorized", "commands need a bearer token of api.tokens: Authorization: Bearer …", "")
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	default:
		return httpx.Refuse(http.StatusTooManyRequests, "busy", fmt.Sprintf("%d commands are under way; try again", cap(c.slots)), "")
	}
	v, err := c.vehicle(r)
	if err != nil {
		return err
	}
	return h(w, r, v)
}

// vehicle is the one that a request means.
func (c *Commands) vehicle(r *http.Request) (ingest.Vehicle, error) {
	plate := r.PathValue("plate")
	v, err := ingest.NewVehicle(plate, 0)
	if err != nil {
		return v, badRequest("plate", "%s", strings.TrimPrefix(err.Error(), "plate: "))
	}
	q := r.URL.Query()
	if s := q.Get("color"); q.Has("color") {
		n, err := strconv.ParseUint(s, 10, 8)
		if err != nil {
			return v, badRequest("color", "%q; a number of JT/T 697.7 such as 1 blue, 2 yellow", s)
		}
		v.Color = ingest.Color(n)
		return v, nil
	}
	var online []string
	for n := range 256 {
		if u, _ := ingest.NewVehicle(plate, ingest.Color(n)); c.Gateway.sessions.of(u) != nil {
			v = u
			online = append(online, strconv.Itoa(n))
		}
	}
	if len(online) > 1 {
		return v, badRequest("color", "vehicles of this plate are online with the colours %s; say which", strings.Join(online, ", "))
	}
	return v, nil
}

func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	return httpx.ReadJSON(w, r, maxCommandBody, into)
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Cache-Control", "no-store")
	httpx.WriteJSON(w, status, v)
}

// outcomeAnswer is what became of a command.
type outcomeAnswer struct {
	Plate      string          `json:"plate"`
	Color      ingest.Color    `json:"color"`
	Outcome    CommandState    `json:"outcome"`
	Result     *uint8          `json:"result"` // of the terminal's 0x0001; null without one
	Position   json.RawMessage `json:"position,omitempty"`
	Parameters json.RawMessage `json:"parameters,omitempty"`
	Problem    string          `json:"problem,omitempty"` // of the terminal's answer, what could not be read
}

func answerOf(v ingest.Vehicle, o Outcome) outcomeAnswer {
	a := outcomeAnswer{Plate: v.Plate(), Color: v.Color, Outcome: o.State}
	switch o.State {
	case CommandDone, CommandFailed, CommandMalformed, CommandNotSupported:
		if o.ReplyID == 0 {
			a.Result = &o.Result
		}
	}
	return a
}

func (c *Commands) postPrompt(w http.ResponseWriter, r *http.Request, v ingest.Vehicle) error {
	var m struct {
		Text   string `json:"text"`
		Urgent bool   `json:"urgent"`
	}
	if err := readJSON(w, r, &m); err != nil {
		return err
	}
	if _, err := promptText(m.Text); err != nil {
		return badRequest("text", "%v", err)
	}
	answerJSON(w, http.StatusOK, c.Prompter.Send(r.Context(), v, m.Text, m.Urgent))
	return nil
}

func (c *Commands) postPosition(w http.ResponseWriter, r *http.Request, v ingest.Vehicle) error {
	// The body says nothing, but its type keeps pages of others from asking.
	var m struct{}
	if err := readJSON(w, r, &m); err != nil {
		return err
	}
	o := c.Gateway.Send(r.Context(), v, jt808.IDQueryLocation, &jt808.Empty{}, CommandOptions{KeepReply: true})
	a := answerOf(v, o)
	if o.ReplyID == jt808.IDLocationReply {
		var reply jt808.LocationReply
		if err := jt808.Decode(o.Reply, o.ReplyHead.Edition, &reply); err != nil {
			a.Problem = err.Error()
		} else {
			a.Position = jt808.AppendLocationJSON(nil, &reply.Location)
		}
	}
	answerJSON(w, http.StatusOK, a)
	return nil
}

func (c *Commands) getParameters(w http.ResponseWriter, r *http.Request, v ingest.Vehicle) error {
	ids, err := parameterIDs(r.URL.Query()["id"])
	if err != nil {
		return err
	}
	id, body := jt808.IDQueryAllParameters, jt808.Body(&jt808.Empty{})
	if s := c.Gateway.sessions.of(v); len(ids) > 0 && s != nil && s.edition != jt808.Edition2011 { // 2011 has no question for some
		id, body = jt808.IDQueryParameters, &jt808.QueryParameters{IDs: ids}
	}
	o := c.Gateway.Send(r.Context(), v, id, body, CommandOptions{KeepReply: true})
	a := answerOf(v, o)
	if o.ReplyID == jt808.IDParametersReply {
		var reply jt808.ParametersReply
		if err := jt808.Decode(o.Reply, o.ReplyHead.Edition, &reply); err != nil {
			a.Problem = err.Error()
		} else if reply.Err != nil {
			a.Problem = reply.Err.Error()
		}
		list := []byte{'['}
		for i := range reply.Items {
			if p := &reply.Items[i]; len(ids) == 0 || slices.Contains(ids, p.ID) {
				if len(list) > 1 {
					list = append(list, ',')
				}
				list = jt808.AppendParameterJSON(list, p)
			}
		}
		a.Parameters = append(list, ']')
	}
	answerJSON(w, http.StatusOK, a)
	return nil
}

func parameterIDs(lists []string) (ids []uint32, err error) {
	for _, list := range lists {
		for s := range strings.SplitSeq(list, ",") {
			id, err := jt808.ParseParameterID(strings.TrimSpace(s))
			if err != nil {
				return nil, badRequest("id", "%v", err)
			}
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	if len(ids) > 255 {
		return nil, badRequest("id", "%d parameters; at most 255 in one question", len(ids))
	}
	return ids, nil
}

func (c *Commands) putParameters(w http.ResponseWriter, r *http.Request, v ingest.Vehicle) error {
	var m struct {
		Parameters map[string]json.RawMessage `json:"parameters"`
	}
	if err := readJSON(w, r, &m); err != nil {
		return err
	}
	if len(m.Parameters) == 0 || len(m.Parameters) > 255 {
		return badRequest("parameters", "%d; from 1 to 255", len(m.Parameters))
	}
	var set jt808.SetParameters
	seen := map[uint32]string{}
	for name, value := range m.Parameters {
		id, err := jt808.ParseParameterID(name)
		if err != nil {
			return badRequest("parameters", "%v", err)
		}
		if other, twice := seen[id]; twice {
			return badRequest("parameters", "%s and %s are the same", min(name, other), max(name, other))
		}
		seen[id] = name
		p, err := jt808.ParseParameter(id, value)
		if err != nil {
			return badRequest("parameters", "%v", err)
		}
		set.Items = append(set.Items, p)
	}
	slices.SortFunc(set.Items, func(a, b jt808.Parameter) int { return int(int64(a.ID) - int64(b.ID)) })
	c.Logger.Info("parameters of a terminal are set", "vehicle", v.String(), "parameters", len(set.Items))
	answerJSON(w, http.StatusOK, answerOf(v, c.Gateway.Send(r.Context(), v, jt808.IDSetParameters, &set, CommandOptions{})))
	return nil
}

// areaAnswer is what became of a fence or route, or of a part of it.
type areaAnswer struct {
	ID      string       `json:"id"` // of the reference data
	Name    string       `json:"name"`
	Message string       `json:"message,omitempty"` // its id, such as 0x8604
	Kind    string       `json:"kind,omitempty"`    // circle, rectangle, polygon, route
	AreaID  uint32       `json:"area_id,omitempty"` // the terminal's number for it
	Outcome CommandState `json:"outcome"`
	Result  *uint8       `json:"result"`
	Problem string       `json:"problem,omitempty"`
}

// States of an area that was not sent.
const (
	areaImpossible CommandState = "impossible" // terminals can't be told of it; the problem says why
	areaUnknown    CommandState = "unknown"    // there is none of the id that means the vehicle
	areaNotSent    CommandState = "not_sent"   // the terminal did not answer to what was sent before
)

func (c *Commands) postFences(w http.ResponseWriter, r *http.Request, v ingest.Vehicle) error {
	var m struct {
		Fences  []string `json:"fences"`
		Replace bool     `json:"replace"`
	}
	if err := readJSON(w, r, &m); err != nil {
		return err
	}
	plan, answers, err := planAreas(c.Areas(v), m.Fences)
	if err != nil {
		return err
	}
	stopped := false
	send := func(id jt808.MessageID, body jt808.Body) (CommandState, *uint8) {
		if stopped {
			return areaNotSent, nil
		}
		o := c.Gateway.Send(r.Context(), v, id, body, CommandOptions{})
		switch o.State {
		case CommandDone, CommandFailed, CommandMalformed, CommandNotSupported:
			return o.State, &o.Result
		}
		stopped = true // to wait for each of many answers that do not come helps nobody
		return o.State, nil
	}
	deleted := []areaAnswer{}
	if m.Replace {
		for _, d := range []struct {
			id   jt808.MessageID
			kind string
		}{{jt808.IDDeleteCircles, "circle"}, {jt808.IDDeleteRectangles, "rectangle"}, {jt808.IDDeletePolygons, "polygon"}, {jt808.IDDeleteRoutes, "route"}} {
			a := areaAnswer{Message: d.id.String(), Kind: d.kind}
			a.Outcome, a.Result = send(d.id, &jt808.DeleteAreas{})
			deleted = append(deleted, a)
		}
	}
	done := 0
	for _, p := range plan {
		a := &answers[p.answer]
		if a.Outcome, a.Result = send(p.message.id, p.message.body); a.Outcome == CommandDone {
			done++
		}
	}
	c.Logger.Info("fences were pushed to a terminal", "vehicle", v.String(), "sent", len(plan), "done", done)
	answerJSON(w, http.StatusOK, map[string]any{"plate": v.Plate(), "color": v.Color, "sent": len(plan), "done": done, "deleted": deleted, "fences": answers})
	return nil
}

type plannedArea struct {
	message areaMessage
	answer  int // its place in the answers
}

// planAreas makes the messages of the areas with the ids, or of all without any.
func planAreas(areas []Area, ids []string) (plan []plannedArea, answers []areaAnswer, err error) {
	answers = []areaAnswer{}
	numbers := map[uint32]string{}
	for i := range areas {
		a := &areas[i]
		if len(ids) > 0 && !slices.Contains(ids, a.ID) {
			continue
		}
		messages, problem := a.messages()
		for _, m := range messages {
			if other, taken := numbers[m.number]; taken {
				problem = fmt.Errorf("its number for terminals, %d, is that of %s too; rename one of them", m.number, other)
			}
		}
		if problem != nil {
			answers = append(answers, areaAnswer{ID: a.ID, Name: a.Name, Outcome: areaImpossible, Problem: problem.Error()})
			continue
		}
		for _, m := range messages {
			numbers[m.number] = a.ID
			plan = append(plan, plannedArea{m, len(answers)})
			answers = append(answers, areaAnswer{ID: a.ID, Name: a.Name, Message: m.id.String(), Kind: m.kind, AreaID: m.number})
		}
	}
	for _, id := range ids {
		if !slices.ContainsFunc(areas, func(a Area) bool { return a.ID == id }) {
			answers = append(answers, areaAnswer{ID: id, Outcome: areaUnknown, Problem: "no fence or route of this id means the vehicle"})
		}
	}
	if len(plan) > maxAreaMessages {
		return nil, nil, badRequest("fences", "%d messages; at most %d: name the fences that the vehicle needs", len(plan), maxAreaMessages)
	}
	return plan, answers, nil
}
