package kafkalog

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"
)

// After a kill -9 the broker has no snapshots of its partitions, reads every record of the log and holds all of them in memory at once
// while it starts: 4 GB of log would take 4 GB, and a machine that was killed for its memory would be killed again. Here the snapshots are
// written before it starts, from the headers of the batches; with them it reads a segment at a time.

// snapshotVersion is the version of the broker's files that this knows. With another one it is left to the broker.
const snapshotVersion = 1

// snapshot is the broker's snapshot.json of a partition.
type snapshot struct {
	Version          int               `json:"version"`
	HighWatermark    int64             `json:"high_watermark"`
	LastStableOffset int64             `json:"last_stable_offset"`
	LogStartOffset   int64             `json:"log_start_offset"`
	Epoch            int32             `json:"epoch"`
	MaxTimestamp     int64             `json:"max_timestamp"`
	CreatedAt        time.Time         `json:"created_at"`
	Segments         []snapshotSegment `json:"segments"`
}

type snapshotSegment struct {
	BaseOffset int64 `json:"base_offset"`
	Size       int64 `json:"size"`
	MinEpoch   int32 `json:"min_epoch,omitempty"`
	MaxEpoch   int32 `json:"max_epoch,omitempty"`
}

// errForeign: something that lushao does not write (transactions), or a hole in the middle of the log. The broker has its own way.
var errForeign = errors.New("left to the broker")

