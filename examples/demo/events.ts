/** What the demo's processes are told to do, and what they tell. */

/** One node of the graph, run for one purpose: `tool` for `check_stock`. */
export interface Task {
  readonly step: number;
  readonly node: string;
  readonly name: string;
}

/** The task that must not get to its end, and how many of its step must be stored by then. */
export interface Hold {
  readonly name: string;
  readonly after: number;
}

export type Sabotage = "writes" | "checkpoint" | "thread";

/** An order to a process of the demo, its only argument, as JSON. */
export interface Order {
  readonly role: "begin" | "resume" | "approve" | "audit" | "clean";
  /** The process's letter in the timeline. */
  readonly process: string;
  /** Folder of the embedded database. Not used where DATABASE_URL names a server. */
  readonly dataDir: string;
  readonly schema: string;
  readonly thread: string;
  readonly journal: string;
  readonly hold?: Hold;
  /** Damages the thread before it is resumed. */
  readonly sabotage?: Sabotage;
}

/** The thread as a fresh process reads it. */
export interface Audit {
  readonly next: readonly string[];
  readonly lastMessage: string;
  readonly receipts: readonly string[];
  /** Every stored checkpoint, oldest first: its step, and how many receipts its state held. */
  readonly history: readonly { readonly step: number; readonly receipts: readonly string[] }[];
  /** Version of the server. */
  readonly postgres: string;
}

/** What a process tells. `at` is milliseconds since the epoch, `bytes` what the thread takes in the database. */
export type Event =
  | {
      readonly kind: "begins";
      readonly pid: number;
      /** Where the thread is, if there is one: the step to be done, and how much of it is done. */
      readonly found?: { readonly step: number; readonly tasks: number; readonly stored: number };
    }
  | {
      readonly kind: "stored";
      readonly task: Task;
      readonly what: string;
      readonly at: number;
      readonly bytes: number;
    }
  | { readonly kind: "holding"; readonly task: Task; readonly at: number }
  | { readonly kind: "stopped"; readonly next: readonly string[] }
  | { readonly kind: "audited"; readonly audit: Audit };
