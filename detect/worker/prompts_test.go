package worker

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/detect"
	"lushao/ingest"
	"lushao/internal/bus"
)

func TestWhichViolationsAreTold(t *testing.T) {
	now := time.UnixMilli(1777564800000)
	event := func(age, delay time.Duration, flags ingest.Flags) ingest.Event {
		received := now.Add(-delay).UnixMilli()
		return ingest.Event{Kind: ingest.KindPosition, Vehicle: hazmat, Received: received, Time: received - age.Milliseconds(), Flags: flags}
	}
	events := []ingest.Event{
		event(0, 0, 0),
		event(2*time.Minute, 2*time.Minute, 0),
		event(2*time.Minute+time.Millisecond, 0, 0),
		event(0, 2*time.Minute+time.Millisecond, 0),
		event(0, 0, ingest.FlagBackfill),
		event(-2*time.Minute, 0, 0),
		event(-3*time.Minute, 0, 0), // a clock that runs ahead says nothing about now
	}
	const first = 7 << versionBits
	violation := func(n uint64, kind detect.Kind, state detect.State) detect.Violation {
		return detect.Violation{ID: string(kind) + string(state) + string(rune('0'+n)), Version: first + n, Kind: kind, State: state, Plate: hazmat.Plate(), Color: 2}
	}
	var all []detect.Violation
	for n := range uint64(len(events)) {
		all = append(all, violation(n, detect.KindSpeeding, detect.StateOpen))
	}
	all = append(all, violation(0, detect.KindFenceEntry, detect.StateOpen), violation(0, detect.KindSpeeding, detect.StateClosed),
		violation(0, detect.KindSpeeding, detect.StateRetracted), violation(0, detect.KindOverload, detect.StateOpen),
		violation(99, detect.KindSpeeding, detect.StateOpen), violation(^uint64(0), detect.KindSpeeding, detect.StateOpen)) // of no event: a change of reference data
	tried := violation(0, detect.KindSpeeding, detect.StateOpen)
	tried.ID, tried.Shadow = "tried", "strict"
	all = append(all, tried)
	p := newPrompts([]string{"speeding", "fence_entry"}, newMetrics(prometheus.NewRegistry()))
	p.now = func() time.Time { return now }
	p.put(all, events, first)
	var ids []string
	for len(p.queue) > 0 {
		m := <-p.queue
		var got struct {
			ID, Plate, Kind string
			Color           int
			Expires         time.Time
			Violation       detect.Violation
		}
		if err := json.Unmarshal(m.Value, &got); err != nil || string(m.Key) != got.ID || got.Violation.ID != got.ID || got.Plate != "晋E12345" || got.Color != 2 || got.Kind == "" {
			t.Fatalf("%s: %v", m.Value, err)
		}
		if late := got.Expires.Sub(now); late < 0 || late > promptAge {
			t.Errorf("expires %v after now", late)
		}
		ids = append(ids, got.ID)
	}
	if got := strings.Join(ids, " "); got != "speedingopen0 speedingopen1 speedingopen5 fence_entryopen0" {
		t.Errorf("told: %s", got)
	}
	// More than the log takes is dropped and counted; the detector goes on.
	for range maxPrompts + 5 {
		p.put(all[:1], events, first)
	}
	if n := testutil.ToFloat64(p.metrics.droppedPrompts); n != 5 || len(p.queue) != maxPrompts {
		t.Errorf("%v dropped, %d wait", n, len(p.queue))
	}
}

// A warning goes the way of a violation, under a kind of its own; whether or not anybody is told, it is counted.
func TestWhichWarningsAreTold(t *testing.T) {
	now := time.UnixMilli(1777564800000)
	events := []ingest.Event{{Vehicle: hazmat, Received: now.UnixMilli(), Time: now.UnixMilli()},
		{Vehicle: hazmat, Received: now.UnixMilli(), Time: now.Add(-3 * time.Minute).UnixMilli()}}
	measured, limit := 3.51, 4.0
	warnings := []detect.Warning{
		{ID: "a", Version: 70, Kind: detect.KindFatigueContinuous, Plate: hazmat.Plate(), Color: 2, Start: 1777550000000, Measured: &measured, Limit: &limit},
		{ID: "stored", Version: 71, Kind: detect.KindFatigueContinuous, Plate: hazmat.Plate(), Color: 2},
		{ID: "unwanted", Version: 70, Kind: detect.KindFatigueNight, Plate: hazmat.Plate(), Color: 2},
	}
	p := newPrompts([]string{"fatigue_continuous_ahead", "fatigue_continuous", "fatigue_night"}, newMetrics(prometheus.NewRegistry()))
	p.now = func() time.Time { return now }
	p.warn(warnings, events, 70)
	if len(p.queue) != 1 {
		t.Fatalf("%d prompts", len(p.queue))
	}
	m := <-p.queue
	var got struct {
		ID, Plate, Kind string
		Expires         time.Time
		Violation       struct{ Measured, Limit float64 }
	}
	if err := json.Unmarshal(m.Value, &got); err != nil || string(m.Key) != "a" || got.ID != "a" || got.Kind != "fatigue_continuous_ahead" || got.Violation.Measured != 3.51 ||
		got.Violation.Limit != 4 || !got.Expires.Equal(now.Add(promptAge)) {
		t.Errorf("%s: %v", m.Value, err)
	}
	for kind, want := range map[string]float64{"fatigue_continuous": 2, "fatigue_night": 1} {
		if n := testutil.ToFloat64(p.metrics.warnings.WithLabelValues(kind)); n != want {
			t.Errorf("%v warnings of %s, want %v", n, kind, want)
		}
	}
}

