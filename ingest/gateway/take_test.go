package gateway

import (
	"bytes"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/media"
	"lushao/ingest/waybill"
	"lushao/internal/bus"
)

// of returns the events of a kind that are in the log.
func (l *fakeLog) of(kind ingest.Kind) (out []ingest.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// next reads the next message of the platform, whatever it is.
func (c *terminal) next() (h jt808.Header, body []byte) {
	c.t.Helper()
	for {
		frame, n, err := c.framer.Next(c.buf)
		if err != nil {
			c.t.Fatal(err)
		}
		if frame != nil {
			body, err := h.Decode(frame)
			if err != nil {
				c.t.Fatal(err)
			}
			body = bytes.Clone(body)
			c.buf = bytes.Clone(c.buf[n:])
			return h, body
		}
		c.buf = c.buf[n:]
		chunk := make([]byte, 64<<10)
		c.nc.SetReadDeadline(time.Now().Add(20 * time.Second))
		if n, err = c.nc.Read(chunk); n == 0 && err != nil {
			c.t.Fatal(err)
		}
		c.buf = append(c.buf, chunk[:n]...)
	}
}

func (c *terminal) wantMediaAck(id uint32) {
	c.t.Helper()
	h, body := c.next()
	if want := []byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}; h.ID != jt808.IDMediaAck || !bytes.Equal(body, want) {
		c.t.Fatalf("%v % x, want 0x8800 % x", h.ID, body, want)
	}
}

// adas is an additional item 0x64 of 47 bytes.
func adas(id uint32, kind uint8, at jt808.Time) []byte {
	m := jt808.ADAS{AlarmID: id, Flag: 1, Kind: kind, Level: 2, AlarmPlace: jt808.AlarmPlace{Speed: 60, Time: at}}
	b := jt808.AppendBody(nil, jt808.EditionAuto, &m)
	return append([]byte{jt808.ItemADAS, byte(len(b))}, b...)
}

func TestSafetyAlarmsComeBesideThePosition(t *testing.T) {
	log := newFakeLog()
	g, reg := startGateway(t, testConfig(), log, nil)
	c := dial(t, g.Addr().String(), "13800138000", jt808.Edition2019)
	c.login(v1)
	l := locationAt(1)
	l.Extras = slices.Concat(l.Extras, adas(7, 1, jt808.TimeOf(base)), adas(7, 2, jt808.Time{}), []byte{jt808.ItemDSM, 2, 1, 1})
	c.send(c.frame(jt808.IDLocation, jt808.AppendLocation(nil, &l)))
	c.want(c.serial-1, jt808.IDLocation, jt808.ResultOK)
	// The same alarm in a batch, twice: both are kept, and marked as the batch is.
	c.send(c.frame(jt808.IDBatch, jt808.AppendBatch(nil, jt808.BatchBlindSpots, []jt808.Location{l, l})))
	c.want(c.serial-1, jt808.IDBatch, jt808.ResultOK)

	alarms := log.of(ingest.KindSafety)
	if len(alarms) != 6 || len(log.of(ingest.KindPosition)) != 3 {
		t.Fatalf("%d alarms, %d positions", len(alarms), len(log.of(ingest.KindPosition)))
	}
	for i, e := range alarms {
		at, kind := base, "forward"
		if i%2 == 1 { // its own time is none: it has the position's
			at, kind = base+1000, "lane"
		}
		if s := e.Safety; e.Vehicle != v1 || e.Time != at || s.Kind != kind || s.System != "adas" || s.AlarmID != 7 || s.Flag != "start" || s.Speed != 600 ||
			(e.Flags&ingest.FlagBackfill != 0) != (i >= 2) || e.Source != ingest.SourceJT808 {
			t.Errorf("%d: %+v %+v", i, e, s)
		}
	}
	if n, _ := testutil.GatherAndCount(reg, "lushao_gateway_events_total"); n != 5 {
		t.Errorf("%d kinds of events are counted", n)
	}
}

