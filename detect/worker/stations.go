package worker

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// toldAgain is how long a station at fault is not told of again.
const toldAgain = time.Hour

// unregistered is the label of all stations that are not in the register: who may send weighings could name any.
const unregistered = "unregistered"

// stationFaults tells staff of stations whose place or clock is wrong: too many vehicles in conflict with them within an hour. A gauge for
// each station of the register, and a line in the program's log once a station and hour.
type stationFaults struct {
	log   *slog.Logger
	gauge *prometheus.GaugeVec
	now   func() time.Time

	mu     sync.Mutex
	counts map[int]map[string]uint64 // conflicts by partition and station
	told   map[string]time.Time
}

func newStationFaults(log *slog.Logger, gauge *prometheus.GaugeVec) *stationFaults {
	return &stationFaults{log: log, gauge: gauge, now: time.Now, counts: map[int]map[string]uint64{}, told: map[string]time.Time{}}
}

// set takes what a partition's engine has counted; nil when the partition is another's now. registered says whether a station is in the
// register.
func (s *stationFaults) set(partition int, counts map[string]uint64, registered func(station string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.counts[partition]
	if maps.Equal(before, counts) {
		return
	}
	if s.counts[partition] = counts; counts == nil {
		delete(s.counts, partition)
	}
	sums := map[string]uint64{}
	for _, of := range s.counts {
		for station, n := range of {
			sums[station] += n
		}
	}
	s.gauge.Reset()
	for station, n := range sums {
		label := station
		if !registered(station) {
			label = unregistered
		}
		s.gauge.WithLabelValues(label).Add(float64(n))
	}
	now := s.now()
	maps.DeleteFunc(s.told, func(_ string, at time.Time) bool { return now.Sub(at) >= toldAgain })
	for _, station := range slices.Sorted(maps.Keys(counts)) {
		if _, told := s.told[station]; told || counts[station] <= before[station] {
			continue
		}
		s.told[station] = now
		s.log.Warn("a weigh station contradicts the positions of too many vehicles within an hour, which is held against none of them: check its clock, and its place in stations.csv",
			"station", station, "conflicts", sums[station], "registered", registered(station))
	}
}
