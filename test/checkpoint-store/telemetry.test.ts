/** OpenTelemetry, the real one: spans and metrics, and nothing in them that is anybody's data. */
import { metrics, SpanStatusCode, trace } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { PostgresCheckpointStore } from "../../src/index.ts";
import { failure, fresh, newest, useStore } from "../records/open-store.ts";

function metricsOf(temporality: AggregationTemporality) {
  const exporter = new InMemoryMetricExporter(temporality);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  return { exporter, reader };
}

const SECRET = "the patient's own words";

describe("OpenTelemetry", () => {
  const fixture = useStore(newest);
  const spans = new InMemorySpanExporter();
  const totals = metricsOf(AggregationTemporality.CUMULATIVE);
  // Totals repeat what was last told of a series that has ended; changes do not.
  const changes = metricsOf(AggregationTemporality.DELTA);
  const meters = new MeterProvider({ readers: [totals.reader, changes.reader] });
  let store: PostgresCheckpointStore;

  beforeAll(async () => {
    trace.setGlobalTracerProvider(
      new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }),
    );
    metrics.setGlobalMeterProvider(meters);
    store = await PostgresCheckpointStore.connect({
      connString: inject("postgres")["18"],
      schema: fixture.current.backend.schema,
    });
  });
  afterAll(async () => {
    await store.close();
    await meters.shutdown();
    trace.disable();
    metrics.disable();
  });

  /** The latest data points by metric. */
  const points = async ({ reader, exporter } = totals) => {
    await reader.forceFlush();
    const all =
      exporter
        .getMetrics()
        .at(-1)
        ?.scopeMetrics.flatMap(({ metrics }) => metrics) ?? [];
    return Object.fromEntries(
      all.map(({ descriptor, dataPoints }) => [
        descriptor.name,
        dataPoints as readonly DataPoint[],
      ]),
    );
  };
  interface DataPoint {
    readonly attributes: Record<string, unknown>;
    readonly value: unknown;
  }

  test("a span for each operation, by the conventions for database clients", async () => {
    spans.reset();
    const threadId = fresh("thread");
    await store.save({ id: fresh("cp"), threadId, state: { text: SECRET } });
    await failure(store.load("nobody's"));
    const [saved, missing] = spans.getFinishedSpans();
    expect(saved?.name).toBe("langgraph-postgres save");
    expect(saved?.attributes).toEqual({
      "db.system.name": "postgresql",
      "db.collection.name": expect.stringContaining("checkpoints"),
      "db.operation.name": "save",
      "langgraph_postgres.thread_id": threadId,
    });
    expect(saved?.status.code).toBe(SpanStatusCode.UNSET);
    expect(missing?.attributes["error.type"]).toBe("CHECKPOINT_NOT_FOUND");
    expect(missing?.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(missing?.events).toEqual([]);
  });

  test("durations, counters and the pool as metrics", async () => {
    const threadId = fresh("thread");
    for (let i = 0; i < 3; i += 1) {
      await store.save({ id: fresh("cp"), threadId, state: { text: SECRET.repeat(100), i } });
    }
    const found = await points();
    const durations = found["db.client.operation.duration"] ?? [];
    const [saves] = durations.filter(
      ({ attributes }) => attributes["db.operation.name"] === "save",
    );
    const { count } = (saves as DataPoint).value as { count: number };
    expect(count).toBeGreaterThanOrEqual(3);
    const failed = durations.find(({ attributes }) => attributes["error.type"] !== undefined);
    expect(failed?.attributes["error.type"]).toBe("CHECKPOINT_NOT_FOUND");
    const { bytesStored } = store.getMetrics();
    expect(found["langgraph_postgres.bytes.stored"]?.[0]?.value).toBe(bytesStored);
    expect(found["langgraph_postgres.retries"]?.[0]?.value).toBe(0);
    const states = found["db.client.connection.count"]?.map(({ attributes, value }) => [
      attributes["db.client.connection.state"],
      value,
    ]);
    expect(states).toEqual([
      ["idle", 1],
      ["used", 0],
    ]);
  });

  test("no payload, password or connection string in any of it", async () => {
    await store.transaction(async (tx) => {
      await tx.save({ id: fresh("cp"), threadId: "t", state: SECRET, metadata: { note: SECRET } });
      await tx.query("SELECT $1::text", [SECRET]);
    });
    await failure(store.transaction((tx) => tx.query(`SELECT '${SECRET.replace("'", "")}'::int`)));
    await failure(store.save({ id: fresh("cp"), threadId: "t", state: { [SECRET]: () => 1 } }));
    const told = [
      ...spans
        .getFinishedSpans()
        .map(({ name, attributes, status, events }) => ({ name, attributes, status, events })),
      await points(),
      store.getMetrics(),
    ];
    const text = JSON.stringify(told);
    expect(text).toContain("thread");
    const { password, href } = new URL(inject("postgres")["18"]);
    for (const secret of [
      SECRET,
      "own words",
      password,
      decodeURIComponent(password),
      href,
      "postgresql://",
    ]) {
      expect(text).not.toContain(secret);
    }
  });

  test("a closed store is asked no more, and telemetry: false is not asked at all", async () => {
    const other = await PostgresCheckpointStore.connect({
      connString: inject("postgres")["18"],
      schema: "nowhere",
      telemetry: false,
    });
    spans.reset();
    await failure(other.load("x"));
    expect(spans.getFinishedSpans()).toEqual([]);
    const silent = await points();
    expect(JSON.stringify(silent)).not.toContain("nowhere");
    await other.close();

    const third = await PostgresCheckpointStore.connect({
      connString: inject("postgres")["18"],
      schema: "third",
    });
    expect(JSON.stringify(await points(changes))).toContain('\\"third\\"');
    await third.close();
    await points(changes);
    expect(JSON.stringify(await points(changes))).not.toContain("third");
  });
});
