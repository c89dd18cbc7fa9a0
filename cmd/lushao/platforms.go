package main

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"lushao/detect"
	"lushao/detect/worker"
	"lushao/enforce/api"
	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/ingest/gateway"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/ingest/platform/inferior"
	"lushao/ingest/platform/register"
	"lushao/ingest/platform/relay"
	"lushao/ingest/platform/superior"
)

// supervisionGroup has the offsets of who has violations supervised.
const supervisionGroup = "supervision"

// platformTopics are the topics of JT/T 809. Both are compacted and have one partition, so that the order of changes is one.
var platformTopics = []string{platform.RequestsTopic, register.Topic}

// followPlatforms keeps what the platforms have not been told yet from being dropped by the embedded log.
func (a *app) followPlatforms() {
	for i := range a.cfg.Inferior.Peers {
		p := &a.cfg.Inferior.Peers[i]
		a.embedLog.Follow(a.cfg.Bus.TopicPrefix+worker.EventsTopic, inferior.ForwardGroup(p.Name))
		if len(p.Alarms.Kinds) > 0 {
			a.embedLog.Follow(a.cfg.Bus.TopicPrefix+worker.ViolationsTopic, inferior.AlarmsGroup(p.Name))
		}
	}
	if a.supervises() {
		a.embedLog.Follow(a.cfg.Bus.TopicPrefix+worker.ViolationsTopic, supervisionGroup)
	}
}

// supervises reports whether any platform is told of violations to be handled.
func (a *app) supervises() bool {
	return slices.ContainsFunc(a.cfg.Superior.Peers, func(p superior.PeerConfig) bool { return len(p.Supervise.Kinds) > 0 })
}

// startRegister reads what platforms have made known of vehicles. Every role needs it: the reference data hold it.
func (a *app) startRegister(ctx context.Context) error {
	a.register = register.New(&platform.BusPages{Client: a.bus, Topic: register.Topic}, a.log.With("part", "register"), a.reg)
	if err := a.register.Load(ctx); err != nil {
		return err
	}
	a.goOn("register", a.register.Run)
	return nil
}

// startPlatforms lets in the platforms that report to us, and begins to report to those that we report to.
func (a *app) startPlatforms(ctx context.Context, events *gateway.BusLog) error {
	book := platform.NewBook(&platform.BusPages{Client: a.bus, Topic: platform.RequestsTopic}, a.log.With("part", "requests"), a.reg)
	if err := book.Load(ctx); err != nil {
		return err
	}
	a.goOn("requests", book.Run)
	violations := &inferior.BusSource{Client: a.bus, Topic: worker.ViolationsTopic}
	deps := superior.Deps{Log: events, Book: book, Files: a.media, Vehicles: &platformVehicles{a}, History: a.history(),
		Logger: a.log.With("part", "superior"), Registerer: a.reg}
	if a.supervises() {
		deps.Violations = &superior.Supervised{Source: violations, Group: supervisionGroup}
	}
	var err error
	if a.superior, err = superior.New(a.cfg.Superior, deps); err != nil {
		return err
	}
	router := relay.New(relay.Deps{Terminals: a.gateway, Platforms: relay.Below(a.superior), Static: a.staticData,
		Logger: a.log.With("part", "relay"), Registerer: a.reg})
	a.inferior, err = inferior.New(a.cfg.Inferior, inferior.Deps{
		Events:     &inferior.BusSource{Client: a.bus, Topic: worker.EventsTopic},
		Violations: violations, Log: events, Register: &a.vehicles, Book: book, Router: router, Logger: a.log.With("part", "inferior"), Registerer: a.reg})
	if err != nil {
		return err
	}
	allowed, err := api.NewTokens(a.cfg.API, a.cfg.HTTP.Listen)
	if err != nil {
		return err
	}
	platform.NewDesk(platform.DeskDeps{Superior: a.superior, Inferior: a.inferior, Book: book, Allowed: allowed,
		Violation: a.violationFor(), WarnType: func(kind string) uint16 { return platform.WarnType(kind, jt809.Edition2011) },
		Logger: a.log.With("part", "platforms")}).Mount(a.http.Mux)
	if err := a.superior.Start(); err != nil {
		return err
	}
	return a.inferior.Start()
}

