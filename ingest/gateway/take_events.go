package gateway

import (
	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/waybill"
)

// takeWaybill takes 0x0701. The message says nothing of when: the event's time is that of receipt, the same as Received.
func takeWaybill(w *work, p *peer, h *jt808.Header, body []byte) answer {
	var m jt808.Waybill
	if err := jt808.Decode(body, jt808.GuessEdition(h, body), &m); err != nil {
		return malformed
	}
	text := waybill.Text(m.Content)
	if len(text) > waybill.MaxText { // it would be cut
		return tooLarge
	}
	bill := waybill.Parse(text)
	w.add(&ingest.Event{Kind: ingest.KindWaybill, Source: ingest.SourceJT808, Vehicle: p.session.vehicle, Time: w.received, Received: w.received, Waybill: &bill})
	return recorded
}

// safety takes the alarms of the assistance systems that came with the position e: one event each, in the payload of the
// position. Alarms of the same id are not compared: a start and an end have the same.
func (w *work) safety(e *ingest.Event) {
	w.alarms = jt808.AppendSafety(w.alarms[:0], w.location.Extras)
	for i := range w.alarms {
		a := &w.alarms[i]
		at, ok := a.Time.UnixMilli()
		if !ok {
			at = e.Time
		}
		w.gather(&ingest.Event{Kind: ingest.KindSafety, Source: ingest.SourceJT808, Flags: e.Flags, Vehicle: e.Vehicle, Time: at, Received: e.Received, Safety: &a.Safety}, 2*flushSize)
	}
}

// takeLocationReply takes 0x0201 and 0x0500: the answer to a command, and a position like any other.
func takeLocationReply(w *work, p *peer, h *jt808.Header, body []byte) answer {
	var m jt808.LocationReply
	if err := jt808.Decode(body, jt808.GuessEdition(h, body), &m); err != nil {
		return malformed
	}
	w.location = m.Location
	a := answer{silent: true, logged: true}
	if !w.position(p, 0) {
		a.refused = refusedNoDate
	}
	w.answered(p, h, body)
	return a
}