// recover writes the snapshots that are missing or out of date, and cuts off what a kill left half written.
func (l *Log) recover() error {
	raw, err := os.ReadFile(filepath.Join(l.dir, "meta.json"))
	if os.IsNotExist(err) {
		return nil // a new log
	}
	if err != nil {
		return err
	}
	var meta struct{ Version int }
	if err := json.Unmarshal(raw, &meta); err != nil {
		return fmt.Errorf("%s: %w; put the file back from a backup, or start with an empty folder", filepath.Join(l.dir, "meta.json"), err)
	}
	if meta.Version != snapshotVersion {
		l.log.Warn("embedded log: files of another version; the start may take as much memory as the log is long", "version", meta.Version, "known", snapshotVersion)
		return nil
	}
	partitions, err := listPartitions(l.dir)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	turns, errs := make(chan struct{}, runtime.NumCPU()), make([]error, len(partitions))
	for i, p := range partitions {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			err := recoverPartition(p.path)
			if errors.Is(err, errForeign) {
				l.log.Warn("embedded log: a partition is read whole", "topic", p.topic, "partition", p.number, "why", err)
			} else if err != nil {
				errs[i] = fmt.Errorf("%s: %w", p.path, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func recoverPartition(dir string) error {
	segments, err := listSegments(dir)
	if err != nil || len(segments) == 0 {
		return err
	}
	name := filepath.Join(dir, "snapshot.json")
	var old snapshot
	if raw, err := os.ReadFile(name); err == nil && json.Unmarshal(raw, &old) == nil && old.matches(segments) {
		return nil
	}
	s := snapshot{Version: snapshotVersion, LogStartOffset: segments[0].base, HighWatermark: segments[0].base, CreatedAt: segments[0].written}
	for i, seg := range segments {
		last := i == len(segments)-1
		if err := s.scan(dir, seg, last); err != nil {
			return err
		}
	}
	s.LastStableOffset = s.HighWatermark
	if old.LogStartOffset > s.LogStartOffset && old.LogStartOffset <= s.HighWatermark {
		s.LogStartOffset = old.LogStartOffset
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return writeDurably(name, raw)
}

func (s snapshot) matches(segments []segment) bool {
	return s.Version == snapshotVersion && slices.EqualFunc(s.Segments, segments, func(a snapshotSegment, b segment) bool { return a.BaseOffset == b.base && a.Size == b.bytes })
}

// The header of a record batch (Kafka protocol guide, "Record Batch", magic 2), by offsets.
const (
	batchLength      = 8  // int32, counted from behind it
	batchEpoch       = 12 // int32
	batchCRC         = 17 // CRC-32C of everything behind it
	batchAttributes  = 21 // int16: 0x10 transactional, 0x20 control
	batchLastDelta   = 23 // int32
	batchFirstTime   = 27 // int64, Unix ms
	batchMaxTime     = 35 // int64, Unix ms
	batchHeaderBytes = 61

	attributesForeign = 0x30
	maxBatchBytes     = 1 << 30 // the broker's own bound
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// scan adds a segment. The last one is checked record batch by record batch, and cut behind its last whole one: it is the one that a
// kill may have caught.
func (s *snapshot) scan(dir string, seg segment, last bool) error {
	f, err := os.OpenFile(seg.name(dir, ".dat"), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 64<<10)
	header := make([]byte, batchHeaderBytes)
	position, batches := int64(0), int64(0)
	out := snapshotSegment{BaseOffset: seg.base}
	for position < seg.bytes {
		size, err := readBatch(r, header, seg.bytes-position, last)
		if err != nil {
			if !last || !errors.Is(err, errTorn) {
				return fmt.Errorf("%s at byte %d: %w", filepath.Base(f.Name()), position, err)
			}
			if err := f.Truncate(position); err != nil {
				return err
			}
			if err := f.Sync(); err != nil {
				return err
			}
			break
		}
		first := int64(binary.BigEndian.Uint64(header))
		if first < s.HighWatermark { // a gap is what compaction leaves; going back is not
			return fmt.Errorf("%w: %s at byte %d has offset %d after %d", errForeign, filepath.Base(f.Name()), position, first, s.HighWatermark)
		}
		epoch := int32(binary.BigEndian.Uint32(header[batchEpoch:]))
		if batches == 0 {
			out.MinEpoch = epoch
			if len(s.Segments) == 0 {
				s.CreatedAt = time.UnixMilli(int64(binary.BigEndian.Uint64(header[batchFirstTime:])))
			}
		}
		out.MaxEpoch, s.Epoch = epoch, epoch
		s.HighWatermark = first + int64(binary.BigEndian.Uint32(header[batchLastDelta:])) + 1
		s.MaxTimestamp = max(s.MaxTimestamp, int64(binary.BigEndian.Uint64(header[batchMaxTime:])))
		position += size
		batches++
	}
	out.Size = position
	s.Segments = append(s.Segments, out) // the broker cuts the index beside it by itself
	return nil
}

// errTorn: the rest of a segment is no whole batch.
var errTorn = fmt.Errorf("%w: a batch is cut or damaged", errForeign)

// readBatch reads the header of a batch, checks its body where check says so, and leaves r behind it. rest is what the file still holds.
func readBatch(r *bufio.Reader, header []byte, rest int64, check bool) (size int64, err error) {
	if rest < batchHeaderBytes {
		return 0, errTorn
	}
	if _, err := io.ReadFull(r, header); err != nil {
		return 0, err
	}
	length := int64(binary.BigEndian.Uint32(header[batchLength:]))
	size = batchLength + 4 + length
	if length > maxBatchBytes || size < batchHeaderBytes || size > rest {
		return 0, errTorn
	}
	if binary.BigEndian.Uint16(header[batchAttributes:])&attributesForeign != 0 {
		return 0, fmt.Errorf("%w: a transaction", errForeign)
	}
	body := size - batchHeaderBytes
	if !check {
		_, err := r.Discard(int(body))
		return size, err
	}
	sum := crc32.New(castagnoli)
	sum.Write(header[batchAttributes:])
	if _, err := io.CopyN(sum, r, body); err != nil {
		return 0, err
	}
	if sum.Sum32() != binary.BigEndian.Uint32(header[batchCRC:]) {
		return 0, errTorn
	}
	return size, nil
}

// writeDurably replaces a file by one rename; a crash leaves the old or the new one.
func writeDurably(name string, content []byte) error {
	f, err := os.OpenFile(name+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(name+".tmp", name)
}
