import { inspect } from "node:util";

/** All that logging an error, in one way or another, would show of it. */
export function allThatShows(error: unknown): string {
  const seen: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    seen.push(at.message, at.stack ?? "", String(at));
  }
  seen.push(
    JSON.stringify(error) ?? "",
    JSON.stringify(error, Object.getOwnPropertyNames(error)) ?? "",
    inspect(error, { depth: 20, showHidden: true }),
  );
  return seen.join("\n");
}
