-- What has expired. Partial: rows that never expire cost nothing.
-- migrate:no-transaction checkpoints expires_idx

-- migrate:up

CREATE INDEX :{concurrently} IF NOT EXISTS :{name_expires_idx} ON :{checkpoints} (expires_at) WHERE expires_at IS NOT NULL;

-- migrate:down

DROP INDEX :{concurrently} IF EXISTS :{index_expires_idx};
