-- Violations that settings on trial found: marked with the name of the shadow, in no count, and seen only by who asks for them.
ALTER TABLE violations${on_cluster}
    ADD COLUMN IF NOT EXISTS shadow LowCardinality(String) COMMENT 'name of the shadow; empty: in force' AFTER json;
