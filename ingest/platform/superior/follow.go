package superior

import (
	"context"
	"errors"

	"lushao/internal/bus"
)

// Source is a topic of the log that is read by partition, as of package inferior, whose BusSource is one.
type Source interface {
	Bounds(ctx context.Context) (first, next map[int]int64, err error)
	Committed(ctx context.Context, group string) (map[int]int64, error)
	Commit(ctx context.Context, group string, next map[int]int64) error
	Follow(ctx context.Context, partition int, offset int64, fn func(ctx context.Context, batch []bus.Message) error) error
}

// Supervised are the violations of a topic, from where its group has come to; at first from what is written from then on,
// because violations of before nobody was to supervise.
type Supervised struct {
	Source Source
	Group  string
}

var _ Violations = (*Supervised)(nil)

// Follow implements Violations: an offset is committed when its records were taken. fn is called by one goroutine for each
// partition; the records of one violation are in one.
func (f *Supervised) Follow(ctx context.Context, fn func(ctx context.Context, record []byte) error) error {
	first, next, err := f.Source.Bounds(ctx)
	if err != nil {
		return err
	}
	committed, err := f.Source.Committed(ctx, f.Group)
	if err != nil {
		return err
	}
	from := map[int]int64{}
	for partition, end := range next {
		from[partition] = end
		if at, ok := committed[partition]; ok && at >= 0 && at <= end {
			from[partition] = max(at, first[partition])
		}
	}
	// So that what is written while this process is away is found later.
	if err := f.Source.Commit(ctx, f.Group, from); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, len(from))
	for partition, offset := range from {
		go func() {
			done <- f.Source.Follow(ctx, partition, offset, func(ctx context.Context, batch []bus.Message) error {
				for i := range batch {
					if len(batch[i].Value) == 0 {
						continue
					}
					if err := fn(ctx, batch[i].Value); err != nil {
						return err
					}
				}
				if len(batch) == 0 {
					return nil
				}
				return f.Source.Commit(ctx, f.Group, map[int]int64{partition: batch[len(batch)-1].Offset + 1})
			})
		}()
	}
	var failed error
	for range from {
		err := <-done
		cancel() // one partition alone is not what was asked for
		failed = errors.Join(failed, err)
	}
	return failed
}
