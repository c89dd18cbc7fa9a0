package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"lushao/detect"
	"lushao/detect/reference/edit"
	"lushao/detect/worker"
	"lushao/enforce/api"
	"lushao/enforce/recheck"
	"lushao/enforce/sink"
	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/ingest/gateway"
	"lushao/ingest/media"
	"lushao/ingest/platform/inferior"
	"lushao/ingest/platform/register"
	"lushao/ingest/platform/superior"
	"lushao/ingest/weigh"
	"lushao/internal/bus"
	"lushao/internal/embed/chengine"
	"lushao/internal/embed/kafkalog"
	"lushao/internal/httpx"
)

// recordsTopic remembers the weigh records that were taken; compacted, one partition.
const recordsTopic = "weighing-records"

// app is one process: its parts, started in order and stopped in the order that loses nothing.
type app struct {
	cfg   *Config
	roles []role
	log   *slog.Logger
	reg   *prometheus.Registry
	out   io.Writer // what a person is told at the start

	http      *httpx.Server
	embedLog  *kafkalog.Log
	bus       *bus.Client
	reference *worker.Reference
	engine    *chengine.Engine
	store     *store.Store
	events    *bus.Producer
	door      *weigh.Door
	gateway   *gateway.Gateway
	media     *media.Store
	register  *register.Register // vehicles that platforms made known
	vehicles  vehicleIndex       // those of the reference data in force
	superior  *superior.Superior
	inferior  *inferior.Inferior

	visitors   []*task // come through the doors, so they leave first
	background []*task
	failed     chan error // of a background part that ended by itself
}

// task is a part that runs until its context ends.
type task struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
}

func newApp(cfg *Config, out io.Writer, roles ...role) (*app, error) {
	if err := cfg.validate(roles...); err != nil {
		return nil, err
	}
	a := &app{cfg: cfg, roles: roles, log: cfg.Log.logger(), reg: prometheus.NewRegistry(), out: out, failed: make(chan error, 8)}
	a.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return a, nil
}

func (a *app) has(r role) bool { return slices.Contains(a.roles, r) }

// run starts everything, calls ready, waits for the end of ctx or of a part, and stops everything.
func (a *app) run(ctx context.Context, ready func(ctx context.Context) error) error {
	err := a.start(ctx)
	if err == nil {
		a.http.Health.Ready()
		if ready != nil {
			err = ready(ctx)
		}
	}
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-a.failed:
		}
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil // asked to stop while starting
	}
	return errors.Join(err, a.stop())
}

