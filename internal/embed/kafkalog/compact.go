package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The broker compacts a topic in place: it removes the segments and writes them again. A kill -9, or a full disk, in between would lose
// what the topic is for. So the broker never does it by itself here. The janitor asks for it, and holds on to the old files by hard links
// until the new ones are whole; where it was interrupted, Open puts the old ones back. That is right only if nothing was appended
// between the links and the end of the compaction: all of it runs inside the handling of one request, and the broker handles one at a
// time.

// Below DataDir: linking holds links that are being made, compacting those of a compaction under way, compacted those that are no
// longer needed. A rename from one to the next is one step, whatever dies.
const (
	linkingName    = "linking"
	compactingName = "compacting"
	compactedName  = "compacted"
)

// compactWorth: a topic is compacted when it has grown to twice of what the last compaction left, and by this much.
const compactWorth = 1 << 20

// compactIfWorth is a step of the janitor's pass.
func (l *Log) compactIfWorth(ctx context.Context, partitions []partitionDir) {
	bytes := int64(0)
	for _, p := range partitions {
		if l.compacted(p.topic) {
			n, err := bytesOf(p.path)
			if err != nil {
				l.log.Error("embedded log: the size of a compacted topic is not known", "topic", p.topic, "error", err)
				return
			}
			bytes += n
		}
	}
	if bytes < 2*l.compactedBytes+compactWorth || l.now().Sub(l.compactedAt) < l.cfg.CompactInterval {
		return
	}
	if err := l.compact(ctx, bytes); err != nil {
		l.log.Error("embedded log: the compacted topics were not cleaned; they go on growing until it succeeds", "error", err)
	}
}

// compacted reports whether the broker's cleaner, and not retention, rules a topic.
func (l *Log) compacted(topic string) bool {
	info := l.broker.TopicInfo(topic)
	if info == nil {
		return false
	}
	policy := info.Configs["cleanup.policy"]
	return policy != nil && strings.Contains(*policy, "compact")
}

