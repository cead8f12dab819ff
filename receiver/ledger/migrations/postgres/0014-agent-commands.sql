-- What the centre asked of an agent: carried in its heartbeats' answers until done_at. outcome is JSON {ok, detail}. Not part of a backup.
CREATE TABLE agent_commands (
  id         TEXT COLLATE "C" PRIMARY KEY,
  agent_id   TEXT COLLATE "C" NOT NULL,
  kind       TEXT    NOT NULL CHECK (kind IN ('scan', 'diagnostics')),
  source     TEXT,
  created_at BIGINT  NOT NULL,
  created_by TEXT    NOT NULL,
  sent_at    BIGINT,
  done_at    BIGINT,
  outcome    TEXT
);
CREATE INDEX agent_commands_open ON agent_commands (agent_id, id) WHERE done_at IS NULL;
CREATE INDEX agent_commands_by_agent ON agent_commands (agent_id, id);

-- The newest diagnostics bundles of each agent: body is base64 of gzip'd JSON, of `size` bytes. Not part of a backup.
CREATE TABLE agent_diagnostics (
  id         TEXT COLLATE "C" PRIMARY KEY,
  agent_id   TEXT COLLATE "C" NOT NULL,
  command_id TEXT COLLATE "C" NOT NULL UNIQUE,
  created_at BIGINT  NOT NULL,
  size       BIGINT  NOT NULL,
  body       TEXT    NOT NULL
);
CREATE INDEX agent_diagnostics_by_agent ON agent_diagnostics (agent_id, id);

-- paused_at: nothing shall leave this agent, as paused_by wished. attended_until: ms; until then it reports more often, because somebody waits for it.
ALTER TABLE agents ADD COLUMN paused_at BIGINT;
ALTER TABLE agents ADD COLUMN paused_by TEXT;
ALTER TABLE agents ADD COLUMN attended_until BIGINT;
