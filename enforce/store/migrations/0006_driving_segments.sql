-- What drivers with a card have driven, in pieces of ten minutes of the clock and one vehicle: of these the driving time over several
-- vehicles is summed up. driven_ms 0: it was taken back.
CREATE TABLE IF NOT EXISTS driving_segments${on_cluster}
(
    license       String COMMENT 'number of the qualification certificate',
    name          String,
    cell          DateTime64(3, 'UTC') COMMENT 'when the ten minutes begin' CODEC(Delta, ZSTD(1)),
    plate         String CODEC(ZSTD(1)),
    color         UInt8,
    class         LowCardinality(String),
    start         DateTime64(3, 'UTC') COMMENT 'of the first driving in them' CODEC(Delta, ZSTD(1)),
    `end`         DateTime64(3, 'UTC') COMMENT 'of the last' CODEC(Delta, ZSTD(1)),
    driven_ms     UInt32,
    version       UInt64,
    written       DateTime64(3, 'UTC') COMMENT 'when the message was written to the log' CODEC(Delta, ZSTD(1)),
    log_partition UInt32,
    log_offset    UInt64,
    INDEX plate_bloom plate TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ${replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(cell)
ORDER BY (license, name, cell, plate, color)
TTL toDateTime(cell) + toIntervalMonth(12)
SETTINGS ttl_only_drop_parts = 1;
