/** A storage that takes a thread over from the official package's tables before it is first used. */
import { dropOldest } from "../drop-oldest.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { checkThreadId } from "../storage/names.ts";
import type { Adoption, InTransaction, Storage } from "../storage/storage.ts";
import { adoptThread, hasGrown } from "./adopt.ts";
import { type OfficialSource, openOfficial, summaryOf } from "./official-source.ts";
import { summarySql } from "./official-statements.ts";

/** Threads remembered as looked at; one that is forgotten costs a look more. */
const REMEMBERED = 100_000;

/** The storage itself where nothing is adopted. */
export function adopting(storage: Storage): Storage {
  if (storage.settings.adopt === null) return storage;
  const adoption = createAdoption(storage, storage.settings.adopt.schema);
  const first = async <T>(threadId: string, work: () => Promise<T>): Promise<T> => {
    await adoption.touch(threadId);
    return work();
  };
  return {
    ...storage,
    adoption,
    read: (threadId, ...rest) => first(threadId, () => storage.read(threadId, ...rest)),
    async *list(query) {
      if (query.threadId !== undefined) await adoption.touch(query.threadId);
      yield* storage.list(query);
    },
    put: (checkpoint, options) =>
      first(checkpoint.threadId, () => storage.put(checkpoint, options)),
    putWrites: (writes, options) =>
      first(writes.threadId, () => storage.putWrites(writes, options)),
    deltaHistory: (key, channels) => first(key.threadId, () => storage.deltaHistory(key, channels)),
    async remove(threadId, executor) {
      // In a transaction it makes room for what comes from there.
      if (executor === undefined) await adoption.bury(threadId);
      return storage.remove(threadId, executor);
    },
  };
}

function createAdoption(storage: Storage, schema: string): Adoption {
  const { database, names } = storage;
  const looked = new Set<string>();
  /** Threads that are being looked at; who else wants them waits. */
  const underWay = new Map<string, Promise<void>>();
  let opened: Promise<Opened> | undefined;

  const open = (): Promise<Opened> => {
    opened ??= openOfficial(database, schema).then(
      (source) => ({ source, ...lookStatements(source, names.adoptions) }),
      (error: unknown) => {
        opened = undefined;
        throw error;
      },
    );
    return opened;
  };

  const remember = (threadId: string): void => {
    looked.add(threadId);
    dropOldest(looked, REMEMBERED);
  };

  const look = async (threadId: string, inside?: InTransaction): Promise<void> => {
    const { source, look } = await open();
    const executor = inside?.executor ?? database;
    const [row] = await executor.execute(look, [threadId]).catch(async (error: unknown) => {
      // Where the source is gone by now, that is what the error has to say.
      opened = undefined;
      await open();
      throw error;
    });
    const there = summaryOf(row, 3);
    const isNews = row?.[0] == null || hasGrown(there, summaryOf(row, 0));
    if (there.checkpoints > 0 && isNews) {
      await adoptThread(storage, source, threadId, { executor: inside?.executor });
    }
    if (inside) inside.afterCommit(() => remember(threadId));
    else remember(threadId);
  };

  return {
    touch(threadId, inside) {
      const id = usable(threadId);
      if (id === undefined || looked.has(id)) return undefined;
      if (inside) return look(id, inside);
      const known = underWay.get(id);
      if (known !== undefined) return known;
      const looking = look(id).finally(() => underWay.delete(id));
      underWay.set(id, looking);
      return looking;
    },
    async bury(threadId) {
      const { bury } = await open();
      await database.execute(bury, [threadId]);
    },
  };
}

interface Opened {
  readonly source: OfficialSource;
  /** `$1` thread: its mark, NULL if there is none, and what it is there. */
  readonly look: Statement;
  /** `$1` thread: marks it as adopted, as it is there now. */
  readonly bury: Statement;
}

function lookStatements(
  { tables }: OfficialSource,
  adoptions: string,
): Pick<Opened, "look" | "bury"> {
  return {
    look: statement(
      "adopt_look",
      `SELECT m.checkpoints::text, m.writes::text, m.newest, s.checkpoints::text, s.writes::text, s.newest
FROM (${summarySql(tables)}) s LEFT JOIN ${adoptions} m ON m.thread_id = $1`,
    ),
    bury: statement(
      "adopt_bury",
      `INSERT INTO ${adoptions} (thread_id, checkpoints, writes, newest)
SELECT $1, s.checkpoints, s.writes, s.newest FROM (${summarySql(tables)}) s WHERE s.checkpoints > 0
ON CONFLICT (thread_id) DO UPDATE SET checkpoints = excluded.checkpoints, writes = excluded.writes,
  newest = excluded.newest, adopted_at = excluded.adopted_at`,
    ),
  };
}

/** What no thread can be called is refused by the operation itself. */
function usable(threadId: unknown): string | undefined {
  try {
    return checkThreadId(threadId);
  } catch {
    return undefined;
  }
}
