-- Files that inspection held back, by the version that one becomes when an operator releases it. Their bytes count as the
-- client's from their arrival. arrived_seq: the newest entry at that time.
CREATE TABLE quarantined (
  id           TEXT    PRIMARY KEY,
  client       TEXT    NOT NULL,
  source       TEXT    NOT NULL,
  path_encoded TEXT    NOT NULL,
  path_hash    TEXT    NOT NULL,
  capture_id   TEXT    NOT NULL,
  size         INTEGER NOT NULL,
  sha256       TEXT    NOT NULL,
  modified_at  TEXT,
  sealed_at    TEXT,
  channel      TEXT    NOT NULL,
  bearer       TEXT    NOT NULL,
  lake_key     TEXT    NOT NULL,
  finding      TEXT    NOT NULL,
  arrived_at   INTEGER NOT NULL,
  arrived_seq  INTEGER NOT NULL,
  state        TEXT    NOT NULL CHECK (state IN ('held', 'released')),
  released_at  INTEGER,
  released_by  TEXT,
  reason       TEXT
) STRICT;
CREATE UNIQUE INDEX quarantined_by_capture ON quarantined (client, capture_id);
CREATE INDEX quarantined_held ON quarantined (id) WHERE state = 'held';

-- ms since 1970: what came into quarantine before is not all in this ledger, which was made, restored or rebuilt then.
ALTER TABLE site ADD COLUMN known_since INTEGER NOT NULL DEFAULT 0;
