/** Which checkpoints a limit of so many for each namespace wants. */
import type { CheckpointStub } from "./keep-set.ts";
import type { Selection } from "./plan.ts";

/** Between the namespaces of nested graphs, and between a graph's name and the run of it. */
const NESTED = "|";
const RUN = ":";

/**
 * The newest `limit` visible checkpoints of each namespace, newest by the order in which they were
 * put. With `removeSubgraphRuns`, none of a subgraph's run whose checkpoint is not among them.
 */
export function keepLast(limit: number, removeSubgraphRuns: boolean): Selection {
  return {
    showLinks: true,
    withParents: removeSubgraphRuns,
    wanted(checkpoints) {
      const namespaces = new Map<string, CheckpointStub[]>();
      for (const one of checkpoints) {
        if (one.state !== "alive") continue;
        const others = namespaces.get(one.namespace);
        if (others) others.push(one);
        else namespaces.set(one.namespace, [one]);
      }
      for (const [namespace, all] of namespaces) {
        namespaces.set(namespace, all.sort((a, b) => b.seq - a.seq).slice(0, limit));
      }
      if (removeSubgraphRuns) dropAbandonedRuns(namespaces);
      return [...namespaces.values()].flat();
    },
  };
}

/** Takes out the runs of subgraphs whose parent's checkpoint is not wanted any more. */
function dropAbandonedRuns(namespaces: Map<string, CheckpointStub[]>): void {
  const depth = (namespace: string): number => namespace.split(NESTED).length;
  for (const namespace of [...namespaces.keys()].sort((a, b) => depth(a) - depth(b))) {
    const parent = namespace.includes(NESTED)
      ? namespace.slice(0, namespace.lastIndexOf(NESTED))
      : "";
    // A subgraph that keeps its state from run to run has no run in its name, and stays.
    if (!namespace.slice(parent.length).includes(RUN)) continue;
    const latest = namespaces.get(namespace)?.[0];
    const ranBy = latest && parentIn(latest, parent);
    if (latest === undefined || ranBy === undefined) continue;
    const above = namespaces.get(parent) ?? [];
    // A run that is going on has put later than what its parent keeps, or its parent is still to
    // come: only what is older than all that the parent keeps is surely over.
    const over = above.every((one) => one.id !== ranBy && one.seq > latest.seq);
    if (over) namespaces.delete(namespace);
  }
}

/** The checkpoint of the parent's namespace that this one ran under, by its own metadata. */
function parentIn(one: CheckpointStub, namespace: string): string | undefined {
  if (one.parents === null) return undefined;
  const parents: unknown = JSON.parse(one.parents);
  if (typeof parents !== "object" || parents === null) return undefined;
  const id: unknown = (parents as Record<string, unknown>)[namespace];
  return typeof id === "string" ? id : undefined;
}
