-- Violations, each in its last version. json is the message as the detector wrote it and is what is given out; the
-- columns are there to search and to sort by. An amended start gives a new id, so that (start, id) is the identity.
-- Nothing expires: they are kept for three years at least. Empty texts stand for null.
CREATE TABLE IF NOT EXISTS violations${on_cluster}
(
    id             String,
    version        UInt64,
    state          LowCardinality(String) COMMENT 'open, closed, retracted',
    kind           LowCardinality(String),
    counted        Bool COMMENT 'false: a warning, or an alarm that doubles a rule of our own; in no count',
    plate          String,
    color          UInt8,
    class          LowCardinality(String),
    operator       String,
    region         LowCardinality(String) COMMENT 'GB/T 2260',
    driver_license String,
    driver_name    String,
    start          DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    `end`          Nullable(DateTime64(3, 'UTC')) COMMENT 'null while open',
    start_lat      Nullable(Float64) COMMENT 'degrees',
    start_lon      Nullable(Float64) COMMENT 'degrees',
    end_lat        Nullable(Float64) COMMENT 'degrees',
    end_lon        Nullable(Float64) COMMENT 'degrees',
    measured       Nullable(Float64) COMMENT 'in unit',
    `limit`        Nullable(Float64) COMMENT 'in unit',
    unit           LowCardinality(String),
    over_pct       Nullable(Float64) COMMENT 'measured over limit, %',
    band           LowCardinality(String) COMMENT 'of over_pct',
    limit_source   LowCardinality(String),
    fence          String,
    station        String,
    section        String,
    permit         String,
    duration_s     Int64,
    distance_m     Int64,
    fixes          Int64,
    basis          Array(LowCardinality(String)) COMMENT 'articles',
    rule_version   LowCardinality(String),
    evidence_hash  String COMMENT 'hex SHA-256',
    notes          Array(LowCardinality(String)),
    detail         String COMMENT 'JSON object' CODEC(ZSTD(1)),
    json           String COMMENT 'the whole message' CODEC(ZSTD(1)),
    written        DateTime64(3, 'UTC') COMMENT 'when the message was written to the log' CODEC(Delta, ZSTD(1)),
    log_partition  UInt32,
    log_offset     UInt64,
    INDEX id_bloom id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX plate_bloom plate TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX kind_set kind TYPE set(64) GRANULARITY 1
)
ENGINE = ${replicated}ReplacingMergeTree(version)
PARTITION BY toYYYYMM(start)
ORDER BY (start, id);
