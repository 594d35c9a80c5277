/**
 * `node --import tsx process.ts CONNECTION SCHEMA put|get KIND SIZE`: does it in a process of its own and prints what it
 * cost: the most memory that the process had, less what it had before.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { createPool, PostgresSaver } from "../../src/index.ts";
import { checkpointOf, METADATA } from "../contract/material.ts";
import { LARGE_VALUES } from "./large-values.ts";

const [connString = "", schema = "", what, kind = "", size = ""] = process.argv.slice(2);
const pool = createPool({ connString, maxConns: 2 });
const saver = new PostgresSaver(pool, undefined, { schema, deadline: "5m" });
const valuesOf = LARGE_VALUES[kind] as (size: number) => Record<string, unknown>;
const at = (thread: string) => ({ configurable: { thread_id: thread, checkpoint_ns: "" } });

async function put(thread: string, values: Record<string, unknown>): Promise<void> {
  const checkpoint = checkpointOf(values);
  await saver.put(at(thread), checkpoint, METADATA, checkpoint.channel_versions);
}

const onLinux = process.platform === "linux";

/** The most memory so far, in bytes. What `resourceUsage` says begins with what the parent had. */
function most(): number {
  const status = onLinux ? readFileSync("/proc/self/status", "utf8") : "";
  const [, kilobytes] = /^VmHWM:\s*(\d+) kB$/m.exec(status) ?? [];
  return 1024 * Number(kilobytes ?? process.resourceUsage().maxRSS);
}

/** Forgets what making the value took. Elsewhere than on Linux, less is measured than was needed. */
function measureFromHere(): void {
  globalThis.gc?.();
  globalThis.gc?.();
  if (onLinux) writeFileSync("/proc/self/clear_refs", "5");
}

// Code is compiled, connections are made, the statements are known.
for (let i = 0; i < 5; i += 1) {
  await put(`warm up ${kind}`, LARGE_VALUES.strings?.(200_000) ?? {});
  await new PostgresSaver(pool, undefined, { schema }).getTuple(at(`warm up ${kind}`));
}
const thread = `large ${kind} ${size}`;
// What is measured comes on top of the value, which its owner holds anyhow.
const values = valuesOf(Number(size));
measureFromHere();
const before = most();
const began = performance.now();
let error: unknown;
let same: boolean | undefined;
let after = 0;
try {
  if (what === "put") {
    await put(thread, values);
    after = most();
  } else {
    const read = await saver.getTuple(at(thread));
    after = most();
    same = isDeepStrictEqual(read?.checkpoint.channel_values, values);
  }
} catch (caught) {
  error = caught;
}
const { name, code, message, stack } = (error ?? {}) as Error & { code?: string };
process.stdout.write(
  JSON.stringify({
    ms: Math.round(performance.now() - began),
    bytes: (after || most()) - before,
    same,
    ...(error === undefined ? {} : { name, code, message, stack }),
  }),
);
await pool.end();
