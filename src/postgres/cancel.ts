import pg from "pg";
import type { DbClient } from "./driver.ts";

/** How long the request itself may take, in milliseconds. */
const PATIENCE = 5000;

/** What `pg.Client` has on it that a cancel request needs. */
interface Cancellable {
  readonly processID: number;
  readonly secretKey: number;
  readonly host: string;
  readonly port: number;
  readonly ssl?: unknown;
}

/** The parts of `pg.Connection` that are used here; its types leave most of them out. */
interface RawConnection {
  readonly stream: { destroy(): void };
  on(event: string, listener: () => void): void;
  connect(port: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processID: number, secretKey: number): void;
}

/**
 * Asks the server to cancel what the connection runs; does not wait and cannot fail. A server
 * notices that a client has gone only when it next writes to it: a statement that waits for a lock
 * would keep waiting, then do its work, long after its caller has been told that it failed.
 */
export function requestCancel(client: DbClient): void {
  if (!isCancellable(client)) return;
  const { processID, secretKey, host, port, ssl } = client;
  const Connection = pg.Connection as unknown as new (config: { ssl?: unknown }) => RawConnection;
  const connection = new Connection({ ssl });
  const end = (): void => connection.stream.destroy();
  const timer = setTimeout(end, PATIENCE).unref();
  const send = (): void => connection.cancel(processID, secretKey);
  connection.on("connect", ssl ? () => connection.requestSsl() : send);
  connection.on("sslconnect", send);
  connection.on("error", end);
  connection.on("end", () => clearTimeout(timer));
  if (host.startsWith("/")) connection.connect(`${host}/.s.PGSQL.${port}`);
  else connection.connect(port, host);
}

function isCancellable(client: object): client is Cancellable {
  const { processID, secretKey, host, port } = client as Partial<Cancellable>;
  return (
    typeof processID === "number" &&
    typeof secretKey === "number" &&
    typeof host === "string" &&
    typeof port === "number"
  );
}
