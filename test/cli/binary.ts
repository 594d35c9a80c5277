/** The command line as users get it: built by the compiler, run by Node in a process of its own. */
import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const repository = fileURLToPath(new URL("../..", import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Binary {
  readonly main: string;
  run(args: readonly string[], options?: { env?: NodeJS.ProcessEnv; input?: string }): Promise<Ran>;
  remove(): void;
}

/** Builds into a folder of its own inside the repository, where the packages are found. */
export function buildBinary(defaults: readonly string[] = []): Binary {
  const folder = join(repository, "test-results", `cli-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  for (const name of ["migrations", "package.json"]) {
    symlinkSync(join(repository, name), join(folder, name));
  }
  const compiler = join(repository, "node_modules/typescript/bin/tsc");
  // Types are checked elsewhere; here they only cost time.
  const args = [
    "-p",
    "tsconfig.build.json",
    "--outDir",
    join(folder, "dist"),
    "--noCheck",
    "--declaration",
    "false",
    "--isolatedDeclarations",
    "false",
  ];
  const built = spawnSync(process.execPath, [compiler, ...args], {
    cwd: repository,
    encoding: "utf8",
  });
  if (built.status !== 0) throw new Error(`The build failed: ${built.stdout}`);
  const main = join(folder, "dist/cli/main.js");
  return {
    main,
    run(args, { env = {}, input } = {}) {
      return new Promise((resolve) => {
        const clean = { ...process.env, ...env };
        // What colours the terminal of whoever runs the tests is not what is tested.
        if (!env.FORCE_COLOR) delete clean.FORCE_COLOR;
        const child = execFile(
          process.execPath,
          [main, ...args, ...defaults],
          { env: clean, maxBuffer: 64 * 1024 * 1024 },
          (_, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
        );
        child.stdin?.end(input ?? "");
      });
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Ids by the order in which they are met, times and sizes by their kind. */
export function normalised(text: string): string {
  const ids = new Map<string, string>();
  return text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, (id) => {
      const known = ids.get(id) ?? `<id ${ids.size + 1}>`;
      ids.set(id, known);
      return known;
    })
    .replace(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+Z)?/g, "<time>")
    .replace(/ *\d+(\.\d+)? ([KMG]?B)\b/g, " <size>")
    .replace(/version \d+\.\d+/g, "version <version>")
    .replace(/test_[0-9a-f]{16}/g, "<schema>")
    .replace(/in \d+ ms/g, "in <ms>");
}
