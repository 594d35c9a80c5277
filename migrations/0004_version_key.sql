-- A record's version is given once in its thread, namespace and execution: two writers that both
-- say "this is version 7" must find out. Checkpoints of graphs are not concerned: their step
-- restarts after a fork. The condition is that of src/storage/names.ts.
-- migrate:no-transaction checkpoints version_key

-- migrate:up

CREATE UNIQUE INDEX :{concurrently} IF NOT EXISTS :{name_version_key}
  ON :{checkpoints} (thread_id, checkpoint_ns, COALESCE(execution_id, ''), version)
  WHERE checkpoint_ns = '@records' OR checkpoint_ns LIKE '@records/%';

-- migrate:down

DROP INDEX :{concurrently} IF EXISTS :{index_version_key};
