package gateway

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

// shotOutcome is what Shoot returned.
type shotOutcome struct {
	photo *Photo
	Outcome
}

func shooting(ctx context.Context, g *Gateway, v ingest.Vehicle, channel uint8, opts CommandOptions) func() shotOutcome {
	ch := make(chan shotOutcome, 1)
	go func() {
		p, o := g.Shoot(ctx, v, &jt808.Shoot{Channel: channel, Command: 1, Resolution: 2}, opts)
		ch <- shotOutcome{p, o}
	}()
	return func() shotOutcome { return <-ch }
}

func (r *shots) all() []*shot {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.waiting)
}

func withFiles(t *testing.T, ed jt808.Edition) (*Gateway, *terminal) {
	t.Helper()
	g, _, _ := startWithFiles(t, testConfig(), newFakeLog())
	c := dial(t, g.Addr().String(), "13912345678", ed)
	c.login(v1)
	return g, c
}

// upload sends media and waits until the platform has it.
func (c *terminal) upload(head jt808.MediaHead, data string) {
	c.t.Helper()
	m := jt808.MediaData{MediaHead: head, Location: locationAt(5), Data: []byte(data)}
	m.Location.Extras = nil
	c.send(c.frame(jt808.IDMediaData, jt808.AppendBody(nil, c.ed, &m)))
	c.want(c.serial-1, jt808.IDMediaData, jt808.ResultOK)
	c.wantMediaAck(head.ID)
}

func (c *terminal) shootReply(m commanded, result uint8, media ...uint32) {
	c.t.Helper()
	c.send(c.frame(jt808.IDShootReply, jt808.AppendBody(nil, c.ed, &jt808.ShootReply{Serial: m.head.Serial, Result: result, Media: media})))
}

func TestShootTakesThePhotoThatTheTerminalNames(t *testing.T) {
	for _, ed := range []jt808.Edition{jt808.Edition2013, jt808.Edition2019} {
		for _, first := range []string{"reply", "photo"} {
			t.Run(ed.String()+" "+first+" first", func(t *testing.T) {
				g, c := withFiles(t, ed)
				out := shooting(context.Background(), g, v1, 3, CommandOptions{})
				m := c.readCommand()
				var shoot jt808.Shoot
				if err := jt808.Decode(m.body, ed, &shoot); err != nil || m.head.ID != jt808.IDShoot || shoot.Channel != 3 || shoot.Command != 1 {
					t.Fatalf("%+v %+v %v", m.head, shoot, err)
				}
				c.upload(jt808.MediaHead{ID: 8, Channel: 3}, "an older one of the channel")
				c.upload(jt808.MediaHead{ID: 9, Type: 1, Channel: 3}, "sound")
				if first == "reply" {
					c.shootReply(m, 0, 7, 9)
				}
				c.upload(jt808.MediaHead{ID: 7, Channel: 1}, "\xff\xd8 photo")
				if first == "photo" {
					c.shootReply(m, 0, 7, 9)
				}
				o := out()
				if o.State != CommandDone || o.photo == nil || o.photo.ID != 7 || string(o.photo.Data) != "\xff\xd8 photo" || !o.photo.HasLocation {
					t.Fatalf("%+v %+v", o.Outcome, o.photo)
				}
				if at := locationAt(5); o.photo.Location.Lat != at.Lat || o.photo.Location.Time != at.Time {
					t.Errorf("at %+v", o.photo.Location)
				}
				if n := len(g.shots.all()); n != 0 {
					t.Errorf("%d wait still", n)
				}
				c.upload(jt808.MediaHead{ID: 10, Channel: 3}, "later")
			})
		}
	}
}

// A terminal of 2011 says 0x0001 alone, and its photo has no place.
func TestShootWithoutANamedPhoto(t *testing.T) {
	g, c := withFiles(t, jt808.Edition2011)
	out := shooting(context.Background(), g, v1, 3, CommandOptions{})
	c.ack(c.readCommand(), 0)
	c.upload(jt808.MediaHead{ID: 5, Channel: 3, Event: 4}, "a door opened")
	c.upload(jt808.MediaHead{ID: 6, Channel: 1}, "another channel")
	c.upload(jt808.MediaHead{ID: 7, Channel: 3}, "photo")
	if o := out(); o.State != CommandDone || o.photo == nil || string(o.photo.Data) != "photo" || o.photo.HasLocation {
		t.Fatalf("%+v %+v", o.Outcome, o.photo)
	}
}

