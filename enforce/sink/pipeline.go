package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"lushao/internal/bus"
)

// pipeline brings one topic into the record:
//
//	readers, one a partition ─► gather, owns the block that fills ─► writers ─► committer, in the order of the blocks
//
// Each arrow is unbuffered, so that a writer that can't write stops the gatherer and that the readers. In memory are the
// block that fills, one a writer, and those that wait for their turn to be committed, which hold offsets only.
type pipeline struct {
	cfg         PipelineConfig
	common      Config
	source      Log
	store       Store
	newContents func() contents
	log         *slog.Logger
	metrics     *topicMetrics
}

// piece is what a reader hands to the gatherer; done is answered when the messages are copied.
type piece struct {
	batch []bus.Message
	done  chan struct{}
}

// block is rows and how far each partition is read when they are written.
type block struct {
	contents contents
	next     map[int]int64
	written  chan struct{} // closed by the writer
	failed   error         // set before written is closed: it was given up, nothing of it may be committed
	free     chan<- contents
}

// run returns when ctx has ended and the rest is written, or given up.
func (p *pipeline) run(ctx context.Context) error {
	// What was read is still written after the stop, but not for ever.
	drain, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() {
		t := time.AfterFunc(p.common.DrainTimeout, func() { cancel(errDrain) })
		context.AfterFunc(drain, func() { t.Stop() })
	})()

	pieces := make(chan piece)
	blocks := make(chan *block)                  // to the writers
	order := make(chan *block, p.cfg.Writers+1)  // to the committer
	free := make(chan contents, p.cfg.Writers+1) // back from the writers, to be filled again
	var readers, writers, committer sync.WaitGroup
	readers.Go(func() { p.readAll(ctx, pieces) })
	for range p.cfg.Writers {
		writers.Go(func() {
			for b := range blocks {
				p.write(drain, b)
			}
		})
	}
	var err error
	committer.Go(func() { err = p.commitAll(drain, order) })

	go func() {
		readers.Wait()
		close(pieces)
	}()
	p.gather(pieces, blocks, order, free)
	close(blocks)
	writers.Wait()
	close(order)
	committer.Wait()
	return err
}

var errDrain = errors.New("not all that was read could be written within sink.drain_timeout; it is in the log and will be read again")

// gather fills blocks until pieces is closed.
func (p *pipeline) gather(pieces <-chan piece, blocks, order chan<- *block, free chan contents) {
	var b *block
	timer := time.NewTimer(p.cfg.MaxDelay)
	timer.Stop()
	dead := deadLog{log: p.log}
	flush := func() {
		if b == nil {
			return
		}
		timer.Stop()
		p.metrics.pending.Inc()
		// The committer gets it before the writers do: its order is the order here.
		order <- b
		blocks <- b
		b = nil
	}
	for {
		select {
		case <-timer.C:
			flush()
		case x, ok := <-pieces:
			if !ok {
				flush()
				return
			}
			for i := range x.batch {
				m := &x.batch[i]
				if b == nil {
					b = &block{next: map[int]int64{}, written: make(chan struct{}), free: free}
					select {
					case b.contents = <-free:
					default:
						b.contents = p.newContents()
					}
					timer.Reset(p.cfg.MaxDelay)
				}
				if n := b.contents.add(m); n > 0 {
					p.metrics.deadLetters.Add(float64(n))
					dead.add(n, m)
				}
				b.next[m.Partition] = m.Offset + 1
				if rows, bytes := size(b.contents); rows >= p.cfg.MaxRows || bytes >= p.cfg.MaxBytes {
					flush()
				}
			}
			close(x.done)
		}
	}
}

// deadLog tells of dead letters once a second at most: a flood of them must not become a flood of lines.
type deadLog struct {
	log    *slog.Logger
	last   time.Time
	pieces int // since then
}

func (d *deadLog) add(n int, m *bus.Message) {
	d.pieces += n
	if now := time.Now(); now.Sub(d.last) >= time.Second {
		d.log.Warn("what can't be read went to the table dead_letters", "pieces", d.pieces, "last_partition", m.Partition, "last_offset", m.Offset)
		d.last, d.pieces = now, 0
	}
}