// platformVehicles is what is known of vehicles, for the platforms that report to us.
type platformVehicles struct{ *app }

func (v *platformVehicles) Known(id ingest.Vehicle) bool {
	_, ok := v.vehicles.Vehicle(&id)
	return ok || v.register.Known(id)
}

func (v *platformVehicles) Put(ctx context.Context, r register.Report) error {
	return v.register.Put(ctx, r)
}

// vehicleIndex finds vehicles of the reference data that are in force, for the platforms that we report to.
type vehicleIndex struct {
	version atomic.Uint64
	records atomic.Pointer[map[ingest.Vehicle]inferior.Record]
}

func (x *vehicleIndex) Version() uint64 { return x.version.Load() }

func (x *vehicleIndex) Vehicle(v *ingest.Vehicle) (inferior.Record, bool) {
	if m := x.records.Load(); m != nil {
		r, ok := (*m)[*v]
		return r, ok
	}
	return inferior.Record{}, false
}

// set takes new reference data. What platforms made known of a vehicle, and the reference data have no place for, is added.
func (x *vehicleIndex) set(data *detect.ReferenceData, known *register.Register) {
	operators := map[string]string{}
	for i := range data.Operators {
		operators[data.Operators[i].ID] = data.Operators[i].Name
	}
	m := make(map[ingest.Vehicle]inferior.Record, len(data.Vehicles))
	for i := range data.Vehicles {
		v := &data.Vehicles[i]
		r := inferior.Record{Class: v.Class.String(), Operator: v.Operator, OperatorName: operators[v.Operator], Region: v.Region, Phone: v.Phone}
		if k, ok := known.Get(v.Vehicle); ok {
			r.VehicleType, r.TransType, r.OperatorTel = k.VehicleType, k.TransType, k.OperatorTel
			r.TerminalID, r.TerminalType, r.ProducerID, r.IMEI = k.TerminalID, k.Model, k.ProducerID, k.IMEI
		}
		m[v.Vehicle] = r
	}
	x.records.Store(&m)
	x.version.Add(1)
}

// staticData is what 0x9601 is answered with for a terminal that is online here.
func (a *app) staticData(v ingest.Vehicle) (jt809.Info, bool) {
	r, ok := a.vehicles.Vehicle(&v)
	if !ok {
		return nil, false
	}
	return inferior.InfoOf(&v, &r), true
}

// history reads archived positions, where this process has the record; else platforms are told that there are none.
func (a *app) history() superior.History {
	if a.store == nil {
		return nil
	}
	return func(ctx context.Context, v ingest.Vehicle, from, to int64, fn func(e *ingest.Event) error) error {
		f := store.TrackFilter{Vehicle: v, From: from, To: to, Limit: 5000}
		for {
			page, err := a.store.Track(ctx, f)
			if err != nil {
				return err
			}
			for i := range page.Positions {
				if err := fn(&page.Positions[i].Event); err != nil {
					return err
				}
			}
			if f.Cursor = page.Next; f.Cursor == "" {
				return nil
			}
		}
	}
}

// violationFor finds a violation that somebody wants to be supervised, where this process has the record.
func (a *app) violationFor() func(ctx context.Context, id string) (platform.Violation, bool, error) {
	if a.store == nil {
		return nil
	}
	return func(ctx context.Context, id string) (platform.Violation, bool, error) {
		r, err := a.store.Violation(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			return platform.Violation{}, false, nil
		}
		if err != nil {
			return platform.Violation{}, false, err
		}
		v, err := ingest.NewVehicle(r.Plate, r.Color)
		return platform.Violation{ID: r.ID, Vehicle: v, Kind: string(r.Kind), Time: int64(r.Start)}, err == nil, err
	}
}

// stopPlatforms ends the links to other platforms, proving and acknowledging what can be.
func (a *app) stopPlatforms(ctx context.Context, check func(what string, err error)) {
	if a.inferior != nil {
		// Half of the time: a superior that does not answer must not keep the rest from a clean end.
		bounded := ctx
		if deadline, ok := ctx.Deadline(); ok {
			var cancel context.CancelFunc
			bounded, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
			defer cancel()
		}
		check("the reports to superior platforms", a.inferior.Shutdown(bounded))
	}
	if a.superior != nil {
		check("the links of inferior platforms", a.superior.Shutdown(ctx))
	}
}
