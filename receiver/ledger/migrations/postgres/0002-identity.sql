-- One installed edge process with its own key pair; public_key is the x of its Ed25519 JWK. nonce NULL: any next one is taken.
CREATE TABLE agents (
  id             TEXT COLLATE "C" PRIMARY KEY,
  name           TEXT    NOT NULL,
  public_key     TEXT COLLATE "C"    NOT NULL UNIQUE,
  state          TEXT    NOT NULL CHECK (state IN ('active', 'revoked', 'forked')),
  created_at     BIGINT  NOT NULL,
  host           TEXT    NOT NULL,
  platform       TEXT    NOT NULL,
  version        TEXT    NOT NULL,
  nonce          TEXT,
  nonce_previous TEXT,
  last_seen_at   BIGINT,
  status         TEXT
);

-- Which clients an agent acts for: several for a house agent.
CREATE TABLE agent_clients (
  agent_id TEXT COLLATE "C" NOT NULL,
  client   TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (agent_id, client)
);

-- Enrolment codes: only the SHA-256 of the secret. clients is a JSON array. replaces: the agent that moves to a new host.
CREATE TABLE invitations (
  secret_hash TEXT COLLATE "C" PRIMARY KEY,
  name        TEXT,
  clients     TEXT    NOT NULL,
  replaces    TEXT,
  created_at  BIGINT  NOT NULL,
  expires_at  BIGINT  NOT NULL,
  used_key    TEXT,
  used_agent  TEXT
);

-- API keys: only the SHA-256 of the secret. scopes is a JSON array of write, read, remove.
CREATE TABLE api_keys (
  id          TEXT COLLATE "C" PRIMARY KEY,
  client      TEXT COLLATE "C"    NOT NULL,
  name        TEXT,
  secret_hash TEXT COLLATE "C"    NOT NULL UNIQUE,
  source      TEXT COLLATE "C",
  scopes      TEXT    NOT NULL,
  created_at  BIGINT  NOT NULL,
  revoked_at  BIGINT
);
