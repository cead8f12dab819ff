-- What is ready is looked up for each source, so that ten thousand parcels of one that is held are passed over unread.
DROP INDEX parcels_ready;
CREATE INDEX parcels_ready ON parcels (source_id, seq) WHERE head = 1 AND due = 0;
-- An upload in parts is found again by its captureId.
ALTER TABLE parcels DROP COLUMN upload_id;
