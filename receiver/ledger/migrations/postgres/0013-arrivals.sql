-- How much arrived, by UTC hour (ms since 1970 of its begin), counted in the commit. files and bytes: versions; last_at: the newest of
-- them, or NULL. It follows from entries, so it is in no backup. (client, source) is a feed.
CREATE TABLE arrivals (
  hour     BIGINT NOT NULL,
  client   TEXT COLLATE "C" NOT NULL,
  source   TEXT COLLATE "C" NOT NULL,
  channel  TEXT COLLATE "C" NOT NULL,
  files    BIGINT NOT NULL,
  bytes    BIGINT NOT NULL,
  removals BIGINT NOT NULL,
  last_at  BIGINT,
  PRIMARY KEY (hour, client, source, channel)
);
CREATE INDEX arrivals_by_feed ON arrivals (client, source, hour, channel);

INSERT INTO arrivals (hour, client, source, channel, files, bytes, removals, last_at)
  SELECT received_at - received_at % 3600000 AS hour, client, source, channel,
    sum(CASE WHEN kind = 'version' THEN 1 ELSE 0 END), sum(coalesce(size, 0)),
    sum(CASE WHEN kind = 'removal' THEN 1 ELSE 0 END), max(CASE WHEN kind = 'version' THEN received_at END)
  FROM entries GROUP BY hour, client, source, channel;

-- Lists of deliveries, newest first, by what they are filtered by. A feed is one term here: other queries name client and source too,
-- and a database that knows nothing of a new table would take this index where one by the path is right.
CREATE INDEX entries_by_feed ON entries ((client || '/' || source), seq);
CREATE INDEX entries_by_bearer ON entries (bearer, seq);
CREATE INDEX entries_by_channel ON entries (channel, seq);
CREATE INDEX entries_removals ON entries (seq) WHERE kind = 'removal';
CREATE INDEX entries_removals_by_client ON entries (client, seq) WHERE kind = 'removal';

-- Digests lie together by each 8,192 entries: a commit writes to few pages, and who looks for one looks into each of these.
CREATE INDEX entries_by_digest ON entries ((seq >> 13), substr(sha256, 1, 12));
