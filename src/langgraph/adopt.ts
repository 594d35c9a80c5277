/** Taking a thread over from the official package's tables: whole, in one transaction, and once. */
import { randomUUID } from "node:crypto";
import { notConfigured } from "../encryption/cipher.ts";
import { ThreadConflictError, ThreadDivergedError } from "../errors.ts";
import type { Executor } from "../postgres/database.ts";
import { checkThreadId, encodeName } from "../storage/names.ts";
import type { Storage } from "../storage/storage.ts";
import { adoptionStatements } from "./adoption-statements.ts";
import {
  type OfficialKey,
  type OfficialPage,
  type OfficialSource,
  type OfficialSummary,
  type OfficialThread,
  summaryOf,
} from "./official-source.ts";
import { putPage } from "./official-thread.ts";

export interface AdoptOptions {
  /** The caller's transaction, in which it takes place. Default: one of its own. */
  readonly executor?: Executor | undefined;
  /** Looks at what was put of a page, before anything is committed. */
  readonly check?: ((tx: Executor, page: OfficialPage) => Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Which side's thread stays, instead of an error, where they are not the same. */
  readonly settle?: "here" | "there" | undefined;
}

export type Adopted =
  | { readonly state: "copied"; readonly checkpoints: number; readonly bytes: number }
  /** It is here, or was and was deleted; the source has nothing new. */
  | { readonly state: "unchanged" }
  /** The source has no such thread. */
  | { readonly state: "unknown" };

/** How long a thread may take; milliseconds. */
const DEADLINE = 600_000;
/** How often a thread is copied anew because somebody wrote to it in the source meanwhile. */
const MAX_PASSES = 5;

/**
 * Copies the thread if it is not here, or adds what the source has got since then if nothing was
 * done to it here. Who comes second waits for the first, and finds it done.
 *
 * @throws {ThreadDivergedError} where the source has something new and the thread here is not what
 *   was adopted any more; nothing was changed.
 * @throws {ThreadConflictError} where the source's thread is written to all the time.
 * @throws {DecryptionError} where the thread is encrypted here, and this process has no keys.
 */
export async function adoptThread(
  storage: Storage,
  source: OfficialSource,
  id: string,
  options: AdoptOptions = {},
): Promise<Adopted> {
  const threadId = checkThreadId(id);
  const work = (tx: Executor): Promise<Adopted> => {
    const there = source.database === storage.database ? source.within(tx) : source;
    return adopt(tx, storage, there, threadId, options);
  };
  if (options.executor) return work(options.executor);
  // An expired thread is as good as gone.
  await storage.removeExpired(threadId);
  return storage.database.transaction(work, { deadline: DEADLINE });
}

async function adopt(
  tx: Executor,
  storage: Storage,
  source: OfficialSource,
  threadId: string,
  options: AdoptOptions,
): Promise<Adopted> {
  const statements = adoptionStatements(storage.names);
  const isNew = (await tx.execute(statements.claim, [threadId])).length > 0;
  const [mark] = isNew ? [] : await tx.execute(statements.mark, [threadId]);
  const there = await source.thread(threadId);
  if (there.keys.length === 0) {
    if (isNew) await tx.execute(statements.forget, [threadId]);
    return { state: "unknown" };
  }
  const note = async ({ checkpoints, writes, newest }: OfficialSummary): Promise<void> => {
    await tx.execute(statements.note, [threadId, checkpoints, writes, newest]);
  };
  const now = summarise(there);
  if (options.settle === "here") {
    await note(now);
    return { state: "unchanged" };
  }
  if (options.settle === "there") await storage.remove(threadId, tx);
  else if (mark && !hasGrown(now, summaryOf(mark, 0))) return { state: "unchanged" };
  const begun = (await tx.execute(statements.begin, [threadId, randomUUID()])).length > 0;
  if (!begun) await tx.execute(statements.lock, [threadId]);
  // A thread with a mark and without a row was deleted here.
  const state =
    options.settle === "there" || (begun && !mark)
      ? "incomplete"
      : begun
        ? "diverged"
        : compare(there, await find(tx, storage, threadId), mark && summaryOf(mark, 0));
  if (state === "diverged") throw diverged(threadId, begun);
  if (state === "incomplete") {
    if (storage.cipher === undefined && !begun) await refuseEncrypted(tx, storage, threadId);
    const copied = await copy(tx, storage, source, threadId, there, options);
    await note(summarise(copied));
    return { state: "copied", checkpoints: copied.keys.length, bytes: copied.bytes };
  }
  await note(now);
  return { state: "unchanged" };
}

/** Without keys its rows would come to lie beside the others in the clear, and in place of some of them. */
async function refuseEncrypted(tx: Executor, { names }: Storage, threadId: string): Promise<void> {
  const { encrypted } = adoptionStatements(names);
  if ((await tx.execute(encrypted, [threadId])).length > 0) throw notConfigured(threadId);
}

/** What the source held at the end of a pass in which it did not change. */
async function copy(
  tx: Executor,
  storage: Storage,
  source: OfficialSource,
  threadId: string,
  first: OfficialThread,
  { check, signal }: AdoptOptions,
): Promise<OfficialThread> {
  const writer = storage.writerIn(tx);
  const stored = new Set<string>();
  let there = first;
  let newest = "";
  for (let pass = 1; ; pass += 1) {
    for await (const page of source.pages(threadId)) {
      await putPage(writer, threadId, page, stored, signal);
      await check?.(tx, page);
      for (const { checkpoint } of page.checkpoints) {
        const ts: unknown = (JSON.parse(checkpoint) as { ts?: unknown }).ts;
        if (typeof ts === "string" && ts > newest) newest = ts;
      }
    }
    const { checkpoints, writes, newest: id } = await source.summary(threadId);
    const before = summarise(there);
    // Each page is a moment of its own.
    if (checkpoints === before.checkpoints && writes === before.writes && id === before.newest) {
      break;
    }
    if (pass === MAX_PASSES) {
      throw new ThreadConflictError(
        `Thread ${JSON.stringify(threadId)} changed ${MAX_PASSES} times in ${source.tables.checkpoints} while it was copied from there; nothing was copied. Try again once its run has ended.`,
      );
    }
    there = await source.thread(threadId);
  }
  const time = Date.parse(newest);
  const { touched } = adoptionStatements(storage.names);
  if (!Number.isNaN(time)) await tx.execute(touched, [threadId, time, there.keys.length]);
  return there;
}

function summarise({ keys, writes }: OfficialThread): OfficialSummary {
  return { checkpoints: keys.length, writes, newest: keys.at(-1)?.checkpointId ?? "" };
}

/** Whether anybody wrote to it. Rows that are gone from the source are no reason to change anything. */
export function hasGrown(now: OfficialSummary, before: OfficialSummary): boolean {
  return (
    now.checkpoints > before.checkpoints ||
    now.writes > before.writes ||
    // By code point, as the column is sorted: these are ASCII.
    now.newest > before.newest
  );
}

interface Here {
  /** Namespace and id of each checkpoint, as JSON. */
  readonly keys: ReadonlySet<string>;
  readonly writes: number;
}

/** Goes on only where what is here is a beginning of what is there: nothing may come to lie in the wrong order. */
function compare(
  there: OfficialThread,
  here: Here,
  mark: OfficialSummary | undefined,
): "unchanged" | "diverged" | "incomplete" {
  const isHere = there.keys.map((key) => here.keys.has(keyOf(key)));
  const prefix = isHere.includes(false) ? isHere.indexOf(false) : there.keys.length;
  if (mark) {
    const asAdopted =
      here.keys.size === mark.checkpoints &&
      here.writes === mark.writes &&
      prefix >= mark.checkpoints;
    return asAdopted ? "incomplete" : "diverged";
  }
  // Nothing but a lease, or records.
  if (here.keys.size === 0) return "incomplete";
  return prefix === there.keys.length && here.writes >= there.writes ? "unchanged" : "diverged";
}

async function find(tx: Executor, { names }: Storage, threadId: string): Promise<Here> {
  const rows = await tx.execute(adoptionStatements(names).here, [threadId]);
  return {
    keys: new Set(
      rows.flatMap((row) => (row[0] === "key" ? [JSON.stringify([row[1], row[2]])] : [])),
    ),
    writes: Number(rows.find((row) => row[0] === "writes")?.[1]),
  };
}

const keyOf = ({ namespace, checkpointId }: OfficialKey): string =>
  JSON.stringify([encodeName(namespace), encodeName(checkpointId)]);

function diverged(threadId: string, wasDeleted: boolean): ThreadDivergedError {
  const here = wasDeleted ? "was deleted here" : "was changed here, or begun here by itself";
  return new ThreadDivergedError(
    `Thread ${JSON.stringify(threadId)} ${here}, and changed in the tables that it is adopted from. Neither is touched. Say which stays: langgraph-postgres import --thread … --settle here, or --settle there.`,
  );
}
