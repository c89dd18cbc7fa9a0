-- Visits: stays of hazmat vehicles of other regions in a jurisdiction, each in its last version. json is the message as the
-- detector wrote it and is what is given out; the way between is in positions. Nothing expires. Empty texts stand for null.
CREATE TABLE IF NOT EXISTS visits${on_cluster}
(
    id            String,
    version       UInt64,
    state         LowCardinality(String) COMMENT 'open, closed, retracted',
    plate         String,
    color         UInt8,
    region        LowCardinality(String) COMMENT 'of the vehicle, GB/T 2260',
    operator      String,
    fence         String,
    jurisdiction  LowCardinality(String) COMMENT 'GB/T 2260',
    filing        String COMMENT 'valid at the entry',
    entered       DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    `left`        Nullable(DateTime64(3, 'UTC')) COMMENT 'null while inside',
    json          String COMMENT 'the whole message' CODEC(ZSTD(1)),
    written       DateTime64(3, 'UTC') COMMENT 'when the message was written to the log' CODEC(Delta, ZSTD(1)),
    log_partition UInt32,
    log_offset    UInt64,
    INDEX id_bloom id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX plate_bloom plate TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ${replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(entered)
ORDER BY (entered, id);
