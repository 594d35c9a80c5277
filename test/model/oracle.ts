/** A thread as it should be, and whether what several clients saw of it is what some serial order of their calls gives. */

/** A thread's visible state. Values are left out: a checkpoint's id stands for them. */
export interface Model {
  /** By namespace and id, in the order in which they were put. */
  readonly checkpoints: readonly ModelCheckpoint[];
  /** Pending writes, by the place that they have in the table. */
  readonly writes: Readonly<Record<string, string>>;
  /** What prunes that are under way have found to be removed. */
  readonly plans: Readonly<Record<string, readonly string[]>>;
}

export interface ModelCheckpoint {
  readonly namespace: string;
  readonly id: string;
  readonly parent: string | undefined;
}

/** What a client saw of a checkpoint. */
export interface Seen extends ModelCheckpoint {
  /** `task channel value`, sorted. */
  readonly writes: readonly string[];
}

/** One call, or one half of it: what it does to the thread, or undefined if that is not what its client saw. */
export interface Event {
  readonly what: string;
  /** The turns within which it happened, both included. */
  readonly from: number;
  readonly to: number;
  /** The event, by its place in the list, that comes before it in any case. */
  readonly after?: number;
  readonly apply: (model: Model) => Model | undefined;
}

export const NO_THREAD: Model = { checkpoints: [], writes: {}, plans: {} };

export function placeOf(namespace: string, id: string, task: string, idx: number): string {
  return JSON.stringify([namespace, id, task, idx]);
}

/** What a reader of the checkpoint sees. */
export function seenOf(model: Model, one: ModelCheckpoint): Seen {
  const writes = Object.entries(model.writes).flatMap(([place, value]) => {
    const [namespace, id, task] = JSON.parse(place) as [string, string, string];
    return namespace === one.namespace && id === one.id ? [`${task} ${value}`] : [];
  });
  return { ...one, writes: writes.sort() };
}

/** The order in which the events may have happened; undefined if there is none. */
export function serialOrder(events: readonly Event[], start: Model): Event[] | undefined {
  const dead = new Set<string>();
  const search = (left: readonly number[], model: Model): Event[] | undefined => {
    if (left.length === 0) return [];
    const key = JSON.stringify([left, model]);
    if (dead.has(key)) return undefined;
    for (const i of left) {
      const event = events[i] as Event;
      if (event.after !== undefined && left.includes(event.after)) continue;
      // What had ended before it began comes first.
      if (left.some((other) => (events[other] as Event).to < event.from)) continue;
      const next = event.apply(model);
      if (next === undefined) continue;
      const rest = search(
        left.filter((other) => other !== i),
        next,
      );
      if (rest) return [event, ...rest];
    }
    dead.add(key);
    return undefined;
  };
  return search(
    events.map((_, i) => i),
    start,
  );
}
