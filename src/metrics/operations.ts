/** Every operation of a store: counted, timed, told to whoever listens, and waited for at the end. */
import { LangGraphPostgresError } from "../errors.ts";
import { createHistogram, type Histogram, type Quantiles } from "./histogram.ts";
import type { Telemetry } from "./telemetry.ts";

/** What `onOperation` is told after each operation. It never holds a payload. */
export interface OperationEvent {
  /** `"save"`, `"load"`, …; of the checkpointer's `"put"`, `"putWrites"`, `"getTuple"`, … */
  readonly operation: string;
  /** The thread, where the operation is on one. */
  readonly threadId: string | undefined;
  /** From the call to its end; of a list that is consumed step by step, the time that its steps took. */
  readonly durationMs: number;
  /** The error's stable `code`, or `"UNKNOWN"`; undefined where it succeeded. */
  readonly errorCode: string | undefined;
}

/** Called after each operation; what it throws is counted (`hookErrors`) and otherwise ignored. */
export type OnOperation = (event: OperationEvent) => void;

/** Latencies are milliseconds, right to 3 %, of operations that succeeded and that failed alike. */
export interface OperationMetrics extends Quantiles {
  /** Calls that have ended. */
  readonly count: number;
  /** Those of them that failed. */
  readonly errors: number;
}

export interface Operations {
  /** Runs an operation. Refused once the store is closing. */
  run<T>(operation: string, threadId: string | undefined, work: () => Promise<T>): Promise<T>;
  /** The same for a list: one operation from its first step to its last. */
  iterate<T>(
    operation: string,
    threadId: string | undefined,
    source: () => AsyncGenerator<T>,
  ): AsyncGenerator<T>;
  metrics(): Record<string, OperationMetrics>;
  readonly hookErrors: number;
  /** Refuses what comes from now on; resolves when what is under way has ended. */
  drain(): Promise<void>;
}

interface Kept {
  readonly latencies: Histogram;
  errors: number;
}

export function createOperations(
  telemetry: Telemetry,
  onOperation: OnOperation | undefined,
): Operations {
  const kept = new Map<string, Kept>();
  let hookErrors = 0;
  let underWay = 0;
  let closing: Promise<void> | undefined;
  let onIdle: (() => void) | undefined;

  const note = (
    operation: string,
    threadId: string | undefined,
    durationMs: number,
    error: unknown,
  ): void => {
    let one = kept.get(operation);
    if (one === undefined) {
      one = { latencies: createHistogram(), errors: 0 };
      kept.set(operation, one);
    }
    const errorCode = error === undefined ? undefined : codeOf(error);
    one.latencies.record(durationMs);
    if (errorCode !== undefined) one.errors += 1;
    telemetry.record(operation, durationMs, errorCode);
    try {
      onOperation?.({ operation, threadId, durationMs, errorCode });
    } catch {
      hookErrors += 1;
    }
  };

  const begin = (operation: string): void => {
    if (closing !== undefined) {
      throw new LangGraphPostgresError("CLOSED", `${operation} failed: the store was closed.`);
    }
    underWay += 1;
  };

  const end = (): void => {
    underWay -= 1;
    if (underWay === 0) onIdle?.();
  };

  const run: Operations["run"] = async (operation, threadId, work) => {
    begin(operation);
    const started = performance.now();
    try {
      const result = await telemetry.span(operation, threadId, work);
      note(operation, threadId, performance.now() - started, undefined);
      return result;
    } catch (error) {
      note(operation, threadId, performance.now() - started, error ?? new Error("unknown"));
      throw error;
    } finally {
      end();
    }
  };

  return {
    run,

    async *iterate<T>(
      operation: string,
      threadId: string | undefined,
      source: () => AsyncGenerator<T>,
    ): AsyncGenerator<T> {
      const items = source();
      let spent = 0;
      let failure: unknown;
      // Between two steps the consumer may take its time, or never come back: only steps are timed,
      // and waited for at the end.
      const step = async (): Promise<IteratorResult<T>> => {
        begin(operation);
        const started = performance.now();
        try {
          return await telemetry.span(operation, threadId, () => items.next());
        } finally {
          spent += performance.now() - started;
          end();
        }
      };
      try {
        for (let next = await step(); !next.done; next = await step()) yield next.value;
      } catch (error) {
        failure = error ?? new Error("unknown");
        throw error;
      } finally {
        await items.return(undefined);
        note(operation, threadId, spent, failure);
      }
    },

    metrics: () =>
      Object.fromEntries(
        [...kept].map(([operation, { latencies, errors }]) => [
          operation,
          { count: latencies.count, errors, ...latencies.quantiles() },
        ]),
      ),

    get hookErrors() {
      return hookErrors;
    },

    drain() {
      closing ??= new Promise<void>((resolve) => {
        if (underWay === 0) resolve();
        else onIdle = resolve;
      });
      return closing;
    },
  };
}

function codeOf(error: unknown): string {
  return error instanceof LangGraphPostgresError ? error.code : "UNKNOWN";
}
