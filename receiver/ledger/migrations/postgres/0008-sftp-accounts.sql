-- SFTP accounts: who may come in at the SFTP door, for one client. A user name is one account's until that is revoked; added anew, it
-- is another account. source NULL: any. password_hash is a PHC string; last_login_* are within a minute.
CREATE TABLE sftp_accounts (
  id              TEXT COLLATE "C" PRIMARY KEY,
  user_name       TEXT COLLATE "C"    NOT NULL,
  client          TEXT COLLATE "C"    NOT NULL,
  source          TEXT COLLATE "C",
  default_source  TEXT COLLATE "C"    NOT NULL,
  access          TEXT    NOT NULL CHECK (access IN ('write', 'read-write')),
  removals        TEXT    NOT NULL CHECK (removals IN ('record', 'refuse')),
  history         BIGINT  NOT NULL CHECK (history IN (0, 1)),
  receipts        BIGINT  NOT NULL CHECK (receipts IN (0, 1)),
  password_hash   TEXT,
  created_at      BIGINT  NOT NULL,
  revoked_at      BIGINT,
  last_login_at   BIGINT,
  last_login_from TEXT
);
CREATE UNIQUE INDEX sftp_accounts_by_user ON sftp_accounts (user_name) WHERE revoked_at IS NULL;

-- The public keys of SFTP accounts: base64 of the SSH blob, as it stands in authorized_keys, and its SHA256:… fingerprint.
CREATE TABLE sftp_keys (
  account_id  TEXT COLLATE "C" NOT NULL,
  fingerprint TEXT COLLATE "C" NOT NULL,
  public_key  TEXT NOT NULL,
  comment     TEXT NOT NULL,
  PRIMARY KEY (account_id, fingerprint)
);
