/** One put or putWrites on its way to the database, and what comes back. */
import type { CheckpointRow, ChunkRow, ValueRow, WriteRow } from "./columns.ts";
import type { WriteStatements } from "./write-statements.ts";

/** What an operation is by itself. */
export type WriteKind = Exclude<keyof WriteStatements, "stepKnown" | `${string}One`>;

/** One put or putWrites, as rows; every `n` is still to be filled in. */
export interface WriteOperation {
  readonly kind: WriteKind;
  readonly threadId: string;
  /** The generation the writer knows, or a fresh one for a thread that it does not. */
  readonly generation: string;
  readonly lease: number | null;
  readonly ttlMs: number | null;
  readonly chunks: readonly Omit<ChunkRow, "n">[];
  /** Whether it is a slice of a large write, whose chunks are not compressed. */
  readonly isSlice?: boolean;
  readonly values: readonly Omit<ValueRow, "n">[];
  /** `created_ms` counts where `kind` is one of records'. */
  readonly checkpoint:
    | (Omit<CheckpointRow, "n" | "place"> & { readonly created_ms?: number | null })
    | null;
  /** The thread counts on from here, where it is not that far yet. */
  readonly floor?: number | null;
  readonly writes: readonly Omit<WriteRow, "n">[];
}

/** The thread as the statement found or made it; undefined where it left the thread alone. */
export interface Outcome {
  readonly generation: string;
  readonly createdAt: string;
  /** What the database gave to a record. */
  readonly saved?: Saved | undefined;
}

/** Times are milliseconds since the epoch. */
export interface Saved {
  readonly version: number;
  readonly createdAt: number;
  readonly expiresAt: number | null;
}
