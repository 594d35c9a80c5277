/** The official saver on a schema of its own beside a store's. */
import type pg from "pg";
import { afterAll, beforeAll } from "vitest";
import { adopting } from "../../src/langgraph/adopting.ts";
import type { StorageSettings } from "../../src/options.ts";
import { openStorage, type Storage } from "../../src/storage/storage.ts";
import { type OpenStore, openStore, server } from "../retention/store.ts";
import { OfficialSaver } from "./official-threads.ts";

export interface Official {
  readonly saver: OfficialSaver;
  readonly schema: string;
  /** A digest of every row of its tables. */
  contents(): Promise<unknown[]>;
  close(): Promise<void>;
}

export async function official(store: OpenStore): Promise<Official> {
  const { pool } = store.storage.database;
  const schema = `${store.storage.names.schemaName}_official`;
  const saver = new OfficialSaver(pool as pg.Pool, undefined, { schema });
  await saver.setup();
  return {
    saver,
    schema,
    contents: () =>
      store.sql(`SELECT md5(string_agg(x, '|' ORDER BY x COLLATE "C")) FROM (
        SELECT t::text x FROM "${schema}".checkpoints t UNION ALL SELECT t::text FROM "${schema}".checkpoint_blobs t
        UNION ALL SELECT t::text FROM "${schema}".checkpoint_writes t) all_rows`),
    close: async () => void (await store.sql(`DROP SCHEMA "${schema}" CASCADE`)),
  };
}

/** A store on a server, and the official saver beside it, for the tests of a `describe`. */
export function useOfficial(): { readonly store: OpenStore; readonly source: Official } {
  const opened: { store?: OpenStore; source?: Official } = {};
  beforeAll(async () => {
    opened.store = await openStore(server);
    opened.source = await official(opened.store);
  });
  afterAll(async () => {
    await opened.source?.close();
    await opened.store?.close();
  });
  return opened as Required<typeof opened>;
}

/** Another storage over the same pool, which adopts from there and knows nothing yet. */
export function adoptingFrom(
  store: OpenStore,
  from: Pick<Official, "schema">,
  more: StorageSettings = {},
): Storage {
  const { database, names } = store.storage;
  const settings = { schema: names.schemaName, ...more, adopt: { schema: from.schema } };
  return adopting(openStorage({ pool: database.pool, owned: false, settings }));
}
