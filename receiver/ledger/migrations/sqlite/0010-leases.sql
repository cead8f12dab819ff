-- Which agent polls which source of a client, among those that share the work: one row for each that was ever wanted, kept for good.
-- term is another at each change of holder, and only grows: a commit under another term is refused. 0: nobody had it yet.
-- agent_id NULL: nobody has it. until: ms at which it ends unless it is renewed; of one that nobody has, when that began.
CREATE TABLE leases (
  client   TEXT    NOT NULL,
  source   TEXT    NOT NULL,
  agent_id TEXT,
  term     INTEGER NOT NULL,
  until    INTEGER NOT NULL,
  PRIMARY KEY (client, source)
) STRICT, WITHOUT ROWID;

-- What each agent asked for last, as a JSON array of [client, source], and when.
CREATE TABLE lease_wants (
  agent_id TEXT PRIMARY KEY,
  heard_at INTEGER NOT NULL,
  wants    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest entries of one source in commit order, page by page, however many entries its client has elsewhere.
CREATE INDEX heads_by_source ON heads (client, source, seq);
DROP INDEX heads_by_seq;
