/**
 * A service whose import was swapped, in a process of its own: it ends threads that the official saver
 * began, and prints what each gave as a line of JSON.
 */
import { PostgresSaver } from "../../src/index.ts";
import { configOf, kindOf } from "./official-threads.ts";

const { connString, schema, from, threads } = JSON.parse(process.argv[2] ?? "{}") as {
  connString: string;
  schema: string;
  from: string;
  threads: [number, string][];
};
const saver = PostgresSaver.fromConnString(connString, { schema, adopt: { schema: from } });
await Promise.all(
  threads.map(async ([place, id]) => {
    const result = await kindOf(place).finish(saver, configOf(id));
    process.stdout.write(`${JSON.stringify({ id, result })}\n`);
  }),
);
await saver.end();