// The most alarms that one message can carry neither break the limit of a payload nor are lost.
func TestManyAlarmsAtOnce(t *testing.T) {
	log := newFakeLog()
	g, _ := startGateway(t, testConfig(), log, nil)
	c := dial(t, g.Addr().String(), "13800138000", jt808.Edition2013)
	c.login(v1)
	tyres := jt808.TPMS{AlarmID: 9, Flag: 1, Tyres: []jt808.Tyre{{Kinds: 0xFE}}}
	b := jt808.AppendBody(nil, jt808.EditionAuto, &tyres)
	item := append([]byte{jt808.ItemTPMS, byte(len(b))}, b...)
	l := locationAt(1)
	l.Extras = jt808.Extras(bytes.Repeat(item, 60000/len(item)))
	batch := jt808.AppendBatch(nil, jt808.BatchNormal, []jt808.Location{l, l})
	first := c.serial
	c.send(c.frame(jt808.IDBatch, batch))
	for i := range jt808.Frames(len(batch)) {
		c.want(first+uint16(i), jt808.IDBatch, jt808.ResultOK)
	}
	if n, want := len(log.of(ingest.KindSafety)), 2*7*(60000/len(item)); n != want {
		t.Errorf("%d alarms, want %d", n, want)
	}
	log.mu.Lock()
	largest := log.largest
	log.mu.Unlock()
	if largest > bus.MaxPayload {
		t.Errorf("a payload of %d bytes", largest)
	}
}

func TestWaybillsAndPositionsInAnswers(t *testing.T) {
	log := newFakeLog()
	g, _ := startGateway(t, testConfig(), log, nil)
	c := dial(t, g.Addr().String(), "13800138000", jt808.Edition2013)
	c.login(v1)
	for _, text := range []string{`number:=D-1;cargo_class:=3`, "已装货"} {
		c.send(c.frame(jt808.IDWaybill, jt808.AppendBody(nil, c.ed, &jt808.Waybill{Content: []byte(jt808.GBK(text))})))
		c.want(c.serial-1, jt808.IDWaybill, jt808.ResultOK)
	}
	c.send(c.frame(jt808.IDWaybill, []byte{0, 0, 0, 9, 'x'})) // says more than there is
	c.want(c.serial-1, jt808.IDWaybill, jt808.ResultMalformed)
	bills := log.of(ingest.KindWaybill)
	if len(bills) != 2 || bills[0].Waybill.Number != "D-1" || bills[0].Waybill.CargoClass != "3" || bills[1].Waybill.Text != "已装货" ||
		bills[1].Waybill.Number != "" || bills[1].Time != bills[1].Received || bills[1].Vehicle != v1 {
		t.Errorf("%+v", bills)
	}
	large := jt808.AppendBody(nil, c.ed, &jt808.Waybill{Content: bytes.Repeat([]byte("x"), waybill.MaxText+1)})
	first := c.serial
	c.send(c.frame(jt808.IDWaybill, large))
	for i := range jt808.Frames(len(large)) {
		c.want(first+uint16(i), jt808.IDWaybill, jt808.ResultFailed)
	}

	// The answers to a position query and to a vehicle control are positions; nobody answers them.
	for i, id := range []jt808.MessageID{jt808.IDLocationReply, jt808.IDVehicleControlled} {
		l := locationAt(int64(i))
		l.Alarm = jt808.AlarmEmergency
		c.send(c.frame(id, jt808.AppendBody(nil, c.ed, &jt808.LocationReply{Serial: 1, Location: l})))
	}
	c.send(c.frame(jt808.IDLocationReply, []byte{0, 1, 2}))
	c.want(c.serial-1, jt808.IDLocationReply, jt808.ResultMalformed)
	for i, e := range log.of(ingest.KindPosition) {
		if e.Time != base+int64(i)*1000 || e.Position.Alarm != jt808.AlarmEmergency {
			t.Errorf("%+v", e)
		}
	}
	if n := len(log.of(ingest.KindPosition)); n != 2 {
		t.Errorf("%d positions", n)
	}
}

