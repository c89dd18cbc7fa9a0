package sim809

import (
	"cmp"
	"context"
	"slices"
	"time"

	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/internal/sim"
)

// batchSize is how many positions 0x1203 holds at most (7.6).
const batchSize = 5

// pump sends what the vehicles say when it is due, proves by heartbeats that it arrived, and sends after each login what is not proven.
// It returns when everything is, or ctx ends.
func (p *platform) pump(ctx context.Context) {
	var head *sim.Item
	more := true
	login := uint64(0)
	lastBeat := time.Now()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		p.mu.Lock()
		main, newest, waiting, link := p.main, p.login, len(p.waiting), p.data()
		asked, askedAt := p.asked, p.askedAt
		p.mu.Unlock()
		if main != nil && newest != login {
			login = newest
			p.again(main)
			continue
		}
		if head == nil && more {
			head, more = p.feed.Next()
		}
		if head == nil && waiting == 0 {
			p.count(main)
			return
		}
		now := time.Now()
		wake := now.Add(p.s.cfg.Heartbeat)
		full := waiting >= p.s.cfg.Window
		if head != nil && !full {
			due := p.drive.Due(head)
			if !due.After(now) {
				p.tell(head, link)
				head = nil
				// Many are due at once where the fleet drives as fast as it can.
				if p.unprovenLong(waiting, lastBeat) && main != nil && asked == nil {
					lastBeat = p.beat(main)
				}
				continue
			}
			wake = due
		}
		if main != nil && asked == nil {
			next := lastBeat.Add(p.s.cfg.Heartbeat)
			switch {
			case waiting > 0 && (full || head == nil):
				next = now
			case waiting > 0:
				next = lastBeat.Add(p.s.cfg.Prove)
			}
			if !next.After(now) {
				lastBeat = p.beat(main)
				continue
			}
			wake = earlier(wake, next)
		}
		if asked != nil {
			late := askedAt.Add(p.s.cfg.AckTimeout)
			if !late.After(now) {
				p.s.log.Warn("no answer to the heartbeat", "centre", p.centre)
				asked.close()
				p.mu.Lock()
				if p.asked == asked {
					p.asked = nil
				}
				p.mu.Unlock()
				continue
			}
			wake = earlier(wake, late)
		}
		timer.Reset(time.Until(wake))
		select {
		case <-timer.C:
		case <-p.signal:
		case <-ctx.Done():
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (p *platform) unprovenLong(waiting int, lastBeat time.Time) bool {
	return waiting >= p.s.cfg.Window/2 || time.Since(lastBeat) >= p.s.cfg.Prove
}

// beat sends a heartbeat, whose answer proves that everything before it has arrived. It is never sent twice and only one at a time, so
// that no answer can be taken for that of a later one.
func (p *platform) beat(main *wire) time.Time {
	p.mu.Lock()
	p.asked, p.askedAt, p.proves = main, time.Now(), p.base+uint64(len(p.waiting))
	p.mu.Unlock()
	if main.say(jt809.IDHeartbeat, &jt809.Empty{}) != nil {
		p.mu.Lock()
		if p.asked == main {
			p.asked = nil
		}
		p.mu.Unlock()
	}
	return time.Now()
}

// proof takes the answer to a heartbeat. Only on the link of the heartbeat it says anything.
func (p *platform) proof(w *wire) {
	p.mu.Lock()
	var done []said
	if p.asked == w {
		p.asked = nil
		if n := p.proves; n > p.base {
			done = p.waiting[:n-p.base]
			p.waiting = append([]said(nil), p.waiting[n-p.base:]...)
			p.base = n
			p.s.n.proofs.Add(1)
		}
	}
	p.mu.Unlock()
	for _, m := range done {
		p.drive.Acked(m.item)
	}
	if done != nil {
		p.ring()
	}
}

// tell sends an item for the first time, on the link that there is, or stores it where there is none.
func (p *platform) tell(it *sim.Item, link *wire) {
	p.drive.Sent(it)
	if it.Kind() == ingest.KindWeighing {
		return
	}
	m := said{item: it}
	if link != nil {
		p.introduce(it, link)
		m.sub, m.serial = p.transmit(it, link)
	}
	p.mu.Lock()
	p.waiting = append(p.waiting, m)
	p.mu.Unlock()
	if link == nil {
		return
	}
	p.warn(it, link)
	p.misbehave(link)
}

// introduce registers a vehicle that comes for the first time on this main link (7.8).
func (p *platform) introduce(it *sim.Item, link *wire) {
	if p.registered[it.Index()] {
		return
	}
	p.registered[it.Index()] = true
	v := p.byIndex[it.Index()]
	e := jt809.Envelope{ID: jt809.IDExchangeUp, Sub: jt809.IDRegistration}
	e.SetVehicle(v.Vehicle)
	link.send(&e, &jt809.Registration{PlatformID: jt808.Text(p.id), ProducerID: "LUSHA", TerminalModelType: "LS-808",
		TerminalIMEI: jt808.Text("8612" + v.Phone), TerminalID: jt808.Text(terminalID(v.Index)), TerminalSimcode: jt808.Text("0" + v.Phone)},
		spoiled|patient)
}

func terminalID(i int) string {
	b := []byte("T000000")
	for k := len(b) - 1; i > 0 && k > 0; k-- {
		b[k] = byte('0' + i%10)
		i /= 10
	}
	return string(b)
}

// transmit sends an item live: 0x1202, 0x120C, or 0x1203 where the terminal had stored it.
func (p *platform) transmit(it *sim.Item, link *wire) (sub jt809.MessageID, serial uint32) {
	switch {
	case it.Kind() == ingest.KindDriverCard:
		return p.card(it, link)
	case it.Stored() || it.Time() < p.newest[it.Index()]:
		// Terminals of JT/T 808-2011 have no batches: what they stored comes like the present.
		return p.batches(it.Vehicle(), []*sim.Item{it}, link)
	}
	p.newest[it.Index()] = it.Time()
	var data []byte
	p.drive.Events(it, func(e *ingest.Event) { data = jt809.AppendPositionData(data, p.s.edition, e) })
	e := jt809.Envelope{ID: jt809.IDExchangeUp, Sub: jt809.IDPosition, Data: p.deviate(it.Vehicle(), data, link)}
	e.SetVehicle(it.Vehicle())
	serial, _ = link.send(&e, nil, spoiled|patient)
	return e.Sub, serial
}

// card reports a driver who came on duty; that he went nobody can say over 809.
func (p *platform) card(it *sim.Item, link *wire) (sub jt809.MessageID, serial uint32) {
	d, id := it.Driver()
	if !d.On || p.s.edition == jt809.Edition2011 {
		return 0, 0
	}
	e := jt809.Envelope{ID: jt809.IDExchangeUp, Sub: jt809.IDDriverReport}
	e.SetVehicle(it.Vehicle())
	serial, _ = link.send(&e, driverOf(&d, id), spoiled|patient)
	return e.Sub, serial
}

// batches sends the positions of items of one vehicle in 0x1203, five at a time.
func (p *platform) batches(v ingest.Vehicle, items []*sim.Item, link *wire) (sub jt809.MessageID, serial uint32) {
	var data []byte
	n := 0
	flush := func() {
		if n == 0 {
			return
		}
		e := jt809.Envelope{ID: jt809.IDExchangeUp, Sub: jt809.IDPositionBatch, Data: append([]byte{byte(n)}, data...)}
		e.SetVehicle(v)
		serial, _ = link.send(&e, nil, spoiled|patient)
		data, n = data[:0], 0
	}
	for _, it := range items {
		p.drive.Events(it, func(e *ingest.Event) {
			data = jt809.AppendPositionData(data, p.s.edition, e)
			if n++; n == batchSize {
				flush()
			}
		})
	}
	flush()
	return jt809.IDPositionBatch, serial
}

// again sends everything that is not proven, after a login (7.6): each vehicle's positions in their order.
func (p *platform) again(main *wire) {
	p.mu.Lock()
	items := append([]said(nil), p.waiting...)
	p.mu.Unlock()
	clear(p.registered)
	p.apply(main)
	p.resend(main, items)
	if p.s.edition == jt809.Edition2019 {
		p.count(main)
	}
}

// apply asks for the positions of a vehicle that others may have seen: from now on (0x1207), or, after an outage, those that were
// missed (0x1209; 7.6).
func (p *platform) apply(main *wire) {
	v := p.feed.Members()[0].Vehicle
	until := now()
	e := jt809.Envelope{ID: jt809.IDExchangeUp, Sub: jt809.IDApplyStart}
	m := jt809.Period{Start: until, End: until + 3600}
	if p.lastLogin != 0 {
		e.Sub, m = jt809.IDApplyHistory, jt809.Period{Start: p.lastLogin, End: until}
	}
	p.lastLogin = until
	e.SetVehicle(v)
	main.send(&e, &m, plainly)
}

// resend sends items again, vehicle by vehicle and each in the order of time.
func (p *platform) resend(link *wire, items []said) {
	byVehicle := map[int][]*sim.Item{}
	var order []int
	for _, m := range items {
		i := m.item.Index()
		if byVehicle[i] == nil {
			order = append(order, i)
		}
		byVehicle[i] = append(byVehicle[i], m.item)
		if m.sub != 0 {
			p.s.n.resent.Add(1)
		}
	}
	for _, i := range order {
		all := byVehicle[i]
		slices.SortStableFunc(all, func(a, b *sim.Item) int { return cmp.Compare(a.Time(), b.Time()) })
		p.newest[i] = max(p.newest[i], all[len(all)-1].Time())
		p.introduce(all[0], link)
		from := 0
		for k, it := range all {
			if it.Kind() == ingest.KindDriverCard {
				p.batches(it.Vehicle(), all[from:k], link)
				p.card(it, link)
				from = k + 1
			}
		}
		p.batches(all[0].Vehicle(), all[from:], link)
	}
}

// count tells how many positions were sent (2019: the notice goes up; its id is 0x9101 in three sources and 0x1101 in one).
func (p *platform) count(main *wire) {
	if main == nil || p.s.edition != jt809.Edition2019 {
		return
	}
	until := now()
	main.say(jt809.IDPositionCount, &jt809.PositionCount{Total: p.total, Start: p.since, End: until})
	p.total, p.since = 0, until
}

// warn reports alarms: of violations that are over, and now and then of something else.
func (p *platform) warn(it *sim.Item, link *wire) {
	n := it.Positions()
	p.total += uint32(n)
	for _, t := range it.Truths() {
		kind := uint16(0x00ff)
		switch t.Kind {
		case detect.KindSpeeding:
			kind = 0x0001
		case detect.KindFenceEntry:
			kind = 0x0004
		}
		p.alarm(it.Vehicle(), kind, t.End, t.Start, string(t.Kind), link)
	}
	if p.s.cfg.AlarmEvery == 0 {
		return
	}
	if p.sinceLast += n; p.sinceLast >= p.s.cfg.AlarmEvery {
		p.sinceLast = 0
		p.alarm(it.Vehicle(), 0x0002, it.Time()/1000, it.Time()/1000-900, "连续驾驶提醒", link)
	}
}

// misbehave cuts links.
func (p *platform) misbehave(link *wire) {
	c := p.s.chaos
	p.mu.Lock()
	main, sub := p.main, p.sub
	p.mu.Unlock()
	cut := func(w *wire) {
		if w != nil {
			w.cut()
		}
	}
	if c.strikes(FaultMainCut) {
		cut(main)
	}
	if c.strikes(FaultSubCut) {
		cut(sub)
	}
	if c.strikes(FaultBothCut) {
		cut(main)
		cut(sub)
	}
}
