/**
 * The demo, `npm start`: an agent's process is killed in the middle of a step; another process goes on
 * where it was, stops for a human, and a third one finishes. Exits with 1 if a finished step ran twice
 * or state was lost.
 *
 * Runs on PostgreSQL inside the processes, or on the server that DATABASE_URL names. DEMO_SABOTAGE=writes
 * (or checkpoint, or thread) damages what was stored before the second process starts: a demo that
 * cannot fail would prove nothing.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Audit, Event, Order, Sabotage } from "./events.ts";
import { readJournal } from "./journal.ts";
import { type Ended, runProcess } from "./processes.ts";
import { paint, print } from "./terminal.ts";
import { createTimeline } from "./timeline.ts";
import { verify } from "./verify.ts";

const hold = { name: "ask_carrier", after: 2 };
const { DATABASE_URL, DEMO_SABOTAGE } = process.env;
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());

const folder = await mkdtemp(join(tmpdir(), "langgraph-postgres-demo-"));
const common = {
  dataDir: join(folder, "database"),
  journal: join(folder, "journal.ndjson"),
  // A schema of this run's own: demos on one server do not meet, and all of it can be dropped.
  schema: `langgraph_demo_${randomBytes(4).toString("hex")}`,
  thread: "order-1042",
};

try {
  process.exitCode = await play();
} catch (error) {
  if (!stop.signal.aborted) {
    print(`\n${paint("red", "✗")} ${error instanceof Error ? error.message : String(error)}`);
  }
  process.exitCode = stop.signal.aborted ? 130 : 1;
} finally {
  if (DATABASE_URL) await runProcess({ ...common, role: "clean", process: "" }, () => {});
  await rm(folder, { recursive: true, force: true });
}

async function play(): Promise<number> {
  print(paint("bold", "A LangGraph agent, killed in the middle of a step"));
  const place = DATABASE_URL
    ? whereIs(DATABASE_URL)
    : `PostgreSQL in the process (PGlite), in ${folder}`;
  print(`${paint("dim", `on ${place}`)}\n`);
  const timeline = createTimeline(Date.now());
  const found: { stoppedAt: readonly string[]; audit?: Audit } = { stoppedAt: [] };

  const run = async (
    process: string,
    order: Pick<Order, "role" | "hold" | "sabotage">,
  ): Promise<Ended> => {
    const listen = (event: Event): void => {
      timeline(process, event);
      if (event.kind === "stopped" && process === "B") found.stoppedAt = event.next;
      if (event.kind === "audited") found.audit = event.audit;
    };
    const ended = await runProcess({ ...common, ...order, process }, listen, stop.signal);
    const asExpected = order.hold ? ended.signal === "SIGKILL" : ended.code === 0;
    if (!asExpected) throw new Error(`Process ${process} failed: the agent could not go on.`);
    return ended;
  };

  const killed = await run("A", { role: "begin", hold });
  await run("B", {
    role: "resume",
    ...(DEMO_SABOTAGE ? { sabotage: DEMO_SABOTAGE as Sabotage } : {}),
  });
  await run("C", { role: "approve" });
  await run("D", { role: "audit" });

  const { stoppedAt, audit } = found;
  if (audit === undefined) throw new Error("The last process found nothing to look at.");
  const journal = readJournal(common.journal);
  const checks = verify({
    interrupted: hold.name,
    signal: killed.signal,
    stoppedAt,
    journal,
    audit,
  });
  print(`\n${paint("bold", `“${audit.lastMessage}”`)}\n`);
  print(
    paint(
      "dim",
      `What process D, which has seen nothing of it, finds in PostgreSQL ${audit.postgres}:`,
    ),
  );
  for (const { claim, problems } of checks) {
    print(`${problems.length === 0 ? paint("green", "✓") : paint("red", "✗")} ${claim}`);
    for (const problem of problems) print(paint("red", `    ${problem}`));
  }
  return checks.every(({ problems }) => problems.length === 0) ? 0 : 1;
}

/** The server, without user and password. */
function whereIs(url: string): string {
  try {
    const { host, pathname } = new URL(url);
    return `the server ${host || "of DATABASE_URL"}, database ${pathname.slice(1) || "of the user"}`;
  } catch {
    return "the server of DATABASE_URL";
  }
}
