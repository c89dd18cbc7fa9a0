package sim809

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest"
	"lushao/ingest/jt809"
	requests "lushao/ingest/platform"
	product "lushao/ingest/platform/inferior"
	"lushao/internal/bus"
	"lushao/internal/sim"
	"lushao/internal/testport"
)

// topic is a topic of the log that holds what it was made with.
type topic struct {
	mu        sync.Mutex
	messages  [][]bus.Message // by partition
	committed map[int]int64
	slow      time.Duration // for a batch, so that there is time for links to break
}

func (s *topic) Bounds(context.Context) (first, next map[int]int64, err error) {
	first, next = map[int]int64{}, map[int]int64{}
	for i, m := range s.messages {
		first[i], next[i] = 0, int64(len(m))
	}
	return first, next, nil
}

func (s *topic) Committed(context.Context, string) (map[int]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.committed), nil
}

func (s *topic) Commit(_ context.Context, _ string, next map[int]int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(s.committed, next)
	return nil
}

func (s *topic) Follow(ctx context.Context, partition int, offset int64, fn func(context.Context, []bus.Message) error) error {
	for all := s.messages[partition][offset:]; len(all) > 0; {
		n := min(50, len(all))
		if err := fn(ctx, all[:n]); err != nil {
			return err
		}
		all = all[n:]
		if !sleep(ctx, s.slow) {
			break
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

// noRegister knows nothing.
type noRegister struct{}

func (noRegister) Vehicle(*ingest.Vehicle) (product.Record, bool) { return product.Record{}, false }
func (noRegister) Version() uint64                                { return 1 }

// TestAgainstTheInferiorPlatform lets the product's inferior platform forward a fleet to the simulated superior, which cuts links, repeats
// itself, and sends rubbish: every position arrives, and offsets are committed for what has.
func TestAgainstTheInferiorPlatform(t *testing.T) {
	for _, edition := range []string{"2011", "2013", "2019"} {
		for _, faulty := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,faults=%t", edition, faulty), func(t *testing.T) {
				t.Parallel()
				againstInferior(t, edition, faulty)
			})
		}
	}
}

