-- What vehicles and stations report. Each thing is there once: the first received of equals wins (version falls with
-- the time of receipt). digest is a hash of what was reported, without how and when it came. Times are UTC.
-- log_partition and log_offset say where in the topic of events a row came from.

-- Positions. A time far from the receipt is a wrong clock: such rows go to partition 0, so that they do not make a
-- partition for every month that a broken terminal can think of.
CREATE TABLE IF NOT EXISTS positions${on_cluster}
(
    plate          String COMMENT 'number plate, or the VIN of a vehicle without one' CODEC(ZSTD(1)),
    color          UInt8 COMMENT 'plate colour by JT/T 697.7: 1 blue, 2 yellow, 3 black, 4 white, 5 green, 9 other, 91 to 94; 0 no plate' CODEC(ZSTD(1)),
    time           DateTime64(3, 'UTC') COMMENT 'when it happened, by the terminal' CODEC(DoubleDelta, ZSTD(1)),
    digest         UInt64 COMMENT 'hash of what was reported' CODEC(NONE),
    received       DateTime64(3, 'UTC') COMMENT 'when it reached the platform' CODEC(Delta, ZSTD(1)),
    lat            Int32 COMMENT '1e-6 degree, WGS-84 as received, south negative' CODEC(Delta, ZSTD(1)),
    lon            Int32 COMMENT '1e-6 degree, WGS-84 as received, west negative' CODEC(Delta, ZSTD(1)),
    speed          UInt16 COMMENT '0.1 km/h; 65535 not reported' CODEC(Delta, ZSTD(1)),
    recorder_speed UInt16 COMMENT '0.1 km/h by the driving recorder; 65535 not reported' CODEC(Delta, ZSTD(1)),
    course         UInt16 COMMENT 'degrees, 0 north, clockwise; 65535 not reported' CODEC(Delta, ZSTD(1)),
    altitude       Int16 COMMENT 'm; -32768 not reported' CODEC(Delta, ZSTD(1)),
    mileage        UInt32 COMMENT '0.1 km by the odometer; 4294967295 not reported' CODEC(Delta, ZSTD(1)),
    fuel           UInt16 COMMENT '0.1 L; 65535 not reported' CODEC(Delta, ZSTD(1)),
    satellites     UInt8 COMMENT '255 not reported' CODEC(ZSTD(1)),
    rssi           UInt8 COMMENT 'radio signal; 255 not reported' CODEC(ZSTD(1)),
    located        Bool COMMENT 'the receiver had a fix' CODEC(ZSTD(1)),
    acc            Bool COMMENT 'ignition on' CODEC(ZSTD(1)),
    alarm          UInt32 COMMENT 'alarm bits of JT/T 808 0x0200' CODEC(ZSTD(1)),
    status         UInt32 COMMENT 'status bits of JT/T 808 0x0200' CODEC(ZSTD(1)),
    video_alarm    UInt32 COMMENT 'JT/T 1078 item 0x14' CODEC(ZSTD(1)),
    extras         String COMMENT 'additional items as received: id, length, content each' CODEC(ZSTD(1)),
    flags          UInt8 COMMENT 'bit 0 sent later from a blind area, bit 1 coordinates encrypted' CODEC(ZSTD(1)),
    source         LowCardinality(String) COMMENT 'jt808, jt809, http, file' CODEC(ZSTD(1)),
    quality        LowCardinality(String) COMMENT 'ok, or why the gate refuses it; empty: not judged' CODEC(ZSTD(1)),
    log_partition  UInt32 CODEC(ZSTD(1)),
    log_offset     UInt64 CODEC(T64, ZSTD(1)),
    version        UInt64 MATERIALIZED toUInt64(9223372036854775807 - toUnixTimestamp64Milli(received)) CODEC(Delta, ZSTD(1))
)
ENGINE = ${replicated}ReplacingMergeTree(version)
PARTITION BY if(time > received + INTERVAL 1 DAY OR time < received - INTERVAL 1 YEAR, 0, toYYYYMM(time))
ORDER BY (plate, color, time, digest)
TTL toDateTime(received) + toIntervalMonth(12)
SETTINGS ttl_only_drop_parts = 1;

-- Weighings. A record's number is unique at its station, so that the first received wins also where the rest differs.
-- unnumbered is the digest where there is no number, else 0.
CREATE TABLE IF NOT EXISTS weighings${on_cluster}
(
    plate             String,
    color             UInt8,
    time              DateTime64(3, 'UTC'),
    digest            UInt64,
    received          DateTime64(3, 'UTC'),
    station           LowCardinality(String),
    record            String,
    unnumbered        UInt64,
    lat               Int32 COMMENT '1e-6 degree; lat and lon both 0: unknown',
    lon               Int32 COMMENT '1e-6 degree',
    axles             UInt8 COMMENT '0 unknown',
    combination       UInt8 COMMENT '0 unknown, 1 no, 2 yes',
    single_drive_axle UInt8 COMMENT '0 unknown, 1 no, 2 yes',
    gross_kg          UInt32,
    axle_kg           Array(UInt32),
    length_mm         UInt32 COMMENT '0 unknown',
    width_mm          UInt32 COMMENT '0 unknown',
    height_mm         UInt32 COMMENT '0 unknown',
    speed             UInt16 COMMENT '0.1 km/h; 65535 not reported',
    lane              UInt8,
    method            UInt8 COMMENT '0 unknown, 1 dynamic, 2 static',
    evaded            Bool COMMENT 'marked as evasion by the station',
    flags             UInt8,
    source            LowCardinality(String),
    log_partition     UInt32,
    log_offset        UInt64,
    version           UInt64 MATERIALIZED toUInt64(9223372036854775807 - toUnixTimestamp64Milli(received)),
    INDEX plate_bloom plate TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX time_minmax time TYPE minmax GRANULARITY 1
)
ENGINE = ${replicated}ReplacingMergeTree(version)
ORDER BY (station, record, unnumbered);

