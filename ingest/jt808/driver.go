package jt808

import (
	"lushao/ingest"

	wire "lushao/ingest/fields"
)

// States of DriverIdentity.
const (
	CardInserted uint8 = 1 // on duty
	CardPulled   uint8 = 2 // off duty
)

var (
	cardStates  = meanings{CardInserted: "card inserted", CardPulled: "card pulled"}
	cardResults = meanings{0: "ok", 1: "key authentication failed", 2: "card locked", 3: "card pulled", 4: "data check error"}
)

// DriverIdentity is 0x0702. In 2011 it has no state and time: name, identity card, licence and issuing body only.
//
// The standard has ICResult only when a card was inserted, and what follows only when it was read. Devices send all of
// it with zeros; so it is decoded as far as the body goes, and encoded where the standard wants it or it is set.
type DriverIdentity struct {
	State    uint8 // CardInserted, CardPulled; 0 in 2011
	Time     Time  // of insertion or removal
	ICResult uint8
	Name     Text
	Licence  Text // qualification certificate number, 20 bytes, 40 in 2011
	Org      Text // issuing body
	Expiry   Date // of the certificate
	IDCard   Text // identity card number, 20 bytes; 2011 and 2019
	// FaceMatch and UID follow on some platforms for freight; UID is 20 bytes.
	FaceMatch uint8
	UID       Text
}

// Date is a BCD[4], YYYYMMDD.
type Date [4]byte

func (m *DriverIdentity) walk(f *fields) {
	if !f.has(FeatureCardEvent) {
		f.TextLen("name_len", "name", 1, &m.Name)
		f.Text("id_card", 20, zeroEnd, &m.IDCard)
		f.Text("licence", 40, zeroEnd, &m.Licence)
		f.TextLen("org_len", "org", 1, &m.Org)
		return
	}
	read := m.State == CardInserted && m.ICResult == 0 || m.Name != "" || m.Licence != "" || m.Org != "" || m.IDCard != ""
	f.Code8("state", &m.State, cardStates)
	f.time("time", &m.Time)
	if !f.More("ic_result", m.State == CardInserted || m.ICResult != 0 || read) {
		return
	}
	f.Code8("ic_result", &m.ICResult, cardResults)
	if !f.More("name", read) {
		return
	}
	f.TextLen("name_len", "name", 1, &m.Name)
	f.Text("licence", 20, zeroEnd, &m.Licence)
	f.TextLen("org_len", "org", 1, &m.Org)
	f.Array("expiry", m.Expiry[:])
	// 2019; some devices send it behind the layout of 2013 as well
	if !f.More("id_card", f.has(FeatureIDCard) || m.IDCard != "" || m.UID != "") {
		return
	}
	f.Text("id_card", 20, zeroEnd, &m.IDCard)
	if f.More("face_match", m.UID != "") && (f.Mode != wire.Decoding || f.Left() >= 21) {
		f.U8("face_match", &m.FaceMatch)
		f.Text("uid", 20, zeroEnd, &m.UID)
	}
}

// Card is what the message says about the driver, nil where it is of 2011 and does not tell on from off.
func (m *DriverIdentity) Card() *ingest.DriverCard {
	if m.State != CardInserted && m.State != CardPulled {
		return nil
	}
	return &ingest.DriverCard{On: m.State == CardInserted, License: m.Licence.String(), Name: m.Name.String(),
		Org: m.Org.String(), Result: m.ICResult}
}

// looksLikeCardEvent tells 2013 and 2019 from 2011, where byte 0 is the length of the name.
func looksLikeCardEvent(body []byte) bool {
	return len(body) > 0 && (body[0] == CardInserted || body[0] == CardPulled) && hasTimeAt(body, 1)
}
