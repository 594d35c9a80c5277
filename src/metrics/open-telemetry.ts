/**
 * OpenTelemetry, where `@opentelemetry/api` is installed: a span for each operation, its duration as
 * a metric, and the store's counters. Without a provider the API does nothing, and costs nothing.
 * Names follow the semantic conventions for database clients; nothing here ever holds a payload.
 */
import type { Attributes, Meter, Tracer } from "@opentelemetry/api";
import type { StoreMetrics } from "./store-metrics.ts";
import { SILENT, type Telemetry } from "./telemetry.ts";

type Api = typeof import("@opentelemetry/api");

const SCOPE = "langgraph-postgres";
const SYSTEM = { "db.system.name": "postgresql" } as const;

/** What is known of a store when somebody asks. */
export interface Observed {
  readonly metrics: () => StoreMetrics;
  /** The quoted table, which tells one store from another. */
  readonly table: string;
}

/** Listens as soon as the API is loaded (`ready`), and does nothing where it is not installed. */
export function openTelemetry(observed: Observed): Telemetry & { readonly ready: Promise<void> } {
  let current: Telemetry = SILENT;
  let ended = false;
  const ready = import("@opentelemetry/api").then(
    (api) => {
      if (!ended) current = withApi(api, observed);
    },
    // It is not installed: then nobody listens.
    () => {},
  );
  return {
    ready,
    span: (...args) => current.span(...args),
    record: (...args) => current.record(...args),
    end() {
      ended = true;
      current.end();
    },
  };
}

function withApi(api: Api, observed: Observed): Telemetry {
  // Asked for at each use: a provider may be registered after the store was made.
  const tracer = (): Tracer => api.trace.getTracer(SCOPE);
  const table = { "db.collection.name": observed.table };
  const meter = api.metrics.getMeter(SCOPE);
  const durations = meter.createHistogram("db.client.operation.duration", {
    description: "Duration of the operations of a checkpoint store.",
    unit: "s",
  });
  const stop = observe(meter, observed, table);
  return {
    span(operation, threadId, work) {
      const attributes: Attributes = { ...SYSTEM, ...table, "db.operation.name": operation };
      if (threadId !== undefined) attributes["langgraph_postgres.thread_id"] = threadId;
      const options = { kind: api.SpanKind.CLIENT, attributes };
      return tracer().startActiveSpan(`${SCOPE} ${operation}`, options, async (span) => {
        try {
          return await work();
        } catch (error) {
          const code = (error as { code?: unknown } | null)?.code;
          // The message may quote a person's words; the code says enough.
          span.setStatus({ code: api.SpanStatusCode.ERROR });
          span.setAttribute("error.type", typeof code === "string" ? code : "UNKNOWN");
          throw error;
        } finally {
          span.end();
        }
      });
    },
    record(operation, durationMs, errorCode) {
      durations.record(durationMs / 1000, {
        ...SYSTEM,
        ...table,
        "db.operation.name": operation,
        ...(errorCode === undefined ? {} : { "error.type": errorCode }),
      });
    },
    end: stop,
  };
}

/** The store's own counters, read when the meter asks. */
function observe(meter: Meter, { metrics }: Observed, table: Attributes): () => void {
  const counters = [
    ["retries", "Attempts beyond the first.", (all: StoreMetrics) => all.retries],
    ["cache.hits", "Values found whole in memory.", (all: StoreMetrics) => all.cache.hits],
    ["cache.misses", "Values that had to be fetched.", (all: StoreMetrics) => all.cache.misses],
    ["bytes.stored", "Bytes of values sent.", (all: StoreMetrics) => all.bytesStored],
    [
      "bytes.deduplicated",
      "Bytes of values that were stored already.",
      (all: StoreMetrics) => all.bytesDeduplicated,
    ],
  ] as const;
  const stops = counters.map(([name, description, value]) => {
    const counter = meter.createObservableCounter(`langgraph_postgres.${name}`, { description });
    const read = (result: { observe(value: number, attributes: Attributes): void }): void =>
      result.observe(value(metrics()), table);
    counter.addCallback(read);
    return () => counter.removeCallback(read);
  });
  const connections = meter.createObservableUpDownCounter("db.client.connection.count", {
    description: "Connections of the pool by state.",
  });
  const readPool = (result: { observe(value: number, attributes: Attributes): void }): void => {
    const { idle, acquired } = metrics().pool;
    result.observe(idle, { ...table, "db.client.connection.state": "idle" });
    result.observe(acquired, { ...table, "db.client.connection.state": "used" });
  };
  connections.addCallback(readPool);
  return () => {
    for (const stop of stops) stop();
    connections.removeCallback(readPool);
  };
}