func TestEveryOtherMessageIsAnsweredAsTheIndexSays(t *testing.T) {
	log := newFakeLog()
	g, _ := startGateway(t, testConfig(), log, nil)
	c := dial(t, g.Addr().String(), "13800138000", jt808.Edition2019)
	c.login(v1)
	silent := map[jt808.MessageID]jt808.Body{
		jt808.IDParametersReply: &jt808.ParametersReply{}, jt808.IDAttributes: &jt808.Attributes{}, jt808.IDAreaData: &jt808.AreaData{},
		jt808.IDStoredMediaList: &jt808.StoredMediaList{}, jt808.IDShootReply: &jt808.ShootReply{}, jt808.IDAVAttributes: &jt808.AVAttributes{},
		jt808.IDRecorderData: &jt808.RecorderData{Command: 8, Data: []byte{1}},
	}
	acked := map[jt808.MessageID]jt808.Body{
		jt808.IDUpgradeResult: &jt808.UpgradeResult{}, jt808.IDEventReport: &jt808.EventReport{}, jt808.IDQuestionAnswer: &jt808.QuestionAnswer{},
		jt808.IDInfoOrder: &jt808.InfoOrder{}, jt808.IDCANData: &jt808.CANData{Items: []jt808.CANItem{{ID: 1}}}, jt808.IDPassengerFlow: &jt808.PassengerFlow{},
		jt808.IDResourceList: &jt808.ResourceList{}, jt808.IDFileUploaded: &jt808.FileUploaded{},
	}
	for id, m := range acked {
		body := jt808.AppendBody(nil, c.ed, m)
		c.send(c.frame(id, body))
		c.want(c.serial-1, id, jt808.ResultOK)
		c.send(c.frame(id, body[:0]))
		c.want(c.serial-1, id, jt808.ResultMalformed)
	}
	for id, m := range silent {
		body := jt808.AppendBody(nil, c.ed, m)
		c.send(c.frame(id, body)) // no reply: the next one is that of the malformed one
		c.send(c.frame(id, body[:1]))
		c.want(c.serial-1, id, jt808.ResultMalformed)
	}
	before := time.Now().Add(-time.Second)
	c.send(c.frame(jt808.IDQueryTime, nil))
	h, body := c.next()
	var m jt808.ServerTime
	if err := jt808.Decode(body, c.ed, &m); err != nil || h.ID != jt808.IDServerTime || len(body) != 6 {
		t.Fatalf("%v % x %v", h.ID, body, err)
	}
	// The field is UTC: read as Beijing time it is eight hours early.
	at, ok := m.Time.UnixMilli()
	if got := time.UnixMilli(at).Add(8 * time.Hour); !ok || got.Before(before) || got.After(time.Now().Add(time.Second)) {
		t.Errorf("server time %v", got)
	}
}

// brokenFiles refuses everything until it is mended.
type brokenFiles struct {
	*media.Store
	broken bool
}

func (b *brokenFiles) Put(r *media.Record) (media.Entry, bool, error) {
	if b.broken {
		return media.Entry{}, false, errors.New("no space left")
	}
	return b.Store.Put(r)
}

func startWithFiles(t *testing.T, cfg Config, log Log) (*Gateway, *brokenFiles, string) {
	t.Helper()
	mc := media.DefaultConfig()
	mc.Dir = filepath.Join(t.TempDir(), "media")
	store, err := media.New(mc, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() }) // after the gateway, which is cleaned up before
	g, _ := startGateway(t, cfg, log, nil)
	files := &brokenFiles{Store: store}
	g.files = files
	return g, files, mc.Dir
}

// photoOf is a body of 0x0801 with n bytes of data.
func photoOf(ed jt808.Edition, id uint32, n int) (body, data []byte) {
	data = bytes.Repeat([]byte{0xFF, 0xD8, 0x7E, 0x7D, byte(id)}, n/5+1)[:n]
	m := jt808.MediaData{MediaHead: jt808.MediaHead{ID: id, Event: 1, Channel: 3}, Location: locationAt(5), Data: data}
	m.Location.Extras = nil
	return jt808.AppendBody(nil, ed, &m), data
}

// split cuts the frames of a message apart.
func split(stream []byte) (frames [][]byte) {
	for len(stream) > 0 {
		n := bytes.IndexByte(stream[1:], 0x7e) + 2
		frames = append(frames, stream[:n])
		stream = stream[n:]
	}
	return frames
}