// start starts the parts: first what others stand on, last what lets the world in.
func (a *app) start(ctx context.Context) (err error) {
	if err := os.MkdirAll(a.cfg.Data, 0o750); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	if files, err := raiseFileLimit(); err != nil {
		a.log.Warn("the limit of open files stays as it is", "limit", files, "err", err)
	} else {
		a.log.Info("files that may be open, each connection is one", "limit", files)
	}
	// Health and metrics are there from the first moment: a long start must be seen.
	a.http = httpx.New(a.cfg.HTTP, a.log)
	a.http.Mux.Handle("GET /metrics", promhttp.HandlerFor(a.reg, promhttp.HandlerOpts{}))
	if err := a.http.Start(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		a.startLog, a.startRegister, a.startReference, a.startStore, a.startDetect, a.startSink, a.startRecheck, a.startIngest,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) startLog(ctx context.Context) (err error) {
	if a.cfg.embeddedLog() {
		c := a.cfg.Embedded.Log
		c.Logger, c.Registerer = a.log.With("part", "log"), a.reg
		if a.embedLog, err = kafkalog.Open(c); err != nil {
			return err
		}
		// What these have not read must not be dropped.
		a.embedLog.Follow(a.cfg.Bus.TopicPrefix+worker.EventsTopic, worker.Group)
		a.embedLog.Follow(a.cfg.Bus.TopicPrefix+a.cfg.Sink.Archive.Topic, a.cfg.Sink.Archive.Group)
		a.embedLog.Follow(a.cfg.Bus.TopicPrefix+a.cfg.Sink.Violations.Topic, a.cfg.Sink.Violations.Group)
		if a.cfg.Recheck.Enabled {
			a.embedLog.Follow(a.cfg.Bus.TopicPrefix+worker.RechecksTopic, a.cfg.Recheck.Group)
		}
		a.followPlatforms()
		a.embedLog.Follow(a.cfg.Bus.TopicPrefix+a.cfg.Sink.Visits.Topic, a.cfg.Sink.Visits.Group)
		a.embedLog.Follow(a.cfg.Bus.TopicPrefix+a.cfg.Sink.Driving.Topic, a.cfg.Sink.Driving.Group)
		a.cfg.Bus.Brokers = []string{a.embedLog.Addr()}
	}
	if a.bus, err = bus.Open(a.cfg.Bus, a.log.With("part", "bus"), a.reg); err != nil {
		return err
	}
	if !a.cfg.Topics.Create {
		return nil
	}
	t := a.cfg.Topics
	// What is appended for ever is bounded by the embedded log's janitor or by the cluster's own settings; a compacted topic
	// must get its cleaning turns often, because checkpoints are written again and again.
	compacted := map[string]string{"cleanup.policy": "compact", "segment.bytes": fmt.Sprint(16 << 20)}
	topics := []bus.Topic{}
	for _, name := range platformTopics {
		topics = append(topics, bus.Topic{Name: name, Partitions: 1, Replication: t.Replication, Config: compacted})
	}
	return a.bus.EnsureTopics(ctx, append(topics,
		bus.Topic{Name: worker.EventsTopic, Partitions: t.Partitions, Replication: t.Replication},
		bus.Topic{Name: worker.ViolationsTopic, Partitions: t.Partitions, Replication: t.Replication},
		bus.Topic{Name: worker.VisitsTopic, Partitions: t.Partitions, Replication: t.Replication},
		bus.Topic{Name: worker.DrivingTopic, Partitions: t.Partitions, Replication: t.Replication},
		bus.Topic{Name: worker.RechecksTopic, Partitions: t.Partitions, Replication: t.Replication},
		bus.Topic{Name: worker.CheckpointsTopic, Partitions: t.Partitions, Replication: t.Replication, Config: compacted},
		bus.Topic{Name: recordsTopic, Partitions: 1, Replication: t.Replication, Config: compacted},
		bus.Topic{Name: worker.PromptsTopic, Partitions: 1, Replication: t.Replication},
		bus.Topic{Name: gateway.PromptOutcomesTopic, Partitions: 1, Replication: t.Replication},
	)...)
}

func (a *app) startReference(context.Context) error {
	if err := os.MkdirAll(a.cfg.Reference.Dir, 0o750); err != nil {
		return fmt.Errorf("reference.dir: %w", err)
	}
	a.reference = worker.NewReference(a.cfg.Reference, a.log.With("part", "reference"), a.reg, a.useReference)
	a.reference.UsePlatforms(a.register)
	if err := a.reference.Load(); err != nil {
		return err
	}
	a.goOn("reference", a.reference.Run)
	return nil
}

// useReference gives new reference data to the doors; the detector takes its snapshot by itself.
func (a *app) useReference(data *detect.ReferenceData) {
	a.vehicles.set(data, a.register)
	if a.gateway != nil {
		r, err := terminals(data)
		if err != nil {
			a.log.Error("the terminals of the changed register are not used", "err", err)
		} else {
			a.gateway.SetRegister(r)
		}
	}
	if a.door != nil {
		a.door.SetStations(stations(data))
	}
}

func terminals(data *detect.ReferenceData) (gateway.Register, error) {
	list := make([]gateway.Terminal, len(data.Vehicles))
	for i := range data.Vehicles {
		list[i] = gateway.Terminal{Vehicle: data.Vehicles[i].Vehicle, Phone: data.Vehicles[i].Phone}
	}
	return gateway.NewRegister(list)
}

// stationSet is the register of weigh stations.
type stationSet map[string]bool

func (s stationSet) Known(id string) bool { return s[id] }

func stations(data *detect.ReferenceData) weigh.Stations {
	if len(data.Stations) == 0 {
		return nil // no register: nothing to compare with
	}
	s := stationSet{}
	for i := range data.Stations {
		s[data.Stations[i].ID] = true
	}
	return s
}

func (a *app) startStore(ctx context.Context) (err error) {
	if !a.has(roleEnforce) {
		return nil
	}
	var transport http.RoundTripper
	if a.cfg.embeddedStore() {
		c := a.cfg.Embedded.ClickHouse
		c.Logger, c.Registerer = a.log.With("part", "clickhouse"), a.reg
		if a.engine, err = chengine.Open(c); err != nil {
			return err
		}
		transport = a.engine
	}
	if a.store, err = store.Open(ctx, a.cfg.Store, transport); err != nil {
		return err
	}
	if err := a.store.Migrate(ctx); err != nil {
		return err
	}
	h, err := api.New(a.cfg.API, a.store, a.log.With("part", "api"), a.reg)
	if err != nil {
		return err
	}
	changers, err := api.NewTokens(a.cfg.API, a.cfg.HTTP.Listen)
	if err != nil {
		return err
	}
	// One core is left to the detector while a change is tried.
	h.MountPlaces(edit.New(a.cfg.Reference.Dir, a.cfg.Reference.Versions, runtime.GOMAXPROCS(0)-1), changers, a.store)
	h.MountExplanations(a.reference, a.store)
	a.http.Mux.Handle("/v1/", h)
	return nil
}

func (a *app) startDetect(context.Context) error {
	if a.has(roleDetect) {
		w := worker.New(a.cfg.Detect, a.bus, a.reference, a.log.With("part", "detect"), a.reg)
		a.goOn("detect", w.Run)
	}
	return nil
}

func (a *app) startSink(context.Context) error {
	if !a.has(roleEnforce) {
		return nil
	}
	quality := func(e *ingest.Event) string { return a.reference.Current().CheckPosition(e).String() }
	s, err := sink.New(a.cfg.Sink, a.bus, a.store, quality, a.log.With("part", "sink"), a.reg)
	if err != nil {
		return err
	}
	a.goOn("sink", s.Run)
	return nil
}

// startRecheck starts what judges again where data came late.
func (a *app) startRecheck(context.Context) error {
	if !a.has(roleEnforce) || !a.cfg.Recheck.Enabled {
		return nil
	}
	s := &a.cfg.Sink
	groups := recheck.Sinks{Events: s.Archive.Group, Violations: s.Violations.Group, Visits: s.Visits.Group}
	c := a.cfg.Recheck
	if c.Share == 0 && a.has(roleDetect) {
		c.Share = 0.5
	}
	r, err := recheck.New(c, a.bus, a.store, a.reference, groups, a.log.With("part", "recheck"), a.reg)
	if err != nil {
		return err
	}
	a.goOn("recheck", r.Run)
	return nil
}

func (a *app) startIngest(ctx context.Context) (err error) {
	if !a.has(roleGateway) {
		return nil
	}
	if err := a.ensureSecrets(); err != nil {
		return err
	}
	if a.events, err = a.bus.NewProducer(ctx, worker.EventsTopic); err != nil {
		return err
	}
	log := &gateway.BusLog{Producer: a.events}
	data := a.reference.Data()
	register, err := terminals(data)
	if err != nil {
		return err
	}
	door, err := weigh.New(a.cfg.Weighings, weigh.Deps{Log: log, Marks: &gateway.BusMarks{Client: a.bus, Topic: recordsTopic},
		Stations: stations(data), Logger: a.log.With("part", "weighings"), Registerer: a.reg})
	if err != nil {
		return err
	}
	if err := door.Start(ctx); err != nil {
		return err
	}
	a.door = door
	a.http.Mux.Handle("/v1/weighings", door)
	if err := a.startMedia(); err != nil {
		return err
	}
	gw, err := gateway.New(a.cfg.Gateway, gateway.Deps{Log: log, Register: register, Files: a.media, Logger: a.log.With("part", "gateway"), Registerer: a.reg})
	if err != nil {
		return err
	}
	if err := gw.Start(); err != nil {
		return err
	}
	a.gateway = gw
	if err := a.startCommands(ctx, gw); err != nil {
		return err
	}
	return a.startPlatforms(ctx, log)
}

// startMedia opens the folder of what terminals send as files, and lets them be read.
func (a *app) startMedia() error {
	s, err := media.New(a.cfg.Media, a.log.With("part", "media"), a.reg)
	if err != nil {
		return err
	}
	if err := s.Start(); err != nil {
		return err
	}
	a.media = s
	a.goOn("media", s.Run)
	readers, err := api.NewTokens(a.cfg.API, a.cfg.HTTP.Listen)
	if err != nil {
		return err
	}
	h := s.Handler(readers.Allowed)
	for _, p := range media.Patterns {
		a.http.Mux.Handle(p, h)
	}
	return nil
}

// startCommands opens the ways down to the terminals: prompts of the detector, and what people ask for.
func (a *app) startCommands(ctx context.Context, gw *gateway.Gateway) error {
	log := &gateway.BusPrompts{Client: a.bus, Topic: worker.PromptsTopic, Outcomes: gateway.PromptOutcomesTopic}
	prompter, err := gateway.NewPrompter(a.cfg.Prompts, gw, log, a.log.With("part", "prompts"), a.reg)
	if err != nil {
		return err
	}
	allowed, err := api.NewTokens(a.cfg.API, a.cfg.HTTP.Listen)
	if err != nil {
		return err
	}
	if err := log.Begin(ctx); err != nil {
		return err
	}
	a.goOn("prompts", prompter.Run)
	gateway.NewCommands(gateway.CommandsDeps{Gateway: gw, Prompter: prompter, Allowed: allowed, Logger: a.log.With("part", "commands"),
		Areas: func(v ingest.Vehicle) []gateway.Area { return areasOf(a.reference.Data(), v) }}).Mount(a.http.Mux)
	return nil
}

// ensureSecrets makes the secrets that the configuration leaves to this machine.
func (a *app) ensureSecrets() error {
	files := []string{a.cfg.Gateway.AuthSecretFile}
	for _, t := range a.cfg.Weighings.Tokens {
		files = append(files, t.File)
	}
	own := filepath.Join(a.cfg.Data, "secrets")
	for _, f := range files {
		if filepath.Dir(f) != own { // given by somebody else
			continue
		}
		if err := os.MkdirAll(own, 0o700); err != nil {
			return err
		}
		if err := gateway.EnsureSecret(f); err != nil {
			return err
		}
	}
	if f := a.cfg.Gateway.RSAKeyFile; filepath.Dir(f) == own {
		if err := os.MkdirAll(own, 0o700); err != nil {
			return err
		}
		return gateway.EnsureRSAKey(f)
	}
	return nil
}

// goOn runs a part in the background until stop.
func (a *app) goOn(name string, run func(context.Context) error) {
	a.background = append(a.background, a.launch(name, run))
}

func (a *app) launch(name string, run func(context.Context) error) *task {
	ctx, cancel := context.WithCancel(context.Background())
	t := &task{name: name, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(t.done)
		err := run(ctx)
		if ctx.Err() == nil {
			if err == nil {
				err = errors.New("ended by itself")
			}
			a.failed <- fmt.Errorf("%s: %w", name, err)
		} else if err != nil && !errors.Is(err, context.Canceled) {
			a.log.Warn("a part did not stop cleanly", "part", name, "err", err)
		}
	}()
	return t
}

// stop ends the parts: not ready, nobody new, what was read is written and acknowledged, then what stands behind it.
func (a *app) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.StopTimeout)
	defer cancel()
	var errs []error
	check := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("stopping %s: %w", what, err))
		}
	}
	if a.http != nil {
		a.http.Health.NotReady("stopping")
	}
	end := func(t *task) {
		t.cancel()
		select {
		case <-t.done:
		case <-ctx.Done():
			check(t.name, ctx.Err())
		}
	}
	for _, t := range a.visitors {
		end(t)
	}
	a.stopPlatforms(ctx, check)
	if a.gateway != nil {
		check("the gateway", a.gateway.Shutdown(ctx))
	}
	if a.door != nil {
		check("the weighing door", a.door.Shutdown(ctx))
	}
	if a.events != nil {
		check("the producer", a.events.Close(ctx))
	}
	// In the order of their start, so that the detector's last violations still reach the record when there is time.
	for _, t := range a.background {
		end(t)
	}
	if a.http != nil {
		check("HTTP", a.http.Shutdown(ctx))
	}
	if a.media != nil {
		check("the files of terminals", a.media.Close())
	}
	if a.store != nil {
		check("the store", a.store.Close())
	}
	if a.engine != nil {
		check("ClickHouse", a.engine.Close(ctx))
	}
	if a.bus != nil {
		a.bus.Close()
	}
	if a.embedLog != nil {
		check("the log", a.embedLog.Close())
	}
	return errors.Join(errs...)
}
