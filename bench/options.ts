/** The command line of `npm run bench -- …`. */
import { parseArgs } from "node:util";
import { PEER_NAMES, type PeerName } from "./peers/peer.ts";
import { ALIASES, workloads } from "./workloads/all.ts";
import type { Workload } from "./workloads/workload.ts";

export interface BenchOptions {
  readonly workloads: readonly Workload[];
  readonly peers: readonly PeerName[];
  readonly quick: boolean;
  readonly rounds: number;
  readonly chatRounds: number;
  /** Where to write the results as JSON. */
  readonly json: string | undefined;
  /** The folder to write the plots to. */
  readonly plots: string | undefined;
}

export const HELP = `npm run bench -- [options]

Measures this package and its peers side by side on a PostgreSQL 18 of its own (fsync on).

  --only NAME[,NAME]  ${workloads.map(({ name }) => name).join(", ")}; ${Object.keys(ALIASES).join(", ")}
  --quick             small sizes, one round: to see that it works, not to compare
  --rounds N          default 5
  --chat-rounds N     rounds of chat, which takes the official saver minutes (default: as --rounds)
  --savers NAME[,…]   ${PEER_NAMES.join(", ")} (default: all)
  --json FILE         the results with all measurements
  --plots FOLDER      where plots go (default: docs, or nowhere with --quick)
`;

/** Undefined when help was asked for. */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", multiple: true },
      savers: { type: "string", multiple: true },
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      "chat-rounds": { type: "string" },
      json: { type: "string" },
      plots: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const { quick } = values;
  const rounds = count(values.rounds, "--rounds") ?? (quick ? 1 : 5);
  return {
    workloads: chosenWorkloads(values.only),
    peers: chosenPeers(values.savers),
    quick,
    rounds,
    chatRounds: count(values["chat-rounds"], "--chat-rounds") ?? rounds,
    json: values.json,
    plots: values.plots ?? (quick ? undefined : "docs"),
  };
}

function chosenWorkloads(only: readonly string[] | undefined): readonly Workload[] {
  if (!only) return workloads;
  const names = split(only).flatMap((name) => ALIASES[name] ?? name);
  for (const name of names) {
    if (!workloads.some((one) => one.name === name))
      throw new Error(`No workload "${name}".\n\n${HELP}`);
  }
  return workloads.filter(({ name }) => names.includes(name));
}

function chosenPeers(savers: readonly string[] | undefined): readonly PeerName[] {
  if (!savers) return PEER_NAMES;
  return split(savers).map((wanted) => {
    const found = PEER_NAMES.find((name) => name === wanted);
    if (!found) throw new Error(`No saver "${wanted}".\n\n${HELP}`);
    return found;
  });
}

function split(lists: readonly string[]): string[] {
  return lists.flatMap((list) => list.split(","));
}

function count(value: string | undefined, option: string): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!Number.isInteger(number) || number < 1) throw new Error(`${option} must be 1 or more.`);
  return number;
}
