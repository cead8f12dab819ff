-- Who did what as an administrator, from a page or the command line; id is a UUIDv7, so it is their order too. before and after: JSON of
-- what changed, without secrets. outcome: asked of what cannot be done in one transaction with its record, then done or failed in another row.
CREATE TABLE audit (
  id           TEXT PRIMARY KEY,
  at           INTEGER NOT NULL,
  who_kind     TEXT    NOT NULL,
  who          TEXT    NOT NULL,
  who_name     TEXT    NOT NULL,
  address      TEXT,
  request_id   TEXT,
  act          TEXT    NOT NULL,
  outcome      TEXT    NOT NULL CHECK (outcome IN ('done', 'asked', 'failed')),
  subject_kind TEXT    NOT NULL,
  subject      TEXT    NOT NULL,
  client       TEXT,
  before       TEXT,
  after        TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_by_client ON audit (client, id);
CREATE INDEX audit_by_subject ON audit (subject_kind, subject, id);
CREATE INDEX audit_by_who ON audit (who, id);
CREATE INDEX audit_by_act ON audit (act, id);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- A client that left: its agents, keys and accounts are shut out, its files and their history stay.
ALTER TABLE clients ADD COLUMN offboarded_at INTEGER;
