/** A process that migrates: `node --import tsx migrate-process.ts url schema table`. */
import { createDatabase, createPool, tableNames } from "../../src/postgres/index.ts";
import { migrate } from "../../src/schema/index.ts";

const [connString = "", schema = "", table = ""] = process.argv.slice(2);
const pool = createPool({ connString });
const result = await migrate(createDatabase({ pool }), tableNames(schema, table));
process.stdout.write(JSON.stringify(result));
await pool.end();
