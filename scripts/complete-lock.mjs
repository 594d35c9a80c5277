// Adds to package-lock.json the packages for other platforms that npm left out because the registry it asked (a mirror,
// an offline cache) does not hold them. Without their entries `npm ci` refuses the lock as out of step, and the
// lock would not serve those platforms. Run it after an `npm install` where that happens; it changes nothing else.
import { readFileSync, writeFileSync } from "node:fs";

const OS = /\b(android|darwin|freebsd|linux|netbsd|openbsd|openharmony|aix|sunos|win32|windows)\b/;
const CPU = /\b(arm64|x64|ia32|arm|ppc64|riscv64|s390x|loong64|mips64el)\b/;

const file = new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(file, "utf8"));
const added = [];

for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    const version = range.replace(/^[~^]/, "");
    const inside = `${path}/node_modules/${name}`;
    const shared = `node_modules/${name}`;
    const found = lock.packages[inside] ?? lock.packages[shared];
    const os = OS.exec(name)?.[1];
    // The same major is what the caret asks for; packages that are no platform's npm leaves out for no such reason.
    if (!os || found?.version.split(".")[0] === version.split(".")[0]) continue;
    lock.packages[found ? inside : shared] = {
      version,
      cpu: [CPU.exec(name)?.[1] ?? "wasm32"],
      ...(entry.dev ? { dev: true } : {}),
      ...(name.includes("musl") ? { libc: ["musl"] } : {}),
      optional: true,
      os: [os === "windows" ? "win32" : os],
    };
    added.push(`${name}@${version}`);
  }
}

lock.packages = Object.fromEntries(
  Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en")),
);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(`${added.length} added ${added.join(" ")}\n`);
