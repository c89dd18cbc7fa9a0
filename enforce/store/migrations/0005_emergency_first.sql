-- Emergencies (alarm bit 0 of JT/T 808, kind terminal_alarm) stand before everything else in every list. kind and bit are part of a
-- violation's id, so that all versions of one agree. Rows that are there are filled in the background; until then a read computes it.
ALTER TABLE violations${on_cluster} ADD COLUMN IF NOT EXISTS emergency Bool MATERIALIZED kind = 'terminal_alarm' AND JSONExtractRaw(detail, 'alarm', 'bit') = '0' COMMENT 'first in every list';
ALTER TABLE violations${on_cluster} ADD INDEX IF NOT EXISTS emergency_minmax emergency TYPE minmax GRANULARITY 1;
ALTER TABLE violations${on_cluster} MATERIALIZE COLUMN emergency;
ALTER TABLE violations${on_cluster} MATERIALIZE INDEX emergency_minmax;
