export interface SendLike {
  node: unknown;
  args: unknown;
  timeout?: unknown;
}

const SEND_KEYS: ReadonlySet<string> = new Set(["lg_name", "node", "args", "timeout"]);

/** LangGraph's `Send`, or what its `toJSON` gives. */
export function isSend(value: object): value is SendLike {
  return (
    (value as { lg_name?: unknown }).lg_name === "Send" &&
    "node" in value &&
    "args" in value &&
    Object.keys(value).every((key) => SEND_KEYS.has(key))
  );
}

/** What is stored of a Send. LangGraph knows it again by its `node` and `args`. */
export function sendFields({ node, args, timeout }: SendLike): SendLike {
  return timeout === undefined ? { node, args } : { node, args, timeout };
}
