-- People: who may use the console, and clients' own people. One is never deleted, for the record names them; disabled_at ends it.
-- email is in lower case; email_verified: an admin or a provider vouched for it. client: of an uploader alone. totp_enabled: the second factor is proved.
CREATE TABLE people (
  id             TEXT PRIMARY KEY,
  email          TEXT    NOT NULL UNIQUE,
  email_verified INTEGER NOT NULL CHECK (email_verified IN (0, 1)),
  name           TEXT    NOT NULL,
  role           TEXT    NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'uploader')),
  client         TEXT,
  totp_enabled   INTEGER CHECK (totp_enabled IN (0, 1)),
  created_at     INTEGER NOT NULL,
  updated_at     INTEGER NOT NULL,
  disabled_at    INTEGER,
  last_login_at  INTEGER,
  CHECK ((role = 'uploader') = (client IS NOT NULL))
) STRICT;

-- What a person logs in with: provider 'credential' is the password (a PHC string), any other is an OIDC provider and subject its sub.
CREATE TABLE people_accounts (
  id            TEXT PRIMARY KEY,
  person        TEXT    NOT NULL,
  provider      TEXT    NOT NULL,
  subject       TEXT    NOT NULL,
  password_hash TEXT,
  scope         TEXT,
  created_at    INTEGER NOT NULL,
  updated_at    INTEGER NOT NULL,
  UNIQUE (provider, subject)
) STRICT;
CREATE INDEX people_accounts_by_person ON people_accounts (person);

-- Who is logged in. The cookie holds the token with a signature whose key is not here: a token alone lets nobody in.
-- expires_at moves with each use; how: what the person proved himself with.
CREATE TABLE people_sessions (
  id         TEXT PRIMARY KEY,
  person     TEXT    NOT NULL,
  token      TEXT    NOT NULL UNIQUE,
  how        TEXT    NOT NULL CHECK (how IN ('password', 'passkey', 'oidc')),
  address    TEXT,
  device     TEXT,
  created_at INTEGER NOT NULL,
  used_at    INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX people_sessions_by_person ON people_sessions (person, expires_at);
CREATE INDEX people_sessions_by_end ON people_sessions (expires_at);

-- What is half way: a login that waits for its code, for a passkey's signature, for a provider's answer. identifier is a digest.
CREATE TABLE people_verifications (
  id         TEXT PRIMARY KEY,
  identifier TEXT    NOT NULL,
  value      TEXT    NOT NULL,
  expires_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX people_verifications_by_identifier ON people_verifications (identifier);
CREATE INDEX people_verifications_by_end ON people_verifications (expires_at);

-- Second factors: secret and backup codes are encrypted with a key that is not here. verified 0: begun and not proved yet.
CREATE TABLE people_totp (
  id           TEXT PRIMARY KEY,
  person       TEXT    NOT NULL UNIQUE,
  secret       TEXT    NOT NULL,
  backup_codes TEXT    NOT NULL,
  verified     INTEGER CHECK (verified IN (0, 1)),
  failures     INTEGER,
  locked_until INTEGER
) STRICT;

-- Codes of second factors that were used and would still be right: each is good once (RFC 6238, 5.2). code_hash: SHA-256.
CREATE TABLE people_codes_used (
  person    TEXT    NOT NULL,
  code_hash TEXT    NOT NULL,
  until     INTEGER NOT NULL,
  PRIMARY KEY (person, code_hash)
) STRICT, WITHOUT ROWID;

-- Passkeys: public keys of authenticators (WebAuthn). counter only grows, unless it is always 0.
CREATE TABLE people_passkeys (
  id            TEXT PRIMARY KEY,
  person        TEXT    NOT NULL,
  name          TEXT,
  credential_id TEXT    NOT NULL UNIQUE,
  public_key    TEXT    NOT NULL,
  counter       INTEGER NOT NULL,
  device_type   TEXT    NOT NULL,
  backed_up     INTEGER NOT NULL CHECK (backed_up IN (0, 1)),
  transports    TEXT,
  aaguid        TEXT,
  created_at    INTEGER
) STRICT;
CREATE INDEX people_passkeys_by_person ON people_passkeys (person);

-- One-time links: first (the first admin, who chooses the email), invite (a person to be), reset (a new password for one who is there).
-- Of the secret only the SHA-256 is kept. second_factor 1: a reset that takes TOTP and passkeys away too.
-- made_by: the admin whose link ends with his role; NULL: somebody on the host, or the site itself.
CREATE TABLE people_invitations (
  secret_hash   TEXT PRIMARY KEY,
  kind          TEXT    NOT NULL CHECK (kind IN ('first', 'invite', 'reset')),
  email         TEXT,
  name          TEXT,
  role          TEXT    NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'uploader')),
  client        TEXT,
  person        TEXT,
  second_factor INTEGER NOT NULL CHECK (second_factor IN (0, 1)),
  created_at    INTEGER NOT NULL,
  expires_at    INTEGER NOT NULL,
  used_at       INTEGER,
  made_by       TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX people_invitations_by_email ON people_invitations (email);
