/**
 * A lease is three columns of the thread's row: who holds it, until when, and a token that grows with
 * every new holder. Writers that carry a token are refused by the row itself once it has moved on, so
 * a holder that was stopped and woke up late can change nothing.
 */
import type { TableNames } from "../postgres/identifiers.ts";
import { type Statement, statement } from "../postgres/statement.ts";

export interface LeaseStatements {
  /** `$1` thread, `$2` fresh generation, `$3` owner, `$4` milliseconds: the token, or nothing while another holds it. */
  readonly acquire: Statement;
  /** `$1` thread, `$2` token, `$3` milliseconds: a row if the lease still held. */
  readonly renew: Statement;
  /** `$1` thread, `$2` token. */
  readonly release: Statement;
  /** `$1` thread: how many milliseconds the present holder has left. */
  readonly remaining: Statement;
}

export function leaseStatements(names: TableNames): LeaseStatements {
  return {
    acquire: statement(
      "lease_acquire",
      `INSERT INTO ${names.threads} AS t (thread_id, generation, updated_at, lease_token, lease_owner, lease_expires_at)
VALUES ($1, $2::uuid, now(), 1, $3, now() + $4::int8 * interval '1 ms')
ON CONFLICT (thread_id) DO UPDATE SET
  lease_token = t.lease_token + 1,
  lease_owner = excluded.lease_owner,
  lease_expires_at = excluded.lease_expires_at
-- The owner's own lease: the statement was repeated because its answer had been lost.
WHERE t.lease_expires_at IS NULL OR t.lease_expires_at <= excluded.updated_at OR t.lease_owner = excluded.lease_owner
RETURNING t.lease_token::text`,
    ),
    renew: statement(
      "lease_renew",
      `UPDATE ${names.threads} SET lease_expires_at = now() + $3::int8 * interval '1 ms'
WHERE thread_id = $1 AND lease_token = $2::int8 AND lease_expires_at > now()
RETURNING 'renewed'`,
    ),
    release: statement(
      "lease_release",
      `UPDATE ${names.threads} SET lease_owner = NULL, lease_expires_at = NULL
WHERE thread_id = $1 AND lease_token = $2::int8 AND lease_expires_at IS NOT NULL`,
    ),
    remaining: statement(
      "lease_remaining",
      `SELECT ceil(extract(epoch FROM lease_expires_at - now()) * 1000)::int8::text
FROM ${names.threads} WHERE thread_id = $1 AND lease_expires_at > now()`,
    ),
  };
}
