-- Up to which entry the tree of a client is. Who changes the tree holds this row.
CREATE TABLE tree_state (
  client TEXT COLLATE "C" PRIMARY KEY,
  seq    BIGINT NOT NULL
);

-- Files that are there now, in the order of their names within their folder. parent_hash: the SHA-256 of the folder's path.
-- name_key: the name, or the begin of one that is longer than index rows may be with a hash of it (long_name is all of it).
-- seq and what follows: of the newest entry, so that a list reads these rows alone; modified_at also if told later.
CREATE TABLE tree_files (
  client      TEXT COLLATE "C" NOT NULL,
  parent_hash TEXT COLLATE "C" NOT NULL,
  source      TEXT COLLATE "C" NOT NULL,
  name_key    TEXT COLLATE "C" NOT NULL,
  seq         BIGINT NOT NULL,
  bearer      TEXT COLLATE "C" NOT NULL,
  long_name   TEXT COLLATE "C",
  size        BIGINT,
  modified_at TEXT,
  received_at BIGINT NOT NULL,
  PRIMARY KEY (client, parent_hash, source, name_key)
);

-- Files that were removed. One that came back since then stands in tree_files, and still here: there it counts.
CREATE TABLE tree_removed (
  client      TEXT COLLATE "C" NOT NULL,
  parent_hash TEXT COLLATE "C" NOT NULL,
  source      TEXT COLLATE "C" NOT NULL,
  name_key    TEXT COLLATE "C" NOT NULL,
  seq         BIGINT NOT NULL,
  bearer      TEXT COLLATE "C" NOT NULL,
  long_name   TEXT COLLATE "C",
  size        BIGINT,
  modified_at TEXT,
  received_at BIGINT NOT NULL,
  PRIMARY KEY (client, parent_hash, source, name_key)
);

-- Folders, one row for each bearer who has a part in one; a source is the folder whose parent_hash and name are empty.
-- holds: the bearer's files and folders right inside that are there now. made: the bearer made it, so it stays without any.
-- brought: the bearer has at some time sent something from below it.
CREATE TABLE tree_folders (
  client      TEXT COLLATE "C" NOT NULL,
  parent_hash TEXT COLLATE "C" NOT NULL,
  source      TEXT COLLATE "C" NOT NULL,
  name_key    TEXT COLLATE "C" NOT NULL,
  bearer      TEXT COLLATE "C" NOT NULL,
  name        TEXT COLLATE "C" NOT NULL,
  made        SMALLINT NOT NULL CHECK (made IN (0, 1)),
  brought     SMALLINT NOT NULL CHECK (brought IN (0, 1)),
  holds       BIGINT NOT NULL CHECK (holds >= 0),
  made_at     BIGINT NOT NULL,
  PRIMARY KEY (client, parent_hash, source, name_key, bearer)
);
CREATE INDEX tree_folders_only_made ON tree_folders (client, bearer) WHERE brought = 0;

-- When a version's file was modified, as its sender told after the commit.
CREATE TABLE modified_later (
  version_id  TEXT COLLATE "C" PRIMARY KEY,
  modified_at TEXT NOT NULL
);
