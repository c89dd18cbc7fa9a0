# Everything a person needs: make run, make test. The rest is for those who work on it. Needs Go, Node (with npm) and make.

SHELL   := /bin/sh
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
DATA    ?= data
# Flags for go test, such as GOTESTFLAGS=-v.
GOTESTFLAGS ?=

# Fuzz targets, as package:target. Each runs for FUZZTIME.
FUZZ := ./ingest:FuzzDecodeEvent ./ingest/fields:FuzzFill ./ingest/jt809:FuzzFramer ./ingest/jt809:FuzzPositions ./ingest/jt809:FuzzBodies \
        ./ingest/jt809:FuzzDescribe ./ingest/platform/superior:FuzzTake ./ingest/platform/inferior:FuzzSolve ./ingest/jt808:FuzzFramer ./ingest/jt808:FuzzBodies ./ingest/jt808:FuzzReassembler ./ingest/jt808:FuzzDescribe \
        ./ingest/eventfile:FuzzReader ./ingest/gateway:FuzzConn ./ingest/gateway:FuzzParseProxy ./ingest/waybill:FuzzParse ./ingest/weigh:FuzzParse ./ingest/weigh:FuzzCutter \
        ./geo:FuzzCompile ./detect:FuzzLoadState ./detect/reference:FuzzFences ./detect/reference:FuzzVehicles ./detect/reference/mapfile:FuzzRead ./enforce/sink:FuzzArchive ./enforce/store:FuzzCursor
FUZZTIME ?= 10s

.DEFAULT_GOAL := help
.PHONY: help run test build engine bench load platforms worlds lint fmt clean race fuzz kafka

help: ## what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: engine build ## start everything with a simulated fleet, data in ./$(DATA); ends with Ctrl-C
	@exec bin/lushao up --demo --data $(DATA)

test: engine ## all ordinary tests
	@echo "go vet"
	@go vet ./...
	@echo "go test"
	@go test $(GOTESTFLAGS) -timeout 30m ./...

build: ## bin/lushao
	@echo "building bin/lushao $(VERSION)"
	@CGO_ENABLED=0 go build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/lushao ./cmd/lushao

engine: ## fetch the ClickHouse engine from npm, once
	@command -v node >/dev/null || { echo "Node is missing: install Node 18 or later, which brings npm"; exit 1; }
	@node internal/embed/fetch-engine.mjs

bench: engine ## the figures of benchmarks/README.md
	@sh benchmarks/run.sh

load: ## 15,000 terminals for two minutes, then all reconnect at once; with the figures
	@TEST_LOAD=1 go test $(GOTESTFLAGS) -count=1 -v -timeout 20m -run '^TestLoad$$' ./cmd/lushao

platforms: engine ## a day of a thousand vehicles, forwarded over JT/T 809 while links and processes die
	@TEST_PLATFORMS_DAY=1 go test $(GOTESTFLAGS) -count=1 -timeout 20m -run '^TestForwarding$$' ./cmd/lushao

lint: ## formatting and static checks
	@files=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$files" ] || { echo "gofmt would change: $$files"; exit 1; }
	@go vet ./...
	@go run honnef.co/go/tools/cmd/staticcheck@v0.7.0 ./...

fmt: ## format the code
	@gofmt -w $$(git ls-files '*.go')

worlds: ## the detector against slow readings of the rule book, in tens of thousands of random worlds
	@TEST_WORLDS=1 go test $(GOTESTFLAGS) -count=1 -timeout 20m ./detect

race: engine ## the tests of everything that runs at the same time, with the race detector
	@CGO_ENABLED=1 go test -race $(GOTESTFLAGS) -timeout 30m ./internal/bus ./ingest/... ./detect/worker ./detect/reference/edit ./enforce/... ./internal/embed/... ./internal/httpx
	@CGO_ENABLED=1 go test -race $(GOTESTFLAGS) -timeout 30m ./detect

# Go's fuzzer now and then reports the end of its own time as a failure; a real one names the input that it has written.
fuzz: ## every fuzz target for FUZZTIME
	@for f in $(FUZZ); do \
	  echo "fuzz $$f"; \
	  out=$$(go test $${f%%:*} -run '^$$' -fuzz "^$${f##*:}$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x 2>&1) || \
	    case "$$out" in \
	      *"Failing input written"*) echo "$$out"; exit 1;; \
	      *"context deadline exceeded"*) ;; \
	      *) echo "$$out"; exit 1;; \
	    esac; \
	  echo "$$out" | tail -1; \
	done

kafka: engine ## the tests against Apache Kafka; needs a JDK 17 and Maven
	@sh deploy/kafka/test.sh

clean: ## remove what was built; data and the fetched engine stay
	rm -rf bin
