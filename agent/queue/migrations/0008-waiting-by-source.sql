-- What waits is counted for each source, at every heartbeat: out of the index alone.
DROP INDEX parcels_waiting;
CREATE INDEX parcels_waiting ON parcels (source_id, seq, size) WHERE aside_at IS NULL;
