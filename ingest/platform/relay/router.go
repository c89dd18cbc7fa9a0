// Package relay carries the requests that a superior platform has for a vehicle to where the vehicle is: to its terminal,
// where that is online here, or down to the inferior platform that it came from.
//
//	router.go    who gets a request, limits, what is counted
//	terminal.go  requests in the words of JT/T 808, and the answers back
//	superior.go  the platforms below, by our role as their superior
//	metrics.go
package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest"
	"lushao/ingest/gateway"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
)

// Errors of Do.
var (
	ErrUnknownVehicle = errors.New("relay: the vehicle is neither online here nor on a platform below")
	ErrUnsupported    = errors.New("relay: a request that can't be carried to the vehicle")
	ErrTimeout        = errors.New("relay: no answer in time")
	ErrBusy           = errors.New("relay: too many requests are under way")
)

// Terminals are the terminals that are online here: *gateway.Gateway.
type Terminals interface {
	Online(v ingest.Vehicle) bool
	Send(ctx context.Context, v ingest.Vehicle, id jt808.MessageID, m jt808.Body, opts gateway.CommandOptions) gateway.Outcome
	SendText(ctx context.Context, v ingest.Vehicle, text jt808.Text, urgent bool, opts gateway.CommandOptions) gateway.Outcome
	Shoot(ctx context.Context, v ingest.Vehicle, m *jt808.Shoot, opts gateway.CommandOptions) (*gateway.Photo, gateway.Outcome)
}

var _ Terminals = (*gateway.Gateway)(nil)

// Platforms are the inferior platforms that report to us. Do asks the one that the vehicle came from, and returns its
// answer. Where the vehicle came from none that is connected the error is, wrapped or not, ErrUnknownVehicle,
// platform.ErrNoPeer or platform.ErrOffline.
type Platforms interface {
	Do(ctx context.Context, v ingest.Vehicle, id jt809.MessageID, ed jt809.Edition, m jt809.Body) (answer jt809.Body, answerID jt809.MessageID, err error)
}

// Deps are what the router stands on.
type Deps struct {
	Terminals Terminals // nil: none are online here
	Platforms Platforms // nil: there are none below
	// Static says what is known of a vehicle whose terminal is online here, for 0x9601. Nil: nothing.
	Static     func(v ingest.Vehicle) (jt809.Info, bool)
	Timeout    time.Duration // of a request; 0: 60 s, as the standard's practice is
	Now        func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Limits.
const (
	defaultTimeout = 60 * time.Second
	maxUnderWay    = 256
)

// Router carries a request for a vehicle to where the vehicle is. Safe for concurrent use.
type Router struct {
	Deps
	metrics *metrics
	slots   chan struct{}
}

// New makes a router.
func New(deps Deps) *Router {
	if deps.Timeout <= 0 {
		deps.Timeout = defaultTimeout
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	return &Router{Deps: deps, metrics: newMetrics(deps.Registerer), slots: make(chan struct{}, maxUnderWay)}
}

// answerTo is the message that answers a request that is carried to vehicles; ok is false for any other.
func answerTo(id jt809.MessageID) (answer jt809.MessageID, ok bool) {
	info, _ := id.Info()
	switch {
	case info.Up || info.Answer == 0:
		return 0, false
	case id == jt809.IDDriverQuery, id == jt809.IDWaybillQuery, id == jt809.IDRouteQuery, id == jt809.IDStaticQuery,
		id&0xFF00 == jt809.IDControlDown, isVideo(id):
		return info.Answer, true
	}
	return 0, false
}

// isVideo reports whether the request is one of JT/T 1078, which no terminal can be asked without a media server.
func isVideo(id jt809.MessageID) bool { return id >= 0x9700 && id < 0x9C00 }

// Do carries the request m, whose id is that of the sub-message, and waits for the answer: of the vehicle's terminal, where
// that is online here, else of the platform below that the vehicle came from; requests for video go to the platform where
// there is one. ed is the edition of whoever asks; an answer that names its request has to be given the request's id and
// serial by whoever sends it.
//
// A nil error says that there is an answer, also one that says that the terminal did not do it. With an error there is one
// as well where the message has a way to say so: then it can be sent. The errors are ErrUnknownVehicle, ErrUnsupported,
// ErrTimeout, ErrBusy, that of ctx, or one of the platform below.
func (r *Router) Do(ctx context.Context, v ingest.Vehicle, id jt809.MessageID, ed jt809.Edition, m jt809.Body) (answer jt809.Body, answerID jt809.MessageID, err error) {
	answerID, ok := answerTo(id)
	if !ok {
		return nil, 0, fmt.Errorf("%w: %v", ErrUnsupported, id)
	}
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	default:
		r.metrics.count(id, toNobody, ErrBusy)
		return refusal(id, m, ErrBusy), answerID, ErrBusy
	}
	inner, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	to, answer, err := r.route(inner, v, id, ed, m)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("%w: %v for %v", ErrTimeout, id, v)
	}
	r.metrics.count(id, to, err)
	r.Logger.Debug("a request of a platform for a vehicle was carried", "vehicle", v, "message", id, "to", to, "err", err)
	if err != nil {
		answer = refusal(id, m, err)
	}
	return answer, answerID, err
}

