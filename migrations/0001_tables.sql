-- The six tables. Frozen once released: a change is a new migration, never an edit.
-- What every line obeys, so that distributed PostgreSQL stays possible: thread_id in every key, one
-- type and collation for it everywhere; no foreign keys, triggers or sequences. COLLATE "C" because
-- task ids and paths are ordered by code point, and because a change of the operating system's
-- collation must not corrupt an index.
-- migrate:lossy-down checkpoints threads values chunks writes

-- migrate:up

CREATE TABLE :{migrations} (
  version    int NOT NULL,
  name       text COLLATE "C" NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT :{name_migrations_pkey} PRIMARY KEY (version)
);

-- Updated by every put. No index covers a column that a put changes (expires_at only where it is
-- set), and a third of each page stays free, so that the updates are heap-only: an index on
-- updated_at made them cost 2.3 times the WAL. See README.md beside this file.
CREATE TABLE :{threads} (
  thread_id        text COLLATE "C" NOT NULL,
  generation       uuid NOT NULL,
  last_seq         bigint NOT NULL DEFAULT 0,
  created_at       timestamptz NOT NULL DEFAULT now(),
  updated_at       timestamptz NOT NULL DEFAULT now(),
  expires_at       timestamptz,
  lease_token      bigint NOT NULL DEFAULT 0,
  lease_owner      text COLLATE "C",
  lease_expires_at timestamptz,
  CONSTRAINT :{name_threads_pkey} PRIMARY KEY (thread_id)
) WITH (fillfactor = 70);

CREATE INDEX :{name_threads_expires_idx} ON :{threads} (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE :{checkpoints} (
  thread_id            text COLLATE "C" NOT NULL,
  checkpoint_ns        text COLLATE "C" NOT NULL DEFAULT '',
  checkpoint_id        text COLLATE "C" NOT NULL,
  parent_checkpoint_id text COLLATE "C",
  seq                  bigint NOT NULL,
  execution_id         text COLLATE "C",
  node_name            text COLLATE "C",
  version              bigint,
  channel_versions     json NOT NULL,
  checkpoint_data      bytea NOT NULL,
  metadata             jsonb NOT NULL,
  created_at           timestamptz NOT NULL DEFAULT now(),
  expires_at           timestamptz,
  CONSTRAINT :{name_pkey} PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id)
);

CREATE INDEX :{name_seq_idx} ON :{checkpoints} (thread_id, checkpoint_ns, seq DESC);

CREATE INDEX :{name_id_idx} ON :{checkpoints} (checkpoint_id);

CREATE INDEX :{name_execution_idx} ON :{checkpoints} (execution_id) WHERE execution_id IS NOT NULL;

CREATE TABLE :{values} (
  thread_id     text COLLATE "C" NOT NULL,
  checkpoint_ns text COLLATE "C" NOT NULL DEFAULT '',
  channel       text COLLATE "C" NOT NULL,
  version       text COLLATE "C" NOT NULL,
  type          text COLLATE "C" NOT NULL,
  payload       bytea,
  chunks        uuid[],
  CONSTRAINT :{name_values_pkey} PRIMARY KEY (thread_id, checkpoint_ns, channel, version)
);

-- A message of 2 to 4 KB stays in its row: moved out of line, as the default of 2 KB has it,
-- reading a thread's chunks took 1.6 times as long, for the same bytes on disk.
CREATE TABLE :{chunks} (
  thread_id text COLLATE "C" NOT NULL,
  chunk_id  uuid NOT NULL,
  payload   bytea,
  children  uuid[],
  CONSTRAINT :{name_chunks_pkey} PRIMARY KEY (thread_id, chunk_id)
) WITH (toast_tuple_target = 4096);

CREATE TABLE :{writes} (
  thread_id     text COLLATE "C" NOT NULL,
  checkpoint_ns text COLLATE "C" NOT NULL DEFAULT '',
  checkpoint_id text COLLATE "C" NOT NULL,
  task_id       text COLLATE "C" NOT NULL,
  idx           int NOT NULL,
  task_path     text COLLATE "C" NOT NULL DEFAULT '',
  channel       text COLLATE "C" NOT NULL,
  type          text COLLATE "C" NOT NULL,
  payload       bytea,
  chunks        uuid[],
  CONSTRAINT :{name_writes_pkey} PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
);

-- migrate:down

DROP TABLE IF EXISTS :{writes};

DROP TABLE IF EXISTS :{chunks};

DROP TABLE IF EXISTS :{values};

DROP TABLE IF EXISTS :{checkpoints};

DROP TABLE IF EXISTS :{threads};

DROP TABLE IF EXISTS :{migrations};
