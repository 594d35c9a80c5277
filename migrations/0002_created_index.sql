-- Pages of one thread by time, newest first.
-- migrate:no-transaction checkpoints created_idx

-- migrate:up

CREATE INDEX :{concurrently} IF NOT EXISTS :{name_created_idx} ON :{checkpoints} (thread_id, created_at DESC);

-- migrate:down

DROP INDEX :{concurrently} IF EXISTS :{index_created_idx};
