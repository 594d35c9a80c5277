/**
 * A TCP proxy in front of a server, which breaks connections where PostgreSQL's protocol hurts most. A fault is armed
 * and meets the next traffic of the kind it waits for, once; `blackHole` lasts until it is lifted.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** The faults that meet one statement, in the words of the tests' reports. */
export const CUTS = {
  /** The connection ends before the server sees anything of the statement. */
  "cut before the statement": "request",
  /** The server has half of the statement when the connection ends. */
  "cut mid-statement": "request",
  /** The server has all of it and executes it; the connection ends before its answer. */
  "cut before the answer": "answer",
  /** The client has some of the answer when the connection ends. */
  "cut mid-answer": "answer",
  /** The server ends its side and the client's socket stays open for writing. */
  "half-closed by the server": "request",
  /** The client's side ends for the server, and the client hears nothing of it until the server does. */
  "half-closed by the client": "request",
  /** The statement arrives late. */
  "late request": "request",
  /** Its answer arrives late. */
  "late answer": "answer",
} as const;

export type Cut = keyof typeof CUTS;
export const CUT_NAMES = Object.keys(CUTS) as Cut[];

export interface TcpProxy {
  readonly port: number;
  /** How many faults were inflicted. */
  readonly inflicted: number;
  /** Arms a fault for the `skip`-th statement from now on, on whatever connection. */
  arm(cut: Cut, skip?: number): void;
  disarm(): void;
  /** From now on nothing passes and nothing ends: neither on open connections nor on new ones. */
  blackHole(): void;
  /** Lifts it: everything that was held passes. */
  lift(): void;
  /** Delays everything by so many milliseconds. */
  latency: number;
  /** Ends every connection. */
  cutAll(): void;
  close(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

/** Frontend message `S`, Sync: with it the server executes what was sent before. */
const SYNC = Buffer.from([0x53, 0, 0, 0, 4]);
const LATE = 80;

export async function startProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  const held: (() => void)[] = [];
  let hole = false;
  let armed: { cut: Cut; skip: number } | undefined;
  let inflicted = 0;

  const destroy = (pair: Pair): void => {
    pair.client.destroy();
    pair.server.destroy();
    pairs.delete(pair);
  };

  const fire = (side: "request" | "answer"): Cut | undefined => {
    if (armed === undefined || CUTS[armed.cut] !== side) return undefined;
    if (armed.skip > 0) {
      armed.skip -= 1;
      return undefined;
    }
    const { cut } = armed;
    armed = undefined;
    inflicted += 1;
    return cut;
  };

  const proxy: TcpProxy = {
    port: 0,
    get inflicted() {
      return inflicted;
    },
    arm(cut, skip = 0) {
      armed = { cut, skip };
    },
    disarm() {
      armed = undefined;
    },
    blackHole() {
      hole = true;
    },
    lift() {
      hole = false;
      for (const pass of held.splice(0)) pass();
    },
    latency: 0,
    cutAll() {
      for (const pair of pairs) destroy(pair);
    },
    async close() {
      proxy.cutAll();
      listener.close();
      await once(listener, "close");
    },
  };

  /** Now, later, or when the hole is lifted; always in order. */
  const pass = (go: () => void): void => {
    if (hole) held.push(go);
    else if (proxy.latency > 0) setTimeout(() => pass0(go), proxy.latency);
    else go();
  };
  const pass0 = (go: () => void): void => {
    if (hole) held.push(go);
    else go();
  };

  const onRequest = (pair: Pair, data: Buffer): void => {
    const { client, server } = pair;
    // Login and goodbye are not statements.
    const cut = data.includes(SYNC) ? fire("request") : undefined;
    if (cut === undefined) server.write(data);
    else if (cut === "cut before the statement") destroy(pair);
    else if (cut === "cut mid-statement") {
      server.write(data.subarray(0, Math.max(1, data.length >> 1)), () => destroy(pair));
    } else if (cut === "half-closed by the server") {
      server.destroy();
      client.end();
    } else if (cut === "half-closed by the client") server.end(data);
    else setTimeout(() => server.write(data), LATE);
  };

  const onAnswer = (pair: Pair, data: Buffer, inStatement: boolean): void => {
    const { client } = pair;
    const cut = inStatement ? fire("answer") : undefined;
    if (cut === undefined) client.write(data);
    else if (cut === "cut before the answer") destroy(pair);
    else if (cut === "cut mid-answer") {
      client.write(data.subarray(0, Math.max(1, data.length >> 1)), () => destroy(pair));
    } else setTimeout(() => client.write(data), LATE);
  };

  const listener = createServer({ allowHalfOpen: true }, (client) => {
    const server = connect({ ...target, allowHalfOpen: true });
    const pair = { client, server };
    pairs.add(pair);
    let inStatement = false;
    client.on("data", (data) => {
      if (data.includes(SYNC)) inStatement = true;
      pass(() => onRequest(pair, data));
    });
    server.on("data", (data) => pass(() => onAnswer(pair, data, inStatement)));
    client.on("end", () => pass(() => server.end()));
    server.on("end", () => pass(() => client.end()));
    client.on("close", () => {
      // Black-holed packets do not arrive; the end of a process behind one is not seen either.
      if (!hole) destroy(pair);
      else held.push(() => destroy(pair));
    });
    server.on("close", () => pass(() => destroy(pair)));
    for (const socket of [client, server]) socket.on("error", () => destroy(pair));
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  return Object.assign(proxy, { port: typeof address === "object" && address ? address.port : 0 });
}
