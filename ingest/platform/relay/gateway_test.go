package relay

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest"
	"lushao/ingest/gateway"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/media"
)

// nullLog takes everything and keeps nothing.
type nullLog struct{}

func (nullLog) Partitions() int                           { return 1 }
func (nullLog) NewBatch() gateway.Batch                   { return nullLog{} }
func (nullLog) Append(context.Context, int, []byte) error { return nil }
func (nullLog) Wait(context.Context) error                { return nil }

func startGateway(t *testing.T) *gateway.Gateway {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	mc := media.DefaultConfig()
	mc.Dir = filepath.Join(t.TempDir(), "media")
	files, err := media.New(mc, log, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() }) // after the gateway, which is cleaned up before
	cfg := gateway.DefaultConfig()
	cfg.Listen = "127.0.0.1:0"
	cfg.AuthSecret = "a secret of the tests, long enough"
	g, err := gateway.New(cfg, gateway.Deps{Log: nullLog{}, Files: files, Logger: log, Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		g.Shutdown(ctx)
	})
	return g
}

// terminal is a terminal on a socket.
type terminal struct {
	t      *testing.T
	nc     net.Conn
	phone  jt808.Phone
	ed     jt808.Edition
	serial uint16
	framer jt808.Framer
	buf    []byte
}

func dialTerminal(t *testing.T, g *gateway.Gateway, ed jt808.Edition, v ingest.Vehicle) *terminal {
	t.Helper()
	nc, err := net.Dial("tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	phone, err := jt808.ParsePhone("13912345678", ed)
	if err != nil {
		t.Fatal(err)
	}
	c := &terminal{t: t, nc: nc, phone: phone, ed: ed}
	c.send(jt808.IDRegister, &jt808.Register{Maker: "HF001", Model: "TX-100", TerminalID: "A10203C", Color: uint8(v.Color), Plate: jt808.GBK(v.Plate())})
	_, body := c.read(jt808.IDRegisterReply)
	var reply jt808.RegisterReply
	if err := jt808.Decode(body, ed, &reply); err != nil || reply.Result != jt808.RegisterOK {
		t.Fatalf("%+v %v", reply, err)
	}
	c.send(jt808.IDAuthenticate, &jt808.Authenticate{AuthCode: reply.AuthCode, IMEI: "861234050099317", Software: "V2"})
	c.read(jt808.IDPlatformAck)
	return c
}

func (c *terminal) send(id jt808.MessageID, m jt808.Body) {
	c.t.Helper()
	h := jt808.Header{ID: id, Phone: c.phone, Serial: c.serial}
	if c.ed == jt808.Edition2019 {
		h.Edition, h.Version = jt808.Edition2019, 1
	}
	body := jt808.AppendBody(nil, c.ed, m)
	c.serial += uint16(jt808.Frames(len(body)))
	if _, err := c.nc.Write(jt808.AppendFrame(nil, &h, body)); err != nil {
		c.t.Fatal(err)
	}
}

// read returns the next message with the id, passing others over.
func (c *terminal) read(want jt808.MessageID) (jt808.Header, []byte) {
	c.t.Helper()
	c.nc.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		frame, n, err := c.framer.Next(c.buf)
		if err != nil {
			c.t.Fatal(err)
		}
		if frame != nil {
			var h jt808.Header
			body, err := h.Decode(frame)
			if err != nil {
				c.t.Fatal(err)
			}
			body = bytes.Clone(body)
			c.buf = bytes.Clone(c.buf[n:])
			if h.ID == want {
				return h, body
			}
			continue
		}
		c.buf = c.buf[n:]
		chunk := make([]byte, 64<<10)
		k, err := c.nc.Read(chunk)
		if k == 0 && err != nil {
			c.t.Fatalf("waiting for %v: %v", want, err)
		}
		c.buf = append(c.buf, chunk[:k]...)
	}
}

func (c *terminal) command(id jt808.MessageID, m jt808.Body) jt808.Header {
	c.t.Helper()
	h, body := c.read(id)
	if err := jt808.DecodeBody(body, c.ed, m); err != nil {
		c.t.Fatal(err)
	}
	return h
}

func (c *terminal) ack(h jt808.Header, result uint8) {
	c.send(jt808.IDTerminalAck, &jt808.Ack{Serial: h.Serial, ID: h.ID, Result: result})
}

