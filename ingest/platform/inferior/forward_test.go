package inferior

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt809"
)

// editions are the ways that everything must work.
var editions = []struct {
	edition jt809.Edition
	encrypt bool
}{{jt809.Edition2011, false}, {jt809.Edition2013, true}, {jt809.Edition2019, false}, {jt809.Edition2019, true}}

func eachEdition(t *testing.T, f func(t *testing.T, ed jt809.Edition, encrypt bool)) {
	for _, e := range editions {
		t.Run(fmt.Sprintf("%v encrypted %v", e.edition, e.encrypt), func(t *testing.T) { f(t, e.edition, e.encrypt) })
	}
}

// What was in the log before the login is missed and comes as 0x1203, by vehicle, in the order of time; what comes after
// it is live, unless the terminal itself sent it late.
func TestMissedAndLive(t *testing.T) {
	eachEdition(t, func(t *testing.T, ed jt809.Edition, encrypt bool) {
		a, b, other := vehicle(t, "云H00001"), vehicle(t, "云H00002"), vehicle(t, "云T00001")
		x := start(t, options{edition: ed, encrypt: encrypt, prepare: func(x *inferiorTest) {
			for n := range 12 { // out of order
				x.events.put(position(a, (n*5)%12), position(b, n), position(other, n))
			}
		}})
		x.superior.up()
		x.proven()
		x.superior.await("24 positions", func() bool { return len(x.superior.arrived) == 24 })
		late := position(a, 3000)
		late.Flags |= ingest.FlagBackfill
		x.events.put(position(a, 1000), late, position(b, 1001), position(other, 1002))
		x.proven()
		x.superior.await("3 more", func() bool { return len(x.superior.arrived) == 27 })
		s := x.superior
		s.mu.Lock()
		defer s.mu.Unlock()
		for k, n := range s.arrived {
			if n != 1 || strings.HasPrefix(k, "云T") {
				t.Errorf("%s came %d times", k, n)
			}
		}
		for _, p := range s.packets {
			if len(p) > 5 || !slices.IsSorted(p) || p[0][:9] != p[len(p)-1][:9] {
				t.Errorf("a packet of missed positions: %v", p)
			}
		}
		live, registered, missed := 0, map[string]bool{}, 0
		for _, m := range s.messages {
			switch m.id {
			case jt809.IDRegistration:
				registered[m.plate] = true
				r := m.body.(*jt809.Registration)
				if r.PlatformID.String() != "53010000417" || !strings.HasSuffix(r.TerminalSimcode.String(), "13987650042") {
					t.Errorf("registration %+v", r)
				}
			case jt809.IDPosition:
				live++
				if ed == jt809.Edition2019 {
					if l := m.body.(*jt809.Position).Location; l.Platforms[0].ID.String() != "53010000417" {
						t.Errorf("platform %q", l.Platforms[0].ID)
					}
				}
			case jt809.IDPositionBatch:
				missed++
			}
			if (m.id == jt809.IDPosition || m.id == jt809.IDPositionBatch) && !registered[m.plate] {
				t.Errorf("%s was not registered before its positions", m.plate)
			}
		}
		if live != 2 || missed < 7 {
			t.Errorf("%d live positions, %d packets of missed ones", live, missed)
		}
		p := x.Peers()[0]
		if p.Positions != 27 || p.BackfillPositions != 25 || p.Proven != 27 || p.Unproven != 0 || p.LagMessages != 0 || p.Main.State != "up" || p.Sub.State != "up" {
			t.Errorf("%+v", p)
		}
	})
}

// Every position arrives, whatever dies and whenever: the main link, the sub link, both, our process; what the superior
// had not proven is lost there.
func TestEveryPositionArrives(t *testing.T) {
	for seed := range uint64(8) {
		e := editions[seed%4]
		t.Run(fmt.Sprintf("seed %d, %v", seed, e.edition), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 809))
			x := start(t, options{edition: e.edition, encrypt: e.encrypt, config: func(c *Config) { c.MaxUnproven = 1 + random.IntN(50) }})
			var vehicles []ingest.Vehicle
			for n := range 7 {
				vehicles = append(vehicles, vehicle(t, fmt.Sprintf("云H%05d", n)))
			}
			want := map[string]bool{}
			for step := range 60 {
				for n := range 1 + random.IntN(20) {
					v := vehicles[random.IntN(len(vehicles))]
					ev := position(v, step*100+n)
					if random.IntN(10) == 0 {
						ev.Flags |= ingest.FlagBackfill
					}
					want[key(v.Plate(), ev.Time)] = true
					x.events.put(ev)
				}
				switch s := x.superior; random.IntN(12) {
				case 0:
					s.kill(true, false)
				case 1:
					s.kill(false, true)
				case 2:
					s.kill(true, true)
				case 3:
					x.crash()
					x.run()
				case 4, 5:
					logins := 0
					s.await("a main link", func() bool { logins = s.logins; return s.main != nil })
					s.kill(true, random.IntN(2) == 0)
					s.await("the next login", func() bool { return s.logins > logins })
				case 6, 7:
					x.proven()
				case 8:
					s.kill(true, false) // with a new login comes a new sub link
					s.await("both links", func() bool { return s.main != nil && s.sub != nil })
				}
			}
			x.proven()
			s := x.superior
			s.await("everything", func() bool { return len(s.arrived) == len(want) })
			s.mu.Lock()
			defer s.mu.Unlock()
			for k := range want {
				if s.arrived[k] == 0 {
					t.Errorf("%s did not arrive", k)
				}
			}
		})
	}
}

