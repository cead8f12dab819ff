-- Of a source that several agents share: the term under which this row was last found to be what the receiver holds.
ALTER TABLE seen ADD COLUMN learned INTEGER NOT NULL DEFAULT 0;
