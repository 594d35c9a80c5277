/** Saving records: one by itself, or many, all or none. */
import { randomUUID } from "node:crypto";
import type { Cipher } from "../encryption/cipher.ts";
import type { Executor } from "../postgres/database.ts";
import type { ChunkId, EncodedValue, ValueCodec } from "../values/codec.ts";
import { changedTooOften, MAX_ATTEMPTS } from "./attempts.ts";
import {
  type ChannelValue,
  contentVersion,
  type EncodedChannel,
  encodeAll,
  newChunks,
  valueColumns,
  versionsJson,
} from "./channel-values.ts";
import { checkName, encodeName, versionText } from "./names.ts";
import { createRecordGroup } from "./record-group.ts";
import { sealCheckpoint, sealRows } from "./sealing.ts";
import type { Built, Sender, Target, WriteOptions } from "./sender.ts";
import { executeOne } from "./slices.ts";
import type { ThreadKnowledge } from "./thread-knowledge.ts";
import { execute } from "./write-execute.ts";
import type { Outcome, Saved, WriteOperation } from "./write-operation.ts";
import type { WriteStatements } from "./write-statements.ts";

export interface PutRecord {
  readonly threadId: string;
  /** One of records': it is where the record is put, as a checkpoint among checkpoints. */
  readonly namespace: string;
  readonly checkpointId: string;
  readonly parentId: string | null;
  readonly executionId: string | null;
  readonly nodeName: string | null;
  /** Null for the next of the thread. */
  readonly version: number | null;
  /** Milliseconds since the epoch; null for now. */
  readonly createdAt: number | null;
  /** Milliseconds since the epoch; null for never, undefined for what the settings say. */
  readonly expiresAt: number | null | undefined;
  /** What the reader wants back besides the values: JSON text that no other save has, so that this one is recognised. */
  readonly data: string;
  /** The copy of the metadata that filters look at: JSON text that `jsonb` accepts. */
  readonly metadata: string;
  /** The whole state. A value that the thread holds already costs no row. */
  readonly values: readonly Omit<ChannelValue, "version">[];
  /** Whether a record that exists is replaced or is an error. */
  readonly ifExists: "replace" | "error";
}

export interface RecordWriter {
  putRecord(record: PutRecord, options?: WriteOptions): Promise<Saved>;
  /** Checks and serialises records at once: the caller may change what it handed over. */
  prepareRecords(records: readonly PutRecord[]): Promise<PreparedRecords>;
  /** All of them, in order, in the transaction of `executor`. May be repeated. */
  putRecords(
    records: PreparedRecords,
    executor: Executor,
    afterCommit: (learn: () => void) => void,
  ): Promise<Saved[]>;
}

export interface RecordWriterParts {
  readonly codec: ValueCodec;
  readonly sender: Sender;
  readonly statements: WriteStatements;
  /** How long a checkpoint lives, and a thread after a write, in milliseconds. */
  readonly ttl: { readonly threads: number | null; readonly checkpoints: number | null };
  readonly cipher: Cipher | undefined;
}

/** Records on their way. */
export type PreparedRecords = readonly PreparedRecord[];

/** A record whose values are serialised. */
export interface PreparedRecord {
  readonly record: PutRecord;
  readonly row: NonNullable<WriteOperation["checkpoint"]>;
  readonly encoded: readonly EncodedChannel[];
}

/** A record of a batch, and where it stands in the caller's list. */
interface Member {
  readonly ready: PreparedRecord;
  readonly place: number;
}

