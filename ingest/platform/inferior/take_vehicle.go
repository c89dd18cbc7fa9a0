package inferior

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
)

// errNoVehicle is of a request without the vehicle that it needs.
var errNoVehicle = errors.New("the message names no vehicle")

// exchangeStart takes 0x9205: the vehicle is forwarded from now on, until 0x9206. It stands in the book as a request that
// waits, so that it lasts over a restart.
func (r *request) exchangeStart(ctx context.Context) error {
	if !r.has {
		return errNoVehicle
	}
	p := r.p
	p.mu.Lock()
	id, there := p.exchange[r.vehicle]
	p.mu.Unlock()
	if !there {
		b := r.entry()
		b.Note = "forwarded until 0x9206"
		if !p.cfg.OnRequest {
			b.Note = "not forwarded: on_request is off"
		}
		if err := p.i.deps.Book.Put(ctx, &b); err != nil {
			return err
		}
		id = b.ID
	}
	p.mu.Lock()
	p.exchange[r.vehicle] = id
	p.mu.Unlock()
	p.changes.Add(1)
	return r.reply(jt809.IDExchangeStartReply, &jt809.ExchangeReply{Source: r.source})
}

// exchangeEnd takes 0x9206.
func (r *request) exchangeEnd(ctx context.Context) error {
	if !r.has {
		return errNoVehicle
	}
	p := r.p
	p.mu.Lock()
	id, there := p.exchange[r.vehicle]
	p.mu.Unlock()
	if there {
		_, err := p.i.deps.Book.Answer(ctx, id, jt809.AppendBodyJSON(nil, p.edition, r.body), r.id.String(), p.i.now())
		if err != nil && !errors.Is(err, platform.ErrAnswered) && !errors.Is(err, platform.ErrUnknown) {
			return err
		}
		p.mu.Lock()
		delete(p.exchange, r.vehicle)
		p.mu.Unlock()
		p.changes.Add(1)
	}
	return r.reply(jt809.IDExchangeEndReply, &jt809.ExchangeReply{Source: r.source})
}

// recall takes from the book what lasts over a restart: vehicles that are exchanged, and those that visit.
func (p *peer) recall() {
	for _, b := range p.i.deps.Book.List(platform.Filter{Platform: p.cfg.Name, Role: platform.RoleInferior}) {
		v, ok := b.Vehicle()
		switch {
		case !ok:
		case b.Message == jt809.IDExchangeStart.String() && !b.Done():
			p.exchange[v] = b.ID
		case b.Message == jt809.IDPositionDown.String():
			p.visitors[v] = b.Asked
		}
	}
	p.changes.Add(1)
}

// visitorNoted is how often it is written down that a vehicle visits.
const visitorNoted = 24 * time.Hour

// visit notes that the superior sends positions of the vehicle, before the first is in the log: they must not go back to
// it, after a restart neither.
func (p *peer) visit(v ingest.Vehicle) error {
	now := p.i.now().UnixMilli()
	p.mu.Lock()
	noted, there := p.visitors[v]
	full := !there && len(p.visitors) >= p.i.cfg.MaxVehicles
	p.mu.Unlock()
	if there && now-noted < visitorNoted.Milliseconds() {
		return nil
	}
	if full {
		return fmt.Errorf("more than %d vehicles visit; see inferior.max_vehicles", p.i.cfg.MaxVehicles)
	}
	err := p.i.deps.Book.Put(p.i.hard, &platform.Request{ID: fmt.Sprintf("visitor-%x", visitorHash(p.cfg.Name, &v)), Role: platform.RoleInferior, Platform: p.cfg.Name,
		Kind: platform.KindReport, Message: jt809.IDPositionDown.String(), Plate: v.Plate(), Color: v.Color, Asked: now, Answered: now,
		State: platform.StateAnswered, Note: "the superior sends positions of this vehicle"})
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.visitors[v] = now
	p.mu.Unlock()
	if !there {
		p.changes.Add(1)
	}
	return nil
}

