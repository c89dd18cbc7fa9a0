package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/ingest"
	"lushao/ingest/gateway"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
)

func vehicle(plate string, color ingest.Color) ingest.Vehicle {
	v, err := ingest.NewVehicle(plate, color)
	if err != nil {
		panic(err)
	}
	return v
}

var (
	here  = vehicle("晋E12345", 2) // its terminal is online
	below = vehicle("晋E54321", 2) // came from a platform
	both  = vehicle("晋E00001", 2)
	gone  = vehicle("晋E99999", 2)
)

// fakeTerminals answer what they are told to, and keep what they were sent.
type fakeTerminals struct {
	outcome gateway.Outcome
	photo   *gateway.Photo
	id      jt808.MessageID
	sent    jt808.Body
	urgent  bool
	wait    bool // until ctx ends
}

func (f *fakeTerminals) Online(v ingest.Vehicle) bool { return v == here || v == both }

func (f *fakeTerminals) Send(ctx context.Context, v ingest.Vehicle, id jt808.MessageID, m jt808.Body, opts gateway.CommandOptions) gateway.Outcome {
	f.id, f.sent = id, m
	if !opts.KeepReply || opts.Timeout <= 0 {
		panic("options")
	}
	if f.wait {
		<-ctx.Done()
		return gateway.Outcome{State: gateway.CommandCancelled}
	}
	return f.outcome
}

func (f *fakeTerminals) SendText(ctx context.Context, v ingest.Vehicle, text jt808.Text, urgent bool, opts gateway.CommandOptions) gateway.Outcome {
	f.urgent = urgent
	return f.Send(ctx, v, jt808.IDText, &jt808.TextMessage{Text: text}, opts)
}

func (f *fakeTerminals) Shoot(ctx context.Context, v ingest.Vehicle, m *jt808.Shoot, opts gateway.CommandOptions) (*gateway.Photo, gateway.Outcome) {
	o := f.Send(ctx, v, jt808.IDShoot, m, opts)
	if o.State != gateway.CommandDone {
		return nil, o
	}
	return f.photo, o
}

// fakePlatforms have the vehicles below and both.
type fakePlatforms struct {
	answer jt809.Body
	id     jt809.MessageID // of the answer
	err    error
	asked  jt809.Body
	ed     jt809.Edition
	calls  int
	wait   chan struct{} // closed when somebody waits
}

func (f *fakePlatforms) Do(ctx context.Context, v ingest.Vehicle, id jt809.MessageID, ed jt809.Edition, m jt809.Body) (jt809.Body, jt809.MessageID, error) {
	f.calls++
	f.asked, f.ed = m, ed
	if v != below && v != both {
		return nil, 0, fmt.Errorf("%w: %v", platform.ErrNoPeer, v)
	}
	if f.wait != nil {
		close(f.wait)
		<-ctx.Done()
		return nil, 0, ctx.Err()
	}
	return f.answer, f.id, f.err
}

type setup struct {
	*Router
	terminals fakeTerminals
	platforms fakePlatforms
	reg       *prometheus.Registry
}

const now = 1777593600000 // 2026-05-01T08:00:00+08:00

func newSetup(change func(*Deps)) *setup {
	s := &setup{reg: prometheus.NewRegistry()}
	s.terminals.outcome.State = gateway.CommandDone
	deps := Deps{Terminals: &s.terminals, Platforms: &s.platforms, Now: func() time.Time { return time.UnixMilli(now) },
		Logger: slog.New(slog.DiscardHandler), Registerer: s.reg}
	if change != nil {
		change(&deps)
	}
	s.Router = New(deps)
	return s
}

