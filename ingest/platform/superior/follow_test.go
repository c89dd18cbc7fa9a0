package superior

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"

	"lushao/internal/bus"
)

// topic is a topic of two partitions in memory that ends a reader when it has read all.
type topic struct {
	mu        sync.Mutex
	first     map[int]int64
	messages  map[int][]bus.Message
	committed map[int]int64
	commitErr error
}

func (s *topic) Bounds(context.Context) (first, next map[int]int64, err error) {
	next = map[int]int64{}
	for p := range s.messages {
		next[p] = int64(len(s.messages[p]))
	}
	return s.first, next, nil
}

func (s *topic) Committed(context.Context, string) (map[int]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.committed), nil
}

func (s *topic) Commit(_ context.Context, _ string, next map[int]int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.Copy(s.committed, next)
	return s.commitErr
}

func (s *topic) Follow(ctx context.Context, p int, offset int64, fn func(ctx context.Context, batch []bus.Message) error) error {
	if rest := s.messages[p][offset:]; len(rest) > 0 {
		return fn(ctx, rest)
	}
	return nil
}

func (s *topic) write(p int, values ...string) {
	for _, v := range values {
		s.messages[p] = append(s.messages[p], bus.Message{Partition: p, Offset: int64(len(s.messages[p])), Value: []byte(v)})
	}
}

func TestSupervisedBeginsAtTheEndAndGoesOnAfterwards(t *testing.T) {
	s := &topic{first: map[int]int64{0: 0, 1: 0}, messages: map[int][]bus.Message{}, committed: map[int]int64{0: -1, 1: -1}}
	s.write(0, "old")
	s.write(1, "old")
	f := &Supervised{Source: s, Group: "supervise"}
	var mu sync.Mutex
	var got []string
	take := func(_ context.Context, record []byte) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, string(record))
		return nil
	}
	if err := f.Follow(t.Context(), take); err != nil || len(got) != 0 {
		t.Fatalf("%v, %q", err, got)
	}
	s.write(0, "a", "", "b") // an empty one is a deleted key
	if err := f.Follow(t.Context(), take); err != nil || len(got) != 2 || got[0] != "a" || got[1] != "b" {
		t.Fatalf("%v, %q", err, got)
	}
	if s.committed[0] != 4 || s.committed[1] != 1 {
		t.Errorf("%v", s.committed)
	}
	// A record that is not taken comes again.
	s.write(1, "c")
	refused := errors.New("refused")
	if err := f.Follow(t.Context(), func(context.Context, []byte) error { return refused }); !errors.Is(err, refused) {
		t.Error(err)
	}
	if err := f.Follow(t.Context(), take); err != nil || len(got) != 3 || got[2] != "c" {
		t.Fatalf("%v, %q", err, got)
	}
	// What the log has dropped is passed over.
	s.committed[0], s.first[0] = 1, 3
	if err := f.Follow(t.Context(), take); err != nil || len(got) != 4 || got[3] != "b" {
		t.Fatalf("%v, %q", err, got)
	}
}