// compact cleans the compacted topics, of so many bytes together. The broker answers nobody else meanwhile.
func (l *Log) compact(ctx context.Context, bytes int64) error {
	l.compactedAt = l.now()
	// The new files stand beside the old ones for a while.
	free, err := freeBytes(l.dir)
	if err != nil {
		return err
	}
	if free < bytes+compactWorth {
		return fmt.Errorf("the disk of %s has %d bytes free, %d are needed; free some", l.dir, free, bytes+compactWorth)
	}
	start := time.Now()
	if err := l.ask(ctx, compactRequest); err != nil {
		return err
	}
	select {
	case done := <-l.compactions:
		if done.err != nil {
			return done.err
		}
		l.compactedBytes = done.bytes
	default:
		return errors.New("the broker did not take the request")
	}
	l.metrics.compactions.Inc()
	l.log.Debug("compacted", "from_bytes", bytes, "to_bytes", l.compactedBytes, "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// compaction is how one went: the bytes that are left.
type compaction struct {
	bytes int64
	err   error
}

// compactRequest is the name of a group that nobody has: the broker is asked to describe it, which takes its one thread.
const compactRequest = "\x00lushao compact"

// keepCompaction registers the handler of that request.
func (l *Log) keepCompaction() {
	l.broker.ControlKey(kmsg.DescribeGroups.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		req := r.(*kmsg.DescribeGroupsRequest)
		if len(req.Groups) == 1 && req.Groups[0] == compactRequest {
			var done compaction
			done.bytes, done.err = l.compactInside()
			select {
			case <-l.compactions: // of a request that nobody waited for
			default:
			}
			l.compactions <- done
		}
		return nil, nil, false // the broker answers: there is no such group
	})
}

// compactInside runs while the broker handles no request.
func (l *Log) compactInside() (left int64, err error) {
	all, err := listPartitions(l.dir)
	if err != nil {
		return 0, err
	}
	var partitions []partitionDir
	for _, p := range all {
		if l.compacted(p.topic) {
			partitions = append(partitions, p)
		}
	}
	linking, compacting, compacted := filepath.Join(l.cfg.DataDir, linkingName), filepath.Join(l.cfg.DataDir, compactingName), filepath.Join(l.cfg.DataDir, compactedName)
	if err := errors.Join(os.RemoveAll(linking), os.RemoveAll(compacted)); err != nil {
		return 0, err
	}
	next := map[partitionDir]int64{}
	for _, p := range partitions {
		if err := linkPartition(p.path, filepath.Join(linking, filepath.Base(p.path))); err != nil {
			return 0, err
		}
		if info := l.broker.PartitionInfo(p.topic, p.number); info != nil {
			next[p] = info.HighWatermark
		}
	}
	if len(next) == 0 {
		return 0, nil
	}
	if err := errors.Join(os.Rename(linking, compacting), syncDir(l.cfg.DataDir)); err != nil {
		return 0, err
	}
	l.broker.Compact()
	if l.afterCompact != nil {
		l.afterCompact()
	}
	for p, offset := range next {
		bytes, err := l.checkCompacted(p, filepath.Join(compacting, filepath.Base(p.path)), offset)
		if err != nil {
			l.refuseAll()
			return 0, fmt.Errorf("topic %s partition %d: %w; the log takes nothing more; free some disk and restart lushao: it puts the old files back",
				p.topic, p.number, err)
		}
		left += bytes
	}
	return left, errors.Join(os.Rename(compacting, compacted), os.RemoveAll(compacted))
}

// checkCompacted holds what the broker knows of a partition after its compaction against the files. It says nothing when a write fails.
func (l *Log) checkCompacted(p partitionDir, links string, next int64) (bytes int64, err error) {
	segments, err := listSegments(p.path)
	if err != nil {
		return 0, err
	}
	for _, s := range segments {
		bytes += s.bytes
	}
	if len(segments) > 0 {
		now, err1 := os.Stat(segments[0].name(p.path, ".dat"))
		before, err2 := os.Stat(segments[0].name(links, ".dat"))
		if err1 == nil && err2 == nil && os.SameFile(now, before) {
			return bytes, nil // the broker found nothing to do and left the files alone
		}
	}
	info := l.broker.PartitionInfo(p.topic, p.number)
	if info == nil || info.HighWatermark != next || info.NumBytes != bytes {
		return 0, fmt.Errorf("was not written whole: %d bytes on disk, broker has %+v", bytes, info)
	}
	return bytes, syncDir(p.path)
}

// refuseAll drops every connection that produces: what it would append would be lost when the old files come back.
func (l *Log) refuseAll() {
	l.broker.ControlKey(kmsg.Produce.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		l.broker.KeepControl()
		return nil, errors.New("the embedded log is damaged; restart lushao"), true
	})
}

// restore puts the files of an interrupted compaction back. It can be interrupted itself: the links stay until all is done.
func (l *Log) restore() error {
	compacting := filepath.Join(l.cfg.DataDir, compactingName)
	for _, name := range []string{linkingName, compactedName} {
		if err := os.RemoveAll(filepath.Join(l.cfg.DataDir, name)); err != nil {
			return err
		}
	}
	folders, err := os.ReadDir(compacting)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	l.log.Warn("embedded log: a compaction was interrupted; the files from before it are put back")
	for _, f := range folders {
		dir := filepath.Join(l.dir, "partitions", f.Name())
		files, err := os.ReadDir(dir)
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		for _, old := range files { // also snapshot.json: it belongs to the files that go
			if err := os.Remove(filepath.Join(dir, old.Name())); err != nil {
				return err
			}
		}
		if err := linkPartition(filepath.Join(compacting, f.Name()), dir); err != nil {
			return err
		}
	}
	return errors.Join(os.Rename(compacting, filepath.Join(l.cfg.DataDir, compactedName)), os.RemoveAll(filepath.Join(l.cfg.DataDir, compactedName)))
}

// linkPartition links the segments and indexes of one folder into another, and puts the links on disk.
func linkPartition(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, f := range files {
		if ext := filepath.Ext(f.Name()); ext == ".dat" || ext == ".idx" {
			if err := os.Link(filepath.Join(from, f.Name()), filepath.Join(to, f.Name())); err != nil {
				return err
			}
		}
	}
	return syncDir(to)
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// ask sends the broker a DescribeGroups request for the group and waits for the answer.
func (l *Log) ask(ctx context.Context, group string) error {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", l.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{group}
	if _, err := c.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("lushao")).AppendRequest(nil, req, 1)); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, 8)) // length and correlation id: it was handled
	return err
}
