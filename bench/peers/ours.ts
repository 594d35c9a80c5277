/**
 * This package, as it is published: the JavaScript in dist/. The loader that runs the benchmark's
 * TypeScript names every function it meets at run time, which a user's process does not pay for.
 */
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import type pg from "pg";
import { SCHEMA } from "../databases.ts";
import { openOnPool, type Peer } from "./peer.ts";

interface Saver extends BaseCheckpointSaver {
  setup(): Promise<void>;
  end(): Promise<void>;
}

interface Package {
  PostgresSaver: new (pool: pg.Pool, serde: undefined, options: { schema: string }) => Saver;
}

export const ours: Peer = {
  name: "ours",
  label: "langgraph-postgres",
  durable: true,
  async open(url, wrap) {
    const { href } = new URL("../../dist/index.js", import.meta.url);
    const { PostgresSaver } = (await import(href)) as Package;
    return openOnPool(url, (pool) => new PostgresSaver(pool, undefined, { schema: SCHEMA }), wrap);
  },
};
