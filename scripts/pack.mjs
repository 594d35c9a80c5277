// Packs what would be published to test-results/package.tgz, and fails where it is too big, holds what users do not
// need, or cannot be loaded with require(). Then publint and attw look at the same tarball (`npm run check:package`).
import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MAX_BYTES = 300_000;
const FOR_USERS =
  /^(dist\/.+\.(js|d\.ts)|migrations\/(.+\.sql|schema-manifest\.json)|package\.json|[A-Z]+(\.md)?)$/;
const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "test-results");
const tarball = join(folder, "package.tgz");

const run = (command, ...args) =>
  execFileSync(command, args, {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });

execFileSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: "inherit" });
rmSync(tarball, { force: true });
mkdirSync(folder, { recursive: true });
// Without the life-cycle scripts, whose output would stand before the JSON.
const packed = run("npm", "pack", "--json", "--ignore-scripts", "--pack-destination", folder);
const [{ filename, files }] = JSON.parse(packed);
renameSync(join(folder, filename), tarball);

const { size } = statSync(tarball);
process.stdout.write(`${filename}: ${files.length} files, ${size} bytes packed\n`);
if (size > MAX_BYTES) throw new Error(`The package is bigger than ${MAX_BYTES} bytes.`);
const strays = files.map((file) => file.path).filter((path) => !FOR_USERS.test(path));
if (strays.length > 0) throw new Error(`Not for users: ${strays.join(", ")}`);

// A top-level await anywhere in the package ends here.
run(process.execPath, "--no-warnings", "-e", 'require("langgraph-postgres")');
