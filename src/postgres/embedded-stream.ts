import { Duplex } from "node:stream";
// The tests of a user may replace the global one.
import { setImmediate } from "node:timers";
import type { PGlite } from "@electric-sql/pglite";

/** Bytes that a client may send before the size of the write-ahead log is looked at. */
const LOOK_AFTER_BYTES = 4 << 20;
/** Batches of messages before the same. Few bytes can delete many rows. */
const LOOK_AFTER_BATCHES = 500;
/** Bytes of write-ahead log after which it is cut. */
const LOG_LIMIT = 64 << 20;

/** What `pg` calls on a socket beyond what a Duplex has. */
interface Socket extends Duplex {
  connect(): Socket;
}

const CUT_LOG = simpleQuery(`DO $$ BEGIN
  IF (SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn) > ${LOG_LIMIT}
      FROM pg_control_checkpoint())
  THEN CHECKPOINT;
  END IF;
END $$`);
const ROLLBACK = simpleQuery("ROLLBACK");
const DISCARD_ALL = simpleQuery("DISCARD ALL");

/**
 * Makes streams that `pg` takes for sockets to a server. All lead to the one session that the
 * embedded PostgreSQL has; there must be only one at a time.
 */
export function embeddedStreams(lite: PGlite): () => Duplex {
  let last: Promise<unknown> = Promise.resolve();
  /** Runs `work` when all that was asked before is done, and lets the event loop turn once before. */
  const inTurn = (work: () => void): Promise<void> => {
    // PGlite answers before it returns: without the turn, a loop of queries would starve the timers.
    const next = last.then(() => new Promise(setImmediate)).then(work);
    last = next.catch(() => {});
    return next;
  };

  let bytes = 0;
  let batches = 0;
  /** What the checkpointer of a server does, and nobody does here: the log would grow for ever. */
  const cutLog = (): void => {
    if (bytes < LOOK_AFTER_BYTES && batches < LOOK_AFTER_BATCHES) return;
    bytes = 0;
    batches = 0;
    talk(lite, CUT_LOG);
  };

  const ask = (batch: Buffer, stream: Duplex): Promise<void> =>
    inTurn(() => {
      if (stream.destroyed) return;
      const answer = talk(lite, batch);
      stream.push(answer);
      bytes += batch.length;
      batches += 1;
      if (isIdle(answer)) cutLog();
    });

  /** The session of the last client, which may have left a transaction open, becomes a new one. */
  const renewSession = (): Promise<void> =>
    inTurn(() => {
      talk(lite, ROLLBACK);
      talk(lite, DISCARD_ALL);
    });

  return () => {
    const stream = new Duplex({
      read() {},
      write(batch: Buffer, _encoding, done) {
        ask(batch, stream).then(() => done(), done);
      },
      // What was written between cork and uncork belongs together: PGlite ends each batch as if a
      // Sync stood there.
      writev(chunks, done) {
        const parts = chunks.map(({ chunk }) => chunk as Buffer);
        ask(Buffer.concat(parts), stream).then(() => done(), done);
      },
      final(done) {
        stream.push(null);
        done();
      },
    });
    const connect = (): Socket => {
      renewSession().then(
        () => stream.emit("connect"),
        (error: Error) => stream.destroy(error),
      );
      return socket;
    };
    const nothing = (): Duplex => stream;
    const socket: Socket = Object.assign(stream, {
      connect,
      setNoDelay: nothing,
      setKeepAlive: nothing,
      ref: nothing,
      unref: nothing,
    });
    return socket;
  };
}

/** Sends a batch of messages and returns the answer. */
function talk(lite: PGlite, batch: Uint8Array): Uint8Array {
  // PostgreSQL sets timers for its own ends, which must not keep the process alive. Nothing else
  // runs meanwhile: PGlite does all of it before it returns.
  const { setTimeout } = globalThis;
  globalThis.setTimeout = ((...args: Parameters<typeof setTimeout>) =>
    setTimeout(...args).unref()) as typeof setTimeout;
  try {
    return lite.execProtocolRawSync(batch);
  } finally {
    globalThis.setTimeout = setTimeout;
  }
}

function simpleQuery(text: string): Buffer {
  const body = Buffer.from(`${text}\0`);
  const message = Buffer.alloc(5 + body.length, "Q");
  message.writeInt32BE(4 + body.length, 1);
  body.copy(message, 5);
  return message;
}

/** Whether the answer ends with ReadyForQuery and the session is in no transaction. */
function isIdle(answer: Uint8Array): boolean {
  const [type, , , , , status] = answer.subarray(-6);
  return type === "Z".charCodeAt(0) && status === "I".charCodeAt(0);
}
