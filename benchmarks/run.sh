#!/bin/sh
# The figures of README.md beside this file. BENCHTIME=1x runs each once, to see that it works.
set -eu
cd "$(dirname "$0")/.."
time=${BENCHTIME:-2s}
count=${COUNT:-1}
if [ "$time" = 1x ]; then positions=20000x platforms=200000x; else positions=400000x platforms=5000000x; fi

bench() { # PACKAGE PATTERN TIME
	echo "\$ go test $1 -run '^\$' -bench '$2' -benchtime $3 -count $count"
	go test "$1" -run '^$' -bench "$2" -benchtime "$3" -count "$count" 2>/dev/null | grep -E '^(Benchmark|cpu:|FAIL)|/s|ns/op'
}
bench ./ingest/jt808 '^Benchmark(Location|Frame)$' "$time"
bench ./ingest/jt809 '^Benchmark(Position|AppendPosition)$' "$time"
bench ./ingest/platform/superior '^BenchmarkSuperior$' "$time"
bench ./ingest/platform/inferior '^BenchmarkForward$' "$time"
bench ./ingest '^Benchmark(Append|Decode)Position$' "$time"
bench ./detect '^BenchmarkEngine$' "$time"
bench ./detect '^BenchmarkState$' 1x
bench ./geo '^BenchmarkLookup/^(1000|10000|100000)$/jagged=false' "$time"
bench ./geo '^Benchmark(Linear|RTree|Crossed)$' "$time"
bench ./geo '^Benchmark(Build|Compile)$' 1x
bench ./detect/worker '^BenchmarkReload$' 1x
bench ./enforce/store '^BenchmarkInsertPositions$' "$time"
bench ./enforce/recheck '^BenchmarkRecheck$' 1x
bench ./cmd/lushao '^BenchmarkPipeline$' "$positions"
bench ./cmd/lushao '^BenchmarkPlatform$' "$platforms"
