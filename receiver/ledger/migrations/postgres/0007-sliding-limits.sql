-- Requests that were taken in the last window, by all receivers: JSON, a list of { at, count }, oldest first. Lives for
-- minutes: not logged, and in no backup. Takes the place of windows that stood side by side.
DROP TABLE request_windows;
CREATE UNLOGGED TABLE request_takings (
  subject TEXT COLLATE "C" NOT NULL,
  per_ms  BIGINT NOT NULL,
  takings TEXT NOT NULL,
  PRIMARY KEY (subject, per_ms)
);
