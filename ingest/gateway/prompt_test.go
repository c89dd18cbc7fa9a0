package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/internal/bus"
	"lushao/internal/embed/kafkalog"
)

// fakePrompts are both topics.
type fakePrompts struct {
	prompts  chan []byte
	taken    chan struct{} // one for each prompt that was taken
	outcomes chan PromptOutcome
	mu       sync.Mutex
	refuse   error
}

func newFakePrompts() *fakePrompts {
	return &fakePrompts{prompts: make(chan []byte), taken: make(chan struct{}, 1000), outcomes: make(chan PromptOutcome, 1000)}
}

func (f *fakePrompts) Follow(ctx context.Context, take func(context.Context, []byte) error) error {
	for {
		select {
		case b := <-f.prompts:
			if err := take(ctx, b); err != nil {
				return err
			}
			f.taken <- struct{}{}
		case <-ctx.Done():
			return nil
		}
	}
}

func (f *fakePrompts) Record(_ context.Context, records []PromptRecord) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return f.refuse
	}
	for _, r := range records {
		var o PromptOutcome
		if err := json.Unmarshal(r.Value, &o); err != nil || o.ID != string(r.Key) {
			return fmt.Errorf("%s: %s: %v", r.Key, r.Value, err)
		}
		f.outcomes <- o
	}
	return nil
}

func (f *fakePrompts) put(t *testing.T, m any) {
	t.Helper()
	b, ok := m.([]byte)
	if !ok {
		b, _ = json.Marshal(m)
	}
	f.prompts <- b
	<-f.taken
}

