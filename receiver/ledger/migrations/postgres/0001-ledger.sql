-- The one row that every commit updates first: it is the lock under which seq and time are given.
CREATE TABLE site (
  id             BIGINT PRIMARY KEY CHECK (id = 1),
  epoch          TEXT    NOT NULL,
  last_seq       BIGINT  NOT NULL,
  last_commit_at BIGINT  NOT NULL,
  lake           TEXT
);

-- Fingerprints of the site's keys: a receiver that holds others refuses to start.
CREATE TABLE site_keys (
  kind        TEXT COLLATE "C" NOT NULL,
  fingerprint TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (kind, fingerprint)
);

-- A client is a tenant; quotas in bytes, NULL means the configured default.
CREATE TABLE clients (
  name         TEXT COLLATE "C" PRIMARY KEY,
  created_at   BIGINT  NOT NULL,
  suspended_at BIGINT,
  quota_stored BIGINT,
  quota_day    BIGINT,
  quota_file   BIGINT
);

-- What a client has stored in all and has brought on one UTC day.
CREATE TABLE usage (
  client       TEXT COLLATE "C" PRIMARY KEY,
  stored_bytes BIGINT  NOT NULL,
  day          TEXT COLLATE "C"    NOT NULL,
  day_bytes    BIGINT  NOT NULL
);

-- One line per version and per removal, in commit order. Never updated, never deleted.
CREATE TABLE entries (
  seq          BIGINT PRIMARY KEY,
  version_id   TEXT COLLATE "C"    NOT NULL UNIQUE,
  kind         TEXT COLLATE "C"    NOT NULL CHECK (kind IN ('version', 'removal', 'erasure')),
  client       TEXT COLLATE "C"    NOT NULL,
  source       TEXT COLLATE "C"    NOT NULL,
  path_encoded TEXT COLLATE "C"    NOT NULL,
  path_hash    TEXT COLLATE "C"    NOT NULL,
  size         BIGINT,
  sha256       TEXT COLLATE "C",
  capture_id   TEXT COLLATE "C"    NOT NULL,
  modified_at  TEXT,
  sealed_at    TEXT,
  received_at  BIGINT  NOT NULL,
  channel      TEXT    NOT NULL,
  bearer       TEXT COLLATE "C"    NOT NULL,
  lake_key     TEXT COLLATE "C",
  receipt      TEXT    NOT NULL,
  segment_id   TEXT COLLATE "C"    NOT NULL
);
CREATE UNIQUE INDEX entries_by_capture ON entries (client, capture_id);
CREATE INDEX entries_by_path ON entries (path_hash, client, source, seq);
CREATE INDEX entries_by_client ON entries (client, seq);
CREATE INDEX entries_by_time ON entries (received_at);
CREATE INDEX entries_by_segment ON entries (segment_id);
CREATE UNIQUE INDEX entries_by_key ON entries (lake_key) WHERE lake_key IS NOT NULL;

-- The newest entry of each path. path_hash is the SHA-256 of path_encoded: paths are longer than index rows may be.
CREATE TABLE heads (
  client       TEXT COLLATE "C"    NOT NULL,
  source       TEXT COLLATE "C"    NOT NULL,
  path_hash    TEXT COLLATE "C"    NOT NULL,
  seq          BIGINT  NOT NULL,
  kind         TEXT COLLATE "C"    NOT NULL,
  version_id   TEXT COLLATE "C"    NOT NULL,
  size         BIGINT,
  sha256       TEXT COLLATE "C",
  bearer       TEXT COLLATE "C"    NOT NULL,
  PRIMARY KEY (client, source, path_hash)
);
CREATE INDEX heads_by_seq ON heads (seq);

-- Captures that made no entry because nothing had changed; remembered, so that a late retry makes none either.
CREATE TABLE unchanged_captures (
  client       TEXT COLLATE "C"    NOT NULL,
  capture_id   TEXT COLLATE "C"    NOT NULL,
  source       TEXT COLLATE "C"    NOT NULL,
  path_hash    TEXT COLLATE "C"    NOT NULL,
  kind         TEXT COLLATE "C"    NOT NULL,
  sha256       TEXT COLLATE "C",
  committed_at BIGINT  NOT NULL,
  receipt      TEXT    NOT NULL,
  PRIMARY KEY (client, capture_id)
);

-- One manifest segment per group commit; written_at is NULL until its object is known to be in the lake.
CREATE TABLE segments (
  id           TEXT COLLATE "C" PRIMARY KEY,
  date         TEXT COLLATE "C"    NOT NULL,
  committed_at BIGINT  NOT NULL,
  written_at   BIGINT
);
CREATE INDEX segments_by_date ON segments (date, id);
CREATE INDEX segments_unwritten ON segments (committed_at) WHERE written_at IS NULL;

-- Large files on their way in. version id, date and key are fixed at create. lease names the one attempt to complete
-- it whose word counts.
CREATE TABLE uploads (
  id           TEXT COLLATE "C" PRIMARY KEY,
  client       TEXT COLLATE "C"    NOT NULL,
  source       TEXT COLLATE "C"    NOT NULL,
  path_encoded TEXT COLLATE "C"    NOT NULL,
  capture_id   TEXT COLLATE "C"    NOT NULL,
  version_id   TEXT COLLATE "C"    NOT NULL,
  lake_key     TEXT COLLATE "C"    NOT NULL UNIQUE,
  handle       TEXT    NOT NULL,
  size         BIGINT  NOT NULL,
  part_size    BIGINT  NOT NULL,
  sha256       TEXT COLLATE "C"    NOT NULL,
  modified_at  TEXT,
  sealed_at    TEXT,
  channel      TEXT    NOT NULL,
  bearer       TEXT COLLATE "C"    NOT NULL,
  state        TEXT    NOT NULL CHECK (state IN ('open', 'completing', 'done', 'aborted')),
  lease        TEXT COLLATE "C",
  created_at   BIGINT  NOT NULL,
  touched_at   BIGINT  NOT NULL
);
CREATE INDEX uploads_open ON uploads (touched_at) WHERE state IN ('open', 'completing');
CREATE INDEX uploads_aborted ON uploads (touched_at) WHERE state = 'aborted';
CREATE INDEX uploads_by_capture ON uploads (client, capture_id);

-- Parts that arrived, each verified. Kept with the version: their digests are what a later delta compares.
CREATE TABLE upload_parts (
  upload_id TEXT COLLATE "C"    NOT NULL,
  number    BIGINT  NOT NULL,
  size      BIGINT  NOT NULL,
  sha256    TEXT COLLATE "C"    NOT NULL,
  tag       TEXT    NOT NULL,
  PRIMARY KEY (upload_id, number)
);
