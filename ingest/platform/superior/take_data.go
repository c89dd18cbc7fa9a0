package superior

import (
	"encoding/json"
	"fmt"

	"lushao/ingest"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
	"lushao/ingest/media"
	"lushao/ingest/waybill"
)

// takeDriver takes 0x120A and 0x120C. They say who drives, and neither since when nor whether he begins or ends: he drives
// now.
func takeDriver(w *worker, m *up) error {
	var d *jt809.Driver
	switch b := m.body.(type) {
	case *jt809.Driver:
		d = b
	case *jt809.DriverReply:
		d = &b.Driver
	}
	if m.v == nil {
		w.refuse(refusedVehicle, 1)
		return nil
	}
	license := d.Licence.String()
	if license == "" { // it is spare in the standard
		license = d.DriverID.String()
	}
	if name := d.DriverName.String(); name != "" || license != "" {
		card := &ingest.DriverCard{On: true, License: license, Name: name, Org: d.OrgName.String()}
		if err := w.eventOf(m.v, &ingest.Event{Kind: ingest.KindDriverCard, Driver: card}); err != nil {
			return err
		}
	}
	return takeAnswer(w, m)
}

// takeWaybill takes 0x120B and 0x120D.
func takeWaybill(w *worker, m *up) error {
	var content jt808.Text
	switch b := m.body.(type) {
	case *jt809.WaybillReport:
		content = b.EwaybillInfo
	case *jt809.WaybillReply:
		content = b.EwaybillInfo
	}
	if m.v == nil {
		w.refuse(refusedVehicle, 1)
		return nil
	}
	text := waybill.Text([]byte(content))
	switch {
	case len(text) > waybill.MaxText: // it would be cut
		w.refuse(refusedTooLarge, 1)
		return nil
	case text != "":
		bill := waybill.Parse(text)
		if err := w.eventOf(m.v, &ingest.Event{Kind: ingest.KindWaybill, Waybill: &bill}); err != nil {
			return err
		}
	}
	return takeAnswer(w, m)
}

// photoFormats are the formats of 0x1502 by their code.
var photoFormats = [...]media.Format{1: media.JPEG, 3: media.TIFF}

// takePhoto takes 0x1502: the photo goes to the files, and the answer without it to the book.
func takePhoto(w *worker, m *up) error {
	r := m.body.(*jt809.PhotoReply)
	if len(r.Photo) == 0 || m.v == nil {
		return takeAnswer(w, m)
	}
	record := media.Record{Body: w.env.Data, Lasting: true, Data: r.Photo}
	if int(r.Type) < len(photoFormats) {
		record.Format = photoFormats[r.Type]
	}
	if len(r.Photo) > 2 && r.Photo[0] == 0xff && r.Photo[1] == 0xd8 { // type 0 is seen on photos
		record.Format = media.JPEG
	}
	var e ingest.Event
	r.Location.Event(&e)
	record.Recorded = e.Time
	record.Details = struct {
		Platform string `json:"platform"`
		Channel  uint8  `json:"channel"`
		Size     uint8  `json:"size_type"`
	}{w.p.cfg.Name, r.LensID, r.SizeType}
	size := len(r.Photo)
	name := w.keep(m, &record)
	answer := *r
	answer.Photo = nil
	m.body = &answer
	return w.answered(m, fmt.Sprintf(`"file":%s,"size":%d`, quoted(name), size))
}

// takeRecorder takes 0x1504: the recorder's data go to the files.
func takeRecorder(w *worker, m *up) error {
	r := m.body.(*jt809.RecorderReply)
	if len(r.TraveldataInfo) == 0 || m.v == nil {
		return takeAnswer(w, m)
	}
	name := w.keep(m, &media.Record{Body: w.env.Data, Data: r.TraveldataInfo, Details: struct {
		Platform string `json:"platform"`
		Command  uint8  `json:"command"`
	}{w.p.cfg.Name, r.CommandType}})
	return w.answered(m, fmt.Sprintf(`"file":%s`, quoted(name)))
}

