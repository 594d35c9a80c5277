/** A batch of operations as one statement. */
import type { Executor, Row } from "../postgres/database.ts";
import type { Param } from "../postgres/query.ts";
import type { Statement } from "../postgres/statement.ts";
import { refuseTooMuch, sizeOf, weightOf } from "./message-limit.ts";
import type { Outcome, WriteOperation } from "./write-operation.ts";
import {
  parametersOfMany,
  parametersOfOne,
  statementOfOne,
  TAKES,
  threadsOf,
} from "./write-parameters.ts";
import type { WriteStatements } from "./write-statements.ts";

/** Runs the operations of one batch as one statement; an outcome for each, in order. */
export async function execute(
  executor: Executor,
  statements: WriteStatements,
  operations: readonly WriteOperation[],
): Promise<(Outcome | undefined)[]> {
  const [first] = operations;
  if (first === undefined) return [];
  refuseTooMuch(operations.map(weightOf));
  const one = statementOfOne(operations);
  if (one !== undefined) {
    const [row] = await run(executor, statements[one], parametersOfOne(operations, one));
    const taken = row && outcome(row);
    return operations.map(() => taken);
  }
  const threads = threadsOf(operations);
  const kind = operations.every((operation) => operation.kind === first.kind)
    ? first.kind
    : "stepKnown";
  const rows = await run(executor, statements[kind], parametersOfMany(operations, kind, threads));
  // One row per thread; of records one per record, which is told by its namespace and id.
  const isRecords = TAKES[kind].puts === "records";
  const keyOf = (n: unknown, namespace: unknown, id: unknown): string =>
    isRecords ? JSON.stringify([Number(n), namespace, id]) : String(n);
  const outcomes = new Map(rows.map((row) => [keyOf(row[0], row[3], row[4]), outcome(row)]));
  return operations.map(({ threadId, checkpoint }) =>
    outcomes.get(
      keyOf(threads.get(threadId)?.n, checkpoint?.checkpoint_ns, checkpoint?.checkpoint_id),
    ),
  );
}

function run(
  executor: Executor,
  statement: Statement,
  parameters: readonly Param[],
): Promise<Row[]> {
  refuseTooMuch(parameters.map(sizeOf));
  return executor.execute(statement, parameters);
}

function outcome(row: Row): Outcome {
  const [, generation, createdAt, , id, version, savedAt, expiresAt] = row;
  return {
    generation: generation ?? "",
    createdAt: createdAt ?? "",
    ...(id == null
      ? {}
      : {
          saved: {
            version: Number(version),
            createdAt: Number(savedAt),
            expiresAt: expiresAt == null ? null : Number(expiresAt),
          },
        }),
  };
}
