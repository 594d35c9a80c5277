import pg from "pg";
import type { DbClient, DbQuery, DbResult, DbTypes } from "./driver.ts";
import { executeMessages, type Param } from "./frontend-messages.ts";

/** The parts of `pg.Connection` that are used here; its types leave them out. */
interface Connection {
  readonly stream: { readonly writable: boolean; write(bytes: Buffer): unknown };
  /** Texts by the names under which the server has parsed them. `pg` keeps it. */
  readonly parsedStatements: Readonly<Record<string, string | undefined>>;
}

type Callback = (error: Error | null, result?: DbResult) => void;

/**
 * Whether the client takes a {@link Submission}: one of `pg` itself, whose `query` nobody has put
 * something in front of that expects a promise, and that sends one query after the other.
 */
export function takesSubmissions(client: DbClient): boolean {
  return client.query === pg.Client.prototype.query && !(client as { pipeline?: boolean }).pipeline;
}

/** Sends the query as a {@link Submission}. */
export function submit(client: DbClient, query: DbQuery): Promise<DbResult> {
  return new Promise((resolve, reject) => {
    const onAnswer: Callback = (error, result) => {
      if (error === null) resolve(result as DbResult);
      else reject(error);
    };
    // Answers by the callback alone.
    void client.query(new Submission(query, onAnswer));
  });
}

/**
 * A query that sends itself, in one piece, and takes rows as they come. `pg` calls it a Submittable,
 * and calls its methods. An ordinary query sends five messages, asks for the description of the
 * columns and chooses a parser for each: half of what a statement costs in this process.
 *
 * Its properties are those of an ordinary query with a callback. What instruments `pg` reads them and
 * replaces `callback`, or sends a copy, and a copy is an ordinary query.
 */
class Submission implements DbQuery {
  readonly text: string;
  readonly values: unknown[];
  readonly name: string;
  readonly rowMode = "array";
  readonly binary = true;
  readonly queryMode = "extended";
  readonly types: DbTypes | undefined;
  callback: Callback;
  readonly #answer: { rows: unknown[]; rowCount: null; command?: string } = {
    rows: [],
    rowCount: null,
  };

  constructor({ text, values = [], name = "", types }: DbQuery, callback: Callback) {
    this.text = text;
    this.values = values;
    this.name = name;
    this.types = types;
    this.callback = callback;
  }

  submit({ stream, parsedStatements }: Connection): void {
    const isParsed = parsedStatements[this.name] !== undefined;
    const text = isParsed ? undefined : this.text;
    const messages = executeMessages(this.name, text, this.values as Param[]);
    // Where it is not writable, the connection is about to say that it has ended.
    if (stream.writable) stream.write(messages);
  }

  handleDataRow({ fields }: { readonly fields: unknown[] }): void {
    this.#answer.rows.push(fields);
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#answer.command = text.split(" ", 1)[0] as string;
  }

  handleReadyForQuery(): void {
    this.callback(null, this.#answer);
  }

  handleError(error: Error): void {
    this.callback(error);
  }
}