// An offset is committed only when a 0x1006 proves what was sent before.
func TestOffsetsWaitForTheProof(t *testing.T) {
	v := vehicle(t, "云H00001")
	x := start(t, options{prepare: func(x *inferiorTest) { x.superior.silent = true }})
	for n := range 10 {
		x.events.put(position(v, n))
	}
	s := x.superior
	s.await("10 positions", func() bool {
		n := 0
		for _, m := range s.messages {
			switch b := m.body.(type) {
			case *jt809.Position:
				n++
			case *jt809.PositionBatch:
				n += len(b.Locations)
			}
		}
		return n == 10
	})
	s.message(jt809.IDHeartbeat, 3)
	x.events.mu.Lock()
	committed := fmt.Sprint(x.events.committed["forward-city"])
	x.events.mu.Unlock()
	if committed != "map[0:0 1:0 2:0]" && committed != "map[]" {
		t.Fatalf("committed without a proof: %s", committed)
	}
	s.mu.Lock()
	s.silent = false
	s.mu.Unlock()
	s.kill(true, true) // the questions that were not answered are of the old link
	x.proven()
	if s.arrived[key("云H00001", epoch)] == 0 {
		t.Error("the positions did not come again")
	}
}

// While the main link is down, data go over the sub link, and once more over the next main link.
func TestMainLinkDown(t *testing.T) {
	v := vehicle(t, "云H00001")
	x := start(t, options{config: func(c *Config) { c.BackoffMin, c.BackoffMax = 200*time.Millisecond, 300*time.Millisecond }})
	s := x.superior
	s.up()
	s.kill(true, false)
	if m := s.message(jt809.IDMainBroken, 1); m.link != "sub" {
		t.Errorf("0x1007 on the %s link", m.link)
	}
	x.events.put(position(v, 1))
	s.await("a position on the sub link", func() bool {
		return slices.ContainsFunc(s.messages, func(m got) bool {
			return m.link == "sub" && (m.id == jt809.IDPosition || m.id == jt809.IDPositionBatch)
		})
	})
	x.proven()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.logins != 2 || !slices.ContainsFunc(s.messages, func(m got) bool { return m.link == "main" && m.id == jt809.IDPositionBatch }) {
		t.Error("not sent again on the main link")
	}
}

