/**
 * The engine: checkpoints, channel values and pending writes as rows of PostgreSQL. It knows threads,
 * namespaces and versions, and nothing of graphs.
 */
import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";
import { type Cipher, createCipher } from "../encryption/cipher.ts";
import { type ResolvedSettings, resolveSettings, type StorageSettings } from "../options.ts";
import { createDatabase, type Database, type Executor } from "../postgres/database.ts";
import type { DbPool } from "../postgres/driver.ts";
import { type TableNames, tableNames } from "../postgres/identifiers.ts";
import { type MigrateResult, migrate } from "../schema/migrator.ts";
import { ensureMetadataIndex } from "../schema/optional-index.ts";
import { explainMissingTables } from "../schema/refusals.ts";
import { createValueCodec } from "../values/codec.ts";
import { createAhead } from "./ahead.ts";
import { createChunkLoader } from "./chunk-loader.ts";
import { createDeltaHistory, type DeltaHistory } from "./delta-history.ts";
import { completed, withLargePayloads } from "./large-payloads.ts";
import { createLatestReads, type LatestRead } from "./latest-reads.ts";
import { createOnHead } from "./on-head.ts";
import { readStatements } from "./read-statements.ts";
import { createReader, type Reader } from "./reader.ts";
import { createRecordWriter, type RecordWriter } from "./record-writer.ts";
import { createRefresh, type Refresh } from "./refresh.ts";
import { createRemover, type Remover } from "./remover.ts";
import { createSender } from "./sender.ts";
import { executeOne } from "./slices.ts";
import { createKnowledge } from "./thread-knowledge.ts";
import { noTraffic, type Traffic } from "./traffic.ts";
import { createWriteQueue } from "./write-queue.ts";
import { writeStatements } from "./write-statements.ts";
import { createWriter, type Writer } from "./writer.ts";

export interface StorageOptions {
  readonly pool: DbPool;
  /** Whether `close` ends the pool. */
  readonly owned: boolean;
  readonly serde?: SerializerProtocol | undefined;
  readonly settings: StorageSettings;
}

export interface Storage extends Reader, Writer, RecordWriter, Remover {
  readonly deltaHistory: DeltaHistory;
  /** Reads what a transaction sees, on its connection; remembers nothing, because it may be rolled back. */
  readerIn(executor: Executor): Reader;
  /**
   * Writes in a transaction, on its connection, and remembers within it what it has written: for one
   * that writes a thread whole.
   */
  writerIn(executor: Executor): Writer;
  /** Undefined unless threads are adopted from other tables. */
  readonly adoption?: Adoption | undefined;
  readonly database: Database;
  /** The same, which never migrates by itself. */
  readonly bare: Database;
  /** Puts off the end of what was read, where the settings say so. */
  readonly refresh: Refresh | undefined;
  /** What was moved so far; a live view. */
  readonly traffic: Readonly<Traffic>;
  /** What memory holds of threads, in bytes. */
  cacheBytes(): number;
  readonly names: TableNames;
  /** Where the store is encrypted. */
  readonly cipher: Cipher | undefined;
  readonly settings: ResolvedSettings;
  /** Creates or updates the tables. */
  setup(): Promise<MigrateResult>;
  /** Waits for what is in flight; ends the pool if it is owned. */
  close(): Promise<void>;
}

/** What happens to a thread before its first use in this process. */
export interface Adoption {
  /** Adopts the thread if it is in the other tables only; undefined where that was looked at before. */
  touch(threadId: unknown, within?: InTransaction): Promise<void> | undefined;
  /** Whatever the other tables hold of the thread is not to be adopted: it is about to be deleted. */
  bury(threadId: string): Promise<void>;
}

/** A caller's transaction, and what takes note of what there is to do once it is committed. */
export interface InTransaction {
  readonly executor: Executor;
  readonly afterCommit: (learn: () => void) => void;
}

