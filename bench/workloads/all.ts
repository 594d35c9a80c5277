/** Every workload, in the order in which they run. */
import { agent } from "./agent.ts";
import { chat } from "./chat.ts";
import { coldRead } from "./cold-read.ts";
import { crowd } from "./crowd.ts";
import { crowdCalls } from "./crowd-calls.ts";
import { deletion } from "./delete.ts";
import { delta } from "./delta.ts";
import { document } from "./document.ts";
import { files } from "./files.ts";
import { history } from "./history.ts";
import { wide, wideWaits } from "./wide.ts";
import type { Workload } from "./workload.ts";

export const workloads: readonly Workload[] = [
  chat,
  agent,
  files,
  document,
  wide,
  wideWaits,
  crowd,
  crowdCalls,
  coldRead,
  history,
  delta,
  deletion,
];

/** Names of something that is measured in more than one of them. */
export const ALIASES: Readonly<Record<string, readonly string[]>> = {
  "stored-bytes": ["chat", "agent"],
  crowd: ["crowd", "crowd-calls"],
};