// A superior that does not read stops the reading of the log, and gets everything when it reads again.
func TestSlowReader(t *testing.T) {
	hold := make(chan struct{})
	x := start(t, options{prepare: func(x *inferiorTest) { x.superior.hold = hold; x.superior.noSub = true },
		config: func(c *Config) { c.MaxQueue, c.WriteTimeout = 16<<10, 20*time.Second }})
	s := x.superior
	s.await("a login", func() bool { return s.main != nil })
	const n = 80_000 // more than the buffers of the sockets hold
	for k := 0; k < n; k += 100 {
		v := vehicle(t, fmt.Sprintf("云H%05d", k/100%5))
		var payload []byte
		for m := range 100 {
			e := position(v, k+m)
			payload = ingest.AppendEvent(payload, &e)
		}
		x.events.append(v.Partition(3), payload)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	main := func() int {
		x.peers[0].mu.Lock()
		defer x.peers[0].mu.Unlock()
		if x.peers[0].main == nil {
			return 0
		}
		return x.peers[0].main.Pending()
	}
	waiting := main()
	for waiting < 8<<10 && ctx.Err() == nil { // until the sockets' buffers are full, or nearly
		pause(ctx, time.Millisecond)
		waiting = main()
	}
	if waiting < 8<<10 || waiting > 20<<10 {
		t.Errorf("%d bytes wait", waiting)
	}
	x.events.mu.Lock()
	if x.events.read == n/100 {
		t.Error("the log was read to its end")
	}
	x.events.mu.Unlock()
	s.mu.Lock()
	s.hold = nil
	close(hold)
	s.mu.Unlock()
	x.proven()
	s.await("everything", func() bool { return len(s.arrived) == n })
}

// What the superior itself sends is written to the log, and does not go back to it, after a restart neither.
func TestVisitorsDoNotGoBack(t *testing.T) {
	eachEdition(t, func(t *testing.T, ed jt809.Edition, encrypt bool) {
		v, w := vehicle(t, "云H00001"), vehicle(t, "云H00002")
		x := start(t, options{edition: ed, encrypt: encrypt})
		x.superior.up()
		ev := position(v, 7)
		body := jt809.AppendPositionData(nil, ed, &ev)
		e := jt809.Envelope{ID: jt809.IDExchangeDown, Sub: jt809.IDPositionDown, Data: body}
		e.SetVehicle(v)
		if _, err := x.superior.sub.Send(&e, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		part := v.Partition(3)
		if !x.visiting.await(ctx, func() bool {
			x.visiting.mu.Lock()
			defer x.visiting.mu.Unlock()
			return len(x.visiting.parts[part]) == 1
		}) {
			t.Fatal("the position did not reach the log")
		}
		var got ingest.Event
		if _, err := ingest.DecodeEvent(x.visiting.parts[part][0].Value, &got); err != nil {
			t.Fatal(err)
		}
		if got.Source != ingest.SourceJT809 || got.Vehicle != v || got.Time != ev.Time || got.Position.Lat != ev.Position.Lat {
			t.Errorf("%+v", got)
		}
		for n := range 2 {
			back := position(v, 7)
			back.Source = ingest.SourceJT809
			x.events.put(back, position(w, n))
			x.proven()
			if n == 0 {
				x.crash()
				x.run()
			}
		}
		x.superior.mu.Lock()
		defer x.superior.mu.Unlock()
		if len(x.superior.arrived) != 2 || x.superior.arrived[key("云H00001", ev.Time)] != 0 {
			t.Errorf("arrived: %v", x.superior.arrived)
		}
	})
}

// A stop proves what was sent, commits and logs out.
func TestShutdownProvesAndLogsOut(t *testing.T) {
	v := vehicle(t, "云H00001")
	x := start(t, options{config: func(c *Config) { c.Heartbeat, c.Silence = time.Hour, 3*time.Hour }})
	s := x.superior
	s.up()
	x.events.put(position(v, 1))
	s.await("a position", func() bool {
		return slices.ContainsFunc(s.messages, func(m got) bool { return m.plate != "" && m.id != jt809.IDRegistration })
	})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := x.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if !x.events.done("forward-city") {
		t.Errorf("not committed: %v", x.events.committed)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	beat, out := -1, -1
	for n, m := range s.messages {
		if m.id == jt809.IDHeartbeat {
			beat = n
		}
		if m.id == jt809.IDLogout {
			out = n
		}
	}
	if beat < 0 || out < beat {
		t.Errorf("heartbeat %d, logout %d", beat, out)
	}
}

// A new peer begins at the end of the log, and goes on there after a crash.
func TestFromNow(t *testing.T) {
	v := vehicle(t, "云H00001")
	x := start(t, options{peer: func(p *PeerConfig) { p.From = FromNow }, prepare: func(x *inferiorTest) {
		x.superior.silent = true
		x.events.put(position(v, 1))
	}})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if !x.events.await(ctx, func() bool { return x.events.done("forward-city") }) {
		t.Fatal("where a new peer begins was not committed")
	}
	x.crash()
	x.events.put(position(v, 2))
	x.superior.mu.Lock()
	x.superior.silent = false
	x.superior.mu.Unlock()
	x.run()
	x.proven()
	x.superior.mu.Lock()
	defer x.superior.mu.Unlock()
	if len(x.superior.arrived) != 1 || x.superior.arrived[key("云H00001", epoch+20_000)] == 0 {
		t.Errorf("arrived: %v", x.superior.arrived)
	}
}

// A vehicle is registered (0x1201) when it comes online and once after each login, and link events themselves are not sent.
func TestRegistration(t *testing.T) {
	v := vehicle(t, "云H00001")
	x := start(t, options{edition: jt809.Edition2013})
	s := x.superior
	s.up()
	link := func(online bool) ingest.Event {
		return ingest.Event{Kind: ingest.KindLink, Source: ingest.SourceJT808, Vehicle: v, Time: epoch, Link: &ingest.Link{Online: online}}
	}
	x.events.put(link(true), position(v, 1), position(v, 2), link(false), link(true), position(v, 3))
	x.proven()
	count := func() (n int) {
		for _, m := range s.messages {
			if m.id == jt809.IDRegistration {
				n++
			}
		}
		return n
	}
	s.await("two registrations", func() bool { return count() == 2 && len(s.arrived) == 3 })
	s.kill(true, true)
	s.await("the next login", func() bool { return s.logins == 2 && s.main != nil })
	x.events.put(position(v, 4), position(v, 5))
	x.proven()
	s.await("one more", func() bool { return len(s.arrived) == 5 && count() == 3 })
}

// Without a main link the superior is told over the sub link that we stop (0x1008).
func TestShutdownWithoutMainLink(t *testing.T) {
	x := start(t, options{config: func(c *Config) { c.BackoffMin, c.BackoffMax = time.Hour, time.Hour }})
	s := x.superior
	s.up()
	s.kill(true, false)
	s.message(jt809.IDMainBroken, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := x.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if m := s.message(jt809.IDInferiorCloses, 1); m.link != "sub" {
		t.Errorf("on the %s link", m.link)
	}
	s.await("the end of the sub link", func() bool { return s.sub == nil })
}
