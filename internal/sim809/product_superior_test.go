package sim809

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	requests "lushao/ingest/platform"
	product "lushao/ingest/platform/superior"
)

// memory is an events topic, and a page of requests, that forget with the test.
type memory struct {
	mu     sync.Mutex
	logged map[key]int
	first  []ingest.Event // each position once
	pages  map[string][]byte
}

func (m *memory) Partitions() int                                           { return 4 }
func (m *memory) NewBatch() product.Batch                                   { return &memoryBatch{m: m} }
func (m *memory) has(k key) (known bool)                                    { m.mu.Lock(); defer m.mu.Unlock(); return m.logged[k] > 0 }
func (m *memory) events() []ingest.Event                                    { m.mu.Lock(); defer m.mu.Unlock(); return m.first }
func (m *memory) Load(context.Context, func(key, value []byte) error) error { return nil }
func (m *memory) Write(_ context.Context, key, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pages[string(key)] = bytes.Clone(value)
	return nil
}

// memoryBatch is in the log when Wait returns and not before.
type memoryBatch struct {
	m       *memory
	pending [][]byte
}

func (b *memoryBatch) Append(_ context.Context, _ int, payload []byte) error {
	b.pending = append(b.pending, bytes.Clone(payload))
	return nil
}

func (b *memoryBatch) Wait(context.Context) error {
	b.m.mu.Lock()
	defer b.m.mu.Unlock()
	for _, p := range b.pending {
		for len(p) > 0 {
			var e ingest.Event
			rest, err := ingest.DecodeEvent(p, &e)
			if err != nil {
				return err
			}
			p = rest
			if e.Kind != ingest.KindPosition {
				continue
			}
			k := key{e.Vehicle, e.Time}
			if b.m.logged[k]++; b.m.logged[k] == 1 {
				b.m.first = append(b.m.first, e)
			}
		}
	}
	b.pending = b.pending[:0]
	return nil
}

// TestAgainstTheSuperiorPlatform lets the simulated inferior platforms report to the product's superior platform, with everything going
// wrong that can: what counts as acknowledged is in the log, what was sent arrives, and requests are answered.
func TestAgainstTheSuperiorPlatform(t *testing.T) {
	for _, edition := range []string{"2011", "2013", "2019"} {
		for _, faulty := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,faults=%t", edition, faulty), func(t *testing.T) {
				t.Parallel()
				againstSuperior(t, edition, faulty)
			})
		}
	}
}