func TestShootThatFails(t *testing.T) {
	g, c := withFiles(t, jt808.Edition2013)
	out := shooting(context.Background(), g, v1, 3, CommandOptions{})
	c.shootReply(c.readCommand(), 2)
	if o := out(); o.State != CommandFailed || o.Result != 2 || o.ReplyID != jt808.IDShootReply || o.photo != nil {
		t.Errorf("channel not supported: %+v", o)
	}
	out = shooting(context.Background(), g, v1, 3, CommandOptions{})
	c.ack(c.readCommand(), jt808.ResultNotSupported)
	if o := out(); o.State != CommandNotSupported || o.photo != nil {
		t.Errorf("not supported: %+v", o)
	}
	out = shooting(context.Background(), g, v1, 3, CommandOptions{Timeout: 50 * time.Millisecond})
	c.shootReply(c.readCommand(), 0, 1)
	if o := out(); o.State != CommandTimeout || o.photo != nil {
		t.Errorf("no photo: %+v", o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	out = shooting(ctx, g, v1, 3, CommandOptions{})
	c.shootReply(c.readCommand(), 0, 1)
	c.ping(1) // the reply was read
	cancel()
	if o := out(); o.State != CommandCancelled || o.photo != nil {
		t.Errorf("cancelled: %+v", o)
	}
	if o := shooting(context.Background(), g, v2, 3, CommandOptions{})(); o.State != CommandOffline {
		t.Errorf("offline: %+v", o)
	}
	for range maxShots {
		if !g.shots.begin(&shot{vehicle: v2}) {
			t.Fatal("no room")
		}
	}
	if o := shooting(context.Background(), g, v1, 3, CommandOptions{})(); o.State != CommandBusy {
		t.Errorf("too many: %+v", o)
	}
	bare, _, _ := online(t, jt808.Edition2013, nil)
	if o := shooting(context.Background(), bare, v1, 3, CommandOptions{})(); o.State != CommandNotSupported {
		t.Errorf("without a place for files: %+v", o)
	}
}

// Images that nobody looks at do not hold up the terminal, nor grow.
func TestManyImagesWhileOneIsWaitedFor(t *testing.T) {
	g, c := withFiles(t, jt808.Edition2013)
	out := shooting(context.Background(), g, v1, 3, CommandOptions{})
	m := c.readCommand()
	for i := range uint32(3 * maxArrived) {
		c.upload(jt808.MediaHead{ID: 100 + i, Channel: 3}, "image"+string(rune('a'+i)))
	}
	if n := len(g.shots.all()[0].arrived); n != maxArrived {
		t.Errorf("%d images are held", n)
	}
	c.shootReply(m, 0, 101)
	if o := out(); o.State != CommandDone || string(o.photo.Data) != "imageb" {
		t.Errorf("%+v", o)
	}
}

func TestDriverOnRequest(t *testing.T) {
	log := newFakeLog()
	g, _ := startGateway(t, testConfig(), log, nil)
	c := dial(t, g.Addr().String(), "13912345678", jt808.Edition2013)
	c.login(v1)
	identity := func(name string) []byte {
		return c.frame(jt808.IDDriverIdentity, jt808.AppendBody(nil, c.ed, &jt808.DriverIdentity{State: jt808.CardInserted,
			Time: jt808.TimeOf(base), Name: jt808.GBK(name), Licence: "140502199001011234"}))
	}
	c.send(identity("张三")) // by itself
	c.want(c.serial-1, jt808.IDDriverIdentity, jt808.ResultOK)
	if n := testutil.ToFloat64(g.commands.metrics.stray); n != 0 {
		t.Errorf("%v stray answers", n)
	}
	out := sending(g, jt808.IDRequestDriver, &jt808.Empty{}, CommandOptions{KeepReply: true})
	c.ack(c.readCommand(), 0)
	c.send(identity("李四"))
	c.want(c.serial-1, jt808.IDDriverIdentity, jt808.ResultOK)
	o := out()
	var d jt808.DriverIdentity
	if err := jt808.Decode(o.Reply, jt808.Edition2013, &d); err != nil || o.State != CommandDone || d.Name.String() != "李四" {
		t.Errorf("%+v %+v %v", o, d, err)
	}
	if n := len(log.of(ingest.KindDriverCard)); n != 2 {
		t.Errorf("%d drivers in the log", n)
	}
	out = sending(g, jt808.IDRequestDriver, &jt808.Empty{}, CommandOptions{})
	c.ack(c.readCommand(), jt808.ResultNotSupported)
	if o := out(); o.State != CommandNotSupported {
		t.Errorf("%+v", o)
	}
}

func TestSendTextHasTheFlagsOfTheEdition(t *testing.T) {
	g, c, _ := online(t, jt808.Edition2019, nil)
	if !g.Online(v1) || g.Online(v2) {
		t.Error("who is online")
	}
	ch := make(chan Outcome, 1)
	go func() {
		ch <- g.SendText(context.Background(), v1, jt808.GBK("前方雾区"), true, CommandOptions{})
	}()
	m := c.readCommand()
	var text jt808.TextMessage
	if err := jt808.Decode(m.body, c.ed, &text); err != nil || text.Text.String() != "前方雾区" || text.Type != 1 || text.Flags&3 != jt808.TextUrgent2019 {
		t.Errorf("%+v %v", text, err)
	}
	c.ack(m, 0)
	if o := <-ch; o.State != CommandDone {
		t.Errorf("%+v", o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if o := g.SendText(ctx, v1, "x", false, CommandOptions{}); o.State != CommandCancelled {
		t.Errorf("%+v", o)
	}
	if o := g.SendText(context.Background(), v2, "x", false, CommandOptions{}); o.State != CommandOffline {
		t.Errorf("%+v", o)
	}
}