type refusingLog struct{ calls chan int }

func (l refusingLog) WriteKeyed(_ context.Context, topic string, messages ...bus.KeyedMessage) error {
	l.calls <- len(messages)
	if topic != PromptsTopic {
		return errors.New("wrong topic " + topic)
	}
	return errors.New("refused")
}

func TestPromptsGoOnAfterTheLogRefuses(t *testing.T) {
	p := newPrompts([]string{"speeding"}, newMetrics(prometheus.NewRegistry()))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log, failed := refusingLog{make(chan int)}, make(chan error, 10)
	done := make(chan struct{})
	go func() { p.run(ctx, log, func(err error) { failed <- err }); close(done) }()
	for range 3 {
		p.queue <- bus.KeyedMessage{}
		if n := <-log.calls; n != 1 {
			t.Errorf("%d prompts", n)
		}
		if err := <-failed; err.Error() != "refused" {
			t.Error(err)
		}
	}
	cancel()
	<-done
	if n := testutil.ToFloat64(p.metrics.droppedPrompts); n != 3 {
		t.Errorf("%v dropped", n)
	}
}

// Through the worker: a vehicle that speeds now is told, one whose reports are old is not.
func TestWorkerTells(t *testing.T) {
	r := newRig(t)
	if err := r.client.EnsureTopics(r.ctx, bus.Topic{Name: PromptsTopic, Partitions: 1, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	stop := r.run(r.reference(reg, slog.New(slog.DiscardHandler)), reg)
	begin := time.Now().Add(-time.Minute).UnixMilli()
	old, _ := ingest.NewVehicle("晋E99999", 2)
	var events []ingest.Event
	for s := int64(0); s < 60; s += 10 {
		e := fix(s, 150) // over the limit of any road
		e.Time, e.Received = begin+s*1000, begin+s*1000
		events = append(events, e)
		e.Vehicle = old
		e.Received += time.Hour.Milliseconds()
		e.Time -= 3 * time.Hour.Milliseconds()
		events = append(events, e)
	}
	r.send(events...)
	var told []bus.Message
	ctx, cancel := context.WithCancel(r.ctx)
	if err := r.client.Consume(ctx, PromptsTopic, 0, 0, func(_ context.Context, batch []bus.Message) error {
		told = append(told, batch...)
		cancel()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || !strings.Contains(string(told[0].Value), `"kind":"speeding"`) || !strings.Contains(string(told[0].Value), hazmat.Plate()) {
		t.Errorf("%d prompts: %s", len(told), told[0].Value)
	}
}

// Through the worker: who has driven for three hours and a half is warned, once, and nothing of it is recorded as a violation.
func TestWorkerWarns(t *testing.T) {
	r := newRig(t)
	if err := r.client.EnsureTopics(r.ctx, bus.Topic{Name: PromptsTopic, Partitions: 1, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	stop := r.run(r.reference(reg, slog.New(slog.DiscardHandler)), reg)
	const driven = 3*3600 + 31*60
	begin := time.Now().Add(-driven * time.Second).UnixMilli()
	var events []ingest.Event
	for s := int64(0); s <= driven; s += 60 {
		e := fix(0, 60)
		e.Time, e.Received = begin+s*1000, begin+s*1000
		e.Position.Lon = 100_000_000 + int32(s*180)
		events = append(events, e)
	}
	r.send(events...)
	var told []bus.Message
	ctx, cancel := context.WithCancel(r.ctx)
	if err := r.client.Consume(ctx, PromptsTopic, 0, 0, func(_ context.Context, batch []bus.Message) error {
		told = append(told, batch...)
		cancel()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || !strings.Contains(string(told[0].Value), `"kind":"fatigue_continuous_ahead"`) || !strings.Contains(string(told[0].Value), `"limit":4`) {
		t.Errorf("%d prompts: %s", len(told), told[0].Value)
	}
	for _, v := range r.violations() {
		if strings.HasPrefix(string(v.Kind), "fatigue") {
			t.Errorf("recorded %+v", v)
		}
	}
}

func TestPromptsSetting(t *testing.T) {
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	c.Prompts = []string{"speeding", "yawning"}
	if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), `detect.prompts: "yawning"; any of`) {
		t.Error(err)
	}
}
