-- SFTP accounts: who may come in at the SFTP door, for one client. A user name is one account's until that is revoked; added anew, it
-- is another account. source NULL: any. password_hash is a PHC string; last_login_* are within a minute.
CREATE TABLE sftp_accounts (
  id              TEXT PRIMARY KEY,
  user_name       TEXT    NOT NULL,
  client          TEXT    NOT NULL,
  source          TEXT,
  default_source  TEXT    NOT NULL,
  access          TEXT    NOT NULL CHECK (access IN ('write', 'read-write')),
  removals        TEXT    NOT NULL CHECK (removals IN ('record', 'refuse')),
  history         INTEGER NOT NULL CHECK (history IN (0, 1)),
  receipts        INTEGER NOT NULL CHECK (receipts IN (0, 1)),
  password_hash   TEXT,
  created_at      INTEGER NOT NULL,
  revoked_at      INTEGER,
  last_login_at   INTEGER,
  last_login_from TEXT
) STRICT;
CREATE UNIQUE INDEX sftp_accounts_by_user ON sftp_accounts (user_name) WHERE revoked_at IS NULL;

-- The public keys of SFTP accounts: base64 of the SSH blob, as it stands in authorized_keys, and its SHA256:… fingerprint.
CREATE TABLE sftp_keys (
  account_id  TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  public_key  TEXT NOT NULL,
  comment     TEXT NOT NULL,
  PRIMARY KEY (account_id, fingerprint)
) STRICT, WITHOUT ROWID;
