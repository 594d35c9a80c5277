/** What commands print: data on stdout, as text for people or as JSON for programs; all else on stderr. */

export interface Output {
  readonly json: boolean;
  /** Data: the value where JSON is asked for, else the text. */
  data(value: unknown, text: () => string): void;
  /** A remark for a person. Not data, so it never gets into a pipe. */
  note(text: string): void;
}

export function outputFor(json: boolean): Output {
  return {
    json,
    data(value, text) {
      const printed = json ? JSON.stringify(value, null, 2) : text();
      if (printed !== "") process.stdout.write(`${printed}\n`);
    },
    note(text) {
      process.stderr.write(`${text}\n`);
    },
  };
}

/** Columns as wide as their widest cell; numbers are given as numbers and stand to the right. */
export function textTable(
  heads: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const cells = rows.map((row) => row.map((cell) => printable(String(cell))));
  const widths = heads.map((head, i) =>
    Math.max(head.length, ...cells.map((row) => row[i]?.length ?? 0)),
  );
  const isNumber = heads.map((_, i) => rows.some((row) => typeof row[i] === "number"));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (isNumber[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  return [line(heads), ...cells.map(line)].join("\n");
}

/** Text of the database's without what would move the cursor or change the terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (unit) =>
    unit === "\n" ? "\\n" : `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

const UNITS = ["B", "KB", "MB", "GB", "TB"];

export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${UNITS[unit]}`;
}

/** `1 thread`, `2 threads`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** To the second, in UTC, so that output is the same everywhere. */
export function moment(date: Date): string {
  return Number.isNaN(date.getTime())
    ? "?"
    : `${date.toISOString().slice(0, 19).replace("T", " ")}`;
}

const COLOURS = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;

/** Coloured where stdout is a terminal or FORCE_COLOR says so, and NO_COLOR does not. */
export function paint(colour: keyof typeof COLOURS, text: string): string {
  const { NO_COLOR, FORCE_COLOR } = process.env;
  const wanted = FORCE_COLOR ? FORCE_COLOR !== "0" : process.stdout.isTTY && !NO_COLOR;
  return wanted ? `\u001b[${COLOURS[colour]}m${text}\u001b[0m` : text;
}
