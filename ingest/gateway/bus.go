package gateway

import (
	"context"

	"lushao/ingest/weigh"
	"lushao/internal/bus"
)

// Both doors write to the same log.
var (
	_ Log         = (*BusLog)(nil)
	_ weigh.Log   = (*BusLog)(nil)
	_ weigh.Marks = (*BusMarks)(nil)
)

// BusLog is the events topic on a producer of internal/bus, for the gateway and for the weighing door.
type BusLog struct{ Producer *bus.Producer }

// Partitions returns the number of partitions of the topic.
func (l *BusLog) Partitions() int { return l.Producer.Partitions() }

// NewBatch returns a batch for one goroutine.
func (l *BusLog) NewBatch() Batch { return &busBatch{producer: l.Producer} }

type busBatch struct {
	producer *bus.Producer
	ack      bus.Ack
}

func (b *busBatch) Append(ctx context.Context, partition int, payload []byte) error {
	return b.producer.Append(ctx, partition, payload, &b.ack)
}

func (b *busBatch) Wait(ctx context.Context) error { return b.ack.Wait(ctx) }

// BusMarks is the topic of the weighing records that were taken. It must be compacted and have one partition, so that the
// order of its messages is their age.
type BusMarks struct {
	Client *bus.Client
	Topic  string
}

// Load hands over every mark, oldest first.
func (m *BusMarks) Load(ctx context.Context, fn func(weigh.Mark) error) error {
	return m.Client.ReadAll(ctx, m.Topic, func(msg bus.Message) error {
		return fn(weigh.Mark{Key: msg.Key, Value: msg.Value})
	})
}

// Write returns once all marks are in the log.
func (m *BusMarks) Write(ctx context.Context, marks []weigh.Mark) error {
	messages := make([]bus.KeyedMessage, len(marks))
	for i, k := range marks {
		messages[i] = bus.KeyedMessage{Key: k.Key, Value: k.Value}
	}
	return m.Client.WriteKeyed(ctx, m.Topic, messages...)
}
