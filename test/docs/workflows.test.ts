/** What GitHub reads is YAML, and names only what is there. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { repository } from "./programs.ts";

const read = (...path: string[]): string => readFileSync(join(repository, ...path), "utf8");
const yamlIn = (...folder: string[]): string[] =>
  readdirSync(join(repository, ...folder)).filter((name) => name.endsWith(".yml"));
const manifest = JSON.parse(read("package.json"));

interface Workflow {
  readonly on: unknown;
  readonly permissions: object;
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly "runs-on": string;
        readonly "timeout-minutes": number;
        readonly steps: readonly {
          readonly uses?: string;
          readonly run?: string;
          readonly with?: Readonly<Record<string, unknown>>;
        }[];
        readonly strategy?: { readonly matrix: Readonly<Record<string, number[]>> };
      }
    >
  >;
}

describe.each(yamlIn(".github", "workflows"))("%s", (name) => {
  const workflow: Workflow = parse(read(".github", "workflows", name), { strict: true });
  const jobs = Object.values(workflow.jobs);
  const steps = jobs.flatMap((job) => job.steps);

  test("says when, with which rights, where and what", () => {
    expect(workflow.on).toBeTruthy();
    expect(workflow.permissions).toBeTruthy();
    for (const job of jobs) {
      expect(job["runs-on"]).toBe("ubuntu-latest");
      expect(job["timeout-minutes"]).toBeLessThanOrEqual(60);
    }
    for (const { uses, run } of steps) expect([uses, run].filter(Boolean)).toHaveLength(1);
    for (const { uses } of steps) if (uses) expect(uses).toMatch(/^[\w-]+\/[\w-]+@v\d+$/);
  });

  test("calls scripts that are there", () => {
    const lines = steps.flatMap((step) => [step.run, ...Object.values(step.with ?? {})]).join("\n");
    for (const [, script = ""] of lines.matchAll(/\bnpm run ([\w:]+)/g)) {
      expect(Object.keys(manifest.scripts)).toContain(script);
    }
    if (lines.includes(".ci/run")) expect(read(".ci", "run")).toMatch(/^#!/);
  });
});

test("the suite runs on every Node and PostgreSQL that the package is for", () => {
  const { jobs }: Workflow = parse(read(".github", "workflows", "ci.yml"));
  expect(jobs.test?.strategy?.matrix).toEqual({
    node: [20, 22, 24],
    postgres: [14, 15, 16, 17, 18],
  });
  expect(manifest.engines.node).toBe(">=20.19");
});

test.each(yamlIn(".github", "ISSUE_TEMPLATE").filter((name) => name !== "config.yml"))(
  "%s asks something",
  (name) => {
    const form = parse(read(".github", "ISSUE_TEMPLATE", name), { strict: true });
    expect(form).toMatchObject({ name: expect.any(String), description: expect.any(String) });
    for (const { type, id, attributes } of form.body) {
      expect([type, typeof id, typeof attributes.label]).toEqual(["textarea", "string", "string"]);
    }
  },
);

test("changesets are configured, and the change log has this version", () => {
  expect(JSON.parse(read(".changeset", "config.json"))).toMatchObject({ access: "public" });
  expect(read("CHANGELOG.md")).toContain(`\n## ${manifest.version}\n`);
});
