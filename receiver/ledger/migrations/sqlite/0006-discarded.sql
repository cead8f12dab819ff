-- An operator may discard what is held: its bytes go, the row stays. later_state: the path's sender told since then of a
-- state that made no entry: the newest version again (version), or that the path is gone (removal).
CREATE TABLE quarantined_anew (
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
  state        TEXT    NOT NULL CHECK (state IN ('held', 'released', 'discarded')),
  released_at  INTEGER,
  released_by  TEXT,
  reason       TEXT,
  discarded_at INTEGER,
  discarded_by TEXT,
  later_state  TEXT    CHECK (later_state IN ('version', 'removal'))
) STRICT;
INSERT INTO quarantined_anew
  SELECT id, client, source, path_encoded, path_hash, capture_id, size, sha256, modified_at, sealed_at, channel, bearer,
    lake_key, finding, arrived_at, arrived_seq, state, released_at, released_by, reason, NULL, NULL, NULL
  FROM quarantined;
DROP TABLE quarantined;
ALTER TABLE quarantined_anew RENAME TO quarantined;
CREATE UNIQUE INDEX quarantined_by_capture ON quarantined (client, capture_id);
CREATE INDEX quarantined_held ON quarantined (id) WHERE state = 'held';
CREATE INDEX quarantined_kept_back ON quarantined (id) WHERE state <> 'released';
CREATE INDEX quarantined_by_path ON quarantined (client, source, path_hash) WHERE state = 'held';
