package inferior

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest"
	"lushao/ingest/jt809"
	"lushao/ingest/platform"
	"lushao/internal/bus"
)

// Source is a topic of the log that is read by partition, with offsets of our own.
type Source interface {
	// Bounds returns the first offset that is there and the next that will be written, by partition.
	Bounds(ctx context.Context) (first, next map[int]int64, err error)
	// Committed returns the next offset that the group has to read, by partition; -1 where it has none yet.
	Committed(ctx context.Context, group string) (map[int]int64, error)
	Commit(ctx context.Context, group string, next map[int]int64) error
	// Follow reads a partition from an offset on, until ctx ends or fn fails. The bytes of a batch are valid during the call.
	Follow(ctx context.Context, partition int, offset int64, fn func(ctx context.Context, batch []bus.Message) error) error
}

// Batch and Log are the events topic, written: as of ingest/gateway. Wait returns nil once what was appended is in the log.
type (
	Batch = interface {
		Append(ctx context.Context, partition int, payload []byte) error
		Wait(ctx context.Context) error
	}
	Log interface {
		Partitions() int
		NewBatch() Batch
	}
)

// Record is what the register knows of a vehicle. Empty: not known.
type Record struct {
	Class        string // name of the class in the rule book, such as hazmat
	Operator     string // its id
	OperatorName string
	OperatorTel  string
	Region       string // GB/T 2260
	VehicleType  string // JT/T 415-2006 5.4.9
	TransType    string // JT/T 415-2006 5.2.1; made of the class where it is empty
	Phone        string // of the terminal
	TerminalID   string
	TerminalType string // model
	ProducerID   string // maker of the terminal
	IMEI         string
}

// Register knows vehicles. Version changes whenever a look-up may answer differently. Both may be called at the same time.
type Register interface {
	Vehicle(v *ingest.Vehicle) (Record, bool)
	Version() uint64
}

// Router carries a request for a vehicle to the vehicle, and its answer back: relay.Router.
type Router interface {
	Do(ctx context.Context, v ingest.Vehicle, id jt809.MessageID, ed jt809.Edition, m jt809.Body) (answer jt809.Body, answerID jt809.MessageID, err error)
}

// Book keeps the requests that wait for an answer: *platform.Book, loaded before Start.
type Book interface {
	Put(ctx context.Context, r *platform.Request) error
	Get(id string) (platform.Request, bool)
	List(f platform.Filter) []platform.Request
	Find(fn func(*platform.Request) bool) (platform.Request, bool)
	Answer(ctx context.Context, id string, answer json.RawMessage, message string, at time.Time) (platform.Request, error)
	Progress(ctx context.Context, id string, answer json.RawMessage, message, note string) (platform.Request, error)
	Fail(ctx context.Context, id, why string) (platform.Request, error)
}

// Deps are what the inferior platform stands on.
type Deps struct {
	Events     Source // positions and what else is forwarded
	Violations Source // nil: no alarm is reported
	Log        Log    // where the positions of visiting vehicles go; nil: they are counted and dropped
	Register   Register
	Book       Book
	Router     Router // nil: requests for vehicles are answered with their failure
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Now        func() time.Time // nil: time.Now
}

// BusSource is a topic on internal/bus.
type BusSource struct {
	Client *bus.Client
	Topic  string
}

var _ Source = (*BusSource)(nil)

func (s *BusSource) Bounds(ctx context.Context) (first, next map[int]int64, err error) {
	return s.Client.Bounds(ctx, s.Topic)
}

func (s *BusSource) Committed(ctx context.Context, group string) (map[int]int64, error) {
	return s.Client.CommittedOffsets(ctx, group, s.Topic)
}

func (s *BusSource) Commit(ctx context.Context, group string, next map[int]int64) error {
	return s.Client.CommitOffsets(ctx, group, s.Topic, next)
}

func (s *BusSource) Follow(ctx context.Context, partition int, offset int64, fn func(ctx context.Context, batch []bus.Message) error) error {
	return s.Client.Consume(ctx, s.Topic, partition, offset, fn)
}
