-- People: who may use the console, and clients' own people. One is never deleted, for the record names them; disabled_at ends it.
-- email is in lower case; email_verified: an admin or a provider vouched for it. client: of an uploader alone. totp_enabled: the second factor is proved.
CREATE TABLE people (
  id             TEXT COLLATE "C" PRIMARY KEY,
  email          TEXT COLLATE "C"    NOT NULL UNIQUE,
  email_verified BIGINT  NOT NULL CHECK (email_verified IN (0, 1)),
  name           TEXT    NOT NULL,
  role           TEXT    NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'uploader')),
  client         TEXT COLLATE "C",
  totp_enabled   BIGINT CHECK (totp_enabled IN (0, 1)),
  created_at     BIGINT  NOT NULL,
  updated_at     BIGINT  NOT NULL,
  disabled_at BIGINT,
  last_login_at BIGINT,
  CHECK ((role = 'uploader') = (client IS NOT NULL))
);

-- What a person logs in with: provider 'credential' is the password (a PHC string), any other is an OIDC provider and subject its sub.
CREATE TABLE people_accounts (
  id            TEXT COLLATE "C" PRIMARY KEY,
  person        TEXT COLLATE "C"    NOT NULL,
  provider      TEXT COLLATE "C"    NOT NULL,
  subject       TEXT COLLATE "C"    NOT NULL,
  password_hash TEXT,
  scope         TEXT,
  created_at    BIGINT  NOT NULL,
  updated_at    BIGINT  NOT NULL,
  UNIQUE (provider, subject)
);
CREATE INDEX people_accounts_by_person ON people_accounts (person);

-- Who is logged in. The cookie holds the token with a signature whose key is not here: a token alone lets nobody in.
-- expires_at moves with each use; how: what the person proved himself with.
CREATE TABLE people_sessions (
  id         TEXT COLLATE "C" PRIMARY KEY,
  person     TEXT COLLATE "C"    NOT NULL,
  token      TEXT COLLATE "C"    NOT NULL UNIQUE,
  how        TEXT    NOT NULL CHECK (how IN ('password', 'passkey', 'oidc')),
  address    TEXT,
  device     TEXT,
  created_at BIGINT  NOT NULL,
  used_at    BIGINT  NOT NULL,
  expires_at BIGINT  NOT NULL
);
CREATE INDEX people_sessions_by_person ON people_sessions (person, expires_at);
CREATE INDEX people_sessions_by_end ON people_sessions (expires_at);

-- What is half way: a login that waits for its code, for a passkey's signature, for a provider's answer. identifier is a digest.
CREATE TABLE people_verifications (
  id         TEXT COLLATE "C" PRIMARY KEY,
  identifier TEXT COLLATE "C"    NOT NULL,
  value      TEXT    NOT NULL,
  expires_at BIGINT  NOT NULL,
  created_at BIGINT  NOT NULL,
  updated_at BIGINT  NOT NULL
);
CREATE INDEX people_verifications_by_identifier ON people_verifications (identifier);
CREATE INDEX people_verifications_by_end ON people_verifications (expires_at);

-- Second factors: secret and backup codes are encrypted with a key that is not here. verified 0: begun and not proved yet.
CREATE TABLE people_totp (
  id           TEXT COLLATE "C" PRIMARY KEY,
  person       TEXT COLLATE "C"    NOT NULL UNIQUE,
  secret       TEXT    NOT NULL,
  backup_codes TEXT    NOT NULL,
  verified     BIGINT CHECK (verified IN (0, 1)),
  failures BIGINT,
  locked_until BIGINT
);

-- Codes of second factors that were used and would still be right: each is good once (RFC 6238, 5.2). code_hash: SHA-256.
CREATE TABLE people_codes_used (
  person    TEXT COLLATE "C"    NOT NULL,
  code_hash TEXT COLLATE "C"    NOT NULL,
  until     BIGINT  NOT NULL,
  PRIMARY KEY (person, code_hash)
);

-- Passkeys: public keys of authenticators (WebAuthn). counter only grows, unless it is always 0.
CREATE TABLE people_passkeys (
  id            TEXT COLLATE "C" PRIMARY KEY,
  person        TEXT COLLATE "C"    NOT NULL,
  name          TEXT,
  credential_id TEXT COLLATE "C"    NOT NULL UNIQUE,
  public_key    TEXT    NOT NULL,
  counter       BIGINT  NOT NULL,
  device_type   TEXT    NOT NULL,
  backed_up     BIGINT  NOT NULL CHECK (backed_up IN (0, 1)),
  transports    TEXT,
  aaguid        TEXT,
  created_at    BIGINT
);
CREATE INDEX people_passkeys_by_person ON people_passkeys (person);

-- One-time links: first (the first admin, who chooses the email), invite (a person to be), reset (a new password for one who is there).
-- Of the secret only the SHA-256 is kept. second_factor 1: a reset that takes TOTP and passkeys away too.
-- made_by: the admin whose link ends with his role; NULL: somebody on the host, or the site itself.
CREATE TABLE people_invitations (
  secret_hash   TEXT COLLATE "C" PRIMARY KEY,
  kind          TEXT    NOT NULL CHECK (kind IN ('first', 'invite', 'reset')),
  email         TEXT COLLATE "C",
  name          TEXT,
  role          TEXT    NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'uploader')),
  client        TEXT COLLATE "C",
  person        TEXT COLLATE "C",
  second_factor BIGINT  NOT NULL CHECK (second_factor IN (0, 1)),
  created_at    BIGINT  NOT NULL,
  expires_at    BIGINT  NOT NULL,
  used_at       BIGINT,
  made_by       TEXT
);
CREATE INDEX people_invitations_by_email ON people_invitations (email);
