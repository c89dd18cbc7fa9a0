package superior

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/media"
	"lushao/ingest/platform"
)

func (h *hub) do(t *testing.T, v *ingest.Vehicle, id jt809.MessageID, m jt809.Body) platform.Request {
	t.Helper()
	r, err := h.Do(context.Background(), "alpha", v, id, m, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatalf("%v: %v", id, err)
	}
	return r
}

// state waits until a request has a state, and returns it.
func (h *hub) state(t *testing.T, id, state string) platform.Request {
	t.Helper()
	var r platform.Request
	eventually(t, "request "+state, func() bool { r, _ = h.book.Get(id); return r.State == state })
	return r
}

// source is what an answer names its request by: a source in 2019, nothing before.
func (s *platformScript) source(x scriptFrame) jt809.Source {
	if s.ed == jt809.Edition2019 {
		return jt809.Source{Type: x.env.Message(), Serial: x.h.Serial}
	}
	return jt809.Source{}
}

func TestEveryRequestFindsItsAnswer(t *testing.T) {
	editions(t, func(t *testing.T, h *hub, s *platformScript) {
		s.both()
		v, other := plateOf(t, 1), plateOf(t, 2)
		for _, c := range []struct {
			id, answer jt809.MessageID
			v          *ingest.Vehicle
			ask        jt809.Body
			say        func(x scriptFrame, src jt809.Source) jt809.Body
		}{
			{jt809.IDInspection, jt809.IDInspectionReply, nil, &jt809.Inspection{ObjectType: 1, InfoContent: "1+1"}, func(x scriptFrame, src jt809.Source) jt809.Body {
				var m jt809.Inspection
				jt809.Decode(x.env.Data, s.ed, &m)
				return &jt809.InspectionReply{ObjectType: 1, InfoID: m.InfoID, Source: src, InfoContent: "2"}
			}},
			{jt809.IDPlatformText, jt809.IDPlatformTextReply, nil, &jt809.PlatformText{ObjectType: 1, InfoContent: "x"}, func(x scriptFrame, src jt809.Source) jt809.Body {
				var m jt809.PlatformText
				jt809.Decode(x.env.Data, s.ed, &m)
				return &jt809.PlatformTextReply{InfoID: m.InfoID, Source: src}
			}},
			{jt809.IDVehicleText, jt809.IDVehicleTextReply, &v, &jt809.VehicleText{MsgContent: "x"}, func(x scriptFrame, src jt809.Source) jt809.Body {
				var m jt809.VehicleText
				jt809.Decode(x.env.Data, s.ed, &m)
				return &jt809.VehicleTextReply{MsgID: m.MsgSequence, Source: src}
			}},
			{jt809.IDMonitorCall, jt809.IDMonitorCallReply, &v, &jt809.MonitorCall{MonitorTel: "123"}, func(_ scriptFrame, src jt809.Source) jt809.Body { return &jt809.ControlReply{Source: src} }},
			{jt809.IDEmergencyAccess, jt809.IDEmergencyAccessReply, &v, &jt809.EmergencyAccess{ServerIP: "10.0.0.1"}, func(_ scriptFrame, src jt809.Source) jt809.Body { return &jt809.ControlReply{Source: src} }},
			{jt809.IDExchangeStart, jt809.IDExchangeStartReply, &v, &jt809.ExchangeStart{ReasonCode: 1}, func(_ scriptFrame, src jt809.Source) jt809.Body { return &jt809.ExchangeReply{Source: src} }},
			{jt809.IDExchangeEnd, jt809.IDExchangeEndReply, &v, &jt809.ExchangeEnd{ReasonCode: 1}, func(_ scriptFrame, src jt809.Source) jt809.Body { return &jt809.ExchangeReply{Source: src} }},
			{jt809.IDDriverQuery, jt809.IDDriverReply, &v, &jt809.DriverQuery{}, func(_ scriptFrame, src jt809.Source) jt809.Body {
				return &jt809.DriverReply{Source: src, Driver: jt809.Driver{DriverName: jt808.GBK("李四"), Licence: "5301"}}
			}},
			{jt809.IDWaybillQuery, jt809.IDWaybillReply, &v, nil, func(_ scriptFrame, src jt809.Source) jt809.Body {
				return &jt809.WaybillReply{Source: src, EwaybillInfo: "number:=D-1"}
			}},
			{jt809.IDStaticQuery, jt809.IDStaticData, &v, nil, func(_ scriptFrame, src jt809.Source) jt809.Body {
				return &jt809.StaticData{Source: src, Info: jt809.Info{{Key: "VIN", Value: "x"}, {Key: "TRANS_TYPE", Value: "030"}}}
			}},
			{jt809.IDVideoStart, jt809.IDVideoStartReply, &v, &jt809.VideoStart{}, func(scriptFrame, jt809.Source) jt809.Body { return &jt809.VideoStartReply{ServerIP: "10.0.0.1"} }},
			{jt809.IDVideoStop, jt809.IDVideoStopReply, &v, &jt809.VideoStop{}, func(scriptFrame, jt809.Source) jt809.Body { return &jt809.VideoResult{} }},
			{jt809.IDRecordingQuery, jt809.IDRecordingQueryReply, &v, &jt809.RecordingQuery{}, func(scriptFrame, jt809.Source) jt809.Body { return &jt809.RecordingQueryReply{} }},
			{jt809.IDPlaybackStart, jt809.IDPlaybackStartReply, &v, &jt809.PlaybackStart{}, func(scriptFrame, jt809.Source) jt809.Body { return &jt809.PlaybackStartReply{} }},
			{jt809.IDPlaybackControl, jt809.IDPlaybackControlReply, &v, &jt809.PlaybackControl{}, func(scriptFrame, jt809.Source) jt809.Body { return &jt809.VideoResult{} }},
			{jt809.IDDownloadStart, jt809.IDDownloadStartReply, &v, &jt809.DownloadStart{}, func(scriptFrame, jt809.Source) jt809.Body { return &jt809.DownloadStartReply{} }},
			{jt809.IDDownloadControl, jt809.IDDownloadControlReply, &v, &jt809.DownloadControl{SessionID: 3}, func(scriptFrame, jt809.Source) jt809.Body { return &jt809.VideoResult{} }},
			{jt809.IDTransferQuery, jt809.IDTransferReport, nil, &jt809.TransferQuery{PlatformID: "1"}, func(scriptFrame, jt809.Source) jt809.Body {
				return &jt809.TransferReport{PlatformID: "1", LostDynamicSum: 3}
			}},
			{jt809.IDRouteQuery, jt809.IDRouteReport, &v, nil, func(scriptFrame, jt809.Source) jt809.Body { return &jt809.Route{Drvline: jt808.Route{ID: 7}} }},
		} {
			if info, _ := c.id.Info(); info.Since == jt809.Edition2019 && s.ed != jt809.Edition2019 {
				continue
			}
			// The same of another vehicle waits as well: the answer must not be taken for its.
			var decoy platform.Request
			if c.v != nil {
				decoy = h.do(t, &other, c.id, clone(c.ask))
				s.sub.get(c.id, s.ed, nil)
			}
			r := h.do(t, c.v, c.id, c.ask)
			if r.State != platform.StateWaiting || r.Serial == 0 || r.Role != platform.RoleSuperior || r.Message != c.id.String() {
				t.Errorf("%v: %+v", c.id, r)
			}
			x := s.sub.get(c.id, s.ed, nil)
			s.send(s.main, c.answer, c.v, c.say(x, s.source(x)))
			s.proof()
			got, _ := h.book.Get(r.ID)
			if got.State != platform.StateAnswered || got.AnswerMessage != c.answer.String() || !json.Valid(got.Answer) {
				t.Errorf("%v: %+v", c.id, got)
			}
			if decoy.ID != "" {
				if d, _ := h.book.Get(decoy.ID); d.State != platform.StateWaiting {
					t.Errorf("%v: the answer was taken for that of another vehicle", c.id)
				}
			}
		}
	})
}

