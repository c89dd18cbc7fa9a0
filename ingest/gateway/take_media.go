package gateway

import (
	"bytes"
	"encoding/json"

	"lushao/ingest/jt808"
	"lushao/ingest/media"
)

// Files keeps what terminals send as files; *media.Store does. Put returns once the record is on the disk.
type Files interface {
	Put(r *media.Record) (e media.Entry, repeated bool, err error)
}

var _ Files = (*media.Store)(nil)

var (
	noFile   = answer{result: jt808.ResultFailed, refused: refusedFile}
	tooLarge = answer{result: jt808.ResultFailed, refused: refusedTooLarge}
)

// isFile reports whether the message is kept as a file: such may be longer than others.
func (g *Gateway) isFile(id jt808.MessageID) bool {
	switch id {
	case jt808.IDMediaData, jt808.IDRecorderData, jt808.IDUplink, jt808.IDCompressed:
		return g.files != nil
	}
	return false
}

// isMedia reports whether the message is answered by 0x8800 when it is whole and on the disk. So its parts are
// acknowledged one by one as they come, which some terminals wait for before they send the next: 0x8001 says that a part
// came, 0x8800 that the file is kept.
func (g *Gateway) isMedia(id jt808.MessageID) bool {
	return id == jt808.IDMediaData && g.files != nil
}

// keep puts a message of the terminal into the files.
func (w *work) keep(p *peer, h *jt808.Header, r *media.Record) bool {
	g := w.c.g
	// While it waits for the disk its bytes count as those of messages that are not whole do.
	n := int64(len(r.Body))
	g.partial.Add(n)
	g.partialFiles.Add(n)
	defer func() {
		g.partial.Add(-n)
		g.partialFiles.Add(-n)
	}()
	r.Vehicle, r.Phone, r.Message, r.Serial, r.Received = p.session.vehicle, p.digits, uint16(h.ID), h.Serial, w.received
	if _, _, err := g.files.Put(r); err != nil { // the store says so in the log
		p.forgetParts(g) // what comes again would be taken for a repetition
		return false
	}
	return true
}

// mediaDetails is what 0x0800 and 0x0801 say of a piece of media, for its metadata.
type mediaDetails struct {
	ID       uint32          `json:"media_id"`
	Type     uint8           `json:"media_type"` // 0 image, 1 audio, 2 video
	Format   uint8           `json:"format"`     // 0 JPEG, 1 TIF, 2 MP3, 3 WAV, 4 WMV
	Event    uint8           `json:"event"`      // 0 platform order, 1 timed, 2 robbery alarm, 3 collision, 4 door opened, …
	Channel  uint8           `json:"channel"`
	Location json.RawMessage `json:"location,omitempty"`
}

func detailsOf(m *jt808.MediaHead) mediaDetails {
	return mediaDetails{ID: m.ID, Type: m.Type, Format: m.Format, Event: m.Event, Channel: m.Channel}
}

// mediaFormats are the formats of the files by the code of the standard; others are binary.
var mediaFormats = [...]media.Format{media.JPEG, media.TIFF, media.MP3, media.WAV, media.WMV}

// takeMediaData takes 0x0801, which 0x8800 answers.
func takeMediaData(w *work, p *peer, h *jt808.Header, body []byte) answer {
	if w.c.g.files == nil {
		return unsupported
	}
	var m jt808.MediaData
	ed := jt808.GuessEdition(h, body)
	if err := jt808.Decode(body, ed, &m); err != nil {
		return malformed
	}
	d := detailsOf(&m.MediaHead)
	r := media.Record{Body: body, Lasting: true, Data: m.Data}
	if ed.Has(jt808.FeatureMediaLocation) {
		r.Recorded, _ = m.Location.Time.UnixMilli()
		d.Location = jt808.AppendLocationJSON(nil, &m.Location)
	}
	if int(m.Format) < len(mediaFormats) {
		r.Format = mediaFormats[m.Format]
	}
	r.Details = d
	if !w.keep(p, h, &r) {
		return noFile
	}
	w.c.g.shots.came(p.session.vehicle, &m, ed.Has(jt808.FeatureMediaLocation))
	return answer{result: jt808.ResultOK, media: m.ID, mediaKept: true}
}

