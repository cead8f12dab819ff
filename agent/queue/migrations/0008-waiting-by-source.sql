-- What waits is counted for each source, at every heartbeat: out of the index alone, for which aside_at has to stand in it.
DROP INDEX parcels_waiting;
CREATE INDEX parcels_waiting ON parcels (source_id, size, aside_at) WHERE aside_at IS NULL;
