/**
 * A real pool seen through glass: it counts the statements and the rows that pass, and can break the connection at a
 * chosen moment. The statements themselves run on the real server.
 */
import type { DbClient, DbPool, DbQuery, DbResult } from "../../src/postgres/index.ts";

export interface WrappedPool extends DbPool {
  /** The statements since the last `take()`, by their text's first words; BEGIN, COMMIT and the like included. */
  take(): string[];
  /** The most rows that one statement has answered with. */
  mostRows: number;
  /** Called after a statement succeeded on the server and before its caller learns of it, which waits for it; may throw. */
  afterQuery: ((query: DbQuery) => void | Promise<void>) | undefined;
}

export function wrapPool(pool: DbPool): WrappedPool {
  let statements: string[] = [];

  const wrapClient = (client: DbClient): DbClient => {
    // A facade, because pg's own client must keep its prototype and its `this`.
    const facade: DbClient = {
      async query(query: DbQuery): Promise<DbResult> {
        statements.push(query.name ?? query.text);
        const result = await client.query(query);
        wrapped.mostRows = Math.max(wrapped.mostRows, result.rows.length);
        await wrapped.afterQuery?.(query);
        return result;
      },
      release: (error) => client.release(error),
    };
    if (client.on) facade.on = client.on.bind(client);
    if (client.removeListener) facade.removeListener = client.removeListener.bind(client);
    return facade;
  };

  const wrapped: WrappedPool = {
    connect: async () => wrapClient(await pool.connect()),
    get totalCount() {
      return pool.totalCount ?? 0;
    },
    get idleCount() {
      return pool.idleCount ?? 0;
    },
    get waitingCount() {
      return pool.waitingCount ?? 0;
    },
    options: { max: pool.options?.max ?? 10 },
    mostRows: 0,
    afterQuery: undefined,
    take() {
      const taken = statements;
      statements = [];
      return taken;
    },
  };
  return wrapped;
}
