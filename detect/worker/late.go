package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"lushao/detect"
	"lushao/ingest"
	"lushao/internal/bus"
)

// RechecksTopic says which vehicles are to be judged again, because something came late to them: in the partition that a vehicle has
// in the events. It has as many partitions as these.
const RechecksTopic = "rechecks"

// Recheck is a message of RechecksTopic. Offset and Clock say how far the partition's engine had come when it was written; one without
// a plate says only that.
type Recheck struct {
	Plate  string       `json:"plate,omitempty"`
	Color  ingest.Color `json:"color,omitempty"`
	From   int64        `json:"from,omitempty"`   // Unix ms: what came late happened from then
	To     int64        `json:"to,omitempty"`     // to then
	Wide   bool         `json:"wide,omitempty"`   // see detect.Late
	Linked bool         `json:"linked,omitempty"` // asks for no others
	Papers bool         `json:"papers,omitempty"` // nothing came late but papers: only what these decide on
	Why    string       `json:"why,omitempty"`    // late, driver, papers, judged_jointly
	Offset int64        `json:"offset"`           // next of the events; 0: as far as the engine has come when this is read
	Clock  int64        `json:"clock"`            // the stream's clock there, Unix ms
}

// WhyJointly says that nothing is known to be wrong, but that vehicles of other partitions may decide on what was found.
const WhyJointly = "judged_jointly"

// Vehicle returns the vehicle that is meant.
func (r *Recheck) Vehicle() (ingest.Vehicle, error) { return ingest.NewVehicle(r.Plate, r.Color) }

// Message makes a message for a topic of so many partitions.
func (r *Recheck) Message(partitions int) (bus.KeyedMessage, error) {
	v, err := r.Vehicle()
	if err != nil {
		return bus.KeyedMessage{}, err
	}
	b, err := json.Marshal(r)
	if err != nil {
		return bus.KeyedMessage{}, err
	}
	return bus.KeyedMessage{Partition: v.Partition(partitions), Key: []byte(v.String()), Value: b}, nil
}

// askJointly takes note of a record on which vehicles of other partitions may decide, so that it is judged again with them.
func (p *partition) askJointly(v *detect.Violation) {
	if p.partitions < 2 || v.Shadow != "" || !slices.Contains(detect.JointKinds, v.Kind) {
		return
	}
	r := Recheck{Plate: v.Plate, Color: v.Color, From: int64(v.Start), To: int64(v.Start), Why: WhyJointly}
	if v.End != nil {
		r.To = int64(*v.End)
	}
	p.joint = append(p.joint, r)
}

// askAgain writes which vehicles are to be judged again.
func (p *partition) askAgain(ctx context.Context) error {
	p.late = p.engine.TakeLate(p.late[:0])
	asked := p.joint
	for i := range p.late {
		l := &p.late[i]
		asked = append(asked, Recheck{Plate: l.Vehicle.Plate(), Color: l.Vehicle.Color, From: l.From, To: l.To, Wide: l.Wide, Why: "late"})
	}
	p.joint = p.joint[:0]
	if len(asked) == 0 {
		return nil
	}
	messages := make([]bus.KeyedMessage, len(asked))
	for i := range asked {
		r := &asked[i]
		r.Offset, r.Clock = p.next, p.engine.Clock()
		b, err := json.Marshal(r)
		if err != nil {
			panic(fmt.Sprintf("recheck of %s: %v", r.Plate, err)) // as in put
		}
		messages[i] = bus.KeyedMessage{Partition: p.number, Key: fmt.Appendf(nil, "%s/%d", r.Plate, r.Color), Value: b}
	}
	p.metrics.rechecks.Add(float64(len(messages)))
	return p.bus.WriteKeyed(ctx, RechecksTopic, messages...)
}

// tellPlace writes how far the engine has come, for those who ask for vehicles of this partition to be judged again and do not know it.
func (p *partition) tellPlace(ctx context.Context) error {
	b, err := json.Marshal(&Recheck{Offset: p.next, Clock: p.engine.Clock()})
	if err != nil {
		return err
	}
	return p.bus.WriteKeyed(ctx, RechecksTopic, bus.KeyedMessage{Partition: p.number, Value: b})
}

// ViolationMessage makes the message of a violation for a topic of so many partitions.
func ViolationMessage(v *detect.Violation, partitions int) (bus.KeyedMessage, error) {
	return recordMessage(v.ID, v, partitions)
}

// VisitMessage is ViolationMessage for a visit.
func VisitMessage(v *detect.Visit, partitions int) (bus.KeyedMessage, error) {
	return recordMessage(v.ID, v, partitions)
}

// DrivingMessage is ViolationMessage for what a driver has driven: all of one driver is in one partition.
func DrivingMessage(s *detect.DrivingSegment, partitions int) (bus.KeyedMessage, error) {
	return recordMessage(s.License+"\x00"+s.Name, s, partitions)
}

func recordMessage(id string, record any, partitions int) (bus.KeyedMessage, error) {
	b, err := json.Marshal(record)
	if err != nil {
		return bus.KeyedMessage{}, fmt.Errorf("record %s: %w", id, err)
	}
	return bus.KeyedMessage{Partition: int(xxhash.Sum64String(id) % uint64(partitions)), Key: []byte(id), Value: b}, nil
}

// CorrectionVersion is the version of a record that judging again writes when the events before an offset were judged: higher than all
// that the engine wrote of them, lower than what it writes of the next.
func CorrectionVersion(offset int64) uint64 {
	if offset <= 0 {
		return 0
	}
	return uint64(offset-1)<<versionBits | (1<<versionBits - 1)
}
