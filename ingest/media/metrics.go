package media

import "github.com/prometheus/client_golang/prometheus"

// Why a file was not taken.
const (
	refusedTooLarge = "too_large"
	refusedVehicle  = "max_vehicle_day"
	refusedFull     = "max_total"
	refusedDiskFull = "disk_full"
	refusedError    = "error"
)

var refusals = []string{refusedTooLarge, refusedVehicle, refusedFull, refusedDiskFull, refusedError}

type metrics struct {
	stored, repeated prometheus.Counter
	storedBytes      prometheus.Counter
	refused          map[string]prometheus.Counter
	removedDays      prometheus.Counter
	bytes            prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	files := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_media_files_total", Help: "Files that terminals sent and that are on the disk, by result: stored, or repeated where the same was there."}, []string{"result"})
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lushao_media_refused_files_total", Help: "Files that were not taken, by reason."}, []string{"reason"})
	m := &metrics{stored: files.WithLabelValues("stored"), repeated: files.WithLabelValues("repeated"), refused: map[string]prometheus.Counter{},
		storedBytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_media_stored_bytes_total", Help: "Bytes of the files that were stored."}),
		removedDays: prometheus.NewCounter(prometheus.CounterOpts{Name: "lushao_media_removed_days_total", Help: "Days whose files were removed, by age or to make room."}),
		bytes:       prometheus.NewGauge(prometheus.GaugeOpts{Name: "lushao_media_bytes", Help: "Bytes on the disk of all files, in whole blocks, with their metadata."})}
	for _, r := range refusals {
		m.refused[r] = refused.WithLabelValues(r)
	}
	reg.MustRegister(files, refused, m.storedBytes, m.removedDays, m.bytes)
	return m
}
