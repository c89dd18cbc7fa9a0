#!/bin/sh
# Runs the tests that need Apache Kafka against a broker of its own: Kafka's jars by Maven, one node with KRaft, data in a
# temporary folder, on a free port of 127.0.0.1. Needs a JDK 17 and Maven.
set -eu
cd "$(dirname "$0")/../.."
cache=${LUSHAO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}}/lushao/kafka
for tool in java mvn; do
	command -v "$tool" >/dev/null || { echo "$tool is missing: install a JDK 17 and Maven"; exit 1; }
done
if [ ! -e "$cache/done" ] || [ deploy/kafka/pom.xml -nt "$cache/done" ]; then
	echo "fetching Apache Kafka"
	mkdir -p "$cache"
	mvn -q -B -f deploy/kafka/pom.xml dependency:copy-dependencies -DoutputDirectory="$cache/libs"
	touch "$cache/done"
fi

dir=$(mktemp -d)
broker=
trap 'if [ -n "$broker" ]; then kill "$broker" 2>/dev/null || true; wait "$broker" 2>/dev/null || true; fi; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
ports=$(node -e 'const net=require("net");const a=net.createServer().listen(0,"127.0.0.1",()=>{const b=net.createServer().listen(0,"127.0.0.1",()=>{console.log(a.address().port,b.address().port);a.close();b.close()})})')
set -- $ports
cat >"$dir/server.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$2
listeners=PLAINTEXT://127.0.0.1:$1,CONTROLLER://127.0.0.1:$2
advertised.listeners=PLAINTEXT://127.0.0.1:$1
controller.listener.names=CONTROLLER
log.dirs=$dir/data
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
EOF
cat >"$dir/log4j2.properties" <<EOF
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %c: %m%n
EOF
java="java -Xmx512m -Dlog4j2.configurationFile=$dir/log4j2.properties -cp $cache/libs/*"
set -f # the star is Java's
$java kafka.tools.StorageTool format -t "$($java kafka.tools.StorageTool random-uuid)" -c "$dir/server.properties" >"$dir/format.log" 2>&1 ||
	{ cat "$dir/format.log"; exit 1; }
$java kafka.Kafka "$dir/server.properties" >"$dir/broker.log" 2>&1 &
broker=$!
set +f
i=0
until node -e 'require("net").connect(+process.argv[1],"127.0.0.1").on("connect",()=>process.exit(0)).on("error",()=>process.exit(1))' "$1"; do
	kill -0 "$broker" 2>/dev/null || { echo "the broker ended:"; cat "$dir/broker.log"; exit 1; }
	i=$((i + 1))
	[ "$i" -lt 120 ] || { echo "the broker does not answer:"; tail -50 "$dir/broker.log"; exit 1; }
	sleep 0.5
done
echo "Apache Kafka is up on 127.0.0.1:$1"
TEST_KAFKA=127.0.0.1:$1 go test ${GOTESTFLAGS:-} -count=1 -run Kafka ./internal/bus ./cmd/lushao || { tail -20 "$dir/broker.log"; exit 1; }
