-- What the centre asked of an agent: carried in its heartbeats' answers until done_at. outcome is JSON {ok, detail}. Not part of a backup.
CREATE TABLE agent_commands (
  id         TEXT PRIMARY KEY,
  agent_id   TEXT    NOT NULL,
  kind       TEXT    NOT NULL CHECK (kind IN ('scan', 'diagnostics')),
  source     TEXT,
  created_at INTEGER NOT NULL,
  created_by TEXT    NOT NULL,
  sent_at    INTEGER,
  done_at    INTEGER,
  outcome    TEXT
) STRICT;
CREATE INDEX agent_commands_open ON agent_commands (agent_id, id) WHERE done_at IS NULL;
CREATE INDEX agent_commands_by_agent ON agent_commands (agent_id, id);

-- The newest diagnostics bundles of each agent: body is base64 of gzip'd JSON, of `size` bytes. Not part of a backup.
CREATE TABLE agent_diagnostics (
  id         TEXT PRIMARY KEY,
  agent_id   TEXT    NOT NULL,
  command_id TEXT    NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  size       INTEGER NOT NULL,
  body       TEXT    NOT NULL
) STRICT;
CREATE INDEX agent_diagnostics_by_agent ON agent_diagnostics (agent_id, id);

-- paused_at: nothing shall leave this agent, as paused_by wished. attended_until: ms; until then it reports more often, because somebody waits for it.
ALTER TABLE agents ADD COLUMN paused_at INTEGER;
ALTER TABLE agents ADD COLUMN paused_by TEXT;
ALTER TABLE agents ADD COLUMN attended_until INTEGER;
