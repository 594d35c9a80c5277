/** threads, history, show, diff: looking at what is stored. */
import type { Command } from "commander";
import type { StoredCheckpoint } from "../../storage/reader.ts";
import type { Storage } from "../../storage/storage.ts";
import type { ListThreadsOptions } from "../../threads/list-threads.ts";
import { count, examples, object, time } from "../arguments.ts";
import { forkTree } from "../fork-tree.ts";
import { bytes, counted, moment, paint, printable, textTable } from "../output.ts";
import { plain } from "../plain.ts";
import { withStore } from "../run.ts";
import { type Change, stateDiff } from "../state-diff.ts";
import { pick, type TimelineEntry, timeline } from "../timeline.ts";

export function addLookCommands(program: Command): void {
  examples(
    program
      .command("threads")
      .description("list threads, the one that was put into last first")
      .option("--updated-after <time>", "only threads that were put into after this time", time)
      .option(
        "--metadata <json>",
        "what the metadata of the newest checkpoint must contain",
        object,
      )
      .option("--limit <n>", "threads a page, 1 to 1000", count, 20)
      .option("--cursor <cursor>", "go on where the page before ended")
      .action((options: ListThreadsOptions, command: Command) => listThreads(options, command)),
    'threads --limit 5 --metadata \'{"user":"u1"}\'',
  );
  examples(
    program
      .command("history")
      .description("show a thread's checkpoints as a timeline, with the tree of its forks")
      .argument("<thread>", "the thread's id")
      .option("--namespace <name>", "only this namespace; the root graph's is the empty text")
      .option("--limit <n>", "only the newest so many of each namespace", count)
      .action((thread: string, options: HistoryOptions, command: Command) =>
        history(thread, options, command),
      ),
    "history 42",
  );
  examples(
    program
      .command("show")
      .description("show the state at a checkpoint; without one, at the latest")
      .argument("<thread>", "the thread's id")
      .argument("[checkpoint]", "the checkpoint's id, or its beginning")
      .option("--namespace <name>", "a subgraph's namespace")
      .action((thread: string, id: string | undefined, options: HistoryOptions, command: Command) =>
        show(thread, id, options, command),
      ),
    "show 42",
    "show 42 1f0c5f0e-3a",
  );
  examples(
    program
      .command("diff")
      .description("show what changed in the state from one checkpoint to another")
      .argument("<thread>", "the thread's id")
      .argument("<a>", "a checkpoint's id, or its beginning")
      .argument("<b>", "another's")
      .option("--namespace <name>", "a subgraph's namespace")
      .action((thread: string, a: string, b: string, options: HistoryOptions, command: Command) =>
        diff(thread, [a, b], options, command),
      ),
    "diff 42 1f0c5f0e-3a 1f0c5f0e-7c",
  );
}

interface HistoryOptions {
  readonly namespace?: string;
  readonly limit?: number;
}

function listThreads(
  { updatedAfter, metadata, limit, cursor }: ListThreadsOptions,
  command: Command,
): Promise<void> {
  return withStore(command, async ({ storage, out }) => {
    const threads = await import("../../threads/list-threads.ts");
    const page = await threads.listThreads(storage, {
      ...(updatedAfter ? { updatedAfter } : {}),
      ...(metadata ? { metadata } : {}),
      ...(limit ? { limit } : {}),
      ...(cursor ? { cursor } : {}),
    });
    out.data(page, () =>
      page.threads.length === 0
        ? "No threads."
        : textTable(
            ["thread", "updated", "checkpoints", "writes", "size", "newest checkpoint"],
            page.threads.map((one) => [
              one.threadId,
              moment(one.updatedAt),
              one.checkpoints,
              one.writes,
              bytes(one.bytes),
              one.newest.checkpointId,
            ]),
          ),
    );
    if (page.nextCursor && !out.json) out.note(`More: --cursor ${page.nextCursor}`);
  });
}

function history(thread: string, options: HistoryOptions, command: Command): Promise<void> {
  return withStore(command, async ({ storage, out }) => {
    const all = await timeline(storage, thread);
    const namespaces = [...new Set(all.map(({ namespace }) => namespace))]
      .filter((name) => options.namespace === undefined || name === options.namespace)
      .map((namespace) => {
        const own = all.filter((one) => one.namespace === namespace);
        return { namespace, all: own.length, shown: own.slice(-(options.limit ?? own.length)) };
      });
    out.data(
      namespaces.flatMap(({ shown }) => shown),
      () =>
        namespaces.map(({ namespace, all, shown }) => section(namespace, all, shown)).join("\n\n"),
    );
    if (namespaces.length === 0)
      out.note(`No checkpoints in namespace ${JSON.stringify(options.namespace)}.`);
  });
}