// mediaAck queues the 0x8800 of media that is kept: its id alone.
func (w *work) mediaAck(p *peer, h *jt808.Header, id uint32) {
	w.replies = append(w.replies, reply{head: h.Answer(jt808.IDMediaAck, w.nextSerial(p)), body: jt808.AppendBody(nil, h.Edition, &jt808.MediaAck{ID: id})})
}

// takeMediaEvent takes 0x0800: media that stays on the terminal until it is asked for.
func takeMediaEvent(w *work, p *peer, h *jt808.Header, body []byte) answer {
	if w.c.g.files == nil {
		return unsupported
	}
	var m jt808.MediaHead
	if err := jt808.Decode(body, jt808.GuessEdition(h, body), &m); err != nil {
		return malformed
	}
	if !w.keep(p, h, &media.Record{Body: body, Details: detailsOf(&m)}) {
		return noFile
	}
	return done
}

// takeRecorderData takes 0x0700: what 0x8700 asked the driving recorder for, as a file, and as the command's answer.
func takeRecorderData(w *work, p *peer, h *jt808.Header, body []byte) answer {
	var m jt808.RecorderData
	if err := jt808.Decode(body, jt808.GuessEdition(h, body), &m); err != nil {
		return malformed
	}
	w.answered(p, h, body)
	if w.c.g.files == nil {
		return answer{silent: true}
	}
	details := struct {
		Serial  uint16 `json:"ack_serial"` // of the 0x8700
		Command uint8  `json:"command"`    // word of GB/T 19056
	}{m.Serial, m.Command}
	if !w.keep(p, h, &media.Record{Body: body, Data: m.Data, Details: details}) {
		return noFile
	}
	return answer{silent: true}
}

// takeUplink takes 0x0900: what a peripheral says, as it is.
func takeUplink(w *work, p *peer, h *jt808.Header, body []byte) answer {
	if w.c.g.files == nil {
		return unsupported
	}
	var m jt808.PassThrough
	if err := jt808.Decode(body, jt808.GuessEdition(h, body), &m); err != nil {
		return malformed
	}
	details := struct {
		Type uint8 `json:"type"`
	}{m.Type}
	if !w.keep(p, h, &media.Record{Body: body, Data: m.Content, Details: details}) {
		return noFile
	}
	return done
}

// takeCompressed takes 0x0901, which is not unpacked: the standard does not say what is in it.
func takeCompressed(w *work, p *peer, h *jt808.Header, body []byte) answer {
	if w.c.g.files == nil {
		return unsupported
	}
	var m jt808.Compressed
	if err := jt808.Decode(body, jt808.GuessEdition(h, body), &m); err != nil {
		return malformed
	}
	r := media.Record{Body: body, Data: m.Data}
	if bytes.HasPrefix(m.Data, []byte{0x1f, 0x8b}) {
		r.Format = media.Gzip
	}
	if !w.keep(p, h, &r) {
		return noFile
	}
	return done
}

// partOverhead is what a part costs in bytes of memory besides its body: terminals choose how small their parts are.
const partOverhead = 64

// minFilePart is the least bytes that parts of a file have on average.
const minFilePart = 256

// roomForFile reports whether n bytes more of a file in parts may be held. Files may use half of the memory for parts, so
// that they leave room for the reports of others.
func (g *Gateway) roomForFile(id jt808.MessageID, n int) bool {
	return !g.isFile(id) || g.partialFiles.Load()+int64(n) <= int64(g.cfg.MaxPartialTotal/2)
}

// limit sets the limits for a part of the message: files may be long, and do not count for what else waits.
func (q *parts) limit(g *Gateway, id jt808.MessageID) {
	if g.isFile(id) {
		q.MaxBytes = max(g.cfg.MaxPartial, g.cfg.MaxPartialFile)
		q.MaxParts = min(max(g.cfg.MaxPartialFile/minFilePart, 4096), 0xFFFF)
		return
	}
	q.MaxBytes, q.MaxParts = g.cfg.MaxPartial, 0
	for m := range q.Waiting {
		if g.isFile(m.Header.ID) {
			q.MaxBytes += m.Bytes()
		}
	}
}

// forgetParts gives up what waits for parts of the terminal, and forgets what was whole.
func (p *peer) forgetParts(g *Gateway) {
	if q := p.parts; q != nil {
		g.partial.Add(-q.bytes)
		g.partialFiles.Add(-q.files)
		p.parts = nil
	}
}
