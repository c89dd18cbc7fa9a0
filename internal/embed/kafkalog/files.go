package kafkalog

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How the broker lays out its folder: partitions/<topic, path-escaped>-<partition>/<first offset>.dat and .idx.

// partitionDir is the folder of a partition. Partitions that were never written to have none.
type partitionDir struct {
	topic  string
	number int32
	path   string
}

func listPartitions(dir string) ([]partitionDir, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "partitions"))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []partitionDir
	for _, e := range entries {
		i := strings.LastIndexByte(e.Name(), '-')
		if i < 0 || !e.IsDir() {
			continue
		}
		topic, err1 := url.PathUnescape(e.Name()[:i])
		number, err2 := strconv.ParseInt(e.Name()[i+1:], 10, 32)
		if err1 != nil || err2 != nil {
			continue
		}
		list = append(list, partitionDir{topic: topic, number: int32(number), path: filepath.Join(dir, "partitions", e.Name())})
	}
	return list, nil
}

// segment is a file of a partition.
type segment struct {
	base    int64 // first offset
	bytes   int64
	written time.Time // last write: when its newest record came
}

func (s segment) name(dir, suffix string) string {
	return filepath.Join(dir, strconv.FormatInt(s.base, 10)+suffix)
}

// listSegments returns the segments of a partition's folder by offset.
func listSegments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []segment
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".dat")
		base, err := strconv.ParseInt(name, 10, 64)
		if !ok || err != nil || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if os.IsNotExist(err) {
			continue // trimmed meanwhile
		}
		if err != nil {
			return nil, err
		}
		list = append(list, segment{base: base, bytes: info.Size(), written: info.ModTime()})
	}
	slices.SortFunc(list, func(a, b segment) int { return int(min(1, max(-1, a.base-b.base))) })
	return list, nil
}

// bytesOf is what the segments of a partition's folder take.
func bytesOf(dir string) (sum int64, err error) {
	segments, err := listSegments(dir)
	for _, s := range segments {
		sum += s.bytes
	}
	return sum, err
}
