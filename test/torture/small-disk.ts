/** A disk that fills up: a small tmpfs for a server's data directory, where this process may mount one. */
import { spawn, spawnSync } from "node:child_process";
import { chown, mkdtemp, rm, statfs, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serverUser } from "../support/postgres-binaries.ts";

export interface SmallDisk {
  readonly path: string;
  /** Takes all space but so many bytes. */
  fill(leave: number): Promise<void>;
  /** Gives it back. */
  free(): Promise<void>;
  unmount(): Promise<void>;
}

/** The disk, or why there is none. */
export async function mountSmallDisk(megabytes: number): Promise<SmallDisk | string> {
  if (process.getuid?.() !== 0 || process.platform !== "linux") {
    return "a small disk is a tmpfs, and only root can mount one";
  }
  const path = await mkdtemp(join(tmpdir(), "lgp-disk-"));
  const { status, stderr } = spawnSync(
    "mount",
    ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=0755`, "tmpfs", path],
    { encoding: "utf8" },
  );
  if (status !== 0) {
    await rm(path, { recursive: true });
    return `a tmpfs cannot be mounted here: ${stderr?.trim() ?? "no mount command"}`;
  }
  const user = serverUser();
  if (user) await chown(path, user.uid, user.gid);
  // A test runner that is killed runs no clean-up. This shell waits for our end of its input.
  const guard = spawn("sh", ["-c", 'cat > /dev/null; umount --lazy "$1"; rmdir "$1"', "sh", path], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guard.unref();
  (guard.stdin as unknown as { unref?: () => void }).unref?.();
  const ballast = join(path, "ballast");
  return {
    path,
    async fill(leave) {
      const { bavail, bsize } = await statfs(path);
      await writeFile(ballast, Buffer.alloc(Math.max(0, bavail * bsize - leave)));
    },
    free: () => unlink(ballast),
    async unmount() {
      guard.kill("SIGKILL");
      spawnSync("umount", ["--lazy", path]);
      await rm(path, { recursive: true });
    },
  };
}
