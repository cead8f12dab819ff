-- Who is told of arrivals. client and source NULL mean all; the secret is encrypted with a key that is not in the ledger. Everything up to
-- cursor_seq is delivered or stands in webhook_events. generation counts the changes of its course from outside; one receiver at a time has the lease.
CREATE TABLE webhooks (
  id              TEXT COLLATE "C" PRIMARY KEY,
  url             TEXT    NOT NULL,
  name            TEXT,
  client          TEXT COLLATE "C",
  source          TEXT COLLATE "C",
  secret          TEXT    NOT NULL,
  created_at      BIGINT  NOT NULL,
  revoked_at      BIGINT,
  gone_at         BIGINT,
  epoch           TEXT    NOT NULL,
  begins_after    BIGINT  NOT NULL,
  cursor_seq      BIGINT  NOT NULL,
  generation      BIGINT  NOT NULL,
  failures        BIGINT  NOT NULL,
  failing_since   BIGINT,
  paused_until    BIGINT  NOT NULL,
  last_success_at BIGINT,
  last_failure_at BIGINT,
  last_failure    TEXT,
  lease           TEXT,
  leased_until    BIGINT  NOT NULL
);

-- Entries of which a webhook was told in vain; due_at is the next try, NULL of a dead letter.
CREATE TABLE webhook_events (
  webhook    TEXT COLLATE "C"  NOT NULL,
  version_id TEXT COLLATE "C"  NOT NULL,
  seq        BIGINT  NOT NULL,
  tries      BIGINT  NOT NULL,
  tried_at   BIGINT  NOT NULL,
  due_at     BIGINT,
  failure    TEXT    NOT NULL,
  PRIMARY KEY (webhook, version_id)
);
CREATE INDEX webhook_events_due ON webhook_events (webhook, due_at);