func TestMediaIsAFileBeforeItIsAnswered(t *testing.T) {
	for _, ed := range []jt808.Edition{jt808.Edition2011, jt808.Edition2013, jt808.Edition2019} {
		g, _, dir := startWithFiles(t, testConfig(), newFakeLog())
		c := dial(t, g.Addr().String(), "13800138000", ed)
		c.login(v1)
		// In one frame.
		body, small := photoOf(ed, 8, 100)
		c.send(c.frame(jt808.IDMediaData, body))
		c.want(c.serial-1, jt808.IDMediaData, jt808.ResultOK)
		c.wantMediaAck(8)
		// In parts, last part first: each is acknowledged by itself, and the whole once.
		body, data := photoOf(ed, 9, 300_000)
		first := c.serial
		frames := split(c.frame(jt808.IDMediaData, body))
		if len(frames) < 2 || len(frames) != jt808.Frames(len(body)) {
			t.Fatalf("%d frames", len(frames))
		}
		for i := len(frames) - 1; i >= 0; i-- {
			c.send(frames[i])
			c.want(first+uint16(i), jt808.IDMediaData, jt808.ResultOK)
		}
		c.wantMediaAck(9)
		// All of it again, as after an answer that was lost: the same answers and no other file.
		c.send(frames...)
		for i := range frames {
			c.want(first+uint16(i), jt808.IDMediaData, jt808.ResultOK)
		}
		c.wantMediaAck(9)
		c.serial += 100 // and as another message
		c.send(c.frame(jt808.IDMediaData, body))
		for range frames {
			if h, _ := c.next(); h.ID != jt808.IDPlatformAck {
				t.Fatalf("%v", h.ID)
			}
		}
		c.wantMediaAck(9)
		list, more, err := g.files.(*brokenFiles).List(v1, 0, time.Now().UnixMilli()+1, 10)
		if err != nil || more || len(list) != 2 {
			t.Fatalf("%v: %+v %v", ed, list, err)
		}
		for _, e := range list {
			want := data
			if e.Size == 100 {
				want = small
			}
			got, err := os.ReadFile(filepath.Join(dir, e.Day, "晋E12345_2", e.File))
			if err != nil || !bytes.Equal(got, want) || e.ContentType != "image/jpeg" || e.Phone != "13800138000" || !strings.Contains(string(e.Details), `"channel": 3`) {
				t.Errorf("%v: %+v %s: %d bytes, %v", ed, e, e.Details, len(got), err)
			}
			if dated := int64(e.Recorded) == base+5000; dated == (ed == jt808.Edition2011) {
				t.Errorf("%v: recorded %v", ed, e.Recorded)
			}
		}
		if g.partial.Load() != 0 || g.partialFiles.Load() != 0 {
			t.Errorf("%d bytes still wait, %d of files", g.partial.Load(), g.partialFiles.Load())
		}
		c.ping(1)
	}
}

func TestMediaThatCanNotBeKeptIsNotAnswered(t *testing.T) {
	log := newFakeLog()
	g, files, _ := startWithFiles(t, testConfig(), log)
	c := dial(t, g.Addr().String(), "13800138000", jt808.Edition2019)
	c.login(v1)
	files.broken = true
	body, _ := photoOf(c.ed, 9, 5000)
	first := c.serial
	frames := split(c.frame(jt808.IDMediaData, body))
	for i, f := range frames {
		c.send(f)
		want := jt808.ResultOK
		if i == len(frames)-1 {
			want = jt808.ResultFailed
		}
		c.want(first+uint16(i), jt808.IDMediaData, want)
	}
	for id, b := range map[jt808.MessageID][]byte{jt808.IDMediaEvent: body[:8], jt808.IDUplink: {0x41, 1}, jt808.IDCompressed: {0, 0, 0, 1, 5}, jt808.IDRecorderData: {0, 1, 8, 1}} {
		c.send(c.frame(id, b))
		c.want(c.serial-1, id, jt808.ResultFailed)
		c.send(c.frame(id, b[:0]))
		c.want(c.serial-1, id, jt808.ResultMalformed)
	}
	c.ping(1) // nothing else is lost
	// With room again the same parts are no repetition: they make the file.
	files.broken = false
	c.send(frames...)
	for i := range frames {
		c.want(first+uint16(i), jt808.IDMediaData, jt808.ResultOK)
	}
	c.wantMediaAck(9)
	for id, b := range map[jt808.MessageID][]byte{jt808.IDMediaEvent: body[:8], jt808.IDUplink: {0x41, 1}, jt808.IDCompressed: {0, 0, 0, 2, 0x1f, 0x8b}} {
		c.send(c.frame(id, b))
		c.want(c.serial-1, id, jt808.ResultOK)
	}
	c.send(c.frame(jt808.IDRecorderData, []byte{0, 1, 8, 1}))
	c.ping(2)
	list, _, err := files.List(v1, 0, time.Now().UnixMilli()+1, 10)
	var got []string
	for _, e := range list {
		got = append(got, e.Message+" "+e.ContentType)
	}
	slices.Sort(got)
	if want := []string{"0x0700 application/octet-stream", "0x0800 ", "0x0801 image/jpeg", "0x0900 application/octet-stream", "0x0901 application/gzip"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q %v, want %q", got, err, want)
	}
}

