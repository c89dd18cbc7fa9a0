package platform

import (
	"context"
	"sync"

	"lushao/internal/bus"
)

// RequestsTopic is the compacted topic of the book, of one partition, so that the order of its messages is one.
const RequestsTopic = "platform-requests"

// Pages is where records live under their keys. Load hands over what is there now, the last record of a key last; a record
// without value says that its key is gone. Write returns once the record is in the log.
type Pages interface {
	Load(ctx context.Context, fn func(key, value []byte) error) error
	Write(ctx context.Context, key, value []byte) error
}

// Follower hands over what was written since Load, also by others and by oneself, until ctx ends or fn fails.
type Follower interface {
	Follow(ctx context.Context, fn func(key, value []byte) error) error
}

// BusPages is a compacted topic with one partition.
type BusPages struct {
	Client *bus.Client
	Topic  string

	mu   sync.Mutex
	next int64 // where Follow begins
}

var (
	_ Pages    = (*BusPages)(nil)
	_ Follower = (*BusPages)(nil)
)

// Load implements Pages.
func (p *BusPages) Load(ctx context.Context, fn func(key, value []byte) error) error {
	first, end, err := p.Client.Bounds(ctx, p.Topic)
	if err != nil {
		return err
	}
	if err := p.Client.ReadPartition(ctx, p.Topic, 0, first[0], end[0], func(m bus.Message) error { return fn(m.Key, m.Value) }); err != nil {
		return err
	}
	p.mu.Lock()
	p.next = end[0]
	p.mu.Unlock()
	return nil
}

// Write implements Pages. A nil value deletes the key.
func (p *BusPages) Write(ctx context.Context, key, value []byte) error {
	return p.Client.WriteKeyed(ctx, p.Topic, bus.KeyedMessage{Key: key, Value: value})
}

// Follow implements Follower.
func (p *BusPages) Follow(ctx context.Context, fn func(key, value []byte) error) error {
	p.mu.Lock()
	next := p.next
	p.mu.Unlock()
	return p.Client.Consume(ctx, p.Topic, 0, next, func(_ context.Context, batch []bus.Message) error {
		for i := range batch {
			if err := fn(batch[i].Key, batch[i].Value); err != nil {
				return err
			}
		}
		return nil
	})
}
