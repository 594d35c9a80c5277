/** The container files say what the tested service needs. Containers themselves are not run here. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";

const read = (file: string): string =>
  readFileSync(new URL(`../../examples/service/${file}`, import.meta.url), "utf8");
const { services, volumes } = parse(read("docker-compose.yml"));
const dockerfile = read("Dockerfile");
const main = read("main.ts");

test("PostgreSQL 17 with a health check and a volume, and a service that waits for it", () => {
  const { database, app } = services;
  expect(database.image).toBe("postgres:17");
  const { POSTGRES_USER: user, POSTGRES_DB: name } = database.environment;
  expect(database.healthcheck.test).toEqual(["CMD-SHELL", `pg_isready -U ${user} -d ${name}`]);
  const [volume] = database.volumes[0].split(":");
  expect(Object.keys(volumes)).toEqual([volume]);
  expect(app.depends_on).toEqual({ database: { condition: "service_healthy" } });
  expect(app.environment).toMatchObject({ PGHOST: "database", PGUSER: user, PGDATABASE: name });
});

test("no password is in the files", () => {
  const passwords = [
    services.database.environment.POSTGRES_PASSWORD,
    services.app.environment.PGPASSWORD,
  ];
  for (const password of passwords) expect(password).toMatch(/^\$\{POSTGRES_PASSWORD:\?.+\}$/);
});

test("the container runs what test/examples/service.test.ts runs, with variables that it reads", () => {
  const command = JSON.parse(/^CMD (\[.*\])$/m.exec(dockerfile)?.[1] ?? "[]");
  expect(command).toEqual(["node", "--import", "tsx", "examples/service/main.ts"]);
  expect(services.app.build.dockerfile).toBe("examples/service/Dockerfile");
  const given = [...dockerfile.matchAll(/^ENV (.+)$/gm)].flatMap(([, all = ""]) =>
    [...all.matchAll(/(\w+)=/g)].map(([, name]) => name),
  );
  const own = Object.keys(services.app.environment).filter((name) => !name.startsWith("PG"));
  expect(given).toEqual(["HOST", "PORT"]);
  for (const name of [...given, ...own]) expect(main).toContain(`${name} = "`);
  const port = /PORT=(\d+)/.exec(dockerfile)?.[1];
  expect(services.app.ports).toEqual([`127.0.0.1:${port}:${port}`]);
});
