// What a new user does, with the packed tarball: installs it into an empty folder, copies the quick start out of the
// README, runs it, kills it in the middle, runs it again. Then require(), the types and the command.
// Usage: node scripts/try-package.mjs [package.tgz]
import { deepStrictEqual, match, strictEqual } from "node:assert";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { typeErrors } from "./type-errors.mjs";
import {
  expectExit,
  install,
  inUsersFolder,
  pinned,
  repository,
  run,
  tarballOf,
} from "./users-folder.mjs";

const MAX_BYTES = 300_000;
const print = (text) => process.stdout.write(`${text}\n`);

const readme = readFileSync(join(repository, "README.md"), "utf8");
const program = /^```ts quickstart\n(.*?)^```$/ms.exec(readme)?.[1];
const transcript =
  /^```console\n\$ node agent\.mjs\n(.*?)^Killed\n\$ node agent\.mjs\n(.*?)^```$/ms.exec(readme);
if (!program || !transcript) throw new Error("README.md has no quick start with a transcript.");
const [beforeTheKill, afterIt] = transcript.slice(1).map((text) => text.trim().split("\n"));

const tarball = await tarballOf(process.argv[2]);
const { size } = statSync(tarball);
if (size > MAX_BYTES) throw new Error(`${size} bytes packed, more than ${MAX_BYTES}.`);
print(`${size.toLocaleString("en-US")} bytes packed, of ${MAX_BYTES.toLocaleString("en-US")}`);

await inUsersFolder(async (folder) => {
  await quickStart(folder);
  await commonJs(folder);
  await types(folder);
  await command(folder);
});

async function quickStart(folder) {
  const start = performance.now();
  const seconds = () => `${((performance.now() - start) / 1000).toFixed(1)} s`;
  const langgraph = pinned("@langchain/langgraph");
  await install(folder, [
    tarball,
    langgraph,
    pinned("@langchain/core"),
    pinned("@electric-sql/pglite"),
  ]);
  const installed = seconds();
  writeFileSync(join(folder, "agent.mjs"), program);

  const last = beforeTheKill.at(-1);
  const killed = await run(folder, process.execPath, ["agent.mjs"], (line, child) => {
    if (line === last) child.kill("SIGKILL");
  });
  strictEqual(killed.signal, "SIGKILL", killed.errors);
  deepStrictEqual(killed.lines, beforeTheKill);

  let resumed;
  const again = await run(folder, process.execPath, ["agent.mjs"], () => {
    resumed ??= seconds();
  });
  expectExit(again, 0);
  deepStrictEqual(again.lines, afterIt);
  print(`quick start with ${langgraph}: killed after "${last}", "${again.lines[0]}"`);
  print(`from npm install to a resumed agent: ${resumed} (installed after ${installed})`);
}

async function commonJs(folder) {
  const file = join(folder, "old.cjs");
  writeFileSync(file, 'console.log(typeof require("langgraph-postgres").PostgresSaver);\n');
  const { lines } = await run(folder, process.execPath, ["--no-warnings", file]);
  deepStrictEqual(lines, ["function"]);
  print(`require() works on Node ${process.version}`);
}

async function types(folder) {
  const kinds = [
    ["node16", "mts"],
    ["nodenext", "mts"],
    // From CommonJS, since Node lets it require() modules.
    ["nodenext", "cts"],
    ["bundler", "mts"],
  ];
  for (const [resolution, ending] of kinds) {
    const files = { right: program, wrong: `${program}\nawait store.load(7);\n` };
    if (ending === "cts") {
      files.right =
        'import { PostgresSaver } from "langgraph-postgres";\nPostgresSaver.fromConnString("").setup();\n';
      files.wrong = files.right.replace('""', "7");
    }
    const found = {};
    for (const [name, code] of Object.entries(files)) {
      const file = join(folder, `${name}.${ending}`);
      writeFileSync(file, code);
      found[name] = typeErrors([file], resolution);
    }
    deepStrictEqual(found.right, [], `${resolution} .${ending}`);
    strictEqual(found.wrong.length, 1, `A wrong program has right types under ${resolution}`);
  }
  print(`types: ${kinds.map(([resolution, ending]) => `${resolution} .${ending}`).join(", ")}`);
}

async function command(folder) {
  const call = (...args) => run(folder, "npx", ["--no-install", "langgraph-postgres", ...args]);
  const help = await call("--help");
  expectExit(help, 0);
  match(help.lines[0], /^Usage: langgraph-postgres /);
  const threads = await call("--embedded", ".langgraph", "threads", "--json");
  expectExit(threads, 0);
  match(threads.lines.join("\n"), /"job-1"/);
  print("npx langgraph-postgres: shows its help, and the agent's thread");
}
