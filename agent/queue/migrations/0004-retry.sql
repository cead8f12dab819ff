-- 1: it is set aside, and was asked for again by `retry`; the running agent, which knows what is on its way, lets it go.
ALTER TABLE parcels ADD COLUMN retry_asked INTEGER NOT NULL DEFAULT 0;
CREATE INDEX parcels_retry ON parcels (seq) WHERE retry_asked = 1;