export function createRecordWriter(parts: RecordWriterParts): RecordWriter {
  const { codec, sender, statements, ttl, cipher } = parts;

  // In an encrypted store a hash of the content would give small contents away.
  const versionOf = (threadId: string, value: EncodedValue): string =>
    contentVersion(value, cipher && ((content) => cipher.tag(threadId, content)));

  const prepare = (record: PutRecord): PreparedRecord | Promise<PreparedRecord> => {
    const ready = (values: readonly EncodedChannel[]): PreparedRecord => {
      const encoded = values.map(({ place, value }) => ({
        value,
        place: { ...place, version: versionOf(record.threadId, value) },
      }));
      const row = rowOf(record, encoded, ttl.checkpoints);
      return { record, encoded, row: sealCheckpoint(cipher, record.threadId, row) };
    };
    const encoded = encodeAll(
      codec,
      record.values.map((value) => ({ ...value, version: "" })),
    );
    return encoded instanceof Promise ? encoded.then(ready) : ready(encoded);
  };

  const build = ({ record, row, encoded }: PreparedRecord, known: Known | undefined): Built => {
    const { rows, bodies, spared } = newChunks(encoded, known);
    const prefix = record.ifExists === "replace" ? "record" : "newRecord";
    return {
      bodies,
      spared,
      operation: {
        kind: `${prefix}${known ? "Known" : "Unknown"}`,
        chunks: rows,
        values: encoded.map((one) => ({
          checkpoint_ns: row.checkpoint_ns,
          version: versionText(one.place.version),
          ...valueColumns(one),
        })),
        checkpoint: row,
        floor: record.version,
        writes: [],
      },
    };
  };

  /** Sends a batch, and returns those that their threads did not take. */
  const sendRound = async (
    batch: readonly Member[],
    executor: Executor,
    taken: (member: Member, outcome: Outcome, what: Built) => void,
  ): Promise<Member[]> => {
    const refused: Member[] = [];
    const threads = new Map<string, ThreadInBatch>();
    const group = createRecordGroup<{ member: Member; built: Built }>();
    const flush = async (): Promise<void> => {
      const sent = group.take();
      const operations = sent.map(({ operation }) => operation);
      const [first] = operations;
      // What is larger than a group is one by itself.
      const outcomes =
        first !== undefined && operations.length === 1
          ? [await executeOne(executor, statements, first)]
          : await execute(executor, statements, operations);
      sent.forEach(({ what: { member, built } }, i) => {
        const outcome = outcomes[i];
        if (outcome) taken(member, outcome, built);
        else refused.push(member);
      });
    };
    for (const member of batch) {
      const { threadId, version } = member.ready.record;
      let thread = threads.get(threadId);
      if (thread === undefined) {
        const known = await sender.find(threadId, { executor, findFirst: version !== null });
        thread = { known, generation: known?.generation ?? randomUUID(), sent: new Set() };
        threads.set(threadId, thread);
      }
      const { known, generation, sent } = thread;
      const has = (id: ChunkId): boolean => sent.has(id) || known?.has(id) === true;
      const built = build(member.ready, known && { has });
      for (const id of built.bodies.keys()) sent.add(id);
      const rows = sealRows(cipher, threadId, built.operation);
      const full = { ...rows, threadId, generation, lease: null, ttlMs: ttl.threads };
      if (!group.fits(full)) await flush();
      group.add(full, { member, built });
    }
    await flush();
    return refused;
  };

  return {
    async putRecord(record, options) {
      const pending = prepare(record);
      const ready = pending instanceof Promise ? await pending : pending;
      const how = { ...options, findFirst: record.version !== null };
      const outcome = await sender.send(targetOf(record), how, (known) => build(ready, known));
      return outcome.saved as Saved;
    },

    prepareRecords: async (records) => Promise.all(records.map(prepare)),

    async putRecords(ready, executor, afterCommit) {
      const saved: Saved[] = [];
      // Threads in one order everywhere, so that two batches wait for each other instead of deadlocking.
      let batch: Member[] = ready
        .map((one, place) => ({ ready: one, place }))
        .sort((a, b) => compare(a.ready.record.threadId, b.ready.record.threadId));
      for (let attempt = 1; batch.length > 0; attempt += 1) {
        batch = await sendRound(batch, executor, ({ ready: { record }, place }, outcome, built) => {
          saved[place] = outcome.saved as Saved;
          afterCommit(() => sender.learn(record.threadId, outcome, built));
        });
        for (const threadId of new Set(batch.map((member) => member.ready.record.threadId))) {
          if (attempt === MAX_ATTEMPTS) throw changedTooOften(threadId, "written to");
          const known = await sender.find(threadId, undefined);
          await sender.explainRefusal({ threadId, from: [] }, known, { executor });
        }
      }
      return saved;
    },
  };
}

/** A record comes from no run, so it may begin its thread. */
function targetOf({ threadId, checkpointId }: PutRecord): Target {
  return { threadId, checkpointId, from: [] };
}

type Known = Pick<ThreadKnowledge, "has">;

interface ThreadInBatch {
  readonly known: ThreadKnowledge | undefined;
  readonly generation: string;
  /** The chunks that the batch has sent: it need not send them again. */
  readonly sent: Set<ChunkId>;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function rowOf(record: PutRecord, encoded: readonly EncodedChannel[], ttl: number | null) {
  const { parentId, executionId, nodeName, expiresAt } = record;
  return {
    checkpoint_ns: checkName("checkpoint_ns", record.namespace),
    checkpoint_id: checkName("checkpoint_id", record.checkpointId),
    parent_id: parentId === null ? null : checkName("checkpoint_id", parentId),
    execution_id: executionId === null ? null : checkName("execution_id", executionId),
    node_name: nodeName === null ? null : encodeName(nodeName),
    version: record.version,
    // fromEntries defines own properties, so that a key __proto__ stays one.
    channel_versions: versionsJson(
      Object.fromEntries(encoded.map(({ place }) => [place.channel, place.version])),
    ),
    data: record.data,
    metadata: record.metadata,
    expires_ms: expiresAt ?? null,
    ttl_ms: expiresAt === undefined ? ttl : null,
    created_ms: record.createdAt,
  };
}