// write brings a block's rows to their tables, trying until it succeeds or drain ends.
func (p *pipeline) write(drain context.Context, b *block) {
	defer close(b.written)
	for _, t := range b.contents.blocks() {
		if t.Rows() == 0 {
			continue
		}
		err := p.retry(drain, "insert", func() error {
			ctx, cancel := context.WithTimeout(drain, p.common.InsertTimeout)
			defer cancel()
			start := time.Now()
			if err := p.store.Insert(ctx, t); err != nil {
				return err
			}
			p.metrics.insert.Observe(time.Since(start).Seconds())
			return nil
		})
		if err != nil {
			b.failed = err
			return
		}
		p.metrics.rows(t.Table(), t.Rows())
		t.Reset()
	}
	select {
	case b.free <- b.contents:
	default:
	}
	b.contents = nil
}

// commitAll commits the blocks in their order. After one that was given up nothing more is committed: a partition's
// offset stands for all before it.
func (p *pipeline) commitAll(drain context.Context, order <-chan *block) (err error) {
	for b := range order {
		<-b.written
		p.metrics.pending.Dec()
		if err == nil {
			err = b.failed
		}
		if err != nil {
			continue
		}
		err = p.retry(drain, "commit", func() error {
			return p.source.CommitOffsets(drain, p.cfg.Group, p.cfg.Topic, b.next)
		})
		if err == nil {
			p.metrics.blocks.Inc()
		}
	}
	return err
}

// retry calls f until it succeeds or ctx ends, and waits longer each time.
func (p *pipeline) retry(ctx context.Context, operation string, f func() error) error {
	counter := map[string]interface{ Inc() }{"insert": p.metrics.retryInsert, "commit": p.metrics.retryCommit, "read": p.metrics.retryRead}[operation]
	for wait := p.common.RetryMin; ; wait = min(2*wait, p.common.RetryMax) {
		err := f()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w (last: %w)", context.Cause(ctx), err)
		}
		counter.Inc()
		p.log.Warn("trying again", "operation", operation, "err", err, "wait", wait)
		if !pause(ctx, wait/2+rand.N(wait/2+1)) {
			return fmt.Errorf("%w (last: %w)", context.Cause(ctx), err)
		}
	}
}

// pause waits d and reports whether ctx is still good.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// readAll reads every partition from where the group stands, looks for new ones, and keeps the lag, until ctx ends.
func (p *pipeline) readAll(ctx context.Context, pieces chan<- piece) {
	var readers sync.WaitGroup
	defer readers.Wait()
	known := map[int]bool{}
	for {
		var first, next, committed map[int]int64
		err := p.retry(ctx, "read", func() (err error) {
			if first, next, err = p.source.Bounds(ctx, p.cfg.Topic); err != nil {
				return err
			}
			committed, err = p.source.CommittedOffsets(ctx, p.cfg.Group, p.cfg.Topic)
			return err
		})
		if err != nil {
			return // ctx ended
		}
		for partition := range maps.Keys(first) {
			from, ok := committed[partition]
			if !ok || from < 0 {
				from = first[partition]
			}
			p.metrics.lag(partition, next[partition]-from)
			if known[partition] {
				continue
			}
			known[partition] = true
			if from > next[partition] {
				// Nothing that is there may be passed over, and what is written twice is there once.
				p.log.Error("the log ends before the committed offset: it is not the log that was read before; reading from its beginning",
					"partition", partition, "committed", from, "end", next[partition])
				from = first[partition]
			}
			readers.Go(func() { p.read(ctx, partition, from, pieces) })
		}
		if !pause(ctx, p.common.PollInterval) {
			return
		}
	}
}

// read hands over one partition until ctx ends. Where reading breaks it begins again after what was handed over.
func (p *pipeline) read(ctx context.Context, partition int, from int64, pieces chan<- piece) {
	for ctx.Err() == nil {
		p.retry(ctx, "read", func() error {
			err := p.source.Consume(ctx, p.cfg.Topic, partition, from, func(ctx context.Context, batch []bus.Message) error {
				if len(batch) == 0 {
					return nil
				}
				x := piece{batch, make(chan struct{})}
				select {
				case pieces <- x:
				case <-ctx.Done():
					return ctx.Err()
				}
				<-x.done // the gatherer has it and always answers
				from = batch[len(batch)-1].Offset + 1
				return nil
			})
			if err == nil && ctx.Err() == nil {
				return errors.New("the log ended the reading")
			}
			return err
		})
	}
}
