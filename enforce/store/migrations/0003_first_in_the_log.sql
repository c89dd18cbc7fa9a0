-- Of equal positions the first in the log counts, no longer the first received: it is the one that was judged, and whose
-- numbers are in the evidence hash of a violation. Equal ones may differ now in what JT/T 809 does not carry exactly, and
-- which door was first says nothing of the order in the log. All positions of a vehicle are in one partition of it.
ALTER TABLE positions${on_cluster} MODIFY COLUMN version UInt64 MATERIALIZED toUInt64(9223372036854775807 - log_offset) CODEC(Delta, ZSTD(1));
