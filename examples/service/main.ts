/**
 * A service for several tenants: `DATABASE_URL=postgres://… TENANTS=acme,globex npx tsx
 * examples/service/main.ts`. SIGTERM ends it when its runs have ended.
 */
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { createPool } from "langgraph-postgres";
import { createService } from "./app.ts";

const { DATABASE_URL, TENANTS = "acme", PORT = "3000", HOST = "127.0.0.1" } = process.env;

// Without DATABASE_URL, the PG* variables say where: nothing secret is in this file.
const pool = createPool(DATABASE_URL ? { connString: DATABASE_URL } : {});
const service = createService(pool, TENANTS.split(","));
const server = serve({ fetch: service.app.fetch, port: Number(PORT), hostname: HOST });
await once(server, "listening");
console.log(`http://${HOST}:${(server.address() as AddressInfo).port}`);

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, async () => {
    // No new connections; those that stream go on until their runs are done.
    server.close();
    await service.close();
    await pool.end();
    (server as Server).closeIdleConnections();
  });
}
