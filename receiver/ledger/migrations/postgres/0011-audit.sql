-- Who did what as an administrator, from a page or the command line; id is a UUIDv7, so it is their order too. before and after: JSON of
-- what changed, without secrets. outcome: asked of what cannot be done in one transaction with its record, then done or failed in another row.
CREATE TABLE audit (
  id           TEXT COLLATE "C" PRIMARY KEY,
  at           BIGINT  NOT NULL,
  who_kind     TEXT    NOT NULL,
  who          TEXT COLLATE "C" NOT NULL,
  who_name     TEXT    NOT NULL,
  address      TEXT,
  request_id   TEXT,
  act          TEXT COLLATE "C" NOT NULL,
  outcome      TEXT    NOT NULL CHECK (outcome IN ('done', 'asked', 'failed')),
  subject_kind TEXT COLLATE "C" NOT NULL,
  subject      TEXT COLLATE "C" NOT NULL,
  client       TEXT COLLATE "C",
  before       TEXT,
  after        TEXT
);
CREATE INDEX audit_by_client ON audit (client, id);
CREATE INDEX audit_by_subject ON audit (subject_kind, subject, id);
CREATE INDEX audit_by_who ON audit (who, id);
CREATE INDEX audit_by_act ON audit (act, id);
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- A client that left: its agents, keys and accounts are shut out, its files and their history stay.
ALTER TABLE clients ADD COLUMN offboarded_at BIGINT;
