/** Where the examples keep their threads: on the server that DATABASE_URL names, or else in memory. */
import type { ConnectOptions } from "langgraph-postgres";

export function database(): ConnectOptions {
  const { DATABASE_URL } = process.env;
  return DATABASE_URL ? { connString: DATABASE_URL, autoMigrate: true } : { embedded: "memory" };
}