func againstSuperior(t *testing.T, edition string, faulty bool) {
	ctx, stop := context.WithTimeout(t.Context(), 90*time.Second)
	defer stop()
	logger := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	c := fast(Inferior, edition, true)
	c.Logger = logger
	c.Fleet.Duration = 20 * time.Minute
	c.Window = 200
	if faulty {
		c.Window = 100          // so that the others are sent while a link stands
		c.Silence = time.Second // ends those who say nothing
		c.FaultPause = 2 * time.Millisecond
		c.Faults = Faults{FaultMainCut: 0.01, FaultSubCut: 0.003, FaultBothCut: 0.003, FaultHalfFrame: 0.02, FaultBadChecksum: 0.03,
			FaultBadEscape: 0.03, FaultGarbage: 0.03, FaultWrongKey: 0.03, FaultWrongLength: 0.03, FaultDuplicate: 0.03, FaultChopped: 0.02,
			FaultUnknown: 0.03, FaultDeviation: 0.05, FaultMilliseconds: 0.5, FaultTextLength: 0.5, FaultSlowReader: 0.01,
			FaultNoHeartbeat: 0.1, FaultWrongPassword: 1, FaultWrongVerify: 0.1}
	}

	m := &memory{logged: map[key]int{}, pages: map[string][]byte{}}
	reg := prometheus.NewRegistry()
	book := requests.NewBook(m, logger, reg)
	if err := book.Load(ctx); err != nil {
		t.Fatal(err)
	}
	sc := product.DefaultConfig()
	sc.Listen, sc.Tick, sc.RedialDelay, sc.RedialSlow = "127.0.0.1:0", 10*time.Millisecond, 5*time.Millisecond, 50*time.Millisecond
	sc.Heartbeat, sc.Silence, sc.ReplaceAfter, sc.RefusedDelay = 200*time.Millisecond, c.Silence, 300*time.Millisecond, 10*time.Millisecond
	for i := range c.Platforms {
		sc.Peers = append(sc.Peers, product.PeerConfig{Name: fmt.Sprintf("p%d", i), AccessCode: c.AccessCode + uint32(i), User: c.User + uint32(i),
			Password: c.Password, Edition: edition, M1: c.Cipher.M1, IA1: c.Cipher.IA1, IC1: c.Cipher.IC1, Encrypt: true})
	}
	s, err := product.New(sc, product.Deps{Log: m, Book: book, Logger: logger, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}

	var mu sync.Mutex
	early := 0
	var sent bytes.Buffer
	var answered atomic.Bool // what was asked
	var sim *Sim
	c.Gateway, c.Fleet.Events = s.Addr().String(), &sent
	if !faulty {
		c.Fleet.Events = &gate{ctx: ctx, w: &sent, from: c.Platforms * c.Window, open: func() bool { // the fleet runs in sim
			return answered.Load() && sim.n.subLinks.Load() >= int64(c.Platforms)
		}}
	}
	someone := make(chan ingest.Vehicle, 1)
	c.Fleet.OnAck = func(v ingest.Vehicle, at int64) {
		if !m.has(key{v, at}) {
			mu.Lock()
			early++
			mu.Unlock()
		}
		select {
		case someone <- v:
		default:
		}
	}
	if sim, err = New(c); err != nil {
		t.Fatal(err)
	}
	type result struct {
		Report
		error
	}
	ended := make(chan result, 1)
	go func() {
		r, err := sim.Run(ctx)
		ended <- result{r, err}
	}()

	// Once something has come, things are asked.
	var asked []string
	select {
	case v := <-someone:
		for _, q := range []struct {
			id jt809.MessageID
			v  *ingest.Vehicle
			m  jt809.Body
		}{
			{jt809.IDInspection, nil, &jt809.Inspection{ObjectType: 1, ObjectID: "14059800001", AnswerTime: 60, InfoContent: jt808.GBK("在岗吗")}},
			{jt809.IDPlatformText, nil, &jt809.PlatformText{ObjectType: 1, ObjectID: "14059800001", InfoContent: jt808.GBK("通知")}},
			{jt809.IDVehicleText, &v, &jt809.VehicleText{MsgPriority: 1, MsgContent: jt808.GBK("请减速")}},
			{jt809.IDPhotoRequest, &v, &jt809.PhotoRequest{LensID: 1, SizeType: 1}},
			{jt809.IDStaticQuery, &v, &jt809.Empty{}},
		} {
			r, err := s.Do(ctx, reporter(sim, v), q.v, q.id, q.m, time.Now().Add(time.Minute))
			if err != nil && !faulty {
				t.Errorf("%v: %v", q.id, err)
			}
			asked = append(asked, r.ID)
		}
	case <-ctx.Done():
		t.Fatal("nothing was acknowledged")
	}
	for !faulty && slices.ContainsFunc(asked, func(id string) bool { a, ok := book.Get(id); return ok && a.State == requests.StateWaiting }) && sleep(ctx, time.Millisecond) {
	}
	answered.Store(true)
	r := <-ended
	if r.error != nil {
		t.Fatalf("%v; %+v", r.error, r.Report)
	}
	if err := s.Shutdown(ctx); err != nil {
		t.Error(err)
	}

	if early > 0 {
		t.Errorf("%d positions were acknowledged before they were in the log", early)
	}
	want := read(t, &sent)
	got := m.events()
	if len(want) == 0 || len(got) < len(want) {
		t.Errorf("%d positions were sent, %d are in the log", len(want), len(got))
	}
	wrong := 0
	for _, e := range got {
		a, ok := want[key{e.Vehicle, e.Time}]
		if e.Time == 0 || !ok && faulty && e.Position.Lat == 0 {
			continue // a position without coordinates and date, which was sent beside others
		}
		p, q := a.Position, e.Position
		if !ok || p.Lat != q.Lat || p.Lon != q.Lon || p.Speed != q.Speed || p.Course != q.Course || p.Status != q.Status || p.Mileage != q.Mileage ||
			e.Source != ingest.SourceJT809 {
			if wrong++; wrong < 4 {
				t.Errorf("in the log: %+v; sent: %+v", e, a)
			}
		}
	}
	for k := range want {
		if !m.has(k) {
			t.Errorf("missing: %v", k)
			break
		}
	}
	if r.LetIn != 0 {
		t.Errorf("%d were let in with a wrong password", r.LetIn)
	}
	if faulty {
		if r.Breaks == 0 || r.Resent == 0 || r.Refused == 0 {
			t.Errorf("the faults came to nothing: %+v", r.Report)
		}
		return
	}
	if r.Breaks != 0 || r.Logins != int64(c.Platforms) || r.SubLinks != int64(c.Platforms) || r.BadFrames != 0 {
		t.Errorf("links: %+v", r.Report)
	}
	for _, id := range asked {
		if a, ok := book.Get(id); !ok || a.State != requests.StateAnswered {
			t.Errorf("request %+v", a)
		}
	}
	for _, p := range s.Peers() {
		if p.SerialGaps != 0 || p.BadPositions != 0 || p.Main.BadFrames != 0 {
			t.Errorf("peer %+v", p)
		}
	}
}

// reporter is the name of the peer that the vehicle is with.
func reporter(s *Sim, v ingest.Vehicle) string {
	for i, r := range s.Reference().Vehicles {
		if r.Vehicle == v {
			return fmt.Sprintf("p%d", i%s.cfg.Platforms)
		}
	}
	panic(errors.New("a vehicle that is not of the fleet"))
}
