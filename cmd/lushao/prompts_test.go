package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lushao/detect/worker"
	"lushao/ingest"
	"lushao/ingest/gateway"
	"lushao/ingest/jt808"
	"lushao/internal/bus"
)

// driver is a terminal that a person could hear.
type driver struct {
	t      *testing.T
	nc     net.Conn
	phone  jt808.Phone
	serial uint16
	framer jt808.Framer
	buf    []byte
}

func (d *driver) send(id jt808.MessageID, m jt808.Body) {
	d.t.Helper()
	h := jt808.Header{ID: id, Edition: jt808.Edition2019, Version: 1, Phone: d.phone, Serial: d.serial}
	d.serial++
	if _, err := d.nc.Write(jt808.AppendMessage(nil, &h, m)); err != nil {
		d.t.Fatal(err)
	}
}

// next returns the next message of the id; others are passed over.
func (d *driver) next(id jt808.MessageID, m jt808.Body) jt808.Header {
	d.t.Helper()
	d.nc.SetReadDeadline(time.Now().Add(time.Minute))
	for {
		frame, n, err := d.framer.Next(d.buf)
		if err != nil {
			d.t.Fatal(err)
		}
		if frame == nil {
			chunk := make([]byte, 4096)
			k, err := d.nc.Read(chunk)
			if err != nil {
				d.t.Fatalf("waiting for %v: %v", id, err)
			}
			d.buf = append(append([]byte(nil), d.buf[n:]...), chunk[:k]...)
			continue
		}
		var h jt808.Header
		body, err := h.Decode(frame)
		if err == nil && h.ID == id {
			err = jt808.DecodeBody(body, jt808.Edition2019, m)
		}
		if err != nil {
			d.t.Fatal(err)
		}
		d.buf = append([]byte(nil), d.buf[n:]...)
		if h.ID == id {
			return h
		}
	}
}

// A driver who speeds now hears of it at once: terminal, gateway, log, detector, log, gateway, terminal. Then a person
// speaks to him, and both outcomes are in the log.
func TestDriverIsTold(t *testing.T) {
	c := testConfig(t.TempDir())
	if err := os.MkdirAll(c.Reference.Dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.Reference.Dir, "vehicles.csv"), []byte("plate,color,class\n晋E12345,2,hazmat\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, stop := startApp(t, c)
	nc, err := net.Dial("tcp", a.gateway.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	phone, _ := jt808.ParsePhone("13912345678", jt808.Edition2019)
	d := &driver{t: t, nc: nc, phone: phone}
	d.send(jt808.IDRegister, &jt808.Register{Maker: "HF001", Model: "TX-100", TerminalID: "A10203C", Color: 2, Plate: jt808.GBK("晋E12345")})
	var registered jt808.RegisterReply
	d.next(jt808.IDRegisterReply, &registered)
	d.send(jt808.IDAuthenticate, &jt808.Authenticate{AuthCode: registered.AuthCode, IMEI: "861234050099317", Software: "V2"})
	begin := time.Now().Add(-50 * time.Second).UnixMilli()
	for s := int64(0); s <= 50; s += 10 {
		l := jt808.Location{Status: jt808.StatusACC | jt808.StatusLocated, Speed: 1100, Time: jt808.TimeOf(begin + s*1000)}
		l.SetCoordinates(35_500_000, int32(112_850_000+s*340)) // as fast as it says
		d.send(jt808.IDLocation, &l)
	}
	var text jt808.TextMessage
	h := d.next(jt808.IDText, &text)
	if got := text.Text.String(); got != "您已超速，限速80公里，请减速" || text.Flags&jt808.TextTTS == 0 {
		t.Errorf("%q, flags %#x", got, text.Flags)
	}
	d.send(jt808.IDTerminalAck, &jt808.Ack{Serial: h.Serial, ID: h.ID})

	answered := make(chan string, 1)
	go func() {
		res, err := http.Post("http://"+a.http.Addr().String()+"/v1/vehicles/晋E12345/prompts", "application/json", strings.NewReader(`{"text":"请到服务区休息"}`))
		if err != nil {
			answered <- err.Error()
			return
		}
		defer res.Body.Close()
		b := new(bytes.Buffer)
		b.ReadFrom(res.Body)
		answered <- b.String()
	}()
	h = d.next(jt808.IDText, &text)
	if got := text.Text.String(); got != "请到服务区休息" {
		t.Errorf("%q", got)
	}
	d.send(jt808.IDTerminalAck, &jt808.Ack{Serial: h.Serial, ID: h.ID})
	if got := <-answered; !strings.Contains(got, `"outcome":"done","result":0`) {
		t.Error(got)
	}

	kinds := map[string]gateway.CommandState{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := a.bus.Consume(ctx, gateway.PromptOutcomesTopic, 0, 0, func(_ context.Context, batch []bus.Message) error {
		for _, m := range batch {
			var o gateway.PromptOutcome
			if err := json.Unmarshal(m.Value, &o); err != nil || o.ID != string(m.Key) || o.Plate != "晋E12345" || o.Color != ingest.Color(2) {
				t.Errorf("%s: %v", m.Value, err)
			}
			kinds[o.Kind] = o.Outcome
		}
		if len(kinds) == 2 {
			cancel()
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if kinds["speeding"] != gateway.CommandDone || kinds[gateway.StaffPrompt] != gateway.CommandDone {
		t.Errorf("%v", kinds)
	}
	if _, next, err := a.bus.Bounds(t.Context(), worker.PromptsTopic); err != nil || next[0] != 1 {
		t.Errorf("%v prompts were written, %v", next, err)
	}
	stop()
}

// A gateway lets people command terminals: where others can reach it, it needs the tokens of the API.
func TestConfigOfCommands(t *testing.T) {
	for want, change := range map[string]func(c *Config){
		"api.tokens: empty, and 0.0.0.0:8080": func(c *Config) { c.HTTP.Listen = "0.0.0.0:8080" },
		"prompts.templates.speeding: {speed}": func(c *Config) { c.Prompts.Templates["speeding"] = "{speed}" },
		"prompts.interval":                    func(c *Config) { c.Prompts.Interval = -1 },
		"gateway.command_timeout":             func(c *Config) { c.Gateway.CommandTimeout = 0 },
		"gateway.max_write_queue":             func(c *Config) { c.Gateway.MaxWriteQueue = 0 },
	} {
		c := DefaultConfig()
		c.settle()
		c.Bus.Brokers = []string{"127.0.0.1:9092"}
		if err := c.validate(roleGateway); err != nil {
			t.Fatal(err)
		}
		change(&c)
		if err := c.validate(roleGateway); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	c := DefaultConfig()
	c.settle()
	c.Bus.Brokers = []string{"127.0.0.1:9092"}
	c.Detect.Prompts = []string{"yawning"}
	if err := c.validate(roleDetect); err == nil || !strings.Contains(err.Error(), "detect.prompts") {
		t.Error(err)
	}
}

// Whatever the detector prompts by default, the gateway has words for, those of warnings with the hours driven.
func TestDefaultPromptsHaveTexts(t *testing.T) {
	texts := gateway.DefaultPromptsConfig().Templates
	for _, kind := range worker.DefaultConfig().Prompts {
		if text := texts[kind]; text == "" || strings.HasSuffix(kind, "_ahead") && !strings.Contains(text, "{measured}小时") {
			t.Errorf("%s: %q", kind, text)
		}
	}
}
