/** A line chart as SVG: logarithmic upwards, curves labelled where they end, legible on light and on dark. */

export interface Curve {
  readonly label: string;
  /** A class of {@link STYLE}. */
  readonly tone: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  readonly title: string;
  readonly subtitle: string;
  readonly xTitle: string;
  readonly formatY: (value: number) => string;
  readonly curves: readonly Curve[];
}

const WIDTH = 900;
const HEIGHT = 440;
const PLOT = { left: 70, right: 560, top: 70, bottom: 390 };
const LABEL_GAP = 16;

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #57606a }
  .title { font-size: 16px; font-weight: 600; fill: #1f2328 }
  .grid { stroke: #d8dee4; stroke-width: 1 }
  .curve { fill: none; stroke-width: 1.8; stroke-linejoin: round }
  .ours { stroke: #0969da; stroke-width: 3 } text.ours { fill: #0969da; stroke: none; font-weight: 600 }
  .official { stroke: #cf4a00 } text.official { fill: #cf4a00; stroke: none }
  .memory { stroke: #1a7f37 } text.memory { fill: #1a7f37; stroke: none }
  .floor { stroke: #8250df; stroke-dasharray: 4 3 } text.floor { fill: #8250df; stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1 }
    .title { fill: #f0f6fc }
    .grid { stroke: #30363d }
    .ours { stroke: #58a6ff } text.ours { fill: #58a6ff }
    .official { stroke: #ff9b5e } text.official { fill: #ff9b5e }
    .memory { stroke: #3fb950 } text.memory { fill: #3fb950 }
    .floor { stroke: #bc8cff } text.floor { fill: #bc8cff }
  }
`;

export function lineChart({ title, subtitle, xTitle, formatY, curves }: Chart): string {
  const points = curves.flatMap((curve) => curve.points);
  const maxX = Math.max(...points.map(([x]) => x));
  const decades = decadesOf(points.map(([, y]) => y));
  const [low = 0] = decades;
  const high = decades.at(-1) ?? 1;
  const x = (value: number): number => scale(value / maxX, PLOT.left, PLOT.right);
  const y = (value: number): number =>
    scale((Math.log10(value) - low) / (high - low), PLOT.bottom, PLOT.top);

  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">`,
    `<style>${STYLE}</style>`,
    write(20, 28, title, "title"),
    write(20, 48, subtitle),
    ...decades.map((decade) => horizontal(y(10 ** decade), formatY(10 ** decade))),
    ...ticks(maxX).map((tick) => write(x(tick), PLOT.bottom + 20, String(tick), "", "middle")),
    write((PLOT.left + PLOT.right) / 2, PLOT.bottom + 40, xTitle, "", "middle"),
    ...curves.map(({ tone, points: line }) =>
      path(
        tone,
        line.map(([px, py]) => [x(px), y(py)]),
      ),
    ),
    ...labels(curves, (value) => y(value)),
    "</svg>",
    "",
  ].join("\n");
}

/** The powers of ten that hold all values, at least two. */
function decadesOf(values: readonly number[]): number[] {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return Array.from({ length: high - low + 1 }, (_, n) => low + n);
}

/** About six round numbers from 0 to `max`. */
function ticks(max: number): number[] {
  const magnitude = 10 ** Math.floor(Math.log10(max / 5));
  const step = [1, 2, 5, 10].map((n) => n * magnitude).find((n) => max / n <= 7) ?? max;
  return Array.from({ length: Math.floor(max / step) + 1 }, (_, n) => n * step);
}

function horizontal(y: number, label: string): string {
  const line = `<line class="grid" x1="${PLOT.left}" x2="${PLOT.right}" y1="${px(y)}" y2="${px(y)}"/>`;
  return line + write(PLOT.left - 8, y + 4, label, "", "end");
}

function path(tone: string, points: readonly (readonly [number, number])[]): string {
  const moves = points.map(([x, y]) => `${px(x)},${px(y)}`).join(" ");
  return `<polyline class="curve ${tone}" points="${moves}"/>`;
}

/** Beside the ends of the curves, moved apart where they would lie on one another. */
function labels(curves: readonly Curve[], y: (value: number) => number): string[] {
  let previous = Number.NEGATIVE_INFINITY;
  return curves
    .map((curve) => ({ ...curve, end: y(curve.points.at(-1)?.[1] ?? 1) }))
    .sort((a, b) => a.end - b.end)
    .map(({ label, tone, end }) => {
      previous = Math.max(end, previous + LABEL_GAP);
      return write(PLOT.right + 8, previous + 4, label, tone);
    });
}

function write(x: number, y: number, text: string, tone = "", anchor = "start"): string {
  const kind = tone === "" ? "" : ` class="${tone}"`;
  return `<text${kind} x="${px(x)}" y="${px(y)}" text-anchor="${anchor}">${escaped(text)}</text>`;
}

function scale(share: number, from: number, to: number): number {
  return from + share * (to - from);
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