func visitorHash(peer string, v *ingest.Vehicle) uint64 {
	h := v.Hash()
	for _, c := range []byte(peer) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// Values of the flag of 0x920A.
const driverNow = 1

// driverQuery answers 0x920A with the card that was seen last, or asks the vehicle.
func (r *request) driverQuery(context.Context) error {
	if !r.has {
		return errNoVehicle
	}
	m, _ := r.body.(*jt809.DriverQuery)
	if f := r.facts(); f != nil && f.driver != nil && (m == nil || m.Flag != driverNow) {
		return r.reply(jt809.IDDriverReply, &jt809.DriverReply{Source: r.source, Driver: driverOf(f.driver)})
	}
	r.route()
	return nil
}

// waybillQuery answers 0x920B with the waybill that was seen last; an empty one says that none is known.
func (r *request) waybillQuery(context.Context) error {
	if !r.has {
		return errNoVehicle
	}
	m := &jt809.WaybillReply{Source: r.source}
	if f := r.facts(); f != nil && f.waybill != nil {
		m.EwaybillInfo = waybillOf(f.waybill)
	} else {
		r.route()
		return nil
	}
	return r.reply(jt809.IDWaybillReply, m)
}

func (r *request) facts() *facts {
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	return r.p.facts[r.vehicle]
}

// routeQuery asks the vehicle's platform for its route.
func (r *request) routeQuery(context.Context) error {
	if !r.has {
		return errNoVehicle
	}
	r.route()
	return nil
}

// staticQuery answers 0x9601 from the register, else from where the vehicle is.
func (r *request) staticQuery(ctx context.Context) error {
	if !r.has {
		return errNoVehicle
	}
	rec, ok := r.p.record(&r.vehicle)
	if !ok {
		r.route()
		return nil
	}
	m := &jt809.StaticData{Source: r.source, Info: staticInfo(&r.vehicle, &rec)}
	if err := r.put(ctx, r.entry(), jt809.IDStaticData, m); err != nil {
		return err
	}
	return r.reply(jt809.IDStaticData, m)
}

// transTypes is TRANS_TYPE by class (JT/T 415-2006 5.2.1).
var transTypes = map[string]string{"coach_line": "011", "coach_charter": "012", "coach_tour": "013", "hazmat": "030", "heavy_truck": "020",
	"truck": "020", "dump_truck": "020"}

// staticInfo is the text of 0x1601 (18.1 of the field reference).
func staticInfo(v *ingest.Vehicle, rec *Record) jt809.Info {
	trans := rec.TransType
	if trans == "" {
		trans = transTypes[rec.Class]
	}
	return jt809.Info{{Key: jt809.InfoPlate, Value: v.Plate()}, {Key: jt809.InfoColor, Value: strconv.Itoa(int(v.Color))},
		{Key: jt809.InfoVehicleType, Value: rec.VehicleType}, {Key: jt809.InfoTransType, Value: trans}, {Key: jt809.InfoNationality, Value: rec.Region},
		{Key: jt809.InfoOperatorID, Value: rec.Operator}, {Key: jt809.InfoOperatorName, Value: rec.OperatorName}, {Key: jt809.InfoOperatorTel, Value: rec.OperatorTel}}
}

// route carries a request to its vehicle and sends the answer up. The vehicle may take its time: nothing else waits for
// it.
func (r *request) route() {
	p := r.p
	select {
	case p.control <- struct{}{}:
	default: // as when the vehicle is not here
		p.log.Warn("a request for a vehicle was refused: too many are on their way", "message", r.id, "vehicle", r.vehicle)
		p.do(func(ctx context.Context) { r.finish(ctx, nil, 0, errors.New("too many requests are on their way")) })
		return
	}
	p.i.rest.Go(func() {
		defer func() { <-p.control }()
		ctx, cancel := context.WithTimeout(p.i.soft, p.i.cfg.ControlTimeout)
		defer cancel()
		var m jt809.Body
		var id jt809.MessageID
		err := errNoVehicle
		if r.has {
			m, id, err = p.router().Do(ctx, r.vehicle, r.id, p.edition, r.body)
		}
		r.finish(p.i.hard, m, id, err)
	})
}

// finish sends and notes the answer to a request that was carried to its vehicle, also where err says that it was not.
func (r *request) finish(ctx context.Context, m jt809.Body, id jt809.MessageID, err error) {
	b := r.entry()
	if info, ok := r.id.Info(); ok && id == 0 {
		id = info.Answer
	}
	if m == nil {
		m = r.refusal()
	}
	if err != nil {
		b.Note = fmt.Sprintf("%.1000s", err)
	}
	if m != nil {
		if s := source(m); s != nil {
			*s = r.source
		}
		if t, ok := m.(*jt809.VehicleTextReply); ok {
			if asked, ok := r.body.(*jt809.VehicleText); ok {
				t.MsgID = asked.MsgSequence
			}
		}
		if e := r.reply(id, m); e != nil {
			b.Note = "the answer waits for the next login; " + b.Note
		}
		b.AnswerMessage, b.Answer = id.String(), answerJSON(r.p.edition, m)
	}
	b.State, b.Answered = platform.StateAnswered, r.p.i.now().UnixMilli()
	if err != nil {
		b.State = platform.StateFailed
	}
	if err := r.p.i.deps.Book.Put(ctx, &b); err != nil {
		r.p.log.Error("a request of the superior could not be noted", "message", r.id, "err", err)
	}
}

// answerJSON is an answer for the book: without the bytes of a photo or of a recorder, which would be too many.
func answerJSON(ed jt809.Edition, m jt809.Body) []byte {
	switch a := m.(type) {
	case *jt809.PhotoReply:
		c := *a
		c.Photo = nil
		m = &c
	case *jt809.RecorderReply:
		if len(a.TraveldataInfo) > 4096 {
			c := *a
			c.TraveldataInfo = nil
			m = &c
		}
	}
	return jt809.AppendBodyJSON(nil, ed, m)
}

// refusal is the answer that says no where the router has none.
func (r *request) refusal() jt809.Body {
	switch m := r.body.(type) {
	case *jt809.MonitorCall:
		return &jt809.ControlReply{Result: jt809.ControlFailed}
	case *jt809.PhotoRequest:
		return &jt809.PhotoReply{PhotoRspFlag: jt809.PhotoOffline, LensID: m.LensID}
	case *jt809.VehicleText:
		return &jt809.VehicleTextReply{MsgID: m.MsgSequence, Result: jt809.ControlFailed}
	case *jt809.RecorderRequest:
		return &jt809.RecorderReply{CommandType: m.CommandType}
	case *jt809.EmergencyAccess:
		return &jt809.ControlReply{Result: jt809.EmergencyUnknown}
	case *jt809.VideoStart:
		return &jt809.VideoStartReply{Result: jt809.VideoFailed}
	case *jt809.RecordingQuery:
		return &jt809.RecordingQueryReply{Result: jt809.VideoFailed}
	case *jt809.PlaybackStart:
		return &jt809.PlaybackStartReply{Result: jt809.VideoFailed}
	case *jt809.DownloadStart:
		return &jt809.DownloadStartReply{Result: jt809.VideoFailed}
	case *jt809.VideoStop, *jt809.PlaybackControl, *jt809.DownloadControl:
		return &jt809.VideoResult{Result: jt809.VideoFailed}
	case *jt809.DriverQuery: // nobody is known to drive
		return &jt809.DriverReply{}
	}
	switch r.id {
	case jt809.IDWaybillQuery:
		return &jt809.WaybillReply{}
	case jt809.IDStaticQuery:
		// The plate is all that is known.
		return &jt809.StaticData{Info: jt809.Info{{Key: jt809.InfoPlate, Value: r.vehicle.Plate()}, {Key: jt809.InfoColor, Value: strconv.Itoa(int(r.vehicle.Color))}}}
	}
	return nil
}

// router is the one that was given, or one that knows no vehicle.
func (p *peer) router() Router {
	if p.i.deps.Router != nil {
		return p.i.deps.Router
	}
	return nowhere{}
}

type nowhere struct{}

var errNowhere = errors.New("requests can't be carried to vehicles here")

func (nowhere) Do(context.Context, ingest.Vehicle, jt809.MessageID, jt809.Edition, jt809.Body) (jt809.Body, jt809.MessageID, error) {
	return nil, 0, errNowhere
}