// A terminal that begins file after file holds no more than its share, and what is not a file still finds room.
func TestFilesInPartsAreBounded(t *testing.T) {
	cfg := testConfig()
	cfg.MaxPartial, cfg.MaxPartialFile, cfg.MaxPartialTotal = 64<<10, 256<<10, 1<<20
	g, _, _ := startWithFiles(t, cfg, newFakeLog())
	var terminals []*terminal
	failed := 0
	for i := range 5 { // together they would hold more than the half that is for files
		c := dial(t, g.Addr().String(), "1380013800"+string(rune('0'+i)), jt808.Edition2013)
		c.login(vehicle("晋E1000"+string(rune('0'+i)), 2))
		body, _ := photoOf(c.ed, uint32(i), 240<<10)
		frames := split(c.frame(jt808.IDMediaData, body))
		c.send(frames[:len(frames)-1]...)
		for range len(frames) - 1 {
			r, err := c.read()
			if err != nil {
				t.Fatal(err)
			}
			if r.ack.Result == jt808.ResultFailed {
				failed++
			}
		}
		terminals = append(terminals, c)
		if held := g.partialFiles.Load(); held > int64(cfg.MaxPartialTotal/2)+partOverhead+1024 {
			t.Errorf("%d bytes of files are held", held)
		}
	}
	if failed == 0 {
		t.Error("no part was refused")
	}
	c := terminals[0]
	large := jt808.AppendBatch(nil, jt808.BatchNormal, slices.Repeat([]jt808.Location{locationAt(1)}, 1200))
	first := c.serial
	c.send(c.frame(jt808.IDBatch, large))
	for i := range jt808.Frames(len(large)) {
		c.want(first+uint16(i), jt808.IDBatch, jt808.ResultOK)
	}
	for _, c := range terminals {
		c.nc.Close()
	}
	log := g.log.(*fakeLog)
	log.await(func() bool { return len(log.linksLocked()) == 2*len(terminals) })
	if g.partial.Load() != 0 || g.partialFiles.Load() != 0 {
		t.Errorf("%d bytes still wait, %d of files", g.partial.Load(), g.partialFiles.Load())
	}
}

// Whatever stands in the bodies of any message, whole or in parts, the connection goes on and honest reports are taken.
func TestRubbishInEveryMessage(t *testing.T) {
	cfg := testConfig()
	cfg.MaxUnauthenticated = 1 << 30
	log := newFakeLog()
	g, files, dir := startWithFiles(t, cfg, log)
	random := rand.New(rand.NewPCG(1, 2))
	for _, ed := range []jt808.Edition{jt808.Edition2013, jt808.Edition2019} {
		c := dial(t, g.Addr().String(), "13800138000", ed)
		c.login(v1)
		var frames []byte
		for _, r := range routes {
			if r.open || r.id == jt808.IDDeregister || r.id == jt808.IDDeregisterMisprint {
				continue
			}
			for n := range 20 {
				body := make([]byte, random.IntN(1+n*8))
				for i := range body {
					body[i] = byte(random.Uint32())
				}
				frames = append(frames, c.frame(r.id, body)...)
			}
			frames = append(frames, c.frame(r.id, make([]byte, 1500))...)
			frames = append(frames, c.frame(r.id, bytes.Repeat([]byte{0xFF}, 1500))...)
		}
		frames = append(frames, c.position(77)...)
		last := c.serial - 1
		sent := make(chan error, 1)
		go func() { // the replies are read meanwhile
			_, err := c.nc.Write(frames)
			sent <- err
		}()
		for {
			h, body := c.next()
			var ack jt808.Ack
			if h.ID == jt808.IDPlatformAck && jt808.Decode(body, ed, &ack) == nil && ack.Serial == last && ack.ID == jt808.IDLocation {
				if ack.Result != jt808.ResultOK {
					t.Errorf("%v: %+v", ed, ack)
				}
				break
			}
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		c.nc.Close()
		if !slices.Contains(log.positions(v1), 77) {
			t.Errorf("%v: the honest position is not in the log", ed)
		}
	}
	// Every file has its metadata, and nothing but these is there.
	list, _, err := files.List(v1, 0, time.Now().UnixMilli()+1, 1<<20)
	if err != nil || len(list) == 0 {
		t.Fatal(len(list), err)
	}
	want := 0
	for _, e := range list {
		want++
		if e.File != "" {
			want++
		}
	}
	for _, e := range list[:1] {
		all, err := os.ReadDir(filepath.Join(dir, e.Day, "晋E12345_2"))
		if err != nil || len(all) != want && list[0].Day == list[len(list)-1].Day {
			t.Errorf("%d files, want %d: %v", len(all), want, err)
		}
	}
}