// clone is a second message of the same content, for which the sender chooses its own number.
func clone(m jt809.Body) jt809.Body {
	if x, ok := m.(*jt809.VehicleText); ok {
		y := *x
		return &y
	}
	return m
}

func TestRequestsThatCanNotBeSent(t *testing.T) {
	h := start(t, testConfig(), nil)
	v := plateOf(t, 1)
	ctx := context.Background()
	if _, err := h.Do(ctx, "nobody", nil, jt809.IDInspection, &jt809.Inspection{}, time.Time{}); !errors.Is(err, platform.ErrNoPeer) {
		t.Error(err)
	}
	for _, id := range []jt809.MessageID{jt809.IDPosition, jt809.IDLogin, jt809.IDSubLogin, jt809.IDExchangeDown, 0x9FFF} {
		if _, err := h.Do(ctx, "alpha", &v, id, nil, time.Time{}); !errors.Is(err, ErrDirection) {
			t.Errorf("%v: %v", id, err)
		}
	}
	r, err := h.Do(ctx, "alpha", nil, jt809.IDInspection, &jt809.Inspection{}, time.Time{})
	if !errors.Is(err, platform.ErrOffline) || r.State != platform.StateFailed {
		t.Errorf("%v, %+v", err, r)
	}
	s := newScript(t, h, jt809.Edition2011).both()
	h.do(t, &v, jt809.IDMonitorCall, &jt809.MonitorCall{MonitorTel: "1"})
	if _, err := h.Do(ctx, "alpha", &v, jt809.IDMonitorCall, &jt809.MonitorCall{MonitorTel: "2"}, time.Time{}); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one of the same vehicle: %v", err)
	}
	if err := h.Answer(ctx, r.ID, nil); !errors.Is(err, platform.ErrUnsupported) {
		t.Error(err)
	}
	_ = s
}

