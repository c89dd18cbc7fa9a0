package gateway

import (
	"fmt"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

// again reconnects the terminal with its code.
func again(t *testing.T, g *Gateway, c *terminal) *terminal {
	t.Helper()
	d := dial(t, g.Addr().String(), c.phone.Trimmed(), c.ed)
	d.code, d.serial = c.code, c.serial
	d.send(d.authFrame(d.code))
	d.want(d.serial-1, jt808.IDAuthenticate, jt808.ResultOK)
	return d
}

func TestRepeatedReportsAreWrittenOnce(t *testing.T) {
	for _, ed := range []jt808.Edition{jt808.Edition2013, jt808.Edition2019} {
		t.Run(ed.String(), func(t *testing.T) {
			log := newFakeLog()
			g, _ := startGateway(t, testConfig(), log, nil)
			c := dial(t, g.Addr().String(), "1", ed)
			c.login(v1)
			serial := c.serial
			report := c.position(1)
			first, parts := c.batchParts(60)
			c.send(report, slices.Concat(parts...))
			c.want(serial, jt808.IDLocation, jt808.ResultOK)
			for i := range parts {
				c.want(first+uint16(i), jt808.IDBatch, jt808.ResultOK)
			}
			d := again(t, g, c)
			d.send(report, slices.Concat(parts...))
			d.want(serial, jt808.IDLocation, jt808.ResultOK)
			for i := range parts {
				d.want(first+uint16(i), jt808.IDBatch, jt808.ResultOK)
			}
			if n := len(log.positions(v1)); n != 61 {
				t.Errorf("%d positions, want 61", n)
			}
			if n := testutil.ToFloat64(g.metrics.repeated); n != 2 {
				t.Errorf("%v counted as repeated", n)
			}
			// The same serial with another body, and the same body with another serial, are others.
			d.serial = serial
			d.ping(2)
			d.serial = serial + 500
			d.ping(1)
			if n := len(log.positions(v1)); n != 63 {
				t.Errorf("%d positions, want 63", n)
			}
			// It is no repetition when the terminal is on another vehicle.
			e := dial(t, g.Addr().String(), "1", ed)
			e.login(v2)
			e.serial = serial + 500
			e.ping(1)
			if n := len(log.positions(v2)); n != 1 {
				t.Errorf("%d positions of the other vehicle, want 1", n)
			}
		})
	}
}

// A repetition of what the log refused is not acknowledged for it.
func TestRepeatedAfterARefusal(t *testing.T) {
	log := newFakeLog()
	g, _ := startGateway(t, testConfig(), log, nil)
	c := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	c.login(v1)
	serial := c.serial
	report := c.position(1)
	log.setRefuse(errRefused)
	for range 2 {
		c.send(report)
		c.want(serial, jt808.IDLocation, jt808.ResultFailed)
	}
	log.setRefuse(nil)
	c.send(report)
	c.want(serial, jt808.IDLocation, jt808.ResultOK)
	if n := len(log.positions(v1)); n != 1 {
		t.Errorf("%d positions, want 1", n)
	}
	// Nor one that comes while the first still waits for the log.
	resume := log.stall()
	next := c.position(2)
	c.send(next)
	log.await(func() bool { return log.waiting == 1 })
	code, nextSerial := c.code, c.serial
	d := dial(t, g.Addr().String(), "1", jt808.Edition2013)
	d.serial = nextSerial
	d.send(d.authFrame(code), next)
	log.await(func() bool { return log.waiting == 2 })
	resume()
	d.want(nextSerial, jt808.IDAuthenticate, jt808.ResultOK)
	d.want(nextSerial-1, jt808.IDLocation, jt808.ResultOK)
	log.await(func() bool { // both writes of the second
		n := 0
		for i := range log.events {
			if log.events[i].Kind == ingest.KindPosition {
				n++
			}
		}
		return n == 3
	})
}

func TestMemoriesAreBounded(t *testing.T) {
	r := newMemories(3)
	phone := func(i int) jt808.Phone {
		p, err := jt808.ParsePhone(fmt.Sprint(i), jt808.Edition2019)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	m := r.of(phone(1))
	for i := range uint64(200) {
		m.add(i)
	}
	if len(m.sums) != rememberedMessages || m.has(199-rememberedMessages) || !m.has(200-rememberedMessages) || !m.has(199) {
		t.Errorf("%d messages: %v", len(m.sums), m.sums)
	}
	for i := 2; i <= 3; i++ {
		r.of(phone(i))
	}
	r.of(phone(1)) // came last again
	r.of(phone(4))
	if r.of(phone(1)) != m || len(r.byPhone) != 3 || r.order.Len() != 3 {
		t.Errorf("%d terminals", len(r.byPhone))
	}
	for i := 5; i < 50; i++ {
		r.of(phone(i))
	}
	if r.byPhone[phone(1)] != nil {
		t.Error("the oldest is still there")
	}
	r.keep(m)
	if r.of(phone(1)) != m || len(r.byPhone) != 3 {
		t.Error("who goes is not kept")
	}
	if newMemories(0).of(phone(1)) != nil {
		t.Error("0 remembers")
	}
	newMemories(0).keep(nil)
}
