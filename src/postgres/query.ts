import { DatabaseError } from "../errors.ts";
import { requestCancel } from "./cancel.ts";
import type { Checkout } from "./connections.ts";
import { before, type Deadline, inSeconds } from "./deadline.ts";
import type { DbQuery, DbResult, DbTypes } from "./driver.ts";
import type { Param } from "./frontend-messages.ts";
import type { Statement } from "./statement.ts";
import { submit, takesSubmissions } from "./submission.ts";

export type { Param } from "./frontend-messages.ts";

/** A row: every column as text, see {@link query}. */
export type Row = readonly (string | null)[];

/** What a statement answered. */
export interface Answer {
  readonly rows: Row[];
  /** The command tag's first word. */
  readonly command: string | undefined;
}

const BYTEA = 17;

/** Takes fields as they come. A driver that answers in text all the same sends `bytea` as hex. */
const TYPES: DbTypes & { readonly length: 0 } = {
  // The driver takes this object for the list of the parameters' types, too.
  length: 0,
  getTypeParser: (oid, format) => (oid === BYTEA && format !== "binary" ? fromHex : asItIs),
};

const asItIs = (value: string): string => value;

function fromHex(value: string): string {
  return value.startsWith("\\x") ? Buffer.from(value.slice(2), "hex").toString("utf8") : value;
}

/**
 * Runs one statement on the connection, no longer than the deadline.
 *
 * Results are asked for in binary. The driver decodes every field as UTF-8 before a parser sees it,
 * so `text`, and `bytea` that holds UTF-8, arrive exact and without the hex that is twice their
 * size. Anything else in binary is mangled by that decoding: statements cast it to text.
 */
export async function query(
  checkedOut: Checkout,
  statement: Statement,
  params: readonly Param[],
  named: boolean,
  deadline: Deadline,
): Promise<Answer> {
  if (deadline.left() <= 0) throw overdue(statement, deadline, "was not sent");
  const request: DbQuery = {
    text: statement.text,
    values: params as Param[],
    rowMode: "array",
    binary: true,
    // A statement with neither name nor parameters would go by the simple protocol, in text.
    queryMode: "extended",
    types: TYPES,
  };
  if (named) request.name = statement.name;
  let late = false;
  try {
    const { client } = checkedOut;
    const answering = takesSubmissions(client) ? submit(client, request) : client.query(request);
    const answer = await before<DbResult>(deadline, answering, () => {
      late = true;
      return overdue(statement, deadline, "may still take effect");
    });
    return { rows: answer.rows as Row[], command: answer.command };
  } catch (error) {
    checkedOut.note(error);
    if (late) requestCancel(checkedOut.client);
    throw error;
  }
}

function overdue(statement: Statement, deadline: Deadline, fate: string): DatabaseError {
  return new DatabaseError(
    "DEADLINE_EXCEEDED",
    `Statement ${statement.name} was not answered within ${inSeconds(deadline.total)}; it ${fate}. ` +
      "Raise the deadline, or find what the server waits for in pg_stat_activity.",
  );
}
