-- One row per source that was ever configured; root_id NULL means: take the next healthy root as the source's own.
CREATE TABLE sources (
  id           INTEGER PRIMARY KEY,
  client       TEXT    NOT NULL,
  name         TEXT    NOT NULL,
  root_id      TEXT,
  last_scan_at INTEGER,
  files        INTEGER NOT NULL DEFAULT 0,
  UNIQUE (client, name)
) STRICT;

-- Folders that hold seen files, so that a path's folder is stored once. path is '' for the root.
CREATE TABLE folders (
  id        INTEGER PRIMARY KEY,
  source_id INTEGER NOT NULL REFERENCES sources (id),
  path      BLOB    NOT NULL,
  UNIQUE (source_id, path)
) STRICT;

-- What was last sealed of each path. size -1: the sealed bytes were lost, or are an instant of a file that moved on: seal anew. Times in ns, sealed_at in ms of the host's clock.
-- delivered 1: the receiver holds, or may hold, a version of this path, so its vanishing is a removal; 2: it holds exactly these bytes.
CREATE TABLE seen (
  folder_id INTEGER NOT NULL REFERENCES folders (id),
  name      BLOB    NOT NULL,
  size      INTEGER NOT NULL,
  mtime_ns  INTEGER NOT NULL,
  ctime_ns  INTEGER NOT NULL,
  file_id   INTEGER,
  sha256    BLOB    NOT NULL,
  sealed_at INTEGER NOT NULL,
  missed    INTEGER NOT NULL DEFAULT 0,
  delivered INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (folder_id, name)
) STRICT, WITHOUT ROWID;

-- Parcels that have not ended well: waiting, or set aside. seq is the order of sealing. head: the oldest waiting one
-- of its path. due 0: ready; else ms at which a postponed one is ready again.
CREATE TABLE parcels (
  seq            INTEGER PRIMARY KEY,
  capture_id     TEXT    NOT NULL UNIQUE,
  kind           TEXT    NOT NULL CHECK (kind IN ('version', 'removal')),
  source_id      INTEGER NOT NULL REFERENCES sources (id),
  path           BLOB    NOT NULL,
  sealed_at      TEXT    NOT NULL,
  size           INTEGER,
  mtime_ns       INTEGER,
  ctime_ns       INTEGER,
  file_id        INTEGER,
  sha256         BLOB,
  spooled        TEXT,
  head           INTEGER NOT NULL,
  due            INTEGER NOT NULL DEFAULT 0,
  attempts       INTEGER NOT NULL DEFAULT 0,
  upload_id      TEXT,
  problem_code   TEXT,
  problem_detail TEXT,
  problem_since  INTEGER,
  aside_at       INTEGER
) STRICT;
CREATE INDEX parcels_ready ON parcels (seq) WHERE head = 1 AND due = 0;
CREATE INDEX parcels_postponed ON parcels (due) WHERE head = 1 AND due > 0;
CREATE INDEX parcels_by_path ON parcels (source_id, path, seq);
CREATE INDEX parcels_waiting ON parcels (size) WHERE aside_at IS NULL;
CREATE INDEX parcels_aside ON parcels (aside_at) WHERE aside_at IS NOT NULL;
CREATE INDEX parcels_problem ON parcels (problem_since) WHERE problem_code IS NOT NULL;
CREATE INDEX parcels_spooled ON parcels (spooled) WHERE spooled IS NOT NULL;

-- Files, folders and sources that cannot be captured now; path '' is the source itself.
CREATE TABLE problems (
  source_id INTEGER NOT NULL REFERENCES sources (id),
  path      BLOB    NOT NULL,
  code      TEXT    NOT NULL,
  detail    TEXT    NOT NULL,
  since     INTEGER NOT NULL,
  PRIMARY KEY (source_id, path)
) STRICT, WITHOUT ROWID;

-- File systems that were seen mounted inside a source that crosses mounts: while one is away nothing below it is missing.
CREATE TABLE mounts (
  source_id INTEGER NOT NULL REFERENCES sources (id),
  path      BLOB    NOT NULL,
  device    TEXT    NOT NULL,
  PRIMARY KEY (source_id, path)
) STRICT, WITHOUT ROWID;

-- The local log of everything that left, with its receipt; pruned by age and number.
CREATE TABLE deliveries (
  seq          INTEGER PRIMARY KEY,
  capture_id   TEXT    NOT NULL,
  kind         TEXT    NOT NULL,
  client       TEXT    NOT NULL,
  source       TEXT    NOT NULL,
  path         BLOB    NOT NULL,
  size         INTEGER,
  sha256       BLOB,
  sealed_at    TEXT    NOT NULL,
  version_id   TEXT    NOT NULL,
  status       TEXT    NOT NULL,
  received_at  TEXT    NOT NULL,
  delivered_at INTEGER NOT NULL,
  receipt      TEXT    NOT NULL
) STRICT;
