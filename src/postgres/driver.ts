/**
 * The smallest structural types that a connection pool has to satisfy. `pg.Pool` does, and so do
 * the pools of `@neondatabase/serverless` and `@vercel/postgres`.
 */

/** What is handed to {@link DbClient.query}. */
export interface DbQuery {
  /** SQL, with `$1` for the first value. */
  text: string;
  /** Text, numbers, booleans, null; a Buffer is sent as it is. */
  values?: unknown[];
  /** Prepares the statement under this name. */
  name?: string;
  /** Rows as arrays instead of objects. */
  rowMode?: "array";
  /** Asks for the result in binary. */
  binary?: boolean;
  /** `"extended"` sends it by the extended protocol also without values. */
  queryMode?: string;
  /** Default: the pool's. */
  types?: DbTypes | undefined;
}

/** Decides how a field of a result is turned into a JavaScript value. */
export interface DbTypes {
  /** The parser for a type of PostgreSQL. */
  getTypeParser(oid: number, format?: string): (value: string) => unknown;
}

/** What a query answers with. */
export interface DbResult {
  /** Objects by column, or arrays with `rowMode: "array"`. */
  rows: unknown[];
  /** Rows that were returned or changed; null where the command has no such count. */
  rowCount: number | null;
  /** The command tag's first word: `COMMIT`, `ROLLBACK`, `INSERT`, … */
  command?: string;
}

/** A connection that was taken from a {@link DbPool} and has to be given back with `release`. */
export interface DbClient {
  /** Sends one statement. */
  query(query: DbQuery): Promise<DbResult>;
  /** Gives the connection back; with an error or `true` it is closed and leaves the pool. */
  release(error?: Error | boolean): void;
  /** Listens for the loss of the connection. */
  on?(event: "error", listener: (error: Error) => void): unknown;
  /** Listens no more. */
  removeListener?(event: "error", listener: (error: Error) => void): unknown;
}

/** A pool of connections, such as `new pg.Pool(…)`. */
export interface DbPool {
  /** A connection of one's own, until its `release`. */
  connect(): Promise<DbClient>;
  /** Closes all connections. Never called for a pool that somebody passed in. */
  end?(): Promise<void>;
  /** Listens for the loss of idle connections. */
  on?(event: "error", listener: (error: Error) => void): unknown;
  /** Listens no more. */
  removeListener?(event: "error", listener: (error: Error) => void): unknown;
  /** Open connections, idle ones included. */
  readonly totalCount?: number;
  /** Open connections that nobody uses. */
  readonly idleCount?: number;
  /** Callers that wait for a connection. */
  readonly waitingCount?: number;
  /** Whether `end` was called. */
  readonly ending?: boolean;
  /** What the pool was told. */
  readonly options?: {
    /** Most connections that are open at once. */
    readonly max?: number;
  };
}
