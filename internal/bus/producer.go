package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	kafka "github.com/segmentio/kafka-go"
)

// MaxPayload is the most bytes that one Append takes. Payloads are packed into messages of at most this size.
const MaxPayload = 256 << 10

// Errors of Append.
var (
	ErrClosed      = errors.New("log: the producer is closed")
	ErrPayloadSize = fmt.Errorf("log: payload larger than %d bytes", MaxPayload)
)

// Ack gathers the outcome of the payloads that were handed to a Producer with it. The zero value is ready. One goroutine
// appends and waits.
type Ack struct {
	mu      sync.Mutex
	pending int
	err     error
	waiting chan struct{} // has room for one; made when first needed
}

func (a *Ack) add() {
	a.mu.Lock()
	a.pending++
	a.mu.Unlock()
}

func (a *Ack) resolve(err error) {
	a.mu.Lock()
	a.pending--
	if a.err == nil {
		a.err = err
	}
	if a.pending == 0 && a.waiting != nil {
		select {
		case a.waiting <- struct{}{}:
		default:
		}
	}
	a.mu.Unlock()
}

// Wait returns nil once everything that was appended with a is in the log, or the first refusal. Then a can be used
// again. When ctx ends first, a must not be used again: what is pending may still be written.
func (a *Ack) Wait(ctx context.Context) error {
	for {
		a.mu.Lock()
		if a.pending == 0 {
			err := a.err
			a.err = nil
			a.mu.Unlock()
			return err
		}
		if a.waiting == nil {
			a.waiting = make(chan struct{}, 1)
		}
		ch := a.waiting
		a.mu.Unlock()
		select {
		case <-ch: // may be left from an earlier round: look again
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Producer packs payloads by partition and writes them with acks=all. It keeps the order of a partition: one request is
// under way for each, and is repeated until the log has it.
type Producer struct {
	client      *Client
	topic       string
	cfg         ProducerConfig
	compression kafka.Compression
	parts       []*producerPartition
	ctx         context.Context // ends when waiting for the log is given up
	cancel      context.CancelFunc
	running     sync.WaitGroup

	mu      sync.Mutex
	pending int           // bytes
	room    chan struct{} // closed and replaced when pending falls
	closed  bool
}

type producerPartition struct {
	mu       sync.Mutex
	messages [][]byte // full ones first; the last is still being filled
	size     int
	acks     []*Ack
	wake     chan struct{} // room for one
}

// NewProducer starts a producer for a topic that is there.
func (c *Client) NewProducer(ctx context.Context, topic string) (*Producer, error) {
	n, err := c.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	comp, err := parseCompression(c.cfg.Producer.Compression)
	if err != nil {
		return nil, err
	}
	p := &Producer{client: c, topic: topic, cfg: c.cfg.Producer, compression: comp, room: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	for i := range n {
		pp := &producerPartition{wake: make(chan struct{}, 1)}
		p.parts = append(p.parts, pp)
		p.running.Add(1)
		go func() {
			defer p.running.Done()
			p.run(i, pp)
		}()
	}
	return p, nil
}

// Partitions returns the number of partitions of the topic.
func (p *Producer) Partitions() int { return len(p.parts) }

// Append hands a payload over: it is copied, packed behind others of its partition, and ack learns the outcome. It blocks
// while too much is pending: that is how a slow log slows down those who feed it.
func (p *Producer) Append(ctx context.Context, partition int, payload []byte, ack *Ack) error {
	switch {
	case len(payload) > MaxPayload:
		return ErrPayloadSize
	case len(payload) == 0:
		return nil
	}
	if err := p.reserve(ctx, len(payload)); err != nil {
		return err
	}
	ack.add()
	pp := p.parts[partition]
	pp.mu.Lock()
	last := len(pp.messages) - 1
	if last < 0 || len(pp.messages[last])+len(payload) > MaxPayload {
		pp.messages = append(pp.messages, nil)
		last++
	}
	pp.messages[last] = append(pp.messages[last], payload...)
	pp.size += len(payload)
	pp.acks = append(pp.acks, ack)
	pp.mu.Unlock()
	select {
	case pp.wake <- struct{}{}:
	default:
	}
	return nil
}

func (p *Producer) reserve(ctx context.Context, n int) error {
	p.mu.Lock()
	for {
		if p.closed {
			p.mu.Unlock()
			return ErrClosed
		}
		if p.pending == 0 || p.pending+n <= p.cfg.MaxPending {
			p.pending += n
			p.client.metrics.pending.Set(float64(p.pending))
			p.mu.Unlock()
			return nil
		}
		room := p.room
		p.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
		p.mu.Lock()
	}
}

func (p *Producer) release(n int) {
	p.mu.Lock()
	p.pending -= n
	p.client.metrics.pending.Set(float64(p.pending))
	close(p.room)
	p.room = make(chan struct{})
	ended := p.ended()
	p.mu.Unlock()
	if ended {
		p.wakeAll()
	}
}

func (p *Producer) wakeAll() {
	for _, pp := range p.parts {
		select {
		case pp.wake <- struct{}{}:
		default:
		}
	}
}

// ended reports whether nothing is left to write and nothing can come: what Append has reserved and not yet put down is
// pending too.
func (p *Producer) ended() bool { return p.closed && p.pending == 0 }

// Close writes what is pending and ends the producer. When ctx ends first, what is left is given up and its acks fail.
func (p *Producer) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	close(p.room)
	p.room = make(chan struct{})
	p.mu.Unlock()
	p.wakeAll()
	done := make(chan struct{})
	go func() { p.running.Wait(); close(done) }()
	select {
	case <-done:
		p.cancel()
		return nil
	case <-ctx.Done():
		p.cancel()
		<-done
		return fmt.Errorf("log: not everything could be written: %w", ctx.Err())
	}
}

func (p *Producer) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

func (p *Producer) run(partition int, pp *producerPartition) {
	for {
		pp.mu.Lock()
		size := pp.size
		pp.mu.Unlock()
		if size == 0 {
			p.mu.Lock()
			ended := p.ended()
			p.mu.Unlock()
			if ended {
				return
			}
			<-pp.wake
			continue
		}
		// Wait for company, unless there is plenty already or the end is near. Under load the request before took longer
		// than this, and what came meanwhile goes out at once.
		if size < MaxPayload && p.cfg.Linger > 0 && !p.isClosed() {
			pause(p.ctx, p.cfg.Linger)
		}
		messages, acks, size := pp.take()
		err := p.write(partition, messages)
		if err != nil {
			p.client.metrics.refused.WithLabelValues(p.topic).Add(float64(len(acks)))
		} else {
			p.client.metrics.produced.WithLabelValues(p.topic).Add(float64(len(messages)))
			p.client.metrics.producedSize.WithLabelValues(p.topic).Add(float64(size))
		}
		p.release(size)
		for _, a := range acks {
			a.resolve(err)
		}
	}
}

// take returns what is pending. It takes all messages although a request has a limit, and lets write split them, so that
// an ack needs no message of its own.
func (pp *producerPartition) take() (messages [][]byte, acks []*Ack, size int) {
	pp.mu.Lock()
	defer pp.mu.Unlock()
	messages, acks, size = pp.messages, pp.acks, pp.size
	pp.messages, pp.acks, pp.size = nil, nil, 0
	return messages, acks, size
}

// write sends messages in requests of at most MaxBatch bytes, in order, each until the log has it.
func (p *Producer) write(partition int, messages [][]byte) error {
	for len(messages) > 0 {
		n, size := 0, 0
		for n < len(messages) && (n == 0 || size+len(messages[n]) <= p.cfg.MaxBatch) {
			size += len(messages[n])
			n++
		}
		records := make([]Record, n)
		for i := range records {
			records[i].Value = messages[i]
		}
		if err := p.client.produce(p.ctx, p.topic, partition, p.compression, records); err != nil {
			return err
		}
		messages = messages[n:]
	}
	return nil
}

// Record is a key and a value to be written.
type Record struct{ Key, Value []byte }

// produce writes records to one partition with acks=all and repeats until the log has them, refuses them for good, or
// ctx ends.
func (c *Client) produce(ctx context.Context, topic string, partition int, compression kafka.Compression, records []Record) error {
	begun := time.Now()
	err := c.retry(ctx, "write to "+topic, func() error {
		rs := make([]kafka.Record, len(records))
		for i, r := range records {
			rs[i].Value = kafka.NewBytes(r.Value)
			if r.Key != nil {
				rs[i].Key = kafka.NewBytes(r.Key)
			}
		}
		res, err := c.kafka.Produce(ctx, &kafka.ProduceRequest{Topic: c.name(topic), Partition: partition, RequiredAcks: kafka.RequireAll,
			Compression: compression, Records: kafka.NewRecordReader(rs...)})
		if err != nil {
			return err
		}
		return res.Error
	})
	c.metrics.produceTime.WithLabelValues(topic).Observe(time.Since(begun).Seconds())
	return err
}

// KeyedMessage is a message of a topic whose keys mean something, such as a compacted one.
type KeyedMessage struct {
	Partition  int
	Key, Value []byte // a nil value deletes the key
}

// WriteKeyed writes messages with acks=all and returns when all are in the log. Those of one partition keep their order.
func (c *Client) WriteKeyed(ctx context.Context, topic string, messages ...KeyedMessage) error {
	comp, err := parseCompression(c.cfg.Producer.Compression)
	if err != nil {
		return err
	}
	byPartition := map[int][]Record{}
	var order []int
	for _, m := range messages {
		if byPartition[m.Partition] == nil {
			order = append(order, m.Partition)
		}
		byPartition[m.Partition] = append(byPartition[m.Partition], Record{Key: m.Key, Value: m.Value})
	}
	for _, part := range order {
		records := byPartition[part]
		for len(records) > 0 {
			n, size := 0, 0
			for n < len(records) && (n == 0 || size+len(records[n].Value) <= c.cfg.Producer.MaxBatch) {
				size += len(records[n].Key) + len(records[n].Value)
				n++
			}
			if err := c.produce(ctx, topic, part, comp, records[:n]); err != nil {
				return err
			}
			c.metrics.produced.WithLabelValues(topic).Add(float64(n))
			c.metrics.producedSize.WithLabelValues(topic).Add(float64(size))
			records = records[n:]
		}
	}
	return nil
}