// route chooses who gets the request.
func (r *Router) route(ctx context.Context, v ingest.Vehicle, id jt809.MessageID, ed jt809.Edition, m jt809.Body) (to string, answer jt809.Body, err error) {
	online := r.Terminals != nil && r.Terminals.Online(v)
	if online && !isVideo(id) {
		answer, err = r.terminal(ctx, v, id, ed, m)
		return toTerminal, answer, err
	}
	if r.Platforms != nil {
		answer, err = r.below(ctx, v, id, ed, m)
		if err == nil || !errors.Is(err, ErrUnknownVehicle) {
			return toPlatform, answer, err
		}
	}
	if online {
		return toTerminal, video(id, jt809.VideoUnsupported), nil
	}
	return toNobody, nil, fmt.Errorf("%w: %v", ErrUnknownVehicle, v)
}

// below asks the platform that the vehicle came from.
func (r *Router) below(ctx context.Context, v ingest.Vehicle, id jt809.MessageID, ed jt809.Edition, m jt809.Body) (jt809.Body, error) {
	answer, answerID, err := r.Platforms.Do(ctx, v, id, ed, plain(m))
	want, _ := answerTo(id)
	switch {
	case errors.Is(err, platform.ErrOffline), errors.Is(err, platform.ErrNoPeer):
		return nil, fmt.Errorf("%w: %w", ErrUnknownVehicle, err)
	case err != nil:
		return nil, err
	case answer == nil || answerID != want:
		return nil, fmt.Errorf("relay: the platform below answered %v with %v, not %v", id, answerID, want)
	}
	answer = plain(answer)
	switch reply := answer.(type) {
	case *jt809.VehicleTextReply:
		if asked, ok := m.(*jt809.VehicleText); ok {
			reply.MsgID = asked.MsgSequence
		}
	case *jt809.RecorderReply:
		if asked, ok := m.(*jt809.RecorderRequest); ok && reply.CommandType == 0 { // 2011 does not repeat it
			reply.CommandType = asked.CommandType
		}
	}
	return answer, nil
}

// plain is m without what is between two platforms only: a layout besides that of the edition, and the number of a text,
// which must be another for each that we send. It does not change m.
func plain(m jt809.Body) jt809.Body {
	switch m := m.(type) {
	case *jt809.RecorderRequest:
		c := *m
		c.Layout = 0
		return &c
	case *jt809.VehicleText:
		c := *m
		c.MsgSequence = 0
		return &c
	case *jt809.VehicleTextReply:
		c := *m
		c.MsgID = 0
		return &c
	case *jt809.PhotoReply:
		c := *m
		c.Short = false
		return &c
	case *jt809.RecorderReply:
		c := *m
		c.Layout = 0
		return &c
	case *jt809.DriverReply:
		c := *m
		c.Layout = 0
		return &c
	}
	return m
}

// video is the answer to a request for video that has no more to say than its result.
func video(id jt809.MessageID, result uint8) jt809.Body {
	switch id {
	case jt809.IDVideoStart:
		return &jt809.VideoStartReply{Result: result}
	case jt809.IDRecordingQuery:
		return &jt809.RecordingQueryReply{Result: result}
	case jt809.IDPlaybackStart:
		return &jt809.PlaybackStartReply{Result: result}
	case jt809.IDDownloadStart:
		return &jt809.DownloadStartReply{Result: result}
	}
	return &jt809.VideoResult{Result: result}
}

// refusal is the answer that says that a request could not be carried out; nil where the message can't say so.
func refusal(id jt809.MessageID, m jt809.Body, err error) jt809.Body {
	unknown := errors.Is(err, ErrUnknownVehicle)
	switch m := m.(type) {
	case *jt809.MonitorCall:
		return &jt809.ControlReply{Result: jt809.ControlFailed}
	case *jt809.PhotoRequest:
		flag := jt809.PhotoFailed
		if unknown {
			flag = jt809.PhotoOffline
		}
		return &jt809.PhotoReply{PhotoRspFlag: flag, LensID: m.LensID}
	case *jt809.VehicleText:
		return &jt809.VehicleTextReply{MsgID: m.MsgSequence, Result: jt809.ControlFailed}
	case *jt809.RecorderRequest:
		return &jt809.RecorderReply{CommandType: m.CommandType}
	case *jt809.EmergencyAccess:
		if unknown {
			return &jt809.ControlReply{Result: jt809.EmergencyUnknown}
		}
		return &jt809.ControlReply{Result: jt809.EmergencyFailed}
	}
	if isVideo(id) {
		return video(id, jt809.VideoFailed)
	}
	return nil
}
