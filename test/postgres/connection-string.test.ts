import { rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { InvalidOptionError } from "../../src/errors.ts";
import { connectionSettings } from "../../src/postgres/connection-settings.ts";
import { allThatShows } from "../support/secrets.ts";

beforeEach(() => {
  for (const name of Object.keys(process.env))
    if (name.startsWith("PG")) vi.stubEnv(name, undefined);
});

const read = (text?: string): ReturnType<typeof connectionSettings> =>
  connectionSettings(text, undefined);
const hosts = (text: string): string[] =>
  read(text).targets.map(({ host, port }) => `${host}:${port}`);

describe("what a string says", () => {
  test.each([
    ["postgres://u:p@h/d", { user: "u", password: "p", database: "d" }, ["h:5432"]],
    ["postgresql://u:p@h:6/d", { user: "u", password: "p", database: "d" }, ["h:6"]],
    [
      "postgresql://us%40er:p%3Aa%2Fss%25@h/da%20ta",
      { user: "us@er", password: "p:a/ss%", database: "da ta" },
      ["h:5432"],
    ],
    ["postgresql://u:p:a@s@h/d", { user: "u", password: "p:a@s" }, ["h:5432"]],
    ["postgresql://u@a:1,b,c:3/d", { user: "u", password: undefined }, ["a:1", "b:5432", "c:3"]],
    ["postgresql://u@[::1]:7,[fe80::2]/d", {}, ["::1:7", "fe80::2:5432"]],
    ["postgresql://%2Frun%2Fpostgresql/d", { database: "d" }, ["/run/postgresql:5432"]],
    ["postgresql:///d?host=/run/postgresql&port=9", { database: "d" }, ["/run/postgresql:9"]],
    ["postgresql:///d?host=a,b&port=1,2", {}, ["a:1", "b:2"]],
    ["postgresql:///d?host=a,b&port=1", {}, ["a:1", "b:1"]],
    [
      "postgresql://h?dbname=d&user=u&password=p",
      { user: "u", password: "p", database: "d" },
      ["h:5432"],
    ],
    [
      "host=h port=1 user=u password=p dbname=d",
      { user: "u", password: "p", database: "d" },
      ["h:1"],
    ],
    ["host = h  password = 'it\\'s \\\\ here'", { password: "it's \\ here" }, ["h:5432"]],
    [
      "dbname=d application_name=a\\ b",
      { database: "d", applicationName: "a b" },
      ["localhost:5432"],
    ],
    ["postgresql://h/d?connect_timeout=3", { connectTimeout: 3000 }, ["h:5432"]],
    ["postgresql://h/d?target_session_attrs=read-write", { session: "read-write" }, ["h:5432"]],
    ["postgresql://h/d?options=-c%20search_path%3Dx", { options: "-c search_path=x" }, ["h:5432"]],
    // As hosters and other tools write them.
    ["postgresql://h/d?channel_binding=require&pgbouncer=true&schema=x", {}, ["h:5432"]],
  ] as const)("%s", (text, expected, targets) => {
    expect(read(text)).toMatchObject(expected);
    expect(hosts(text)).toEqual(targets);
  });

  test("what it leaves open comes from PG* variables, and then from defaults", () => {
    expect(read()).toMatchObject({
      targets: [{ host: "localhost", port: 5432, ssl: false }],
      session: "any",
      user: userInfo().username,
      password: undefined,
      database: userInfo().username,
      connectTimeout: 10_000,
    });
    vi.stubEnv("PGHOST", "envhost");
    vi.stubEnv("PGPORT", "77");
    vi.stubEnv("PGUSER", "envuser");
    vi.stubEnv("PGPASSWORD", "envpass");
    vi.stubEnv("PGDATABASE", "envdb");
    vi.stubEnv("PGAPPNAME", "envapp");
    vi.stubEnv("PGCONNECT_TIMEOUT", "2");
    vi.stubEnv("PGTARGETSESSIONATTRS", "primary");
    vi.stubEnv("PGSSLMODE", "require");
    expect(read()).toMatchObject({
      targets: [{ host: "envhost", port: 77, ssl: { rejectUnauthorized: false } }],
      session: "primary",
      user: "envuser",
      password: "envpass",
      database: "envdb",
      applicationName: "envapp",
      connectTimeout: 2000,
    });
    expect(read("postgresql://u:p@h:1/d?sslmode=disable")).toMatchObject({
      targets: [{ host: "h", port: 1, ssl: false }],
      user: "u",
      password: "p",
      database: "d",
    });
  });
});

describe("sslmode", () => {
  const ssl = (query: string): unknown[] =>
    read(`postgresql://h/d?${query}`).targets.map((target) => target.ssl);
  const unverified = { rejectUnauthorized: false };

  test("its values", async () => {
    expect(ssl("")).toEqual([false]);
    expect(ssl("sslmode=disable")).toEqual([false]);
    expect(ssl("sslmode=allow")).toEqual([false, unverified]);
    expect(ssl("sslmode=prefer")).toEqual([unverified, false]);
    expect(ssl("sslmode=require")).toEqual([unverified]);
    expect(ssl("ssl=true")).toEqual([unverified]);
    expect(ssl("sslmode=verify-full")).toEqual([{}]);
    expect(ssl("sslmode=verify-full&sslrootcert=system")).toEqual([{}]);
    const file = join(tmpdir(), `lgp-ca-${process.pid}.pem`);
    await writeFile(file, "PEM");
    expect(ssl(`sslmode=verify-full&sslrootcert=${file}`)).toEqual([{ ca: "PEM" }]);
    // As in libpq: an authority makes `require` check the chain, but not the name.
    for (const mode of ["require", "verify-ca"]) {
      const [only] = ssl(`sslmode=${mode}&sslrootcert=${file}`);
      expect(only).toEqual({ ca: "PEM", checkServerIdentity: expect.any(Function) });
    }
    await rm(file);
  });

  test("a Unix socket is not encrypted, whatever it says", () => {
    expect(read("postgresql:///d?host=/run&sslmode=verify-full").targets[0].ssl).toBe(false);
  });

  test("the option ssl overrides it", () => {
    expect(connectionSettings("postgresql://h/d?sslmode=disable", true).targets[0].ssl).toEqual({});
    expect(connectionSettings("postgresql://h/d?sslmode=require", false).targets[0].ssl).toBe(
      false,
    );
  });
});

describe("what is refused, without a word of the string", () => {
  const SECRET = "tops3cret";
  test.each([
    ["mysql://u:tops3cret@h/d", /postgresql:/],
    ["tops3cret", /postgresql:/],
    ["", /postgresql:/],
    ["host=h password='tops3cret", /postgresql:/],
    ["postgresql://u:tops3cret%zz@h/d", /percent-encoded/],
    ["postgresql://u:tops3cret/x@h/d", /percent-encoded/],
    ["postgresql://u:tops3cret@h:99999/d", /port/],
    ["postgresql://u:tops3cret@h/d?port=x", /port/],
    ["postgresql://u:tops3cret@a,b/d?port=1,2,3", /2 hosts and 3 ports/],
    ["postgresql://u:tops3cret@h/d?sslmode=on", /disable, allow, prefer/],
    ["postgresql://u:tops3cret@h/d?sslmode=__proto__", /disable, allow, prefer/],
    ["postgresql://u:tops3cret@h/d?sslmod=require", /"sslmod", which is not supported/],
    ["postgresql://u:tops3cret@h/d?target_session_attr=primary", /target_session_attr"/],
    ["postgresql://u:tops3cret@h/d?target_session_attrs=rw", /read-write/],
    ["postgresql://u:tops3cret@h/d?connect_timeout=soon", /seconds/],
    ["postgresql://u:tops3cret@h/d?sslmode=verify-full&sslrootcert=/no/such", /\/no\/such/],
  ])("%s", (text, message) => {
    let error: unknown;
    try {
      read(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect((error as Error).message).toMatch(message);
    expect(allThatShows(error)).not.toContain(SECRET);
  });
});
