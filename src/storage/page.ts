/** A page of a list: which statement, with which parameters. */
import type { Param } from "../postgres/database.ts";
import { encodeName } from "./names.ts";
import type { PageShape } from "./read-statements.ts";
import type { ListQuery } from "./reader.ts";
import type { CheckpointRows } from "./rows.ts";

/** The parameters stand in the order in which the statement of that shape counts them. */
export function pageOf(
  query: ListQuery,
  size: number,
  last: CheckpointRows | undefined,
): { shape: PageShape; parameters: Param[] } {
  const { threadId, namespace, checkpointId, before, filter } = query;
  const parameters: Param[] = [size];
  if (threadId !== undefined) parameters.push(threadId);
  if (namespace !== undefined) parameters.push(encodeName(namespace));
  if (checkpointId !== undefined) parameters.push(encodeName(checkpointId));
  if (before !== undefined) parameters.push(encodeName(before));
  if (filter !== undefined) parameters.push(filter);
  if (last !== undefined) {
    if (threadId !== undefined) parameters.push(last.seq);
    else {
      parameters.push(encodeName(last.checkpointId), last.threadId, encodeName(last.namespace));
    }
  }
  return {
    parameters,
    shape: {
      thread: threadId !== undefined,
      namespace: namespace !== undefined,
      id: checkpointId !== undefined,
      before: before !== undefined,
      filter: filter !== undefined,
      after: last !== undefined,
    },
  };
}
