// The lowest and the newest versions of what users bring along that package.json allows: installs each set into an empty
// folder with the packed tarball, and plays what a graph does with a checkpointer (scripts/peers-smoke.mjs).
// Usage: node scripts/try-peers.mjs [package.tgz]
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expectExit, install, inUsersFolder, repository, run, tarballOf } from "./users-folder.mjs";

const manifest = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
const { peerDependencies, dependencies } = manifest;

/** The lowest version that a range such as `^1.2.3` allows. */
const lowest = (range) => range.slice(1);
const at = (name, version) => `${name}@${version}`;

const ranges = {
  "@langchain/langgraph-checkpoint": peerDependencies["@langchain/langgraph-checkpoint"],
  "@langchain/core": peerDependencies["@langchain/core"],
  "@electric-sql/pglite": peerDependencies["@electric-sql/pglite"],
  "@opentelemetry/api": peerDependencies["@opentelemetry/api"],
  pg: dependencies.pg,
  // No peer, because this package imports nothing of it; README.md says this range.
  "@langchain/langgraph": "^1.0.0",
};

const sets = {
  lowest: Object.entries(ranges).map(([name, range]) => at(name, lowest(range))),
  newest: Object.entries(ranges).map(([name, range]) => at(name, range)),
};

const tarball = await tarballOf(process.argv[2]);
for (const [name, packages] of Object.entries(sets)) {
  await inUsersFolder(async (folder) => {
    await install(folder, [tarball, ...packages]);
    const smoke = join(folder, "smoke.mjs");
    cpSync(join(repository, "scripts", "peers-smoke.mjs"), smoke);
    const played = await run(folder, process.execPath, [smoke]);
    expectExit(played, 0);
    process.stdout.write(`${name}: ${played.lines.join("\n  ")}\n`);
  });
}