CREATE TABLE IF NOT EXISTS driver_cards${on_cluster}
(
    plate         String,
    color         UInt8,
    time          DateTime64(3, 'UTC'),
    digest        UInt64,
    received      DateTime64(3, 'UTC'),
    on_duty       Bool COMMENT 'card put in; false: pulled',
    license       String COMMENT 'number of the qualification certificate',
    name          String,
    org           String COMMENT 'issuing body',
    result        UInt8 COMMENT 'of reading the card: JT/T 808 0x0702; 0 read',
    flags         UInt8,
    source        LowCardinality(String),
    log_partition UInt32,
    log_offset    UInt64,
    version       UInt64 MATERIALIZED toUInt64(9223372036854775807 - toUnixTimestamp64Milli(received)),
    INDEX license_bloom license TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ${replicated}ReplacingMergeTree(version)
ORDER BY (plate, color, time, digest);

CREATE TABLE IF NOT EXISTS waybills${on_cluster}
(
    plate         String,
    color         UInt8,
    time          DateTime64(3, 'UTC'),
    digest        UInt64,
    received      DateTime64(3, 'UTC'),
    number        String,
    valid_start   Int64 COMMENT 'Unix ms; 0 unknown',
    valid_end     Int64 COMMENT 'Unix ms, exclusive; 0 unknown',
    cargo_class   LowCardinality(String),
    route         String,
    text          String COMMENT 'as received' CODEC(ZSTD(1)),
    flags         UInt8,
    source        LowCardinality(String),
    log_partition UInt32,
    log_offset    UInt64,
    version       UInt64 MATERIALIZED toUInt64(9223372036854775807 - toUnixTimestamp64Milli(received)),
    INDEX number_bloom number TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ${replicated}ReplacingMergeTree(version)
ORDER BY (plate, color, time, digest);

CREATE TABLE IF NOT EXISTS safety_events${on_cluster}
(
    plate         String CODEC(ZSTD(1)),
    color         UInt8,
    time          DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    digest        UInt64 CODEC(NONE),
    received      DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    system        LowCardinality(String) COMMENT 'adas, dsm, tpms, bsd',
    kind          LowCardinality(String) COMMENT 'phone, forward and so on',
    level         UInt8 COMMENT '1 or 2; 0 unknown',
    flag          LowCardinality(String) COMMENT 'start, end, or empty',
    alarm_id      UInt32,
    speed         UInt16 COMMENT '0.1 km/h; 65535 not reported',
    flags         UInt8,
    source        LowCardinality(String),
    log_partition UInt32,
    log_offset    UInt64,
    version       UInt64 MATERIALIZED toUInt64(9223372036854775807 - toUnixTimestamp64Milli(received))
)
ENGINE = ${replicated}ReplacingMergeTree(version)
ORDER BY (plate, color, time, digest)
TTL toDateTime(received) + toIntervalMonth(12);

CREATE TABLE IF NOT EXISTS links${on_cluster}
(
    plate         String CODEC(ZSTD(1)),
    color         UInt8,
    time          DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    digest        UInt64 CODEC(NONE),
    received      DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    online        Bool,
    reason        LowCardinality(String),
    flags         UInt8,
    source        LowCardinality(String),
    log_partition UInt32,
    log_offset    UInt64,
    version       UInt64 MATERIALIZED toUInt64(9223372036854775807 - toUnixTimestamp64Milli(received))
)
ENGINE = ${replicated}ReplacingMergeTree(version)
ORDER BY (plate, color, time, digest)
TTL toDateTime(received) + toIntervalMonth(12);

-- What could not be read, as it came. position is the byte in the message's value at which raw begins.
CREATE TABLE IF NOT EXISTS dead_letters${on_cluster}
(
    topic         LowCardinality(String),
    log_partition UInt32,
    log_offset    UInt64,
    position      UInt32,
    digest        UInt64 COMMENT 'hash of raw: offsets begin again when a topic is made anew',
    written       DateTime64(3, 'UTC') COMMENT 'when the message was written to the log',
    reason        String,
    raw           String CODEC(ZSTD(3))
)
ENGINE = ${replicated}ReplacingMergeTree
ORDER BY (topic, log_partition, log_offset, position, digest);
