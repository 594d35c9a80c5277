/** A store on a fresh schema, and SQL beside it. */
import { afterAll, beforeAll } from "vitest";
import { PostgresCheckpointStore, type StoreOptions } from "../../src/index.ts";
import { type Backend, backends, type OpenBackend, sqlOn } from "../support/backends.ts";

/** The newest server and the embedded one: what works on both needs one connection. */
export const both: readonly Backend[] = backends.filter(({ name }) => name !== "postgres-14");
/** The newest server, for what is too heavy for all, or needs several connections. */
export const newest: Backend = backends.find(({ name }) => name === "postgres-18") as Backend;

export interface StoreFixture {
  readonly store: PostgresCheckpointStore;
  readonly backend: OpenBackend;
  /** Another store on the same tables, as another process would have: nothing is shared in memory. */
  another(options?: StoreOptions): PostgresCheckpointStore;
  /** One statement of SQL; `T`, `T_threads`, … stand for the tables. */
  sql(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
}

/** One store for the tests of a `describe`; they use threads of their own. */
export function useStore(
  backend: Backend,
  options: StoreOptions = {},
): { readonly current: StoreFixture } {
  let current: StoreFixture | undefined;
  const stores: PostgresCheckpointStore[] = [];
  beforeAll(async () => {
    const open = await backend.open({ maxConns: 20 });
    const { pool, schema } = open;
    const another = (more: StoreOptions = {}): PostgresCheckpointStore => {
      const store = PostgresCheckpointStore.fromPool(pool, { schema, ...options, ...more });
      stores.push(store);
      return store;
    };
    const store = another();
    await store.initSchema();
    current = {
      store,
      backend: open,
      another,
      sql: (text, values) => sqlOn(open, text, values),
    };
  });
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()));
    await current?.backend.close();
  });
  return {
    get current() {
      if (current === undefined) throw new Error("not open yet");
      return current;
    },
  };
}

let count = 0;
/** An id that no other test uses. */
export function fresh(what: string): string {
  count += 1;
  return `${what}-${count}`;
}

/** Text that does not compress, so that sizes mean something. */
export function randomText(length: number): string {
  let text = "";
  while (text.length < length) text += Math.random().toString(36).slice(2);
  return text.slice(0, length);
}

/** The error that the promise is rejected with. */
export async function failure(promise: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  return promise.then(
    () => {
      throw new Error("it succeeded");
    },
    (error) => error,
  );
}
