-- Paths with an entry whose number is not in the order of commit times, as a rebuild that merges may leave them: of these
-- the newest at a time is not found by its number. Derived from entries.
CREATE TABLE reordered (
  client    TEXT COLLATE "C" NOT NULL,
  source    TEXT COLLATE "C" NOT NULL,
  path_hash TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (client, source, path_hash)
);
INSERT INTO reordered
  SELECT DISTINCT client, source, path_hash FROM (
    SELECT client, source, path_hash, received_at,
      max(received_at) OVER (ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM entries
  ) AS e WHERE received_at < before;

-- When something was first removed from below a folder by this bearer; NULL: never. 0: not known, the row is older than this column.
ALTER TABLE tree_folders ADD COLUMN lost_at BIGINT DEFAULT 0;

-- Up to which entry the search is.
CREATE TABLE search_state (
  id  BIGINT PRIMARY KEY CHECK (id = 1),
  seq BIGINT NOT NULL
);
INSERT INTO search_state (id, seq) VALUES (1, 0);

-- Some hundred paths of one source each, in the order in which they first came. paths: folded for search, a line for
-- each (receiver/search/fold.ts), behind which capitals that begin a word have left their places;
-- firsts: the seq of each path's first entry, with commas. Only the newest of a source still grows.
CREATE TABLE search_blocks (
  id     BIGINT PRIMARY KEY,
  client TEXT COLLATE "C" NOT NULL,
  source TEXT COLLATE "C" NOT NULL,
  count  BIGINT NOT NULL,
  size   BIGINT NOT NULL,
  firsts TEXT NOT NULL,
  paths  TEXT COLLATE "C" NOT NULL
);
CREATE INDEX search_blocks_by_source ON search_blocks (client, source, id);
CREATE INDEX search_blocks_by_client ON search_blocks (client, id);
-- They are read far more often than written: not compressed.
ALTER TABLE search_blocks ALTER COLUMN paths SET STORAGE EXTERNAL;

-- Which words begin in the paths of which block.
CREATE TABLE search_words (
  word  TEXT COLLATE "C" NOT NULL,
  block BIGINT NOT NULL,
  PRIMARY KEY (word, block)
);
