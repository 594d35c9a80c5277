/** A checkpoint as a plain record: what a program without LangGraph saves, and what graphs' checkpoints look like here. */

/** A moment: a Date, an ISO 8601 text (with `Z` or an offset where it has a time), or milliseconds since the epoch. */
export type Moment = Date | string | number;

/**
 * A checkpoint, whoever wrote it.
 *
 * Records have a total order: `version`, then `timestamp`, then `id`. A graph's checkpoints stand in
 * it by the order in which they were written, because their `version` is LangGraph's step, which
 * begins anew after a fork.
 */
export interface CheckpointRecord<State = unknown> {
  /** Unique within thread and namespace. */
  readonly id: string;
  /** The thread that holds it. */
  readonly threadId: string;
  /** `""` unless the record, or the subgraph that wrote it, has one. */
  readonly namespace: string;
  /** The checkpoint that this one followed. */
  readonly parentId?: string;
  /** The run that wrote it: a graph's run id where there is one. */
  readonly executionId?: string;
  /** What the record says; of a graph's checkpoint the nodes that ran, joined by `", "`. */
  readonly nodeName?: string;
  /** Equal to what was saved, types included; of a graph's checkpoint the values of its channels. */
  readonly state: State;
  /** What was saved with it; of a graph's checkpoint LangGraph's: `source`, `step`, `parents`, the config's. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** When it was taken; the database's clock unless the record brought a time. */
  readonly timestamp: Date;
  /** The thread's count of writes unless the record brought a number; of a graph's checkpoint its step. */
  readonly version: number;
  /** When it becomes invisible. */
  readonly expiresAt?: Date;
}

/** What `save` takes. Every record that was loaded can be saved again as it is. */
export interface NewRecord<State = unknown> {
  /** Any text of at most 256 bytes. */
  readonly id: string;
  /** Default: `metadata.thread_id`, else the execution's id. One of the three is needed. */
  readonly threadId?: string | undefined;
  /** Keeps lines of records in one thread apart. Default `""`. */
  readonly namespace?: string | undefined;
  /** The id of the record that this one follows. */
  readonly parentId?: string | undefined;
  /** Default: `metadata.execution_id`. */
  readonly executionId?: string | undefined;
  /** What made it; any text. */
  readonly nodeName?: string | undefined;
  /**
   * Anything that can be serialised. Each key of a plain object is stored for itself, so that what
   * did not change since the last record of the thread costs nothing and what grew costs its growth.
   */
  readonly state: State;
  /** Facts to find it by; filters see what JSON can say of them. Default `{}`. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Default: now, by the database's clock. */
  readonly timestamp?: Moment | undefined;
  /**
   * A whole number. Default: the next of the thread, larger than all before. Two records of one
   * thread, namespace and execution cannot have the same.
   */
  readonly version?: number | undefined;
  /** Default: `metadata.expires_at`, else what `ttl.checkpoints` says; null for never. */
  readonly expiresAt?: Moment | null | undefined;
}

/** How records are saved. */
export interface SaveOptions {
  /** What to do where the thread's namespace has a record with that id. Default `"replace"`. */
  readonly ifExists?: "replace" | "error";
}
