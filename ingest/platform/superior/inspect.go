package superior

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
)

// inspectionDue reports whether an inspection is due by the schedule. It is at another minute every time: who expects it is
// not inspected. mu is held.
func (p *peer) inspectionDue(now time.Time) bool {
	every := p.cfg.Inspections.Every
	if every <= 0 || p.left {
		return false
	}
	if p.nextAsk.IsZero() {
		p.nextAsk = now.Add(rand.N(every))
	}
	if now.Before(p.nextAsk) || p.inspecting || p.main == nil || !within(p.cfg.Inspections.Between, now) {
		return false
	}
	p.nextAsk = now.Add(every/2 + rand.N(every))
	p.inspecting = true
	return true
}

// inspect sends an inspection of the schedule.
func (p *peer) inspect(now time.Time) {
	defer func() {
		p.mu.Lock()
		p.inspecting = false
		p.mu.Unlock()
	}()
	m, note := p.question()
	r := platform.Request{Deadline: now.Add(p.cfg.Inspections.AnswerTime).UnixMilli(), Note: note}
	err := p.ask(p.s.closing, &r, nil, jt809.IDInspection, m, nil)
	if err != nil && !errors.Is(err, context.Canceled) {
		p.s.logger.Warn("a platform could not be inspected", "peer", p.cfg.Name, "err", err)
	}
}

// question is a sum, which a person solves at a glance.
func (p *peer) question() (m *jt809.Inspection, note string) {
	a, b := 10+rand.IntN(90), 10+rand.IntN(90)
	text, result := fmt.Sprintf("%d加%d等于多少？", a, b), a+b
	if rand.IntN(2) == 0 {
		text, result = fmt.Sprintf("%d减%d等于多少？", a+b, b), a
	}
	c := &p.cfg.Inspections
	return &jt809.Inspection{ObjectType: c.ObjectType, ObjectID: jt808.GBK(c.ObjectID), AnswerTime: seconds(c.AnswerTime), InfoContent: jt808.GBK(text)},
		fmt.Sprintf("expected answer: %d", result)
}

// seconds is what the field answer_time can say.
func seconds(d time.Duration) uint8 {
	return uint8(min(max(d, time.Second), maxAnswerTime) / time.Second)
}