func TestOverdueAndLate(t *testing.T) {
	h := start(t, testConfig(), nil)
	s := newScript(t, h, jt809.Edition2019).both()
	r, err := h.Do(context.Background(), "alpha", nil, jt809.IDInspection, &jt809.Inspection{ObjectType: 1, InfoContent: "?"}, time.Now().Add(30*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	h.state(t, r.ID, platform.StateOverdue)
	s.send(s.main, jt809.IDInspectionReply, nil, &jt809.InspectionReply{ObjectType: 1, Source: jt809.Source{Type: jt809.IDInspection, Serial: r.Serial}, InfoContent: "late"})
	s.proof()
	if got, _ := h.book.Get(r.ID); got.State != platform.StateLate || !strings.Contains(string(got.Answer), "late") {
		t.Errorf("%+v", got)
	}
}

func TestDoVehicleWaitsForTheAnswer(t *testing.T) {
	beta := PeerConfig{Name: "beta", AccessCode: 77, User: 1, Password: "x"}
	cfg := testConfig(onePeer(), beta)
	h := start(t, cfg, nil)
	s := newScript(t, h, jt809.Edition2019).both()
	v := plateOf(t, 1)
	ctx := context.Background()
	if _, _, err := h.DoVehicle(ctx, v, jt809.IDMonitorCall, jt809.Edition2011, &jt809.MonitorCall{}); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	s.position(s.main, v, noon)
	s.proof()
	done := make(chan error, 1)
	go func() {
		b, id, err := h.DoVehicle(ctx, v, jt809.IDMonitorCall, jt809.Edition2011, &jt809.MonitorCall{MonitorTel: "1"})
		if err == nil && (id != jt809.IDMonitorCallReply || b.(*jt809.ControlReply).Result != 1) {
			err = errors.New("wrong answer")
		}
		done <- err
	}()
	x := s.sub.get(jt809.IDMonitorCall, s.ed, nil)
	s.send(s.main, jt809.IDMonitorCallReply, &v, &jt809.ControlReply{Source: s.source(x), Result: 1})
	if err := <-done; err != nil {
		t.Error(err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if _, _, err := h.DoVehicle(short, v, jt809.IDMonitorCall, jt809.Edition2011, &jt809.MonitorCall{}); !errors.Is(err, ErrNoAnswer) {
		t.Error(err)
	}
}

type files struct {
	mu   sync.Mutex
	list []media.Record
}

func (f *files) Put(r *media.Record) (media.Entry, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, *r)
	return media.Entry{Name: "1502-photo"}, false, nil
}

func TestPhotosAndRecorderDataAreFiles(t *testing.T) {
	for _, ed := range []jt809.Edition{jt809.Edition2011, jt809.Edition2019} {
		f := &files{}
		h := start(t, testConfig(), func(d *Deps) { d.Files = f })
		s := newScript(t, h, ed).both()
		v := plateOf(t, 1)
		r := h.do(t, &v, jt809.IDPhotoRequest, &jt809.PhotoRequest{LensID: 1, SizeType: 2})
		x := s.sub.get(jt809.IDPhotoRequest, ed, nil)
		photo := append([]byte{0xff, 0xd8}, make([]byte, 300_000)...)
		s.send(s.main, jt809.IDPhotoReply, &v, &jt809.PhotoReply{Source: s.source(x), PhotoRspFlag: 1, LensID: 1, Photo: photo,
			Location: jt809.LocationOf(fix(v, noon), ed)})
		s.proof()
		got, _ := h.book.Get(r.ID)
		if got.State != platform.StateAnswered || !strings.Contains(string(got.Answer), `"file":"1502-photo"`) || len(got.Answer) > 10_000 {
			t.Errorf("%v: %s, %d bytes", ed, got.State, len(got.Answer))
		}
		if len(f.list) != 1 || len(f.list[0].Data) != len(photo) || f.list[0].Format != media.JPEG || f.list[0].Recorded != noon || f.list[0].Vehicle != v {
			t.Errorf("%v: %d files", ed, len(f.list))
		}
		h.do(t, &v, jt809.IDRecorderRequest, &jt809.RecorderRequest{CommandType: 8})
		x = s.sub.get(jt809.IDRecorderRequest, ed, nil)
		s.send(s.main, jt809.IDRecorderReply, &v, &jt809.RecorderReply{Source: s.source(x), CommandType: 8, TraveldataInfo: []byte{0x55, 0x7a, 1}})
		s.proof()
		if len(f.list) != 2 || string(f.list[1].Data) != "\x55\x7a\x01" {
			t.Errorf("%v: %d files", ed, len(f.list))
		}
	}
}

func TestInspectionsOnSchedule(t *testing.T) {
	p := onePeer()
	p.Inspections = Inspections{Every: 20 * time.Millisecond, AnswerTime: time.Second, ObjectID: "53010000417"}
	h := start(t, testConfig(p), nil)
	s := newScript(t, h, jt809.Edition2019).both()
	for range 2 {
		var m jt809.Inspection
		s.sub.get(jt809.IDInspection, s.ed, &m)
		if m.ObjectType != jt809.ObjectPlatform || m.AnswerTime != 1 || !strings.Contains(m.InfoContent.String(), "等于多少") {
			t.Errorf("%+v", m)
		}
	}
	r, ok := h.book.Find(func(r *platform.Request) bool { return r.Kind == platform.KindInspection })
	if !ok || !strings.HasPrefix(r.Note, "expected answer: ") || r.Deadline == 0 {
		t.Errorf("%+v", r)
	}
}

func TestWithin(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 5, 1, hour, 30, 0, 0, beijing) }
	for _, c := range []struct {
		between string
		hour    int
		want    bool
	}{{"", 3, true}, {"08:00-20:00", 8, true}, {"08:00-20:00", 7, false}, {"08:00-20:00", 20, false}, {"22:00-06:00", 23, true},
		{"22:00-06:00", 3, true}, {"22:00-06:00", 12, false}, {"00:00-24:00", 23, true}} {
		if got := within(c.between, at(c.hour)); got != c.want {
			t.Errorf("%q at %d: %v", c.between, c.hour, got)
		}
	}
}
