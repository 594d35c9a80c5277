/** A thread's rows, page by page, from one place or key to another. */
import type { Executor, Param } from "../postgres/database.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { placeOfRow } from "../storage/places.ts";
import { type Route, resealChunk, resealData, resealValue } from "../storage/reseal.ts";
import type { ChunkCells, ValueCells } from "../storage/sealing.ts";
import {
  type Cells,
  cellsOf,
  keyOf,
  type Part,
  rewriteStatements,
  rowColumns,
} from "./rewrite-statements.ts";

/** Rows that are in memory at once. */
const PAGE = 200;

/** Pages of a thread's rows: all of them, or those that are old by these parameters. */
export async function* pagesOf(
  tx: Executor,
  names: TableNames,
  part: Part,
  threadId: string,
  old?: readonly Param[],
): AsyncGenerator<Cells[]> {
  const { all, old: onlyOld } = rewriteStatements(names);
  const statement = old ? onlyOld[part] : all[part];
  let last: Cells | undefined;
  for (;;) {
    const parameters = [threadId, ...(old ?? []), PAGE, ...keyOf(part, last)];
    const rows = (await tx.execute(statement, parameters)).map((row) => cellsOf(part, row));
    if (rows.length > 0) yield rows;
    if (rows.length < PAGE) return;
    last = rows.at(-1);
  }
}

/** The row as it is to be written. */
export async function reseal(part: Part, route: Route, cells: Cells): Promise<Cells> {
  const text = (column: string): string => (cells[column] as string | null) ?? "";
  const bytes = (column: string): Buffer | null =>
    cells[column] === null ? null : Buffer.from(text(column), "base64");
  if (part === "chunks") {
    const chunk = { id: text("chunk_id"), payload: bytes("payload"), children: cells.children };
    const { id, payload, children } = resealChunk(route, chunk as ChunkCells);
    return { chunk_id: id, payload, children };
  }
  if (part === "checkpoints") {
    const sealed = bytes("checkpoint_data") ?? Buffer.alloc(0);
    const { data, metadata } = await resealData(route, placeOfRow("checkpoint", cells), sealed);
    return { ...cells, checkpoint_data: data, metadata };
  }
  const place = placeOfRow(part === "values" ? "value" : "write", cells);
  const value = { type: text("type"), payload: bytes("payload"), chunks: cells.chunks };
  return { ...cells, ...resealValue(route, place, value as ValueCells) };
}

/** Writes rows into a thread that has none. */
export async function addRows(
  tx: Executor,
  names: TableNames,
  part: Part,
  { from, to }: Route,
  rows: readonly Cells[],
): Promise<void> {
  const { add, copyCheckpoints } = rewriteStatements(names);
  const columns = rowColumns(part, rows);
  if (part === "checkpoints") await tx.execute(copyCheckpoints, [from, to, ...columns]);
  else await tx.execute(add[part], [to, ...columns]);
}
