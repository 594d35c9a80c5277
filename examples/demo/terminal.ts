/** Colours where there is someone to see them. */
import { styleText } from "node:util";

export type Style = Parameters<typeof styleText>[0];

const { NO_COLOR, TERM } = process.env;
const colours = process.stdout.isTTY === true && !NO_COLOR && TERM !== "dumb";

export function paint(style: Style, text: string): string {
  return colours ? styleText(style, text) : text;
}

export function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}
