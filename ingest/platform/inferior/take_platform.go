package inferior

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
)

// inspection answers 0x9301 (查岗), or leaves it to staff.
func (r *request) inspection(ctx context.Context) error {
	m, ok := r.body.(*jt809.Inspection)
	if !ok {
		return errors.New("not an inspection")
	}
	p, now := r.p, r.p.i.now()
	within := p.i.cfg.AnswerWithin
	if m.AnswerTime > 0 {
		within = time.Duration(m.AnswerTime) * time.Second
		// Counted from the time in the header, unless the clocks differ by more than that.
		if late := now.Sub(time.Unix(r.time, 0)); r.time > 0 && late > 0 && late < within {
			within -= late
		}
	}
	b := r.entry()
	b.Number, b.Deadline = m.InfoID, now.Add(within).UnixMilli()
	if p.cfg.Inspection.Answer == AnswerStaff {
		p.log.Info("an inspection waits for an answer of staff", "question", m.InfoContent.String(), "deadline", now.Add(within))
		return p.i.deps.Book.Put(ctx, &b)
	}
	c := &p.cfg.Inspection
	text, ok := solve(m.InfoContent.String())
	if !ok {
		text = c.Text
	}
	reply := inspectionReply(m, r.serial, c.Responder, c.ResponderTel, text)
	if _, err := p.reply(envelope(jt809.IDInspectionReply), reply); err != nil {
		b.Note = "the answer waits for the next login"
	}
	return r.put(ctx, b, jt809.IDInspectionReply, reply)
}

func inspectionReply(m *jt809.Inspection, serial uint32, responder, tel, text string) *jt809.InspectionReply {
	return &jt809.InspectionReply{ObjectType: m.ObjectType, Responder: jt808.GBK(responder), ResponderTel: jt808.GBK(tel), ObjectID: m.ObjectID,
		InfoID: m.InfoID, Source: jt809.Source{Type: jt809.IDInspection, Serial: serial}, InfoContent: jt808.GBK(text)}
}

// answerInspection sends the answer of staff.
func (p *peer) answerInspection(ctx context.Context, b *platform.Request, raw json.RawMessage) error {
	var a platform.InspectionAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if a.Text == "" {
		return errors.New("text: empty; the answer to the question")
	}
	if a.Responder == "" {
		a.Responder = p.cfg.Inspection.Responder
	}
	if a.ResponderTel == "" {
		a.ResponderTel = p.cfg.Inspection.ResponderTel
	}
	m := &jt809.Inspection{}
	if err := jt809.FillBody(m, p.edition, b.Body); err != nil {
		return fmt.Errorf("the question in the book can't be read: %w", err)
	}
	reply := inspectionReply(m, b.Serial, a.Responder, a.ResponderTel, a.Text)
	e := envelope(jt809.IDInspectionReply)
	if _, err := p.send(ctx, &e, reply); err != nil {
		return err
	}
	_, err := p.i.deps.Book.Answer(ctx, b.ID, jt809.AppendBodyJSON(nil, p.edition, reply), jt809.IDInspectionReply.String(), p.i.now())
	return err
}

// platformText acknowledges 0x9302 and puts it into the book, where staff reads it.
func (r *request) platformText(ctx context.Context) error {
	m, ok := r.body.(*jt809.PlatformText)
	if !ok {
		return errors.New("not a text")
	}
	b := r.entry()
	b.Number = m.InfoID
	reply := &jt809.PlatformTextReply{InfoID: m.InfoID, Source: r.source}
	// In the book first: what is acknowledged is not lost.
	if err := r.put(ctx, b, jt809.IDPlatformTextReply, reply); err != nil {
		return err
	}
	return r.reply(jt809.IDPlatformTextReply, reply)
}

// retransmit sends again what 0x9303 asks for, under the serials that it had.
func (r *request) retransmit(ctx context.Context) error {
	m, ok := r.body.(*jt809.Retransmit)
	if !ok {
		return errors.New("not a request to send again")
	}
	p := r.p
	sent := 0
	if p.ring != nil {
		since := int64(0)
		if m.Time > 0 {
			since = m.Time.UnixMilli() / 1000
		}
		for _, i := range p.ring.find(m.RetranDataType, m.BeginMsgSN, m.EndMsgSN, since) {
			c := p.data.Load()
			if c == nil {
				break // with the next login everything that is not proven is sent again
			}
			e := jt809.Envelope{ID: i.id, Sub: i.sub, HasVehicle: i.hasVehicle, Plate: i.plate, Color: i.color, Data: i.data}
			if err := c.Resend(&e, i.serial); err != nil {
				p.log.Warn("messages that the superior asked for could not all be sent again", "sent", sent, "err", err)
				break
			}
			sent++
		}
	}
	b := r.entry()
	b.Kind = platform.KindExchange
	b.Note = fmt.Sprintf("%d messages were sent again", sent)
	return r.put(ctx, b, 0, nil)
}

// answerByHand sends an answer whose fields staff gives.
func (p *peer) answerByHand(ctx context.Context, b *platform.Request, raw json.RawMessage) error {
	asked, ok := parseID(b.Message)
	info, known := asked.Info()
	if !ok || !known || info.Up || info.Answer == 0 {
		return platform.ErrUnsupported
	}
	m := jt809.NewBody(info.Answer, p.edition, -1)
	if m == nil {
		return platform.ErrUnsupported
	}
	if err := jt809.FillBody(m, p.edition, raw); err != nil {
		return err
	}
	if s := source(m); s != nil {
		*s = jt809.Source{Type: asked, Serial: b.Serial}
	}
	e := envelope(info.Answer)
	if v, ok := b.Vehicle(); ok {
		e.SetVehicle(v)
	}
	if _, err := p.send(ctx, &e, m); err != nil {
		return err
	}
	_, err := p.i.deps.Book.Answer(ctx, b.ID, jt809.AppendBodyJSON(nil, p.edition, m), info.Answer.String(), p.i.now())
	return err
}

func parseID(s string) (jt809.MessageID, bool) {
	var n uint16
	if _, err := fmt.Sscanf(s, "0x%x", &n); err != nil {
		return 0, false
	}
	return jt809.MessageID(n), true
}
