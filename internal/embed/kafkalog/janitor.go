package kafkalog

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// keepRetention takes retention out of what clients set on topics: the broker would obey it at once, past groups that still need the
// records, and down to the last one, after which a partition starts again at offset 0. Retention is the janitor's alone.
func (l *Log) keepRetention() {
	ours := func(topic, key string) bool {
		if key != "retention.ms" && key != "retention.bytes" {
			return false
		}
		l.log.Debug("topic setting not used by the embedded log; its own retain_age and retain_bytes are", "topic", topic, "setting", key)
		return true
	}
	l.broker.ControlKey(kmsg.CreateTopics.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		topics := r.(*kmsg.CreateTopicsRequest).Topics
		for i := range topics {
			t := &topics[i]
			t.Configs = slices.DeleteFunc(t.Configs, func(c kmsg.CreateTopicsRequestTopicConfig) bool { return ours(t.Topic, c.Name) })
		}
		return nil, nil, false
	})
	l.broker.ControlKey(kmsg.AlterConfigs.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		resources := r.(*kmsg.AlterConfigsRequest).Resources
		for i := range resources {
			t := &resources[i]
			t.Configs = slices.DeleteFunc(t.Configs, func(c kmsg.AlterConfigsRequestResourceConfig) bool { return ours(t.ResourceName, c.Name) })
		}
		return nil, nil, false
	})
	l.broker.ControlKey(kmsg.IncrementalAlterConfigs.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		resources := r.(*kmsg.IncrementalAlterConfigsRequest).Resources
		for i := range resources {
			t := &resources[i]
			t.Configs = slices.DeleteFunc(t.Configs, func(c kmsg.IncrementalAlterConfigsRequestResourceConfig) bool { return ours(t.ResourceName, c.Name) })
		}
		return nil, nil, false
	})
}

// janitor trims the log until ctx ends.
func (l *Log) janitor(ctx context.Context) {
	defer close(l.done)
	ticker := time.NewTicker(l.cfg.TrimInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			l.trim(ctx)
		}
	}
}

// trim is one pass over all partitions.
func (l *Log) trim(ctx context.Context) {
	partitions, err := listPartitions(l.dir)
	if err != nil {
		l.log.Error("embedded log: the janitor cannot list the partitions; nothing is trimmed", "error", err)
		return
	}
	count := map[string]int{}
	for _, p := range partitions {
		count[p.topic]++
	}
	l.compactIfWorth(ctx, partitions)
	bytes, held := map[string]int64{}, map[string]int64{}
	for _, p := range partitions {
		if ctx.Err() != nil {
			return
		}
		kept, late, err := l.trimPartition(p, count[p.topic])
		if err != nil {
			l.log.Error("embedded log: a partition was not trimmed", "topic", p.topic, "partition", p.number, "error", err)
		}
		bytes[p.topic] += kept
		held[p.topic] += late
	}
	for topic, n := range bytes {
		l.metrics.bytes.WithLabelValues(topic).Set(float64(n))
		l.metrics.held.WithLabelValues(topic).Set(float64(held[topic]))
	}
}

// trimPartition removes the segments of a partition that retention no longer wants and no group needs. It returns the bytes that stay,
// and those of them that a group holds against retention.
//
// It trims to the beginnings of segments only. Space comes free by whole files anyway, and a beginning is what the broker finds again
// after a kill -9. The last record always stays: a partition without segments would start again at offset 0.
func (l *Log) trimPartition(p partitionDir, partitions int) (kept, held int64, err error) {
	info := l.broker.PartitionInfo(p.topic, p.number)
	if info == nil {
		return 0, 0, nil // deleted meanwhile
	}
	number := strconv.Itoa(int(p.number))
	l.metrics.start.WithLabelValues(p.topic, number).Set(float64(info.LogStartOffset))
	l.metrics.next.WithLabelValues(p.topic, number).Set(float64(info.HighWatermark))
	segments, err := listSegments(p.path)
	if err != nil || len(segments) == 0 {
		return 0, 0, err
	}
	for _, s := range segments {
		kept += s.bytes
	}
	if l.compacted(p.topic) {
		return kept, 0, nil
	}
	unwanted := l.unwanted(segments, kept, partitions)
	free := l.needed(p, info.LogStartOffset, info.HighWatermark)
	var gone int64
	to := info.LogStartOffset
	for i := range unwanted {
		if end := segments[i+1].base; end <= free {
			to = max(to, end)
			gone += segments[i].bytes
		} else {
			held += segments[i].bytes
		}
	}
	if to == info.LogStartOffset {
		return kept, held, nil
	}
	if err := l.broker.DeleteRecords(p.topic, p.number, to); err != nil {
		return kept, held, err
	}
	l.metrics.trims.Inc()
	l.metrics.trimmed.Add(float64(gone))
	l.metrics.start.WithLabelValues(p.topic, number).Set(float64(to))
	l.log.Debug("trimmed", "topic", p.topic, "partition", p.number, "start", to, "bytes", gone)
	return kept - gone, held, nil
}

// unwanted counts the segments from the first that are over the limits. The last one, which is written to, never is.
func (l *Log) unwanted(segments []segment, total int64, partitions int) int {
	n := 0
	for n < len(segments)-1 {
		s := segments[n]
		old := l.cfg.RetainAge > 0 && l.now().Sub(s.written) > l.cfg.RetainAge
		large := l.cfg.RetainBytes > 0 && total > l.cfg.RetainBytes/int64(partitions)
		if !old && !large {
			break
		}
		total -= s.bytes
		n++
	}
	return n
}

// needed is the first offset that must stay: that of the slowest follower, or of the last record.
func (l *Log) needed(p partitionDir, start, next int64) int64 {
	l.mu.Lock()
	groups := slices.Clone(l.followers[p.topic])
	l.mu.Unlock()
	free := next - 1
	for _, name := range groups {
		group := l.broker.GroupInfo(name)
		if group == nil {
			return start
		}
		commit, ok := group.Commits[p.topic][p.number]
		if !ok || commit.Offset < 0 {
			return start
		}
		free = min(free, commit.Offset)
	}
	return free
}