func (s *setup) count(id jt809.MessageID, to, outcome string) float64 {
	return testutil.ToFloat64(s.metrics.requests.WithLabelValues(id.String(), to, outcome))
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func TestToTheTerminal(t *testing.T) {
	type c struct {
		name    string
		id      jt809.MessageID
		ask     jt809.Body
		outcome gateway.Outcome
		sent    jt808.Body
		answer  jt809.Body
	}
	done, failed := gateway.Outcome{State: gateway.CommandDone}, gateway.Outcome{State: gateway.CommandFailed, Result: 1}
	access := jt809.EmergencyAccess{AuthenticationCode: [10]byte{'5', 'k', 'Q'}, AccessPointName: "cmnet\x00\x00", Username: "u", Password: "p",
		ServerIP: "203.0.113.24\x00", TCPPort: 9808, EndTime: jt809.SecondsOf(now + 90_000)}
	forever, raw, over, semicolon, nowhere := access, access, access, access, access
	forever.EndTime, forever.UDPPort = 0, 9809
	raw.AuthenticationCode = [10]byte{8: 8, 9: 8}
	over.EndTime = jt809.SecondsOf(now)
	semicolon.Username = "a;b"
	nowhere.TCPPort = 0
	connect := func(args jt808.Text) jt808.Body { return &jt808.TerminalControl{Command: 2, Args: args} }
	for _, c := range []c{
		{"listen", jt809.IDMonitorCall, &jt809.MonitorCall{MonitorTel: "01088886666\x00\x00"}, done,
			&jt808.CallBack{Flag: 1, Phone: "01088886666"}, &jt809.ControlReply{}},
		{"listen, refused", jt809.IDMonitorCall, &jt809.MonitorCall{}, failed, &jt808.CallBack{Flag: 1}, &jt809.ControlReply{Result: 1}},
		{"text", jt809.IDVehicleText, &jt809.VehicleText{MsgSequence: 88, MsgContent: jt808.GBK("慢行")}, done,
			&jt808.TextMessage{Text: jt808.GBK("慢行")}, &jt809.VehicleTextReply{MsgID: 88}},
		{"text, refused", jt809.IDVehicleText, &jt809.VehicleText{MsgSequence: 88, MsgContent: "x"}, failed,
			&jt808.TextMessage{Text: "x"}, &jt809.VehicleTextReply{MsgID: 88, Result: 1}},
		{"connect", jt809.IDEmergencyAccess, &access, done, connect("0;5kQ;cmnet;u;p;203.0.113.24;9808;;2"), &jt809.ControlReply{}},
		{"connect for good", jt809.IDEmergencyAccess, &forever, failed, connect("0;5kQ;cmnet;u;p;203.0.113.24;9808;9809;0"), &jt809.ControlReply{Result: 2}},
		{"code of raw bytes", jt809.IDEmergencyAccess, &raw, done, connect("0;00000000000000000808;cmnet;u;p;203.0.113.24;9808;;2"), &jt809.ControlReply{}},
		{"time over", jt809.IDEmergencyAccess, &over, done, nil, &jt809.ControlReply{Result: 2}},
		{"semicolon", jt809.IDEmergencyAccess, &semicolon, done, nil, &jt809.ControlReply{Result: 2}},
		{"no port", jt809.IDEmergencyAccess, &nowhere, done, nil, &jt809.ControlReply{Result: 2}},
		{"recorder", jt809.IDRecorderRequest, &jt809.RecorderRequest{CommandType: 7},
			gateway.Outcome{State: gateway.CommandDone, ReplyID: jt808.IDRecorderData, Reply: []byte{0, 1, 7, 0x55, 0x7A}},
			&jt808.RecorderCommand{Command: 7}, &jt809.RecorderReply{CommandType: 7, TraveldataInfo: []byte{0x55, 0x7A}}},
		{"recorder, refused", jt809.IDRecorderRequest, &jt809.RecorderRequest{CommandType: 7}, failed,
			&jt808.RecorderCommand{Command: 7}, &jt809.RecorderReply{CommandType: 7}},
		{"recorder of 2011", jt809.IDRecorderRequest, &jt809.RecorderRequest{StartTime: jt809.SecondsOf(now), EndTime: jt809.SecondsOf(now + 3600_000)}, failed,
			&jt808.RecorderCommand{Command: 8, Data: []byte{0xAA, 0x75, 8, 0, 14, 0, 0x26, 5, 1, 8, 0, 0, 0x26, 5, 1, 9, 0, 0, 0xFF, 0xFF, 0xD8}},
			&jt809.RecorderReply{CommandType: 8}},
		{"recorder, blocks", jt809.IDRecorderRequest, &jt809.RecorderRequest{CommandType: 0x10, StartTime: jt809.SecondsOf(now - 3600_000), MaxRecords: 3}, failed,
			&jt808.RecorderCommand{Command: 0x10, Data: []byte{0xAA, 0x75, 0x10, 0, 14, 0, 0x26, 5, 1, 7, 0, 0, 0x26, 5, 1, 8, 0, 0, 0, 3, 0xCD}},
			&jt809.RecorderReply{CommandType: 0x10}},
		{"driver", jt809.IDDriverQuery, &jt809.DriverQuery{Flag: jt809.DriverNow},
			gateway.Outcome{State: gateway.CommandDone, ReplyID: jt808.IDDriverIdentity, ReplyHead: jt808.Header{ID: jt808.IDDriverIdentity},
				Reply: jt808.AppendBody(nil, jt808.Edition2013, &jt808.DriverIdentity{State: jt808.CardInserted, Time: jt808.TimeOf(now), Name: jt808.GBK("张三"),
					Licence: "140502199001011234", Org: jt808.GBK("晋城"), Expiry: jt808.Date{0x20, 0x27, 0x05, 0x01}})},
			&jt808.Empty{}, &jt809.DriverReply{Driver: jt809.Driver{DriverName: jt808.GBK("张三"), Licence: "140502199001011234", OrgName: jt808.GBK("晋城"),
				ValidDate: jt809.SecondsOf(time.Date(2027, 5, 1, 0, 0, 0, 0, time.FixedZone("", 8*3600)).UnixMilli())}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSetup(nil)
			s.terminals.outcome = c.outcome
			answer, id, err := s.Do(context.Background(), here, c.id, jt809.Edition2011, c.ask)
			if info, _ := c.id.Info(); err != nil || id != info.Answer {
				t.Fatalf("%v %v", id, err)
			}
			if r, ok := answer.(*jt809.RecorderReply); ok && len(r.TraveldataInfo) == 0 {
				r.TraveldataInfo = nil
			}
			same(t, "sent", s.terminals.sent, c.sent)
			same(t, "answer", answer, c.answer)
			if s.platforms.calls != 0 {
				t.Error("a platform was asked too")
			}
			if s.count(c.id, toTerminal, "answered") != 1 {
				t.Error("not counted")
			}
		})
	}
	s := newSetup(nil)
	for priority, urgent := range map[uint8]bool{jt809.TextUrgent: true, jt809.TextNormal: false} {
		s.Do(context.Background(), here, jt809.IDVehicleText, jt809.Edition2011, &jt809.VehicleText{MsgPriority: priority})
		if s.terminals.urgent != urgent {
			t.Errorf("priority %d", priority)
		}
	}
}

func TestPhoto(t *testing.T) {
	ask := &jt809.PhotoRequest{LensID: 3, SizeType: 6}
	do := func(t *testing.T, ed jt809.Edition, p *gateway.Photo, o gateway.Outcome) (*setup, *jt809.PhotoReply) {
		t.Helper()
		s := newSetup(nil)
		s.terminals.photo, s.terminals.outcome = p, o
		answer, id, err := s.Do(context.Background(), here, jt809.IDPhotoRequest, ed, ask)
		if err != nil || id != jt809.IDPhotoReply {
			t.Fatal(id, err)
		}
		return s, answer.(*jt809.PhotoReply)
	}
	l := jt808.Location{Status: jt808.StatusACC | jt808.StatusLocated, Lat: 35490712, Lon: 112851274, Speed: 610, Time: jt808.TimeOf(now)}
	for _, ed := range []jt809.Edition{jt809.Edition2011, jt809.Edition2019} {
		p := &gateway.Photo{MediaHead: jt808.MediaHead{Format: 1}, Location: l, HasLocation: true, Data: []byte("tiff")}
		s, got := do(t, ed, p, gateway.Outcome{State: gateway.CommandDone})
		if got.PhotoRspFlag != jt809.PhotoDone || got.LensID != 3 || got.SizeType != 6 || got.Type != jt809.PhotoTIFF || string(got.Photo) != "tiff" {
			t.Errorf("%+v", got)
		}
		// What is encoded for the superior has the place and time.
		var e ingest.Event
		again := &jt809.PhotoReply{}
		if err := jt809.Decode(jt809.AppendBody(nil, ed, got), ed, again); err != nil {
			t.Fatal(err)
		}
		if again.Location.Event(&e); e.Time != now || e.Position.Lat != 35490712 || e.Position.Lon != 112851274 || e.Position.Speed != 610 {
			t.Errorf("%s: %+v", ed, e)
		}
		if shoot := s.terminals.sent.(*jt808.Shoot); shoot.Channel != 3 || shoot.Command != 1 || shoot.Resolution != 6 || shoot.Save != 0 {
			t.Errorf("%+v", shoot)
		}
	}
	for _, c := range []struct {
		o    gateway.Outcome
		flag uint8
	}{
		{gateway.Outcome{State: gateway.CommandNotSupported}, jt809.PhotoUnsupported},
		{gateway.Outcome{State: gateway.CommandFailed, Result: 1}, jt809.PhotoFailed},
		{gateway.Outcome{State: gateway.CommandFailed, Result: 2}, jt809.PhotoFailed},
		{gateway.Outcome{State: gateway.CommandFailed, Result: 2, ReplyID: jt808.IDShootReply}, jt809.PhotoNoLens},
	} {
		if _, got := do(t, jt809.Edition2019, nil, c.o); got.PhotoRspFlag != c.flag || got.Photo != nil || got.LensID != 3 {
			t.Errorf("%+v: %+v", c.o, got)
		}
	}
	ask = &jt809.PhotoRequest{LensID: 1, SizeType: 99}
	if s, _ := do(t, jt809.Edition2011, nil, gateway.Outcome{State: gateway.CommandFailed}); s.terminals.sent.(*jt808.Shoot).Resolution != 2 {
		t.Error("a size that there is not")
	}
}

func TestToThePlatform(t *testing.T) {
	s := newSetup(nil)
	ask := &jt809.VehicleText{MsgSequence: 88, MsgContent: "x"}
	s.platforms.answer, s.platforms.id = &jt809.VehicleTextReply{MsgID: 7, Source: jt809.Source{Serial: 3}}, jt809.IDVehicleTextReply
	answer, id, err := s.Do(context.Background(), below, jt809.IDVehicleText, jt809.Edition2019, ask)
	if err != nil || id != jt809.IDVehicleTextReply || s.platforms.ed != jt809.Edition2019 {
		t.Fatal(id, err)
	}
	// Each side numbers its own texts.
	if got := answer.(*jt809.VehicleTextReply); got.MsgID != 88 {
		t.Errorf("%+v", got)
	}
	if got := s.platforms.asked.(*jt809.VehicleText); got.MsgSequence != 0 || ask.MsgSequence != 88 {
		t.Errorf("%+v, of %+v", got, ask)
	}
	// A layout of one peer is not that of another.
	s.platforms.id = jt809.IDRecorderReply
	s.platforms.answer = &jt809.RecorderReply{Layout: 4}
	answer, _, err = s.Do(context.Background(), below, jt809.IDRecorderRequest, jt809.Edition2013, &jt809.RecorderRequest{CommandType: 3, Layout: 16})
	if got, ok := answer.(*jt809.RecorderReply); err != nil || !ok || got.Layout != 0 || got.CommandType != 3 {
		t.Errorf("%+v %v", answer, err)
	}
	if got := s.platforms.asked.(*jt809.RecorderRequest); got.Layout != 0 {
		t.Errorf("%+v", got)
	}
	s.platforms.answer, s.platforms.id = &jt809.PhotoReply{Short: true, Photo: []byte{1}}, jt809.IDPhotoReply
	answer, _, err = s.Do(context.Background(), below, jt809.IDPhotoRequest, jt809.Edition2019, &jt809.PhotoRequest{})
	if got, ok := answer.(*jt809.PhotoReply); err != nil || !ok || got.Short || len(got.Photo) != 1 {
		t.Errorf("%+v %v", answer, err)
	}
	// A wrong answer, none, and an error of the platform.
	s.platforms.id = jt809.IDRecorderReply
	if a, id, err := s.Do(context.Background(), below, jt809.IDPhotoRequest, jt809.Edition2019, &jt809.PhotoRequest{LensID: 2}); err == nil || id != jt809.IDPhotoReply ||
		a.(*jt809.PhotoReply).PhotoRspFlag != jt809.PhotoFailed || a.(*jt809.PhotoReply).LensID != 2 {
		t.Errorf("%+v %v %v", a, id, err)
	}
	s.platforms.err = errors.New("cut off")
	if a, _, err := s.Do(context.Background(), below, jt809.IDMonitorCall, jt809.Edition2011, &jt809.MonitorCall{}); err != s.platforms.err || a.(*jt809.ControlReply).Result != 1 {
		t.Errorf("%+v %v", a, err)
	}
	s.platforms.err = platform.ErrOffline
	if a, _, err := s.Do(context.Background(), below, jt809.IDPhotoRequest, jt809.Edition2011, &jt809.PhotoRequest{}); !errors.Is(err, ErrUnknownVehicle) || a.(*jt809.PhotoReply).PhotoRspFlag != jt809.PhotoOffline {
		t.Errorf("%+v %v", a, err)
	}
}

// A vehicle that comes both ways is asked at its terminal, but for video, which a terminal can't give without a media server.
func TestVideo(t *testing.T) {
	s := newSetup(nil)
	s.platforms.answer, s.platforms.id = &jt809.VideoStartReply{Result: 0, ServerIP: "203.0.113.24"}, jt809.IDVideoStartReply
	for _, v := range []ingest.Vehicle{below, both} {
		answer, _, err := s.Do(context.Background(), v, jt809.IDVideoStart, jt809.Edition2011, &jt809.VideoStart{})
		if err != nil || answer.(*jt809.VideoStartReply).ServerIP != "203.0.113.24" {
			t.Errorf("%v: %+v %v", v, answer, err)
		}
	}
	if s.Do(context.Background(), both, jt809.IDMonitorCall, jt809.Edition2011, &jt809.MonitorCall{}); s.terminals.id != jt808.IDCallBack || s.platforms.calls != 2 {
		t.Error("not to the terminal")
	}
	for id, want := range map[jt809.MessageID]jt809.Body{
		jt809.IDVideoStart:      &jt809.VideoStartReply{Result: 2},
		jt809.IDVideoStop:       &jt809.VideoResult{Result: 2},
		jt809.IDRecordingQuery:  &jt809.RecordingQueryReply{Result: 2},
		jt809.IDPlaybackStart:   &jt809.PlaybackStartReply{Result: 2},
		jt809.IDPlaybackControl: &jt809.VideoResult{Result: 2},
		jt809.IDDownloadStart:   &jt809.DownloadStartReply{Result: 2},
		jt809.IDDownloadControl: &jt809.VideoResult{Result: 2},
	} {
		ask := jt809.NewBody(id, jt809.Edition2019, -1)
		answer, answerID, err := s.Do(context.Background(), here, id, jt809.Edition2019, ask)
		if info, _ := id.Info(); err != nil || answerID != info.Answer {
			t.Errorf("%v: %v %v", id, answerID, err)
		}
		same(t, id.String(), answer, want)
		if answer, _, err = s.Do(context.Background(), gone, id, jt809.Edition2019, ask); !errors.Is(err, ErrUnknownVehicle) || answer == nil {
			t.Errorf("%v: %+v %v", id, answer, err)
		}
	}
}

func TestStaticData(t *testing.T) {
	info := jt809.Info{{Key: jt809.InfoPlate, Value: "晋E12345"}}
	s := newSetup(func(d *Deps) { d.Static = func(v ingest.Vehicle) (jt809.Info, bool) { return info, v == here } })
	answer, id, err := s.Do(context.Background(), here, jt809.IDStaticQuery, jt809.Edition2011, &jt809.Empty{})
	if err != nil || id != jt809.IDStaticData {
		t.Fatal(id, err)
	}
	same(t, "answer", answer, &jt809.StaticData{Info: info})
	if _, _, err := s.Do(context.Background(), both, jt809.IDStaticQuery, jt809.Edition2011, &jt809.Empty{}); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
}

func TestWhatCannotBeCarried(t *testing.T) {
	s := newSetup(nil)
	for _, id := range []jt809.MessageID{jt809.IDPosition, jt809.IDInspection, jt809.IDLogin, jt809.IDRecordingListReply, jt809.IDTokenReply, jt809.IDAlarmTip, 0x9507, 0} {
		if answer, _, err := s.Do(context.Background(), here, id, jt809.Edition2011, &jt809.Empty{}); !errors.Is(err, ErrUnsupported) || answer != nil {
			t.Errorf("%v: %+v %v", id, answer, err)
		}
	}
	// A body that is not the message's.
	if _, _, err := s.Do(context.Background(), here, jt809.IDMonitorCall, jt809.Edition2011, &jt809.Empty{}); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	for _, c := range []struct {
		ask  jt809.Body
		id   jt809.MessageID
		want jt809.Body
	}{
		{&jt809.MonitorCall{}, jt809.IDMonitorCall, &jt809.ControlReply{Result: 1}},
		{&jt809.PhotoRequest{LensID: 2}, jt809.IDPhotoRequest, &jt809.PhotoReply{PhotoRspFlag: 3, LensID: 2}},
		{&jt809.VehicleText{MsgSequence: 8}, jt809.IDVehicleText, &jt809.VehicleTextReply{MsgID: 8, Result: 1}},
		{&jt809.RecorderRequest{CommandType: 3}, jt809.IDRecorderRequest, &jt809.RecorderReply{CommandType: 3}},
		{&jt809.EmergencyAccess{}, jt809.IDEmergencyAccess, &jt809.ControlReply{Result: 1}},
		{&jt809.DriverQuery{}, jt809.IDDriverQuery, nil},
	} {
		answer, _, err := s.Do(context.Background(), gone, c.id, jt809.Edition2011, c.ask)
		if !errors.Is(err, ErrUnknownVehicle) {
			t.Error(c.id, err)
		}
		same(t, c.id.String(), answer, c.want)
		if s.count(c.id, toNobody, "unknown_vehicle") != 1 {
			t.Error(c.id, "not counted")
		}
	}
	alone := newSetup(func(d *Deps) { d.Terminals, d.Platforms = nil, nil })
	if _, _, err := alone.Do(context.Background(), here, jt809.IDMonitorCall, jt809.Edition2011, &jt809.MonitorCall{}); !errors.Is(err, ErrUnknownVehicle) {
		t.Error(err)
	}
}

func TestOutcomesWithoutAnAnswer(t *testing.T) {
	for state, want := range map[gateway.CommandState]error{gateway.CommandTimeout: ErrTimeout, gateway.CommandOffline: ErrUnknownVehicle,
		gateway.CommandGone: ErrUnknownVehicle, gateway.CommandBusy: ErrBusy} {
		for id, m := range map[jt809.MessageID]jt809.Body{jt809.IDMonitorCall: &jt809.MonitorCall{}, jt809.IDPhotoRequest: &jt809.PhotoRequest{},
			jt809.IDVehicleText: &jt809.VehicleText{}, jt809.IDRecorderRequest: &jt809.RecorderRequest{}, jt809.IDDriverQuery: &jt809.DriverQuery{},
			jt809.IDEmergencyAccess: &jt809.EmergencyAccess{ServerIP: "h", TCPPort: 1}} {
			s := newSetup(nil)
			s.terminals.outcome.State = state
			answer, _, err := s.Do(context.Background(), here, id, jt809.Edition2011, m)
			if !errors.Is(err, want) || (answer == nil) != (id == jt809.IDDriverQuery) {
				t.Errorf("%v %s: %+v %v", id, state, answer, err)
			}
		}
	}
	s := newSetup(nil)
	s.terminals.outcome = gateway.Outcome{State: gateway.CommandNotSupported}
	if _, _, err := s.Do(context.Background(), here, jt809.IDDriverQuery, jt809.Edition2011, &jt809.DriverQuery{}); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	s.terminals.outcome = gateway.Outcome{State: gateway.CommandDone, ReplyID: jt808.IDRecorderData, Reply: []byte{1}}
	if a, _, err := s.Do(context.Background(), here, jt809.IDRecorderRequest, jt809.Edition2011, &jt809.RecorderRequest{}); err == nil || a == nil {
		t.Errorf("%+v %v", a, err)
	}
}

func TestTimeoutAndCancel(t *testing.T) {
	s := newSetup(func(d *Deps) { d.Timeout = 20 * time.Millisecond })
	s.terminals.wait = true
	if a, _, err := s.Do(context.Background(), here, jt809.IDMonitorCall, jt809.Edition2011, &jt809.MonitorCall{}); !errors.Is(err, ErrTimeout) || a == nil {
		t.Error(a, err)
	}
	s.platforms.wait = make(chan struct{})
	if a, _, err := s.Do(context.Background(), below, jt809.IDMonitorCall, jt809.Edition2011, &jt809.MonitorCall{}); !errors.Is(err, ErrTimeout) || a == nil {
		t.Error(a, err)
	}
	if s.count(jt809.IDMonitorCall, toPlatform, "timeout") != 1 || s.count(jt809.IDMonitorCall, toTerminal, "timeout") != 1 {
		t.Error("not counted")
	}
	s = newSetup(nil)
	s.platforms.wait = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-s.platforms.wait
		cancel()
	}()
	if _, _, err := s.Do(ctx, below, jt809.IDMonitorCall, jt809.Edition2011, &jt809.MonitorCall{}); err != context.Canceled {
		t.Error(err)
	}
}

func TestTooManyAtOnce(t *testing.T) {
	s := newSetup(nil)
	for range maxUnderWay {
		s.slots <- struct{}{}
	}
	if a, _, err := s.Do(context.Background(), here, jt809.IDMonitorCall, jt809.Edition2011, &jt809.MonitorCall{}); err != ErrBusy || a == nil {
		t.Error(a, err)
	}
	<-s.slots
	for range 3 {
		if _, _, err := s.Do(context.Background(), here, jt809.IDMonitorCall, jt809.Edition2011, &jt809.MonitorCall{}); err != nil {
			t.Error(err)
		}
	}
}
