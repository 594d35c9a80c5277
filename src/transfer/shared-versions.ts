/**
 * Savers that keep every checkpoint whole may give two branches of a fork the same version of a
 * channel, with different values (`MemorySaver` counts 1, 2, 3 on either branch). Here a value is
 * found by its version: the second branch's gets another one, in its checkpoints and in what their
 * nodes have seen of it.
 */
import { hash } from "node:crypto";
import { type Checkpoint, isDeltaSnapshot } from "@langchain/langgraph-checkpoint";
import { serialize } from "../values/codec.ts";

export interface VersionKeeper {
  /**
   * The checkpoint with versions that are unique to their values, and those of them that were not
   * met before. The same checkpoints in the same order always get the same versions.
   */
  keep(
    namespace: string,
    checkpoint: Checkpoint,
  ): { checkpoint: Checkpoint; newVersions: Record<string, string | number> };
}

const ABSENT = "";

export function createVersionKeeper(): VersionKeeper {
  /** What each version of each channel was first met with. */
  const first = new Map<string, string>();
  const stored = new Set<string>();
  return {
    keep(namespace, checkpoint) {
      const { channel_versions: versions = {}, channel_values: values = {} } = checkpoint;
      const kept: Record<string, string | number> = {};
      const fresh: [string, string | number][] = [];
      let changed = false;
      for (const [channel, version] of Object.entries(versions)) {
        const value = Object.hasOwn(values, channel) ? values[channel] : undefined;
        const content = contentOf(value, channel);
        const place = JSON.stringify([namespace, channel, version]);
        const known = first.get(place);
        if (known === undefined || (known === ABSENT && isDeltaSnapshot(value))) {
          first.set(place, content);
        }
        // A snapshot belongs to its version; checkpoints that repeat the version may leave it out.
        const same =
          known === undefined ||
          known === content ||
          (content === ABSENT && known.startsWith(SNAPSHOT)) ||
          (known === ABSENT && content.startsWith(SNAPSHOT));
        const own = same ? version : versionFor(version, content);
        changed ||= own !== version;
        Object.defineProperty(kept, channel, {
          value: own,
          enumerable: true,
          writable: true,
          configurable: true,
        });
        const ownPlace = JSON.stringify([namespace, channel, own]);
        if (content !== ABSENT && !stored.has(ownPlace)) {
          stored.add(ownPlace);
          fresh.push([channel, own]);
        }
      }
      const newVersions = Object.fromEntries(fresh);
      if (!changed) return { checkpoint, newVersions };
      const versions_seen = Object.fromEntries(
        Object.entries(checkpoint.versions_seen ?? {}).map(([node, seen]) => [
          node,
          Object.fromEntries(
            Object.entries(seen).map(([channel, version]) => [
              channel,
              version === versions[channel] ? (kept[channel] ?? version) : version,
            ]),
          ),
        ]),
      );
      return { checkpoint: { ...checkpoint, channel_versions: kept, versions_seen }, newVersions };
    },
  };
}

const SNAPSHOT = "snapshot ";

function contentOf(value: unknown, channel: string): string {
  if (value === undefined) return ABSENT;
  const digest = hash("sha256", serialize(value, `channel ${JSON.stringify(channel)}`), "hex");
  return isDeltaSnapshot(value) ? SNAPSHOT + digest : digest;
}

/** Between this whole number and the next: it compares with other versions as the one it stands for. */
function versionFor(version: string | number, content: string): string | number {
  const digits = hash("sha256", content, "hex").slice(0, 12);
  if (typeof version === "string") return `${version}.${digits}`;
  // Never zero, which would be the version itself.
  return Math.floor(version) + (Number.parseInt(digits, 16) + 1) / (16 ** 12 + 2);
}