func againstInferior(t *testing.T, edition string, faulty bool) {
	ctx, stop := context.WithTimeout(t.Context(), 90*time.Second)
	defer stop()
	logger := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}

	// What the fleet says is in the log.
	c := fast(Superior, edition, true)
	fleet := c.Fleet
	var said bytes.Buffer
	fleet.Gateway, fleet.Events, fleet.Carrier = "", &said, sim.CarrierCoarse
	driven, err := sim.New(fleet)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := driven.Run(ctx); err != nil {
		t.Fatal(err)
	}
	want := read(t, bytes.NewReader(said.Bytes()))
	source := &topic{messages: make([][]bus.Message, 3), committed: map[int]int64{0: -1, 1: -1, 2: -1}}
	for _, e := range inOrder(want) {
		p := e.Vehicle.Partition(3)
		source.messages[p] = append(source.messages[p], bus.Message{Partition: p, Offset: int64(len(source.messages[p])), Value: ingest.AppendEvent(nil, &e)})
	}

	// The superior.
	c.Platforms, c.Logger = 1, logger
	if faulty {
		source.slow = 15 * time.Millisecond
		c.FaultPause = 2 * time.Millisecond
		c.Faults = Faults{FaultMainCut: 0.06, FaultSubCut: 0.03, FaultBothCut: 0.04, FaultHalfFrame: 0.05, FaultBadChecksum: 0.05, FaultBadEscape: 0.05,
			FaultGarbage: 0.1, FaultWrongKey: 0.05, FaultWrongLength: 0.05, FaultDuplicate: 0.1, FaultChopped: 0.05, FaultUnknown: 0.1,
			FaultDeviation: 0.1, FaultSlowReader: 0.001, FaultWrongVerify: 0.2}
	}
	var mu sync.Mutex
	taken, changed := map[key]bool{}, make(chan struct{}, 1)
	c.OnTake = func(e *ingest.Event) {
		mu.Lock()
		taken[key{e.Vehicle, e.Time}] = true
		all := len(taken) == len(want)
		mu.Unlock()
		if all {
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	}
	var came bytes.Buffer
	c.Events = &came
	address := make(chan net.Addr, 1)
	c.OnListen = func(a net.Addr) { address <- a }
	superior, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	type result struct {
		Report
		error
	}
	ended := make(chan result, 1)
	working, done := context.WithCancel(ctx)
	defer done()
	go func() {
		r, err := superior.Run(working)
		ended <- result{r, err}
	}()

	// The inferior.
	sub := testport.Reserve(t)
	reg := prometheus.NewRegistry()
	m := &memory{logged: map[key]int{}, pages: map[string][]byte{}}
	book := requests.NewBook(m, logger, reg)
	if err := book.Load(ctx); err != nil {
		t.Fatal(err)
	}
	ic := product.DefaultConfig()
	ic.Listen = sub
	ic.Heartbeat, ic.BackoffMin, ic.BackoffMax = 50*time.Millisecond, 5*time.Millisecond, 50*time.Millisecond
	ic.RefusedBackoff, ic.BusyBackoff = 20*time.Millisecond, 20*time.Millisecond
	ic.Peers = []product.PeerConfig{{Name: "province", Address: (<-address).String(), AccessCode: c.AccessCode, User: c.User, Password: c.Password,
		PlatformID: "14059800001", Edition: edition, M1: c.Cipher.M1, IA1: c.Cipher.IA1, IC1: c.Cipher.IC1, Encrypt: true, SubAddress: sub,
		Forward: product.Forward{All: true}, From: product.FromBeginning,
		Inspection: product.Inspection{Answer: product.AnswerAuto, Responder: "值班员", Text: "在岗"}}}
	p, err := product.New(ic, product.Deps{Events: source, Log: m, Register: noRegister{}, Book: book, Logger: logger, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	case <-ctx.Done():
		t.Errorf("%d of %d positions came in time; %+v", len(taken), len(want), p.Peers())
	}
	for superior.answers(jt809.IDInspection) == 0 && sleep(ctx, time.Millisecond) {
	}
	if err := p.Shutdown(ctx); err != nil {
		t.Error("shutting down: ", err)
	}
	done()
	r := <-ended
	if r.error != nil {
		t.Fatal(r.error)
	}

	got := read(t, &came)
	wrong := 0
	for k, a := range want {
		b := got[k]
		x, y := a.Position, b.Position
		if x.Lat != y.Lat || x.Lon != y.Lon || x.Speed != y.Speed || x.Course != y.Course || x.Status != y.Status || x.Mileage != y.Mileage {
			if wrong++; wrong < 4 {
				t.Errorf("in the log: %+v\ncame: %+v", a, b)
			}
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d positions came, want %d", len(got), len(want))
	}
	for i, messages := range source.messages {
		if n := source.committed[i]; n > int64(len(messages)) || !faulty && n != int64(len(messages)) {
			t.Errorf("partition %d: %d of %d are committed", i, n, len(messages))
		}
	}
	if r.LetIn != 0 || r.Answered[jt809.IDInspection] == 0 {
		t.Errorf("%d let in, %d inspections answered of %d", r.LetIn, r.Answered[jt809.IDInspection], r.Asked[jt809.IDInspection])
	}
	if faulty && r.Breaks == 0 {
		t.Errorf("no link broke: %+v", r.Report)
	}
	if !faulty && (r.Duplicates+r.BadFrames+r.Unregistered != 0 || r.Gaps > onTheWay(&r.Report) || r.Logins != 1 || r.SubLinks != 1) {
		t.Errorf("%+v", r.Report)
	}
}

// answers counts the requests that were answered.
func (s *Sim) answers(to jt809.MessageID) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answered[to]
}

// inOrder is events in the order of time, then of vehicles.
func inOrder(events map[key]ingest.Event) []ingest.Event {
	return slices.SortedFunc(maps.Values(events), func(a, b ingest.Event) int {
		return cmp.Or(cmp.Compare(a.Time, b.Time), a.Vehicle.Compare(&b.Vehicle))
	})
}
