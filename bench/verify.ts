/** `npm run bench:verify`: what it costs to compare each chunk with its id, beside reading what it holds. */
import { performance } from "node:perf_hooks";
import { AIMessage, HumanMessage } from "@langchain/core/messages";
import { cachedChunk, createValueCodec, verifyChunk } from "../src/values/codec.ts";
import { CHAT_BYTES } from "./graphs/chat.ts";
import { median } from "./statistics.ts";
import { seeded, text } from "./words.ts";

const TURNS = 600;
const ROUNDS = 25;

const random = seeded(TURNS);
const messages = Array.from({ length: TURNS }, (_, n) => [
  new HumanMessage({ id: `question ${n}`, content: text(CHAT_BYTES.human, random) }),
  new AIMessage({ id: `answer ${n}`, content: text(CHAT_BYTES.ai, random) }),
]).flat();
const encoded = await createValueCodec().encode(messages, "messages");
const rows = encoded.tree.map((chunk) => chunk.body());

const verified: number[] = [];
const read: number[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  let start = performance.now();
  if (!rows.every(verifyChunk)) throw new Error("a chunk is not what its id says");
  verified.push(performance.now() - start);
  start = performance.now();
  const chunks = new Map(rows.map((row) => [row.id, cachedChunk(row)]));
  const { type, payload, chunks: roots } = encoded;
  await createValueCodec().decode({ type, payload, chunks: roots }, chunks);
  read.push(performance.now() - start);
}
process.stdout.write(
  `${messages.length} messages in ${rows.length} chunks: ids verified in ${median(verified).toFixed(1)} ms, ` +
    `parsed and revived in ${median(read).toFixed(1)} ms (medians of ${ROUNDS} rounds)\n`,
);
