/** Telling a save whose answer was lost, and that was repeated, from another save. */
import type { Row } from "../postgres/database.ts";
import { encodeName } from "../storage/names.ts";
import { checkpointPlace } from "../storage/places.ts";
import type { PutRecord } from "../storage/record-writer.ts";
import { openData } from "../storage/sealing.ts";
import type { Storage } from "../storage/storage.ts";
import type { RecordStatements } from "./statements.ts";

type Place = Pick<Storage, "database" | "cipher">;

/** Whether all of these rows are what this very call has stored. */
export async function areOwn(
  place: Place,
  statements: Pick<RecordStatements, "data">,
  rows: readonly PutRecord[],
): Promise<boolean> {
  for (const row of rows) {
    const key = [row.threadId, encodeName(row.namespace), encodeName(row.checkpointId)];
    const [found] = await place.database.execute(statements.data, key);
    if (found === undefined || storedData(place, row, found) !== row.data) return false;
  }
  return true;
}

function storedData(
  { cipher }: Place,
  row: PutRecord,
  [parent, versions, data]: Row,
): string | null {
  if (cipher === undefined || data == null) return data ?? null;
  const [namespace, id] = [encodeName(row.namespace), encodeName(row.checkpointId)];
  const at = checkpointPlace(namespace, id, parent ?? null, versions ?? "");
  return openData(cipher, row.threadId, at, Buffer.from(data, "base64")).data;
}
