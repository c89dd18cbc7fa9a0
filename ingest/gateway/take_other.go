package gateway

import "lushao/ingest/jt808"

// takeQueryTime answers 0x0004 with 0x8004, the only time of the protocol that is UTC.
func takeQueryTime(w *work, p *peer, h *jt808.Header, _ []byte) answer {
	m := jt808.ServerTimeAt(w.received)
	w.replies = append(w.replies, reply{head: h.Answer(jt808.IDServerTime, w.nextSerial(p)), body: jt808.AppendBody(nil, jt808.Edition2019, &m)})
	return answer{custom: true}
}

// readable reports whether the body is what the standard has under the id.
func readable(h *jt808.Header, body []byte) bool {
	m := jt808.NewBody(h.ID)
	return m != nil && jt808.DecodeBody(body, jt808.GuessEdition(h, body), m) == nil
}

// takeNotice takes what needs an acknowledgement and is no event of ours, such as the result of an upgrade.
func takeNotice(w *work, p *peer, h *jt808.Header, body []byte) answer {
	if !readable(h, body) {
		return malformed
	}
	w.c.g.logger.Debug("a terminal's notice", "vehicle", p.session.vehicle, "id", h.ID, "name", h.ID.Name(), "bytes", len(body))
	return done
}

// takeAnswer takes what answers a command and is not answered itself.
func takeAnswer(w *work, p *peer, h *jt808.Header, body []byte) answer {
	a := takeAnswerAcked(w, p, h, body)
	a.silent = a.result == jt808.ResultOK
	return a
}

// takeAnswerAcked takes what answers a command, and is acknowledged.
func takeAnswerAcked(w *work, p *peer, h *jt808.Header, body []byte) answer {
	// Of the parameters of some terminals the tail can't be read; those before it are still the answer.
	if !readable(h, body) && !(h.ID == jt808.IDParametersReply && len(body) > 2) {
		return malformed
	}
	w.answered(p, h, body)
	return done
}