// keep puts a record into the files and returns the name it has there; empty where it is not kept.
func (w *worker) keep(m *up, r *media.Record) string {
	if w.p.s.deps.Files == nil {
		return ""
	}
	r.Vehicle, r.Message, r.Serial, r.Received = m.v.Vehicle, uint16(m.id), uint16(m.h.Serial), w.received
	e, _, err := w.p.s.deps.Files.Put(r)
	if err != nil { // the store says so in the log
		w.refuse(refusedFile, 1)
		return ""
	}
	return e.Name
}

func quoted(s string) []byte {
	b, _ := json.Marshal(s)
	return b
}

// takeTokens takes 0x1701: the tokens of the day for video.
func takeTokens(w *worker, m *up) error {
	t := m.body.(*jt809.Tokens)
	p := w.p
	p.mu.Lock()
	defer p.mu.Unlock()
	id := t.PlatformID.String()
	if _, known := p.tokens[id]; !known && len(p.tokens) >= maxTokens {
		for old := range p.tokens {
			delete(p.tokens, old)
			break
		}
	}
	p.tokens[id] = tokens{t.AuthorizeCode1, t.AuthorizeCode2, w.received}
	return nil
}

// maxTokens bounds the platforms below a peer whose tokens are remembered.
const maxTokens = 256

// tokenWithin is how lately a vehicle must have been reported for its token to be given away (JT/T 1078-2016), ms.
const tokenWithin = 5 * 60 * 1000

// takeTokenQuery takes 0x1702: a peer asks for the token of a vehicle that another peer reports. The superior answers only
// if the vehicle was here within the last five minutes.
func takeTokenQuery(w *worker, m *up) error {
	if m.v == nil {
		return nil
	}
	owner := w.p.s.reporter(m.v.Vehicle, w.p)
	if owner == nil || w.received-owner.vehicles.get(m.v.Vehicle).seen.Load() > tokenWithin {
		return nil
	}
	owner.mu.Lock()
	var best tokens
	platformID := ""
	for id, t := range owner.tokens {
		if t.at > best.at || t.at == best.at && id < platformID {
			best, platformID = t, id
		}
	}
	owner.mu.Unlock()
	if best.at == 0 {
		return nil
	}
	return w.answer(reply{id: jt809.IDTokenReply, v: m.v.Vehicle, body: &jt809.TokenReply{PlatformID: jt808.Text(platformID), AuthorizeCode: best.other}})
}

// takeRecordings takes 0x1901: recordings of special alarms. They are told in the log; 0x9901 answers.
func takeRecordings(w *worker, m *up) error {
	l := m.body.(*jt809.RecordingList)
	w.p.s.logger.Info("a platform lists recordings", "peer", w.p.cfg.Name, "plate", w.env.Plate.String(), "recordings", len(l.ItemList))
	var v ingest.Vehicle
	if m.v != nil {
		v = m.v.Vehicle
	}
	return w.answer(reply{id: jt809.IDRecordingListReply, v: v, body: &jt809.RecordingListReply{ItemNumber: uint8(min(len(l.ItemList), 255))}})
}

// takeDownload takes 0x1B02: a recording is ready on the peer's FTP server. 0x9B02 answers.
func takeDownload(w *worker, m *up) error {
	d := m.body.(*jt809.DownloadDone)
	var v ingest.Vehicle
	if m.v != nil {
		v = m.v.Vehicle
	}
	w.p.s.logger.Info("a recording is ready at a platform", "peer", w.p.cfg.Name, "vehicle", v, "result", d.Result, "session", d.SessionID,
		"server", d.ServerIP.String(), "path", d.FilePath.String())
	return w.answer(reply{id: jt809.IDDownloadDoneReply, v: v, body: &jt809.DownloadDoneReply{SessionID: d.SessionID}})
}
