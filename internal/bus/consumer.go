package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	kafka "github.com/segmentio/kafka-go"
)

// Message is one message of the log.
type Message struct {
	Partition  int
	Offset     int64
	Key, Value []byte
	Time       time.Time
}

const (
	fetchBytes = 8 << 20
	fetchWait  = 500 * time.Millisecond // how long the broker may hold an empty answer
)

// Consume reads one partition from offset on and hands over what a request brought, in order. The bytes are the
// handler's to keep. It reconnects by itself; it returns nil when ctx ends and the handler's error when that fails.
//
// An offset that the log has dropped already is counted as lost and reading goes on at the first that is there; an offset
// beyond the end is an error: then the log is not the one that was read before.
func (c *Client) Consume(ctx context.Context, topic string, partition int, offset int64, fn func(ctx context.Context, batch []Message) error) error {
	return c.ConsumeOrIdle(ctx, topic, partition, offset, fn, func(context.Context) error { return nil })
}

// ConsumeOrIdle is Consume that also calls idle, from the same goroutine, when there was nothing to read for half a second.
func (c *Client) ConsumeOrIdle(ctx context.Context, topic string, partition int, offset int64, fn func(ctx context.Context, batch []Message) error,
	idle func(ctx context.Context) error) error {
	consumed := c.metrics.consumed.WithLabelValues(topic)
	for wait := backoffMin; ctx.Err() == nil; {
		batch, next, err := c.fetch(ctx, topic, partition, offset)
		if err == nil {
			wait = backoffMin
			if len(batch) > 0 {
				consumed.Add(float64(len(batch)))
				err = fn(ctx, batch)
			} else {
				err = idle(ctx)
			}
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			offset = next
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, kafka.OffsetOutOfRange) {
			first, end, err := c.Bounds(ctx, topic)
			switch {
			case err != nil:
				if ctx.Err() != nil {
					return nil
				}
				return err
			case offset < first[partition]:
				c.metrics.gaps.WithLabelValues(topic).Add(float64(first[partition] - offset))
				c.log.Error("the log dropped messages before they were read: its retention is too short", "topic", topic, "partition", partition, "from", offset, "to", first[partition])
				offset = first[partition]
			case offset > end[partition]:
				return fmt.Errorf("topic %s partition %d ends at offset %d, but %d was to be read next: this is not the log that was read before; restore it, or remove the checkpoints and committed offsets", topic, partition, end[partition], offset)
			}
			continue
		}
		if !temporary(err) {
			return fmt.Errorf("log: read %s partition %d: %w", topic, partition, err)
		}
		c.metrics.retries.Inc()
		c.log.Warn("reading the log failed, trying again", "topic", topic, "partition", partition, "err", err, "wait", wait)
		pause(ctx, wait)
		wait = min(2*wait, backoffMax)
	}
	return nil
}

func (c *Client) fetch(ctx context.Context, topic string, partition int, offset int64) (batch []Message, next int64, err error) {
	res, err := c.kafka.Fetch(ctx, &kafka.FetchRequest{Topic: c.name(topic), Partition: partition, Offset: offset, MinBytes: 1, MaxBytes: fetchBytes, MaxWait: fetchWait})
	if err != nil {
		return nil, offset, err
	}
	if res.Error != nil {
		return nil, offset, res.Error
	}
	next = offset
	for {
		r, err := res.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return batch, next, nil
		}
		if err != nil {
			// What was read before the break is good; the rest is asked for again.
			if len(batch) > 0 {
				return batch, next, nil
			}
			return nil, offset, err
		}
		if r.Offset < offset { // a batch is sent whole even where its beginning was read already
			continue
		}
		m := Message{Partition: partition, Offset: r.Offset, Time: r.Time}
		if r.Key != nil {
			if m.Key, err = readBytes(r.Key); err != nil {
				return nil, offset, err
			}
		}
		if r.Value != nil {
			if m.Value, err = readBytes(r.Value); err != nil {
				return nil, offset, err
			}
		}
		batch = append(batch, m)
		next = r.Offset + 1
	}
}

// readBytes copies b and gives its pages back.
func readBytes(b kafka.Bytes) ([]byte, error) {
	defer b.Close()
	return kafka.ReadAll(b)
}

// ReadAll reads what a topic holds now, partition by partition, and hands each message over.
func (c *Client) ReadAll(ctx context.Context, topic string, fn func(m Message) error) error {
	first, end, err := c.Bounds(ctx, topic)
	if err != nil {
		return err
	}
	for p := range len(first) {
		if err := c.ReadPartition(ctx, topic, p, first[p], end[p], fn); err != nil {
			return err
		}
	}
	return nil
}

// ReadPartition reads the messages of a partition from offset from to before offset to.
//
// It reads batch by batch over a connection of its own, because only that way of kafka-go knows where a batch ends whose
// last messages were compacted away.
func (c *Client) ReadPartition(ctx context.Context, topic string, partition int, from, to int64, fn func(m Message) error) error {
	for at := from; at < to; {
		var failed error // of fn: not to be tried again
		before := at
		err := c.retry(ctx, "read "+topic, func() (err error) {
			at, err = c.readBatches(ctx, topic, partition, at, to, func(m Message) error {
				failed = fn(m)
				return failed
			})
			if failed != nil {
				return nil
			}
			return err
		})
		if failed != nil {
			return failed
		}
		if err != nil {
			return err
		}
		if at == before { // what is left up to the end was compacted away
			return nil
		}
	}
	return nil
}

// readBatches reads until the end, an error or an empty answer, and returns the offset to go on at.
func (c *Client) readBatches(ctx context.Context, topic string, partition int, at, to int64, fn func(m Message) error) (int64, error) {
	conn, err := c.dialLeader(ctx, topic, partition)
	if err != nil {
		return at, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	for at < to {
		if _, err := conn.Seek(at, kafka.SeekAbsolute|kafka.SeekDontCheck); err != nil {
			return at, err
		}
		conn.SetDeadline(time.Now().Add(c.cfg.Timeout))
		batch := conn.ReadBatchWith(kafka.ReadBatchConfig{MinBytes: 1, MaxBytes: fetchBytes, MaxWait: 100 * time.Millisecond})
		before := at
		for at < to {
			m, err := batch.ReadMessage()
			if err != nil {
				break
			}
			if m.Offset >= to {
				at = to
				break
			}
			if err := fn(Message{Partition: partition, Offset: m.Offset, Key: m.Key, Value: m.Value, Time: m.Time}); err != nil {
				batch.Close()
				return at, err
			}
			at = m.Offset + 1
		}
		at = max(at, min(batch.Offset(), to))
		if err := batch.Close(); err != nil {
			return at, err
		}
		if at == before {
			return at, nil
		}
	}
	return at, nil
}

func (c *Client) dialLeader(ctx context.Context, topic string, partition int) (*kafka.Conn, error) {
	d := &kafka.Dialer{ClientID: c.cfg.ClientID, Timeout: c.cfg.Timeout}
	var failed error
	for _, b := range c.cfg.Brokers {
		conn, err := d.DialLeader(ctx, "tcp", b, c.name(topic), partition)
		if err == nil {
			return conn, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}
