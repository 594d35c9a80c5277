import type { Wire, WireObject } from "./wire.ts";

/**
 * The modules of `@langchain/core` whose serialisable classes may be revived. `load` would also
 * call plain functions that the data names; only classes made for it are let through, and only from
 * these modules. They are imported when the first such object is read, not before.
 */
const MODULES: ReadonlyMap<string, () => Promise<object>> = new Map<string, () => Promise<object>>([
  ["chat_history", () => import("@langchain/core/chat_history")],
  ["documents", () => import("@langchain/core/documents")],
  ["example_selectors", () => import("@langchain/core/example_selectors")],
  ["messages", () => import("@langchain/core/messages")],
  ["messages__tool", () => import("@langchain/core/messages/tool")],
  ["output_parsers", () => import("@langchain/core/output_parsers")],
  [
    "output_parsers__openai_functions",
    () => import("@langchain/core/output_parsers/openai_functions"),
  ],
  ["output_parsers__openai_tools", () => import("@langchain/core/output_parsers/openai_tools")],
  ["prompt_values", () => import("@langchain/core/prompt_values")],
  ["prompts", () => import("@langchain/core/prompts")],
  ["runnables", () => import("@langchain/core/runnables")],
  ["stores", () => import("@langchain/core/stores")],
]);

/**
 * The object that `@langchain/core/load` builds from its serialised form, or undefined when that
 * names anything but a serialisable class of LangChain's, or when the class refuses its arguments.
 */
export async function loadLangChainObject(wire: WireObject): Promise<object | undefined> {
  const serialised = withoutUndefined(wire);
  try {
    if (!(await namesOnlyClasses(serialised))) return undefined;
    const { load } = await import("@langchain/core/load");
    return await load<object>(JSON.stringify(serialised));
  } catch {
    return undefined;
  }
}

/** As JsonPlusSerializer does before it calls `load`: entries that are undefined are left out. */
function withoutUndefined(wire: Wire): Wire {
  if (typeof wire !== "object" || wire === null) return wire;
  if (Array.isArray(wire)) return wire.map(withoutUndefined);
  if (wire.lc === 2 && wire.type === "undefined") return null;
  return Object.fromEntries(
    Object.entries(wire)
      .filter(([, value]) => !isUndefinedRecord(value))
      .map(([key, value]) => [key, withoutUndefined(value)]),
  );
}

function isUndefinedRecord(wire: Wire): boolean {
  return (
    typeof wire === "object" &&
    wire !== null &&
    !Array.isArray(wire) &&
    wire.lc === 2 &&
    wire.type === "undefined"
  );
}

async function namesOnlyClasses(wire: Wire): Promise<boolean> {
  if (typeof wire !== "object" || wire === null) return true;
  if (!Array.isArray(wire) && wire.lc === 1 && wire.type === "constructor") {
    if (!Array.isArray(wire.id) || !(await namesClass(wire.id))) return false;
  }
  for (const part of Object.values(wire)) {
    if (!(await namesOnlyClasses(part))) return false;
  }
  return true;
}

async function namesClass(id: readonly Wire[]): Promise<boolean> {
  const [root, ...path] = id;
  const name = path.pop();
  if (root !== "langchain_core" || typeof name !== "string") return false;
  // As `load` does: the longest part of the path that is a module.
  while (path.length > 0 && !MODULES.has(path.join("__"))) path.pop();
  const module = await MODULES.get(path.join("__"))?.();
  if (module === undefined) return false;
  const { Serializable, get_lc_unique_name } = await import("@langchain/core/load/serializable");
  const isClass = (exported: unknown): exported is typeof Serializable =>
    typeof exported === "function" && exported.prototype instanceof Serializable;
  if (Object.hasOwn(module, name)) return isClass((module as Record<string, unknown>)[name]);
  return Object.values(module).some(
    (exported) => isClass(exported) && get_lc_unique_name(exported as never) === name,
  );
}
