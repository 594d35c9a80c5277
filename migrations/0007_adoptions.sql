-- Threads that came from the official package's tables, as they were there: so one that changes there
-- afterwards is noticed, and one that is deleted here does not come back. A row outlives its thread.
-- migrate:lossy-down adoptions

-- migrate:up

CREATE TABLE :{adoptions} (
  thread_id   text COLLATE "C" NOT NULL,
  checkpoints bigint NOT NULL,
  writes      bigint NOT NULL,
  newest      text COLLATE "C" NOT NULL,
  adopted_at  timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT :{name_adoptions_pkey} PRIMARY KEY (thread_id)
);

-- migrate:down

DROP TABLE IF EXISTS :{adoptions};
