-- Threads by their last activity, newest first, without what an index on updated_at costs every put:
-- the column changes once a minute at most, so that all other updates stay heap-only. Generated, so
-- no statement that writes has to know of it. UTC, because only that is immutable.

-- migrate:up

ALTER TABLE :{threads} ADD COLUMN active_minute timestamp
  GENERATED ALWAYS AS (date_trunc('minute', updated_at AT TIME ZONE 'UTC')) STORED;

CREATE INDEX :{name_threads_active_idx} ON :{threads} (active_minute DESC);

-- migrate:down

DROP INDEX :{index_threads_active_idx};

ALTER TABLE :{threads} DROP COLUMN active_minute;