function section(namespace: string, all: number, shown: readonly TimelineEntry[]): string {
  const title = namespace === "" ? "root graph" : `namespace ${printable(namespace)}`;
  const nodes = shown.map((entry) => ({ ...entry, id: entry.checkpointId }));
  const latest = nodes.at(-1)?.id;
  const lines = forkTree(nodes).map(({ graph, node, orphan }) =>
    [
      `${graph}${printable(node.checkpointId)}`,
      moment(node.createdAt),
      paint("dim", placeOf(node)),
      ...(node.interrupts > 0 ? [paint("yellow", counted(node.interrupts, "interrupt"))] : []),
      ...(node.errors > 0 ? [paint("red", counted(node.errors, "error"))] : []),
      ...(node.writes > 0 ? [counted(node.writes, "pending write")] : []),
      ...(orphan ? [paint("dim", "(its parent is not shown)")] : []),
      ...(node.id === latest ? [paint("bold", "← latest")] : []),
    ].join("  "),
  );
  const left = all > shown.length ? `, the newest ${shown.length} of ${all}` : "";
  return [`${paint("bold", title)}: ${counted(all, "checkpoint")}${left}`, ...lines].join("\n");
}

/** A graph counts steps, and says where they came from; a record has a version. */
function placeOf({ step, source, version }: TimelineEntry): string {
  if (version !== null) return `version ${version}`;
  return `step ${step ?? "?"} ${source === null ? "" : printable(source)}`.trim();
}

async function stateAt(
  storage: Storage,
  thread: string,
  entries: readonly TimelineEntry[],
  id: string | undefined,
  namespace: string | undefined,
): Promise<{ entry: TimelineEntry; stored: StoredCheckpoint }> {
  const entry = pick(entries, id, namespace);
  const stored = await storage.read(thread, entry.namespace, entry.checkpointId);
  if (stored) return { entry, stored };
  const { CheckpointNotFoundError } = await import("../../errors.ts");
  throw new CheckpointNotFoundError(`Checkpoint ${entry.checkpointId} was removed meanwhile.`);
}

function show(
  thread: string,
  id: string | undefined,
  { namespace }: HistoryOptions,
  command: Command,
): Promise<void> {
  return withStore(command, async ({ storage, out }) => {
    const { serialize } = await import("../../values/codec.ts");
    const entries = await timeline(storage, thread);
    const { entry, stored } = await stateAt(storage, thread, entries, id, namespace);
    const wire = (value: unknown): unknown => JSON.parse(serialize(value, "state"));
    const data = JSON.parse(stored.data) as { metadata?: unknown };
    out.data(
      {
        ...entry,
        metadata: data.metadata,
        channelVersions: stored.channelVersions,
        values: Object.fromEntries([...stored.values].map(([name, value]) => [name, wire(value)])),
        pendingWrites: stored.writes.map(({ value, ...write }) => ({
          ...write,
          value: wire(value),
        })),
      },
      () =>
        [
          `${paint("bold", "checkpoint")} ${printable(entry.checkpointId)}`,
          `parent     ${entry.parentId ?? "none"}`,
          ...(entry.namespace === "" ? [] : [`namespace  ${printable(entry.namespace)}`]),
          `created    ${moment(entry.createdAt)}`,
          `metadata   ${printable(JSON.stringify(data.metadata ?? {}))}`,
          ...[...stored.values].map(
            ([name, value]) =>
              `${paint("bold", printable(name))} ${paint("dim", `version ${stored.channelVersions[name]}`)}\n${indented(value)}`,
          ),
          ...stored.writes.map(
            ({ taskId, channel, value }) =>
              `${paint("yellow", "pending")} ${printable(channel)} ${paint("dim", `by task ${printable(taskId)}`)}\n${indented(value)}`,
          ),
        ].join("\n"),
    );
  });
}

function indented(value: unknown): string {
  const text = JSON.stringify(plain(value), null, 2) ?? "(undefined)";
  return text
    .split("\n")
    .map((line) => `  ${printable(line)}`)
    .join("\n");
}

function diff(
  thread: string,
  [a, b]: readonly [string, string],
  { namespace }: HistoryOptions,
  command: Command,
): Promise<void> {
  return withStore(command, async ({ storage, out }) => {
    const entries = await timeline(storage, thread);
    const before = await stateAt(storage, thread, entries, a, namespace);
    const after = await stateAt(storage, thread, entries, b, namespace);
    const state = ({ stored }: typeof before): unknown =>
      Object.fromEntries([...stored.values].map(([name, value]) => [name, plain(value)]));
    const changes = stateDiff(state(before), state(after));
    out.data({ from: before.entry.checkpointId, to: after.entry.checkpointId, changes }, () =>
      changes.length === 0 ? "No difference." : changes.map(changeLine).join("\n"),
    );
  });
}

function changeLine({ path, kind, before, after }: Change): string {
  const text = (value: unknown): string => printable(JSON.stringify(value) ?? "(undefined)");
  const name = printable(path);
  if (kind === "added") return paint("green", `+ ${name}: ${text(after)}`);
  if (kind === "removed") return paint("red", `- ${name}: ${text(before)}`);
  return `${paint("red", `- ${name}: ${text(before)}`)}\n${paint("green", `+ ${name}: ${text(after)}`)}`;
}
