-- Limits of a client; NULL means the configured default. limit_requests as people write it: 600/m.
ALTER TABLE clients ADD COLUMN limit_requests TEXT;
ALTER TABLE clients ADD COLUMN limit_uploads BIGINT;

-- An agent or API key as one who brings files: its own limits (NULL: none but its client's), and its bytes of one UTC day.
CREATE TABLE bearers (
  bearer         TEXT COLLATE "C" PRIMARY KEY,
  limit_requests TEXT,
  limit_uploads  BIGINT,
  quota_day      BIGINT,
  quota_file     BIGINT,
  day            TEXT COLLATE "C" NOT NULL,
  day_bytes      BIGINT NOT NULL
);

-- Requests that were taken out of a window, by all receivers. Lives for minutes: not logged, and in no backup.
CREATE UNLOGGED TABLE request_windows (
  subject TEXT COLLATE "C" NOT NULL,
  per_ms  BIGINT NOT NULL,
  ends_at BIGINT NOT NULL,
  taken   BIGINT NOT NULL,
  granted BIGINT NOT NULL,
  PRIMARY KEY (subject, per_ms)
);

-- Uploads that a receiver may have under way of a subject, until expires_at unless it says so again.
CREATE UNLOGGED TABLE upload_slots (
  subject    TEXT COLLATE "C" NOT NULL,
  receiver   TEXT COLLATE "C" NOT NULL,
  slots      BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (subject, receiver)
);
