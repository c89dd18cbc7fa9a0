// Package embed holds the engines that `lushao up` runs inside its own process, so that one machine needs no other server:
//
//   - kafkalog, a log that speaks the Kafka protocol on a loopback address
//   - chengine, ClickHouse as a library behind its HTTP interface
//   - datadir, the lock on the folder of either
//
// The code above talks to them by kafka-go and clickhouse-go, as it does to Apache Kafka and to a ClickHouse cluster. fetch-engine.mjs
// fetches the library of chengine.
package embed
