import pg from "pg";
import type { DbClient, DbQuery, DbResult, DbTypes } from "./driver.ts";
import { executeMessages, type Param } from "./frontend-messages.ts";

/** The parts of `pg.Connection` that are used here; its types leave them out. */
interface Connection {
  readonly stream: { readonly writable: boolean; write(bytes: Buffer): unknown };
  /** Texts by the names under which the server has parsed them. `pg` keeps it. */
  readonly parsedStatements: Readonly<Record<string, string | undefined>>;
  sendCopyFail(reason: string): void;
  sync(): void;
}

/** What the client of `pg` has that decides how it may be asked. */
interface Client {
  readonly connection?: Partial<Connection>;
  readonly pipeline?: boolean;
}

type Callback = (error: Error | null | undefined, result?: DbResult) => void;

/**
 * Whether the client takes a {@link Submission}: it is one of `pg` itself, in JavaScript, that sends one query after the
 * other, and neither its class nor anybody since has given it a `query` of its own, which may expect a promise.
 */
export function takesSubmissions(client: DbClient): boolean {
  if (client.query !== pg.Client.prototype.query) return false;
  const { connection, pipeline } = client as Client;
  return Boolean(connection?.parsedStatements && connection.stream) && !pipeline;
}

/** Sends the query as a {@link Submission}. */
export function submit(client: DbClient, query: DbQuery): Promise<DbResult> {
  return new Promise((resolve, reject) => {
    const onAnswer: Callback = (error, result) => {
      if (error) reject(error);
      else resolve(result as DbResult);
    };
    // As an argument: some of what instruments `pg` looks for the callback there, and nowhere else.
    (client.query as (query: Submission, callback: Callback) => unknown)(
      new Submission(query),
      onAnswer,
    );
  });
}

/**
 * A query that sends itself, in one piece, and takes rows as they come. `pg` calls it a Submittable,
 * and calls its methods. An ordinary query sends each message alone, asks for the description of the
 * columns, and chooses a parser for each.
 *
 * Its properties are those of an ordinary query. What instruments `pg` reads them and replaces `callback`, or sends a
 * copy, and a copy is an ordinary query.
 */
class Submission implements DbQuery {
  readonly text: string;
  readonly values: unknown[];
  readonly name?: string;
  readonly rowMode = "array";
  readonly binary = true;
  readonly queryMode = "extended";
  readonly types: DbTypes | undefined;
  /** Set by `pg`. */
  callback: Callback | undefined = undefined;
  readonly answer: DbResult = { rows: [], rowCount: null };

  constructor({ text, values = [], name, types }: DbQuery) {
    this.text = text;
    this.values = values;
    if (name !== undefined) this.name = name;
    this.types = types;
  }

  /** Returns the error for which nothing was sent, if there is one. */
  submit({ stream, parsedStatements }: Connection): Error | null {
    try {
      const { name = "", text } = this;
      const toParse = parsedStatements[name] === text ? undefined : text;
      const messages = executeMessages(name, toParse, this.values as Param[]);
      // Where it is not writable, the connection is about to say that it has ended.
      if (stream.writable) stream.write(messages);
      return null;
    } catch (error) {
      return error as Error;
    }
  }

  handleDataRow({ fields }: { readonly fields: unknown[] }): void {
    this.answer.rows.push(fields);
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    const words = text.split(" ");
    const count = Number(words.at(-1));
    this.answer.command = words[0] as string;
    this.answer.rowCount = Number.isNaN(count) ? null : count;
  }

  handleReadyForQuery(): void {
    this.callback?.(null, this.answer);
  }

  handleError(error: Error): void {
    this.callback?.(error);
  }

  handleCopyInResponse(connection: Connection): void {
    connection.sendCopyFail("there is nothing to copy from");
    // The server has passed over the first one, because it was waiting for data.
    connection.sync();
  }

  // A statement without text, COPY to the client, and what is not asked for.
  handleEmptyQuery(): void {}
  handleCopyData(): void {}
  handleRowDescription(): void {}
  handlePortalSuspended(): void {}
}