/** Checks the settings and puts the parts together; nothing is connected yet. */
export function openStorage({ pool, owned, serde, settings: given }: StorageOptions): Storage {
  const settings = resolveSettings(given);
  const { deadline, namedStatements, cacheBytes, ttl } = settings;
  const cipher = given.encryption && createCipher(given.encryption);
  const names = tableNames(settings.schema, settings.tableName);
  const bare = createDatabase({ pool, owned, deadline, namedStatements });
  let ready: Promise<unknown> | undefined;
  const setup = async (): Promise<MigrateResult> => {
    const result = await migrate(bare, names);
    if (settings.metadataIndex) await ensureMetadataIndex(bare, names);
    // By hand, too: the first use has nothing left to look for.
    ready ??= Promise.resolve();
    return result;
  };
  const once = async (): Promise<void> => {
    ready ??= setup().catch((error: unknown) => {
      ready = undefined;
      throw error;
    });
    await ready;
  };
  const database = prepared(bare, names, settings.autoMigrate ? once : undefined);
  const knowledge = createKnowledge(cacheBytes);
  const codec = createValueCodec(serde ? { serde } : {});
  const reads = readStatements(names, cipher !== undefined);
  const statements = writeStatements(names);
  const reading = {
    executor: withLargePayloads(database, reads.slice),
    statements: reads,
    knowledge,
    cipher,
  };
  const traffic = noTraffic();
  const loader = createChunkLoader({ ...reading, codec, traffic });
  const remover = createRemover(database, names);
  const queue = createWriteQueue(database, statements);
  const sending = { statements, reads, remover, traffic, threadTtl: ttl.threads, cipher };
  const sender = createSender({ ...sending, database, queue, knowledge });
  const writing = {
    codec,
    onHead: createOnHead(database, names),
    checkpointTtl: ttl.checkpoints,
    cipher,
  };
  const underWay = new Set<Promise<void>>();
  /** The same call, which `close` waits for: on its way to the server it may not have come to the database yet. */
  const noted =
    <Args extends unknown[]>(call: (...args: Args) => Promise<void>) =>
    (...args: Args): Promise<void> => {
      const done = call(...args);
      const forget = (): void => void underWay.delete(done);
      underWay.add(done);
      done.then(forget, forget);
      return done;
    };
  const ahead = cacheBytes === 0 ? undefined : createAhead(codec, knowledge);
  const latestReads = createLatestReads(database, reads);
  const latest: LatestRead = (...key) =>
    completed(() => latestReads.read(...key), database, reads.slice);
  const reader = createReader({ ...reading, latest, loader, ahead });
  const writer = createWriter({ ...writing, send: sender.send, ahead });
  const refresh = createRefresh(database, names, ttl);
  return {
    database,
    bare,
    refresh,
    traffic,
    cacheBytes: () => knowledge.bytes,
    names,
    cipher,
    settings,
    ...reader,
    read: refresh ? refreshing(reader.read, refresh) : reader.read,
    put: noted(writer.put),
    putWrites: noted(writer.putWrites),
    ...createRecordWriter({ codec, sender, statements, ttl, cipher }),
    ...remover,
    readerIn(executor) {
      const inside = {
        executor: withLargePayloads(executor, reads.slice),
        statements: reads,
        knowledge: createKnowledge(0),
        cipher,
      };
      return createReader({ ...inside, loader: createChunkLoader({ ...inside, codec, traffic }) });
    },
    writerIn(executor) {
      const { send } = createSender({
        ...sending,
        database: executor,
        queue: { submit: (one) => executeOne(executor, statements, one) },
        knowledge: createKnowledge(cacheBytes),
      });
      return createWriter({ ...writing, send });
    },
    deltaHistory: createDeltaHistory({ ...reading, loader }),
    setup,
    async close() {
      latestReads.flush();
      await Promise.allSettled(underWay);
      await bare.close();
    },
  };
}

function refreshing(read: Reader["read"], refresh: Refresh): Reader["read"] {
  return async (...key) => {
    const found = await read(...key);
    if (found) await refresh(found, true);
    return found;
  };
}

/** The database, which migrates before its first use if asked to, and says so where tables are missing. */
function prepared(
  database: Database,
  names: TableNames,
  setup: (() => Promise<void>) | undefined,
): Database {
  const explained = async <T>(run: () => Promise<T>): Promise<T> => {
    if (setup) await setup();
    return run().catch((error: unknown) => {
      throw explainMissingTables(error, names);
    });
  };
  return {
    ...database,
    execute: (...args) => explained(() => database.execute(...args)),
    transaction: (...args) => explained(() => database.transaction(...args)),
  };
}
