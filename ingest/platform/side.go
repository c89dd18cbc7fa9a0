package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt809"
)

// Errors that a Side answers with, itself or wrapped.
var (
	ErrUnsupported = errors.New("this role can't do that")
	ErrNoPeer      = errors.New("there is no such platform")
	ErrOffline     = errors.New("both links to the platform are down")
)

// Side is a role of this process: its superior or its inferior platform.
type Side interface {
	// Peers returns the platforms on the other side, in the order of the settings.
	Peers() []Peer
	// Do sends a message to a peer and returns what is noted of it in the Book, at once; v is nil where the message is about
	// no vehicle.
	Do(ctx context.Context, peer string, v *ingest.Vehicle, id jt809.MessageID, m jt809.Body, deadline time.Time) (Request, error)
	// Answer sends what staff answered to a request of the other side: an InspectionAnswer, a SupervisionAnswer, or for any
	// other kind the fields of the answering message.
	Answer(ctx context.Context, id string, answer json.RawMessage) error
}

// InspectionAnswer is what staff answered to an inspection.
type InspectionAnswer struct {
	Responder    string `json:"responder"`     // name; at most 16 bytes of GBK
	ResponderTel string `json:"responder_tel"` // at most 20 bytes
	Text         string `json:"text"`
}

// SupervisionAnswer is what became of a violation.
type SupervisionAnswer struct {
	Result SupervisionResult `json:"result"`
	Note   string            `json:"note"`
}

// SupervisionResult is the result of 0x1401.
type SupervisionResult uint8

// Results of 0x1401.
const (
	SupervisionInProgress SupervisionResult = 0
	SupervisionDone       SupervisionResult = 1
	SupervisionNoNeed     SupervisionResult = 2
	SupervisionLater      SupervisionResult = 3
)

var supervisionWords = []string{"in_progress", "done", "no_need", "later"}

// UnmarshalJSON takes the number and the word.
func (r *SupervisionResult) UnmarshalJSON(b []byte) error {
	for n, word := range supervisionWords {
		if s := string(b); s == `"`+word+`"` || s == string(rune('0'+n)) {
			*r = SupervisionResult(n)
			return nil
		}
	}
	return fmt.Errorf("result: %.40s; one of 0 to 3, in_progress, done, no_need, later", b)
}

// mayAsk reports whether staff may have a role send a message by hand: one of its direction that is no answer, no part of
// the links, and no position, which nobody makes up.
func mayAsk(id jt809.MessageID, role string) error {
	info, ok := id.Info()
	switch {
	case !ok || id.IsContainer():
		return fmt.Errorf("%s is no message of JT/T 809 that can be sent by itself", id)
	case info.Up != (role == RoleInferior):
		up, down := "goes up, to superior platforms", "goes down, to inferior platforms"
		if info.Up {
			return fmt.Errorf("%s (%s) %s", id, info.Name, up)
		}
		return fmt.Errorf("%s (%s) %s", id, info.Name, down)
	case id&0xff < 1 || id&0x0f00 <= 0x0100 && id != jt809.IDTransferQuery:
		return fmt.Errorf("%s (%s) belongs to the links, which keep themselves", id, info.Name)
	case id == jt809.IDPosition || id == jt809.IDPositionBatch || id == jt809.IDPositionDown || id == jt809.IDPositionBatchDown || id == jt809.IDRegistration:
		return fmt.Errorf("%s (%s) is sent by itself when a vehicle reports", id, info.Name)
	}
	for _, other := range jt809.MessageIDs() {
		if o, _ := other.Info(); o.Answer == id {
			return fmt.Errorf("%s (%s) answers %s (%s) and is not sent by itself", id, info.Name, other, o.Name)
		}
	}
	return nil
}

// aboutVehicle says whether a message needs a vehicle beside its body, and whether it may have one.
func aboutVehicle(id jt809.MessageID, ed jt809.Edition) (needs, may bool) {
	switch id & 0x0f00 {
	case 0x0000, 0x0100, 0x0300:
		return false, false
	case 0x0400:
		return ed != jt809.Edition2019, true
	}
	return true, true
}
