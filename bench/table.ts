/** Results as Markdown tables. */
import type { Result, ResultRow } from "./results.ts";
import type { Unit } from "./workloads/workload.ts";

const HEADER = ["what", "saver", "median", "min – max", "÷ ours", "target", ""];

export function toMarkdown({ workload, description, rounds, statements, rows }: Result): string {
  const about =
    statements === undefined
      ? ""
      : ` The floor replays the ${statements} statements of one run of ours.`;
  return [
    `## ${workload}`,
    "",
    `${description}; ${rounds} ${rounds === 1 ? "round" : "rounds"}.${about}`,
    "",
    ...table([HEADER, ...rows.map(toCells)]),
    "",
  ].join("\n");
}

function toCells({ metric, label, summary, ratio, target, met }: ResultRow): string[] {
  const show = (value: number): string => formatted(value, metric.unit);
  return [
    metric.title,
    label,
    show(summary.median),
    `${show(summary.min)} – ${show(summary.max)}`,
    ratio === undefined ? "" : `${significant(ratio)} ×`,
    target ?? "",
    met === undefined ? "" : met ? "met" : "missed",
  ];
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = HEADER.map((_, column) =>
    Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const lines = rows.map((row) =>
    line(row.map((cell, column) => pad(cell, widths[column] ?? 0, column))),
  );
  const rule = line(
    widths.map((width, column) =>
      isText(column) ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
    ),
  );
  return [lines[0] ?? "", rule, ...lines.slice(1)];
}

/** Words stand to the left, numbers to the right. */
function isText(column: number): boolean {
  return column < 2 || column === 6;
}

function pad(cell: string, width: number, column: number): string {
  return isText(column) ? cell.padEnd(width) : cell.padStart(width);
}

export function formatted(value: number, unit: Unit): string {
  if (unit === "ms")
    return value >= 10_000 ? `${significant(value / 1000)} s` : `${significant(value)} ms`;
  if (unit === "bytes") return formattedBytes(value);
  if (unit === "per second") return `${significant(value)}/s`;
  return significant(value);
}

export function formattedBytes(value: number): string {
  const steps = ["B", "kB", "MB", "GB"] as const;
  const step = Math.min(3, Math.floor(Math.log10(Math.max(1, value)) / 3));
  return `${significant(value / 1000 ** step)} ${steps[step]}`;
}

/** Three digits that count. */
function significant(value: number): string {
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 3));
}
