-- Who was refused with what, how often, since when: one row for each client, bearer and code. Only for bearers that were identified.
-- client '': the request named none. A pause of a day begins the count anew. Forgotten 30 days after last_at; in no backup.
CREATE TABLE refusals (
  client          TEXT    NOT NULL,
  bearer          TEXT    NOT NULL,
  code            TEXT    NOT NULL,
  bearer_kind     TEXT    NOT NULL CHECK (bearer_kind IN ('agent', 'key', 'account')),
  count           INTEGER NOT NULL CHECK (count > 0),
  first_at        INTEGER NOT NULL,
  last_at         INTEGER NOT NULL,
  last_detail     TEXT    NOT NULL,
  last_path       TEXT    NOT NULL,
  last_request_id TEXT,
  PRIMARY KEY (client, bearer, code)
) STRICT, WITHOUT ROWID;
CREATE INDEX refusals_by_time ON refusals (last_at);

-- What each agent said last, in numbers: a scrape adds up thousands of them without reading what they said in words.
-- Follows from the next heartbeat, so it is in no backup. oldest_at: ms of the sealing of the parcel that waits longest.
CREATE TABLE agent_standings (
  agent_id    TEXT PRIMARY KEY,
  skew_ms     INTEGER NOT NULL,
  waiting     INTEGER NOT NULL,
  bytes       INTEGER NOT NULL,
  oldest_at   INTEGER,
  aside       INTEGER NOT NULL,
  sources     INTEGER NOT NULL,
  unreachable INTEGER NOT NULL,
  problems    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