func startPrompter(t *testing.T, g *Gateway, log PromptLog, change func(*PromptsConfig)) (*Prompter, func() error) {
	t.Helper()
	cfg := DefaultPromptsConfig()
	if change != nil {
		change(&cfg)
	}
	p, err := NewPrompter(cfg, g, log, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	var once sync.Once
	var ended error
	stop := func() error {
		once.Do(func() { cancel(); ended = <-done })
		return ended
	}
	t.Cleanup(func() { stop() })
	return p, stop
}

func speedingPrompt(id string) Prompt {
	limit, measured := 80.0, 96.5
	return Prompt{ID: id, Plate: v1.Plate(), Color: v1.Color, Kind: "speeding", Violation: &PromptViolation{Limit: &limit, Measured: &measured},
		Expires: time.Now().Add(time.Minute)}
}

func (c *terminal) spoken(want string) commanded {
	c.t.Helper()
	m := c.readCommand()
	var text jt808.TextMessage
	if err := jt808.Decode(m.body, c.ed, &text); err != nil || m.head.ID != jt808.IDText || text.Text.String() != want {
		c.t.Fatalf("%v %q %v, want %q", m.head.ID, text.Text.String(), err, want)
	}
	if text.Flags&jt808.TextTTS == 0 {
		c.t.Errorf("flags %#x: not spoken", text.Flags)
	}
	return m
}

func TestPromptsOfTheTopic(t *testing.T) {
	g, c, _ := online(t, jt808.Edition2019, nil)
	log := newFakePrompts()
	p, stop := startPrompter(t, g, log, nil)
	outcome := func(id string, want CommandState, text string) {
		t.Helper()
		o := <-log.outcomes
		if o.ID != id || o.Outcome != want || o.Text != text || o.Plate != v1.Plate() || o.Color != v1.Color || (o.Result != nil) != (want == CommandDone) {
			t.Errorf("%+v, want %s %s %q", o, id, want, text)
		}
	}
	const told = "您已超速，限速80公里，请减速"
	log.put(t, speedingPrompt("a"))
	c.ack(c.spoken(told), 0)
	outcome("a", CommandDone, told)
	// The same again, another of the kind too soon, one that is over, others that are none.
	log.put(t, speedingPrompt("a"))
	outcome("a", PromptDuplicate, "")
	log.put(t, speedingPrompt("b"))
	outcome("b", PromptLimited, "")
	over := speedingPrompt("c")
	over.Expires = time.Now().Add(-time.Second)
	log.put(t, over)
	outcome("c", PromptExpired, "")
	unknown := speedingPrompt("d")
	unknown.Kind = "yawning"
	log.put(t, unknown)
	outcome("d", PromptInvalid, "")
	empty := speedingPrompt("e")
	empty.Violation = nil
	log.put(t, empty)
	outcome("e", PromptInvalid, "")
	// Another kind is not limited by the first.
	fence := speedingPrompt("f")
	fence.Kind = "fence_entry"
	log.put(t, fence)
	c.ack(c.spoken("您已驶入禁行区域，请尽快驶离"), 0)
	outcome("f", CommandDone, "您已驶入禁行区域，请尽快驶离")
	// For others, and rubbish.
	other := speedingPrompt("g")
	other.Plate = "京Z99999"
	log.put(t, other)
	for _, b := range []string{"", "null", "{", "[]", `{"id":"x"}`, `{"id":"","plate":"晋A1","color":2}`, `{"id":1}`, `{"id":"x","plate":"a\u0000","color":2}`,
		`{"id":"x","plate":"晋A1","color":999}`, strings.Repeat("{", 1000), `{"id":"` + strings.Repeat("x", 200) + `","plate":"晋A1","color":2}`} {
		log.put(t, []byte(b))
	}
	if n := testutil.ToFloat64(p.metrics.outcomes.WithLabelValues(otherID, string(PromptInvalid))); n != 12 {
		t.Errorf("%v prompts could not be read", n) // and the one without a template
	}
	if n := testutil.ToFloat64(p.metrics.elsewhere); n != 1 {
		t.Errorf("%v prompts for others", n)
	}
	// A text as it is; the terminal hangs up before it answers, and then it is said again to who comes back.
	words := Prompt{ID: "h", Plate: v1.Plate(), Color: v1.Color, Kind: "weather", Text: "前方大雾"}
	log.put(t, words)
	c.spoken("前方大雾")
	c.nc.Close()
	outcome("h", CommandGone, "前方大雾")
	if err := stop(); err != nil {
		t.Error(err)
	}
	if len(p.slots) != 0 || len(log.outcomes) != 0 {
		t.Errorf("%d slots are taken, %d outcomes too many", len(p.slots), len(log.outcomes))
	}
}

func TestStaffPrompt(t *testing.T) {
	g, c, _ := online(t, jt808.Edition2013, nil)
	log := newFakePrompts()
	p, _ := startPrompter(t, g, log, func(cfg *PromptsConfig) { cfg.Intervals = map[string]time.Duration{StaffPrompt: time.Hour} })
	send := func(text string) func() PromptOutcome {
		ch := make(chan PromptOutcome, 1)
		go func() { ch <- p.Send(context.Background(), v1, text, true) }()
		return func() PromptOutcome { return <-ch }
	}
	// A limit of what terminals can take must not use up the vehicle's turn.
	out := send("请靠边停车")
	c.ack(c.spoken("请靠边停车"), 1)
	o := out()
	if o.Outcome != CommandFailed || o.Result == nil || *o.Result != 1 || o.Kind != StaffPrompt || len(o.ID) != 32 {
		t.Errorf("%+v", o)
	}
	if recorded := <-log.outcomes; recorded.ID != o.ID || recorded.Outcome != o.Outcome {
		t.Errorf("recorded %+v", recorded)
	}
	if o := send("再一次")(); o.Outcome != PromptLimited {
		t.Errorf("%+v", o)
	}
	if o := p.Send(t.Context(), v2, "x", false); o.Outcome != CommandOffline {
		t.Errorf("%+v", o)
	}
	if o := p.Send(t.Context(), v2, "x", false); o.Outcome != CommandOffline {
		t.Errorf("what was not sent was counted: %+v", o)
	}
}

// A log that takes no outcomes stops nothing; outcomes that wait are bounded.
func TestPromptOutcomesWithoutALog(t *testing.T) {
	g, _, _ := online(t, jt808.Edition2013, nil)
	log := newFakePrompts()
	log.refuse = errors.New("refused")
	p, stop := startPrompter(t, g, log, func(cfg *PromptsConfig) { cfg.MaxPending = 2 })
	for range 20 {
		if o := p.Send(t.Context(), v2, "x", false); o.Outcome != CommandOffline && o.Outcome != CommandBusy {
			t.Fatalf("%+v", o)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if testutil.ToFloat64(p.metrics.unrecorded) == 0 {
		t.Error("nothing was counted")
	}
	for range 5 {
		p.Send(t.Context(), v2, "x", false)
	}
	if o := p.Send(t.Context(), v2, "x", false); o.Outcome != CommandBusy {
		t.Errorf("%+v", o)
	}
}

func TestPromptsConfig(t *testing.T) {
	for want, change := range map[string]func(*PromptsConfig){
		"prompts.templates.x: {speed} is not known; one of fence, limit": func(c *PromptsConfig) { c.Templates = map[string]string{"x": "{speed}"} },
		"prompts.templates.x: { without }":                               func(c *PromptsConfig) { c.Templates = map[string]string{"x": "a {limit"} },
		"prompts.templates.x: } without {":                               func(c *PromptsConfig) { c.Templates = map[string]string{"x": "a } {limit}"} },
		"prompts.templates.x: empty":                                     func(c *PromptsConfig) { c.Templates = map[string]string{"x": " "} },
		"prompts.templates.x: GBK, which terminals speak, has no '😀'":    func(c *PromptsConfig) { c.Templates = map[string]string{"x": "慢😀"} },
		"prompts.templates.x: 1026 bytes in GBK; at most 1024": func(c *PromptsConfig) {
			c.Templates = map[string]string{"x": strings.Repeat("慢", 513)}
		},
		"prompts.interval: must":       func(c *PromptsConfig) { c.Interval = -1 },
		"prompts.intervals.staff: mus": func(c *PromptsConfig) { c.Intervals[StaffPrompt] = -1 },
		"prompts.memory: 0":            func(c *PromptsConfig) { c.Memory = 0 },
		"prompts.max_pending: 0":       func(c *PromptsConfig) { c.MaxPending = 0 },
	} {
		c := DefaultPromptsConfig()
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
	c := DefaultPromptsConfig()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestTemplates(t *testing.T) {
	f := func(v float64) *float64 { return &v }
	fence := "F{limit}"
	m := &Prompt{Plate: "晋A1", Violation: &PromptViolation{Start: time.UnixMilli(base), Limit: f(80), Measured: f(96.54), Fence: &fence}}
	for text, want := range map[string]string{
		"{plate}于{time}超速{measured}/{limit}":   "晋A1于08:00超速96.5/80",
		"{fence}{station}{section}{over_pct}。": "F{limit}。", // what a violation says is no template
		"plain":                                "plain",
	} {
		parsed, err := parseTemplate(text)
		if err != nil || parsed.fill(m) != want {
			t.Errorf("%s: %q %v, want %q", text, parsed.fill(m), err, want)
		}
	}
	for text, want := range map[string]string{"\x00": "control", "a\x1b[0m": "control", "\xff": "not UTF-8", "": "empty", " \n ": "empty"} {
		if _, err := promptText(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if text, err := promptText("第一行\n第二行"); err != nil || text.String() != "第一行\n第二行" {
		t.Errorf("%q %v", text, err)
	}
}

// What is remembered is bounded, and what is forgotten first is the oldest.
func TestPromptLimits(t *testing.T) {
	cfg := DefaultPromptsConfig()
	cfg.Memory = 100
	l := newPromptLimits(cfg)
	now := time.UnixMilli(base)
	take := func(n int, id string, at time.Time) CommandState {
		return l.take(vehicle(fmt.Sprintf("晋A%05d", n), ingest.Color(2)), "speeding", id, at)
	}
	for n := range 1000 {
		if s := take(n, fmt.Sprint("first", n), now); s != "" {
			t.Fatal(s)
		}
		if s := take(n, fmt.Sprint("second", n), now.Add(time.Second)); s != PromptLimited {
			t.Fatal(s)
		}
	}
	if n := len(l.last.younger) + len(l.last.older); n > 100 {
		t.Errorf("%d are remembered", n)
	}
	if s := take(999, "third", now.Add(2*time.Minute)); s != "" {
		t.Errorf("after the interval: %s", s)
	}
	if s := take(998, "third", now); s != PromptDuplicate {
		t.Errorf("an id again: %s", s)
	}
	v := vehicle("晋A00998", 2)
	l.giveBack(v, "speeding", "first998", now)
	if s := take(998, "first998", now.Add(time.Second)); s != "" {
		t.Errorf("after it was given back: %s", s)
	}
	if s := take(998, "fourth", now); s != "" { // the clock was set back: it must not silence anybody
		t.Errorf("%s", s)
	}
}

// The topics on a real log: from the end on, each outcome under its id.
func TestBusPrompts(t *testing.T) {
	c := kafkalog.DefaultConfig()
	c.DataDir = t.TempDir()
	l, err := kafkalog.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := bus.DefaultConfig()
	cfg.Brokers = []string{l.Addr()}
	client, err := bus.Open(cfg, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := client.EnsureTopics(ctx, bus.Topic{Name: "prompts", Partitions: 2, Replication: 1}, bus.Topic{Name: PromptOutcomesTopic, Partitions: 1, Replication: 1}); err != nil {
		t.Fatal(err)
	}
	write := func(s string) {
		t.Helper()
		if err := client.WriteKeyed(ctx, "prompts", bus.KeyedMessage{Partition: len(s) % 2, Key: []byte("k"), Value: []byte(s)}); err != nil {
			t.Fatal(err)
		}
	}
	write("before")
	b := &BusPrompts{Client: client, Topic: "prompts", Outcomes: PromptOutcomesTopic}
	if err := b.Follow(ctx, nil); err == nil {
		t.Error("reads without a begin")
	}
	if err := b.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	got, done := make(chan string, 10000), make(chan error, 1)
	following, end := context.WithCancel(ctx)
	go func() {
		done <- b.Follow(following, func(_ context.Context, v []byte) error { got <- string(v); return nil })
	}()
	write("a")
	write("bb")
	if seen := map[string]bool{<-got: true, <-got: true}; !seen["a"] || !seen["bb"] { // of both partitions, and nothing before
		t.Error(seen)
	}
	end()
	if err := <-done; err != nil {
		t.Error(err)
	}
	failed := errors.New("failed")
	go func() {
		done <- b.Follow(ctx, func(context.Context, []byte) error { return failed })
	}()
	if err := <-done; !errors.Is(err, failed) {
		t.Error(err)
	}
	if err := b.Record(ctx, []PromptRecord{{[]byte("id"), []byte("{}")}}); err != nil {
		t.Fatal(err)
	}
	var keys []string
	client.ReadAll(ctx, PromptOutcomesTopic, func(m bus.Message) error { keys = append(keys, string(m.Key)); return nil })
	if len(keys) != 1 || keys[0] != "id" {
		t.Errorf("%q", keys)
	}
}
