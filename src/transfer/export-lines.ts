/** The lines of an export, one by one, however large it is. */
import { createReadStream } from "node:fs";
import { pipeline, type Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { TransferError } from "../errors.ts";
import { checkHeader, type ExportLine, parseLine } from "./export-format.ts";

export type Lines = AsyncGenerator<
  { readonly line: ExportLine; readonly number: number },
  undefined
>;

/** The lines behind the header, of a file or a stream; what is no export throws. */
export async function* exportLines(source: string | Readable): Lines {
  let number = 0;
  for await (const text of textLines(source)) {
    number += 1;
    if (number === 1) checkHeader(text);
    else if (text !== "") yield { line: parseLine(text, number), number };
  }
  if (number === 0) checkHeader(undefined);
  return undefined;
}

async function* textLines(source: string | Readable): AsyncGenerator<string> {
  const stream = typeof source === "string" ? openFile(source) : source;
  // Decoded as a stream: a character may lie on the border between two pieces.
  const decoder = new TextDecoder();
  let rest: string[] = [];
  try {
    for await (const piece of stream) {
      const text =
        typeof piece === "string" ? piece : decoder.decode(piece as Uint8Array, { stream: true });
      const [first = "", ...others] = text.split("\n");
      rest.push(first);
      for (const next of others) {
        yield rest.join("");
        rest = [next];
      }
    }
  } catch (error) {
    if (!isDamage(error)) throw error;
    throw notCompressed(error);
  }
  const last = rest.join("");
  if (last !== "") yield last;
}

function openFile(name: string): Readable {
  const file = createReadStream(name);
  // `pipeline` hands the file's errors on; they are met where the lines are read.
  return name.endsWith(".gz") ? pipeline(file, createGunzip(), () => {}) : file;
}

function notCompressed(cause: unknown): TransferError {
  return new TransferError(
    "INVALID_EXPORT",
    "The file is not compressed as its name says, or it is cut off. Threads before that place were imported.",
    { cause },
  );
}

function isDamage(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^Z_/.test(String(error.code));
}
