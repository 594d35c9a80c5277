/** The store that the examples share. */
import { type ConnectOptions, PostgresCheckpointStore } from "langgraph-postgres";
import { database } from "../database.ts";

export function openStore(
  options: Omit<ConnectOptions, "connString" | "embedded"> = {},
): Promise<PostgresCheckpointStore> {
  return PostgresCheckpointStore.connect({ ...database(), ...options });
}
