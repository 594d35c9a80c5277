/** Whether a thread is encrypted: who has no keys must not add to it, nor take parts of it elsewhere. */
import { SEALED } from "../encryption/cipher.ts";
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";
import { beginsWith } from "./everything-of.ts";
import { TYPE } from "./sealing.ts";

/** `$1` thread: a row where something of it is encrypted. */
export function encryptedThread(names: TableNames): Statement {
  return statement(
    "thread_encrypted",
    `SELECT 'encrypted' WHERE EXISTS (SELECT FROM ${names.checkpoints} x WHERE x.thread_id = $1
    AND ${beginsWith("x.checkpoint_data", SEALED)})
  OR EXISTS (SELECT FROM ${names.writes} x WHERE x.thread_id = $1 AND x.type IN ('${TYPE.value}', '${TYPE.snapshot}'))`,
  );
}
