/** What can be wrong with TLS, on servers where it is: each error says what to do. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { PostgresCheckpointStore } from "../../src/index.ts";
import { type Certificates, type Differences, makeCertificates } from "../support/certificates.ts";
import { type PostgresServer, startServer } from "../support/postgres-server.ts";

const HOUR = 3_600_000;
/** What each server's certificate is. */
const KINDS = {
  good: {},
  expired: { until: Date.now() - HOUR },
  elsewhere: { names: ["elsewhere.example"] },
} as const satisfies Record<string, Differences>;
type Kind = keyof typeof KINDS;

let directory: string;
const servers = new Map<Kind, { readonly server: PostgresServer; readonly files: Certificates }>();
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "lgp-tls-"));
  await chmod(directory, 0o755);
  // Nobody is let in without TLS.
  const access = join(directory, "pg_hba.conf");
  await writeFile(access, "hostssl all all all scram-sha-256\n");
  const start = async (kind: Kind): Promise<void> => {
    const own = await mkdtemp(join(directory, `${kind}-`));
    await chmod(own, 0o755);
    const files = await makeCertificates(own, KINDS[kind]);
    const [ssl_cert_file, ssl_key_file] = [files.certificate, files.key];
    const settings = { ssl: "on", ssl_cert_file, ssl_key_file, hba_file: access };
    servers.set(kind, { server: await startServer({ settings }), files });
  };
  await Promise.all((Object.keys(KINDS) as Kind[]).map(start));
});
afterAll(async () => {
  await Promise.all([...servers.values()].map(({ server }) => server.stop()));
  await rm(directory, { recursive: true });
});

/** The server's address with `sslmode`; `by` says whose authority is in `sslrootcert`. */
function url(kind: Kind, mode: string, by?: Kind): string {
  const authority = by === undefined ? "" : `&sslrootcert=${servers.get(by)?.files.authority}`;
  return `${servers.get(kind)?.server.url()}?sslmode=${mode}${authority}`;
}

/** Opens a store, and closes it. */
async function open(connString: string): Promise<string> {
  await using store = await PostgresCheckpointStore.connect({ connString });
  return store.checkpointer.constructor.name;
}

const WRONG: readonly (readonly [string, () => string, RegExp])[] = [
  [
    "disable, and the server demands TLS",
    () => url("good", "disable"),
    /no encryption.*Check the user, and whether the server demands TLS \(sslmode=require\)/,
  ],
  [
    "require, and the server has none",
    () => `${inject("postgres")["18"]}?sslmode=require`,
    /does not support SSL.*Turn ssl on .*sslmode=disable/,
  ],
  [
    "verify-full without the authority",
    () => url("good", "verify-full"),
    /Give the authority's certificate with sslrootcert=/,
  ],
  [
    "verify-full with another authority",
    () => url("good", "verify-full", "elsewhere"),
    /Give the authority's certificate with sslrootcert=/,
  ],
  [
    "require with another authority",
    () => url("good", "require", "elsewhere"),
    /Give the authority's certificate with sslrootcert=/,
  ],
  [
    "verify-full and another name",
    () => url("elsewhere", "verify-full", "elsewhere"),
    /does not match.*Connect by a name that stands in the server's certificate/,
  ],
  [
    "verify-full and an expired certificate",
    () => url("expired", "verify-full", "expired"),
    /expired.*Renew the server's certificate/,
  ],
  [
    "several hosts, each wrong in its way",
    () => {
      const { server } = servers.get("expired") ?? {};
      const hosts = `127.0.0.1:${server?.port},127.0.0.1:${servers.get("good")?.server.port}`;
      return url("expired", "verify-full", "expired").replace(`127.0.0.1:${server?.port}`, hosts);
    },
    /None of the 2 hosts.*Renew the server's certificate\. Give the authority's certificate/,
  ],
];

describe("what is wrong, and what to do", () => {
  test.each(WRONG)("%s", async (_, connString, message) => {
    await expect(open(connString())).rejects.toMatchObject({
      code: "CONNECTION_FAILED",
      message: expect.stringMatching(message),
    });
  });

  test("a file of an authority that is not there is named before anything is opened", async () => {
    await expect(
      open(`${servers.get("good")?.server.url()}?sslmode=verify-full&sslrootcert=/nowhere.pem`),
    ).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining(
        "sslrootcert names a file that cannot be read: /nowhere.pem",
      ),
    });
  });
});

test.each<[string, () => string]>([
  ["disable, where the server does not mind", () => `${inject("postgres")["18"]}?sslmode=disable`],
  ["require, whoever answers: expired", () => url("expired", "require")],
  ["require, whoever answers: elsewhere", () => url("elsewhere", "require")],
  ["verify-ca, whatever the name", () => url("elsewhere", "verify-ca", "elsewhere")],
  ["verify-full", () => url("good", "verify-full", "good")],
])("%s", async (_, connString) => {
  expect(await open(connString())).toBe("PostgresSaver");
});
