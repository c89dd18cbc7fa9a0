package worker

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"lushao/internal/bus"
)

// A checkpoint is the whole state of a partition's engine and the offset that it stands at. Partition p of the compacted
// topic "checkpoints" holds that of partition p of the events:
//
//	key "A/0", "A/1", … or "B/0", …   generation u64, writer u64, state (detect.Engine.AppendState)
//	key "A" or "B"                    the commit record, JSON, written after all its chunks are acknowledged
//
// The two slots are written in turn, so that a crash in the middle of one leaves the other whole. Chunks count only with the
// generation and the writer that their commit record names: a worker that lost its partition and writes a moment longer
// spoils at most the slot that it writes, and the other one is older but right.
type commitRecord struct {
	Generation uint64 `json:"generation"`
	Writer     uint64 `json:"writer"` // random
	Slot       string `json:"slot"`
	Chunks     int    `json:"chunks"`
	Offset     int64  `json:"offset"` // next of the events
	Vehicles   int    `json:"vehicles"`
}

type savedState struct {
	commitRecord
	chunks [][]byte
}

// slotCycle says what the next checkpoint is called.
type slotCycle struct {
	generation uint64
	slot       string
	writer     uint64
}

func (s *slotCycle) after(c commitRecord) { s.generation, s.slot = c.Generation, c.Slot }

func (s *slotCycle) advance() {
	if s.writer == 0 {
		s.writer = rand.Uint64() | 1
	}
	s.generation++
	if s.slot == "A" {
		s.slot = "B"
	} else {
		s.slot = "A"
	}
}

const (
	chunkSize   = 512 << 10 // below the 1 MiB that brokers take by default
	chunkHeader = 16
)

// checkpoint writes the state if there is anything new, and commits the offset: from then on the log may drop what is
// before it.
func (p *partition) checkpoint(ctx context.Context) error {
	begun := time.Now()
	p.savedAt = begun
	if p.next == p.saved {
		return nil
	}
	p.slots.advance()
	s := p.slots
	c := commitRecord{Generation: s.generation, Writer: s.writer, Slot: s.slot, Offset: p.next, Vehicles: p.engine.Vehicles()}
	size := 0
	for from, first := 0, true; first || from < p.engine.Vehicles(); first = false {
		b := binary.LittleEndian.AppendUint64(nil, s.generation)
		b = binary.LittleEndian.AppendUint64(b, s.writer)
		b, from = p.engine.AppendState(b, from, chunkSize)
		size += len(b)
		err := p.bus.WriteKeyed(ctx, CheckpointsTopic, bus.KeyedMessage{Partition: p.number, Key: fmt.Appendf(nil, "%s/%d", s.slot, c.Chunks), Value: b})
		if err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		c.Chunks++
	}
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := p.bus.WriteKeyed(ctx, CheckpointsTopic, bus.KeyedMessage{Partition: p.number, Key: []byte(s.slot), Value: b}); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	p.saved = p.next
	if err := p.tellPlace(ctx); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := p.commit(ctx, map[int]int64{p.number: p.next}); err != nil {
		// The checkpoint is what counts; the committed offset only tells the log what it may drop.
		p.log.Warn("offset not committed", "partition", p.number, "err", err)
	}
	p.metrics.checkpointTime.Observe(time.Since(begun).Seconds())
	p.metrics.checkpointSize.WithLabelValues(fmt.Sprint(p.number)).Set(float64(size))
	return nil
}

// readCheckpoint returns the newest checkpoint of which all is there, or errNoState.
func (p *partition) readCheckpoint(ctx context.Context) (*savedState, error) {
	first, end, err := p.bus.Bounds(ctx, CheckpointsTopic)
	if err != nil {
		return nil, err
	}
	latest := map[string][]byte{}
	err = p.bus.ReadPartition(ctx, CheckpointsTopic, p.number, first[p.number], end[p.number], func(m bus.Message) error {
		latest[string(m.Key)] = m.Value
		return nil
	})
	if err != nil {
		return nil, err
	}
	return newestWhole(latest, func(slot string, err error) {
		p.log.Warn("a checkpoint is not whole; using the one before", "partition", p.number, "slot", slot, "err", err)
	})
}

func newestWhole(latest map[string][]byte, spoiled func(slot string, err error)) (*savedState, error) {
	var best *savedState
	for _, slot := range [...]string{"A", "B"} {
		b, ok := latest[slot]
		if !ok {
			continue
		}
		s, err := wholeState(slot, b, latest)
		if err != nil {
			spoiled(slot, err)
			continue
		}
		if best == nil || s.Generation > best.Generation {
			best = s
		}
	}
	if best == nil {
		return nil, errNoState
	}
	return best, nil
}

func wholeState(slot string, commit []byte, latest map[string][]byte) (*savedState, error) {
	s := &savedState{}
	if err := json.Unmarshal(commit, &s.commitRecord); err != nil {
		return nil, fmt.Errorf("commit record: %w", err)
	}
	s.Slot = slot
	for i := range s.Chunks {
		b := latest[fmt.Sprintf("%s/%d", slot, i)]
		if len(b) < chunkHeader || binary.LittleEndian.Uint64(b) != s.Generation || binary.LittleEndian.Uint64(b[8:]) != s.Writer {
			return nil, fmt.Errorf("chunk %d of %d is missing or another checkpoint's", i, s.Chunks)
		}
		s.chunks = append(s.chunks, b[chunkHeader:])
	}
	return s, nil
}
