-- Pages of all threads by time. Rows come in the order of this index, so that keeping it costs little.
-- migrate:no-transaction checkpoints time_idx

-- migrate:up

CREATE INDEX :{concurrently} IF NOT EXISTS :{name_time_idx} ON :{checkpoints} (created_at);

-- migrate:down

DROP INDEX :{concurrently} IF EXISTS :{index_time_idx};