// Every request of a superior goes to a terminal on a socket and comes back as its answer.
func TestThroughTheGateway(t *testing.T) {
	for _, ed := range []jt808.Edition{jt808.Edition2013, jt808.Edition2019} {
		t.Run(ed.String(), func(t *testing.T) {
			g := startGateway(t)
			c := dialTerminal(t, g, ed, here)
			r := New(Deps{Terminals: g, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
				Now: func() time.Time { return time.UnixMilli(now) }})
			type result struct {
				answer jt809.Body
				err    error
			}
			do := func(id jt809.MessageID, m jt809.Body) func() jt809.Body {
				ch := make(chan result, 1)
				go func() {
					answer, answerID, err := r.Do(context.Background(), here, id, jt809.Edition2019, m)
					if info, _ := id.Info(); err == nil && answerID != info.Answer {
						t.Errorf("%v is answered by %v", id, answerID)
					}
					ch <- result{answer, err}
				}()
				return func() jt809.Body {
					t.Helper()
					got := <-ch
					if got.err != nil {
						t.Fatal(got.err)
					}
					return got.answer
				}
			}

			out := do(jt809.IDMonitorCall, &jt809.MonitorCall{MonitorTel: "01088886666"})
			var call jt808.CallBack
			c.ack(c.command(jt808.IDCallBack, &call), 0)
			if got := out().(*jt809.ControlReply); got.Result != 0 || call.Flag != 1 || call.Phone != "01088886666" {
				t.Errorf("%+v %+v", got, call)
			}

			out = do(jt809.IDVehicleText, &jt809.VehicleText{MsgSequence: 88, MsgContent: jt808.GBK("前方雾区")})
			var text jt808.TextMessage
			c.ack(c.command(jt808.IDText, &text), 1)
			if got := out().(*jt809.VehicleTextReply); got.Result != 1 || got.MsgID != 88 || text.Text.String() != "前方雾区" {
				t.Errorf("%+v %+v", got, text)
			}

			out = do(jt809.IDEmergencyAccess, &jt809.EmergencyAccess{ServerIP: "203.0.113.24", TCPPort: 9808})
			var control jt808.TerminalControl
			c.ack(c.command(jt808.IDTerminalControl, &control), 0)
			if got := out().(*jt809.ControlReply); got.Result != 0 || control.Command != jt808.ControlConnect || control.Args != "0;;;;;203.0.113.24;9808;;0" {
				t.Errorf("%+v %+v", got, control)
			}

			out = do(jt809.IDRecorderRequest, &jt809.RecorderRequest{CommandType: 0x08, StartTime: jt809.SecondsOf(now)})
			var collect jt808.RecorderCommand
			h := c.command(jt808.IDRecorderCollect, &collect)
			data := bytes.Repeat([]byte{0x55, 0x7A}, 2000) // in sub-packages
			c.send(jt808.IDRecorderData, &jt808.RecorderData{Serial: h.Serial, Command: 8, Data: data})
			if got := out().(*jt809.RecorderReply); got.CommandType != 8 || !bytes.Equal(got.TraveldataInfo, data) || len(collect.Data) != 21 {
				t.Errorf("%d bytes for %+v", len(got.TraveldataInfo), collect)
			}

			out = do(jt809.IDDriverQuery, &jt809.DriverQuery{Flag: jt809.DriverNow})
			c.command(jt808.IDRequestDriver, &jt808.Empty{})
			c.send(jt808.IDDriverIdentity, &jt808.DriverIdentity{State: jt808.CardInserted, Time: jt808.TimeOf(now), Name: jt808.GBK("张三"), Licence: "1405"})
			if got := out().(*jt809.DriverReply); got.DriverName.String() != "张三" || got.Licence.String() != "1405" {
				t.Errorf("%+v", got)
			}

			out = do(jt809.IDPhotoRequest, &jt809.PhotoRequest{LensID: 3, SizeType: 4})
			var shoot jt808.Shoot
			h = c.command(jt808.IDShoot, &shoot)
			c.send(jt808.IDShootReply, &jt808.ShootReply{Serial: h.Serial, Media: []uint32{7}})
			photo := bytes.Repeat([]byte("\xff\xd8 photo"), 2000) // in sub-packages
			c.send(jt808.IDMediaData, &jt808.MediaData{MediaHead: jt808.MediaHead{ID: 7, Channel: 3},
				Location: jt808.Location{Status: 3, Lat: 35490712, Lon: 112851274, Time: jt808.TimeOf(now)}, Data: photo})
			got := out().(*jt809.PhotoReply)
			var e ingest.Event
			if got.Location.Event(&e); got.PhotoRspFlag != jt809.PhotoDone || !bytes.Equal(got.Photo, photo) || got.Type != jt809.PhotoJPEG || got.LensID != 3 ||
				got.SizeType != 4 || shoot.Resolution != 4 || e.Position.Lat != 35490712 || e.Time != now {
				t.Errorf("flag %d, %d bytes, %+v, at %+v", got.PhotoRspFlag, len(got.Photo), shoot, e)
			}

			out = do(jt809.IDVideoStart, &jt809.VideoStart{ChannelID: 1})
			if got := out().(*jt809.VideoStartReply); got.Result != jt809.VideoUnsupported {
				t.Errorf("%+v", got)
			}
		})
	}
}
