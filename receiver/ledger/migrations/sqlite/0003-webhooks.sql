-- Who is told of arrivals. client and source NULL mean all; the secret is encrypted with a key that is not in the ledger. Everything up to
-- cursor_seq is delivered or stands in webhook_events. generation counts the changes of its course from outside; one receiver at a time has the lease.
CREATE TABLE webhooks (
  id              TEXT PRIMARY KEY,
  url             TEXT    NOT NULL,
  name            TEXT,
  client          TEXT,
  source          TEXT,
  secret          TEXT    NOT NULL,
  created_at      INTEGER NOT NULL,
  revoked_at      INTEGER,
  gone_at         INTEGER,
  epoch           TEXT    NOT NULL,
  begins_after    INTEGER NOT NULL,
  cursor_seq      INTEGER NOT NULL,
  generation      INTEGER NOT NULL,
  failures        INTEGER NOT NULL,
  failing_since   INTEGER,
  paused_until    INTEGER NOT NULL,
  last_success_at INTEGER,
  last_failure_at INTEGER,
  last_failure    TEXT,
  lease           TEXT,
  leased_until    INTEGER NOT NULL
) STRICT;

-- Entries of which a webhook was told in vain; due_at is the next try, NULL of a dead letter.
CREATE TABLE webhook_events (
  webhook    TEXT    NOT NULL,
  version_id TEXT    NOT NULL,
  seq        INTEGER NOT NULL,
  tries      INTEGER NOT NULL,
  tried_at   INTEGER NOT NULL,
  due_at     INTEGER,
  failure    TEXT    NOT NULL,
  PRIMARY KEY (webhook, version_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_events_due ON webhook_events (webhook, due_at);
