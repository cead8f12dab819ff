-- Limits of a client; NULL means the configured default. limit_requests as people write it: 600/m.
ALTER TABLE clients ADD COLUMN limit_requests TEXT;
ALTER TABLE clients ADD COLUMN limit_uploads INTEGER;

-- An agent or API key as one who brings files: its own limits (NULL: none but its client's), and its bytes of one UTC day.
CREATE TABLE bearers (
  bearer         TEXT PRIMARY KEY,
  limit_requests TEXT,
  limit_uploads  INTEGER,
  quota_day      INTEGER,
  quota_file     INTEGER,
  day            TEXT NOT NULL,
  day_bytes      INTEGER NOT NULL
) STRICT;
