export { byteaArray, int4Array, int8Array, textArray, uuidArray } from "./arrays.ts";
export {
  createDatabase,
  type Database,
} from "./database.ts";
export type { DbClient, DbPool, DbQuery, DbResult } from "./driver.ts";
export { embedded } from "./embedded.ts";
export {
  MAX_IDENTIFIER_BYTES,
  quoteIdentifier,
  type TableNames,
  tableNames,
} from "./identifiers.ts";
export { createPool, type PoolOptions } from "./pool.ts";
export { statement } from "./statement.ts";
