-- 1: other agents may have this source. Kept here, since what waits of it outlives its line in agent.yaml.
ALTER TABLE sources ADD COLUMN shared INTEGER NOT NULL DEFAULT 0;
