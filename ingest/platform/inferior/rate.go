package inferior

import (
	"sync"
	"time"
)

// rate counts by second over the last minute.
type rate struct {
	mu      sync.Mutex
	seconds [60]uint64
	last    int64 // Unix s of the newest
}

func (r *rate) add(now time.Time, n uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.move(now.Unix())
	r.seconds[r.last%60] += n
}

// perSecond is the mean of the last minute.
func (r *rate) perSecond(now time.Time) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.move(now.Unix())
	var sum uint64
	for _, n := range r.seconds {
		sum += n
	}
	return float64(sum) / 60
}

// move clears the seconds between the last one and now. mu is held.
func (r *rate) move(now int64) {
	if now-r.last >= 60 {
		clear(r.seconds[:])
		r.last = now
	}
	for r.last < now {
		r.last++
		r.seconds[r.last%60] = 0
	}
}
