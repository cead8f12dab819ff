-- An operator may discard what is held: its bytes go, the row stays. later_state: the path's sender told since then of a
-- state that made no entry: the newest version again (version), or that the path is gone (removal).
ALTER TABLE quarantined DROP CONSTRAINT quarantined_state_check;
ALTER TABLE quarantined ADD CONSTRAINT quarantined_state_check CHECK (state IN ('held', 'released', 'discarded'));
ALTER TABLE quarantined ADD COLUMN discarded_at BIGINT;
ALTER TABLE quarantined ADD COLUMN discarded_by TEXT;
ALTER TABLE quarantined ADD COLUMN later_state TEXT CHECK (later_state IN ('version', 'removal'));
CREATE INDEX quarantined_kept_back ON quarantined (id) WHERE state <> 'released';
CREATE INDEX quarantined_by_path ON quarantined (client, source, path_hash) WHERE state = 'held';
