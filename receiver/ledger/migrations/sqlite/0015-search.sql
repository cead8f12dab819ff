-- Paths with an entry whose number is not in the order of commit times, as a rebuild that merges may leave them: of these
-- the newest at a time is not found by its number. Derived from entries.
CREATE TABLE reordered (
  client    TEXT NOT NULL,
  source    TEXT NOT NULL,
  path_hash TEXT NOT NULL,
  PRIMARY KEY (client, source, path_hash)
) STRICT, WITHOUT ROWID;
INSERT INTO reordered
  SELECT DISTINCT client, source, path_hash FROM (
    SELECT client, source, path_hash, received_at,
      max(received_at) OVER (ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM entries
  ) AS e WHERE received_at < before;

-- When something was first removed from below a folder by this bearer; NULL: never. 0: not known, the row is older than this column.
ALTER TABLE tree_folders ADD COLUMN lost_at INTEGER DEFAULT 0;

-- Up to which entry the search is.
CREATE TABLE search_state (
  id  INTEGER PRIMARY KEY CHECK (id = 1),
  seq INTEGER NOT NULL
) STRICT;
INSERT INTO search_state (id, seq) VALUES (1, 0);

-- Some hundred paths of one source each, in the order in which they first came. paths: folded for search, a line for
-- each (receiver/search/fold.ts), behind which capitals that begin a word have left their places;
-- firsts: the seq of each path's first entry, with commas. Only the newest of a source still grows.
CREATE TABLE search_blocks (
  id     INTEGER PRIMARY KEY,
  client TEXT    NOT NULL,
  source TEXT    NOT NULL,
  count  INTEGER NOT NULL,
  size   INTEGER NOT NULL,
  firsts TEXT    NOT NULL,
  paths  TEXT    NOT NULL
) STRICT;
CREATE INDEX search_blocks_by_source ON search_blocks (client, source, id);
CREATE INDEX search_blocks_by_client ON search_blocks (client, id);

-- Which words begin in the paths of which block.
CREATE TABLE search_words (
  word  TEXT    NOT NULL,
  block INTEGER NOT NULL,
  PRIMARY KEY (word, block)
) STRICT, WITHOUT ROWID;
