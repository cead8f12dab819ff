-- The one row that every commit updates first: it is the lock under which seq and time are given.
CREATE TABLE site (
  id             INTEGER PRIMARY KEY CHECK (id = 1),
  epoch          TEXT    NOT NULL,
  last_seq       INTEGER NOT NULL,
  last_commit_at INTEGER NOT NULL,
  lake           TEXT
) STRICT;

-- Fingerprints of the site's keys: a receiver that holds others refuses to start.
CREATE TABLE site_keys (
  kind        TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  PRIMARY KEY (kind, fingerprint)
) STRICT;

-- A client is a tenant; quotas in bytes, NULL means the configured default.
CREATE TABLE clients (
  name         TEXT PRIMARY KEY,
  created_at   INTEGER NOT NULL,
  suspended_at INTEGER,
  quota_stored INTEGER,
  quota_day    INTEGER,
  quota_file   INTEGER
) STRICT;

-- What a client has stored in all and has brought on one UTC day.
CREATE TABLE usage (
  client       TEXT PRIMARY KEY,
  stored_bytes INTEGER NOT NULL,
  day          TEXT    NOT NULL,
  day_bytes    INTEGER NOT NULL
) STRICT;

-- One line per version and per removal, in commit order. Never updated, never deleted.
CREATE TABLE entries (
  seq          INTEGER PRIMARY KEY,
  version_id   TEXT    NOT NULL UNIQUE,
  kind         TEXT    NOT NULL CHECK (kind IN ('version', 'removal', 'erasure')),
  client       TEXT    NOT NULL,
  source       TEXT    NOT NULL,
  path_encoded TEXT    NOT NULL,
  path_hash    TEXT    NOT NULL,
  size         INTEGER,
  sha256       TEXT,
  capture_id   TEXT    NOT NULL,
  modified_at  TEXT,
  sealed_at    TEXT,
  received_at  INTEGER NOT NULL,
  channel      TEXT    NOT NULL,
  bearer       TEXT    NOT NULL,
  lake_key     TEXT,
  receipt      TEXT    NOT NULL,
  segment_id   TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX entries_by_capture ON entries (client, capture_id);
CREATE INDEX entries_by_path ON entries (path_hash, client, source, seq);
CREATE INDEX entries_by_client ON entries (client, seq);
CREATE INDEX entries_by_time ON entries (received_at);
CREATE INDEX entries_by_segment ON entries (segment_id);
CREATE UNIQUE INDEX entries_by_key ON entries (lake_key) WHERE lake_key IS NOT NULL;

-- The newest entry of each path. path_hash is the SHA-256 of path_encoded: paths are longer than index rows may be.
CREATE TABLE heads (
  client       TEXT    NOT NULL,
  source       TEXT    NOT NULL,
  path_hash    TEXT    NOT NULL,
  seq          INTEGER NOT NULL,
  kind         TEXT    NOT NULL,
  version_id   TEXT    NOT NULL,
  size         INTEGER,
  sha256       TEXT,
  bearer       TEXT    NOT NULL,
  PRIMARY KEY (client, source, path_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX heads_by_seq ON heads (seq);

-- Captures that made no entry because nothing had changed; remembered, so that a late retry makes none either.
CREATE TABLE unchanged_captures (
  client       TEXT    NOT NULL,
  capture_id   TEXT    NOT NULL,
  source       TEXT    NOT NULL,
  path_hash    TEXT    NOT NULL,
  kind         TEXT    NOT NULL,
  sha256       TEXT,
  committed_at INTEGER NOT NULL,
  receipt      TEXT    NOT NULL,
  PRIMARY KEY (client, capture_id)
) STRICT, WITHOUT ROWID;

-- One manifest segment per group commit; written_at is NULL until its object is known to be in the lake.
CREATE TABLE segments (
  id           TEXT PRIMARY KEY,
  date         TEXT    NOT NULL,
  committed_at INTEGER NOT NULL,
  written_at   INTEGER
) STRICT;
CREATE INDEX segments_by_date ON segments (date, id);
CREATE INDEX segments_unwritten ON segments (committed_at) WHERE written_at IS NULL;

-- Large files on their way in. version id, date and key are fixed at create. lease names the one attempt to complete
-- it whose word counts.
CREATE TABLE uploads (
  id           TEXT PRIMARY KEY,
  client       TEXT    NOT NULL,
  source       TEXT    NOT NULL,
  path_encoded TEXT    NOT NULL,
  capture_id   TEXT    NOT NULL,
  version_id   TEXT    NOT NULL,
  lake_key     TEXT    NOT NULL UNIQUE,
  handle       TEXT    NOT NULL,
  size         INTEGER NOT NULL,
  part_size    INTEGER NOT NULL,
  sha256       TEXT    NOT NULL,
  modified_at  TEXT,
  sealed_at    TEXT,
  channel      TEXT    NOT NULL,
  bearer       TEXT    NOT NULL,
  state        TEXT    NOT NULL CHECK (state IN ('open', 'completing', 'done', 'aborted')),
  lease        TEXT,
  created_at   INTEGER NOT NULL,
  touched_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX uploads_open ON uploads (touched_at) WHERE state IN ('open', 'completing');
CREATE INDEX uploads_aborted ON uploads (touched_at) WHERE state = 'aborted';
CREATE INDEX uploads_by_capture ON uploads (client, capture_id);

-- Parts that arrived, each verified. Kept with the version: their digests are what a later delta compares.
CREATE TABLE upload_parts (
  upload_id TEXT    NOT NULL,
  number    INTEGER NOT NULL,
  size      INTEGER NOT NULL,
  sha256    TEXT    NOT NULL,
  tag       TEXT    NOT NULL,
  PRIMARY KEY (upload_id, number)
) STRICT, WITHOUT ROWID;
