package gateway

import (
	"context"
	"errors"

	"github.com/cespare/xxhash/v2"

	"lushao/internal/bus"
)

// PromptOutcomesTopic holds what became of prompts, each under its prompt's id.
const PromptOutcomesTopic = "prompt-outcomes"

var _ PromptLog = (*BusPrompts)(nil)

// BusPrompts are the topics of prompts and of their outcomes. Every gateway reads all prompts, because only the one that
// the vehicle is connected to can bring them; it begins at the end, because what was to be said before it started is late.
type BusPrompts struct {
	Client          *bus.Client
	Topic, Outcomes string

	next map[int]int64 // by partition; nil before Begin
}

// Begin sets the end from which Follow reads: what is written from now on. It waits for the topic.
func (b *BusPrompts) Begin(ctx context.Context) (err error) {
	_, b.next, err = b.Client.Bounds(ctx, b.Topic)
	return err
}

// Follow reads every partition from where it ended at Begin.
func (b *BusPrompts) Follow(ctx context.Context, take func(ctx context.Context, value []byte) error) error {
	next := b.next
	if next == nil {
		return errors.New("the end of the prompts was not asked for: call Begin")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, len(next))
	for partition, offset := range next {
		go func() {
			done <- b.Client.Consume(ctx, b.Topic, partition, offset, func(ctx context.Context, batch []bus.Message) error {
				for i := range batch {
					if err := take(ctx, batch[i].Value); err != nil {
						return err
					}
				}
				return nil
			})
		}()
	}
	var failed error
	for range next {
		err := <-done
		cancel() // one partition alone is not what was asked for
		failed = errors.Join(failed, err)
	}
	return failed
}

// Record writes outcomes by their keys.
func (b *BusPrompts) Record(ctx context.Context, outcomes []PromptRecord) error {
	partitions, err := b.Client.Partitions(ctx, b.Outcomes)
	if err != nil {
		return err
	}
	messages := make([]bus.KeyedMessage, len(outcomes))
	for i, o := range outcomes {
		messages[i] = bus.KeyedMessage{Partition: int(xxhash.Sum64(o.Key) % uint64(partitions)), Key: o.Key, Value: o.Value}
	}
	return b.Client.WriteKeyed(ctx, b.Outcomes, messages...)
}
