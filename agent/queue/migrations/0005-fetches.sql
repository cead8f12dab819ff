-- Files that are fetched from far away and are not whole yet: the first `bytes` of the copy in the spool are durable.
CREATE TABLE fetches (
  source_id INTEGER NOT NULL REFERENCES sources (id),
  path      BLOB    NOT NULL,
  size      INTEGER NOT NULL,
  mtime_ns  INTEGER NOT NULL,
  ctime_ns  INTEGER NOT NULL,
  file_id   INTEGER,
  spooled   TEXT    NOT NULL,
  bytes     INTEGER NOT NULL,
  PRIMARY KEY (source_id, path)
) STRICT, WITHOUT ROWID;
