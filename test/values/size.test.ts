import { AIMessage, type BaseMessage, HumanMessage } from "@langchain/core/messages";
import { expect, test } from "vitest";
import { createValueCodec, serialize } from "../../src/values/codec.ts";
import { createWords } from "./support/random.ts";
import { bytesOf, encodeNow, Rows } from "./support/store.ts";

test("300 turns of a chat are stored in little more than the last list", () => {
  const words = createWords(1);
  // 200 bytes to 4 KB a message, the same spread in every turn, so that turns can be compared.
  const lengths = [200, 4000, 450, 1800, 800, 3000];
  const rows = new Rows();
  const codec = createValueCodec();
  const turns: number[] = [];
  let messages: BaseMessage[] = [];
  for (let turn = 0; turn < 300; turn += 1) {
    let bytes = 0;
    for (const Message of [HumanMessage, AIMessage]) {
      const content = words(lengths[messages.length % lengths.length] as number);
      messages = [...messages, new Message({ content, id: `id-${messages.length}` })];
      const encoded = encodeNow(codec, messages);
      const sent = rows.put(encoded);
      const children = sent.reduce((sum, chunk) => sum + 16 * (chunk.children?.length ?? 0), 0);
      bytes += bytesOf(sent) + children + 16 * (encoded.chunks?.length ?? 0);
    }
    turns.push(bytes);
  }
  const final = Buffer.byteLength(serialize(messages, "x"));
  expect(bytesOf([...rows.chunks.values()])).toBeLessThan(1.05 * final);
  expect(turns.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(1.6 * final);
  expect(turns[299]).toBeLessThanOrEqual(3 * (turns[29] as number));
});
