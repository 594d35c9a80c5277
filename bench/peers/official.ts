/** `@langchain/langgraph-checkpoint-postgres`, set up as its documentation says. */
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { SCHEMA } from "../databases.ts";
import { openOnPool, type Peer } from "./peer.ts";

export const official: Peer = {
  name: "official",
  label: "@langchain/langgraph-checkpoint-postgres",
  durable: true,
  open: (url, wrap) =>
    openOnPool(url, (pool) => new PostgresSaver(pool, undefined, { schema: SCHEMA }), wrap),
};
