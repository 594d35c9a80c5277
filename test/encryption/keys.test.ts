/** Keys are checked at the door, and no error ever holds one. */
import { createHash, randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createCipher, type Place } from "../../src/encryption/cipher.ts";
import { resolveEncryption } from "../../src/encryption/keys.ts";
import {
  CorruptCheckpointError,
  DecryptionError,
  InvalidOptionError,
  PostgresCheckpointStore,
  PostgresSaver,
} from "../../src/index.ts";
import { allThatShows } from "../support/secrets.ts";

const bytes = createHash("sha256").update("a key of these tests").digest();
const place: Place = { kind: "value", key: ["", "messages", "1"], beside: ["sealed", null] };

describe("keys", () => {
  test.each([
    ["a Buffer", bytes],
    ["a Uint8Array", new Uint8Array(bytes)],
    ["base64", bytes.toString("base64")],
    ["base64url", bytes.toString("base64url")],
    ["hex", bytes.toString("hex")],
    ["capital hex", bytes.toString("hex").toUpperCase()],
  ])("as %s are the same key", (_, key) => {
    expect(resolveEncryption({ keys: [{ id: "k", key }] }).keys[0].bytes).toEqual(bytes);
  });

  test("are copied: the caller may wipe its own", () => {
    const own = Buffer.from(bytes);
    const cipher = createCipher({ keys: [{ id: "k", key: own }] });
    own.fill(0);
    const sealed = createCipher({ keys: [{ id: "k", key: bytes }] }).seal("t", place, "text");
    expect(cipher.open("t", place, sealed).bytes.toString()).toBe("text");
  });

  const secret = bytes.toString("base64");
  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["no object", "key"],
    ["no keys", {}],
    ["an empty list", { keys: [] }],
    ["a key that is too short", { keys: [{ id: "k", key: secret.slice(0, 40) }] }],
    ["a key that is too long", { keys: [{ id: "k", key: `${secret}${secret}` }] }],
    ["31 bytes", { keys: [{ id: "k", key: bytes.subarray(1) }] }],
    ["hex of 31 bytes", { keys: [{ id: "k", key: bytes.subarray(1).toString("hex") }] }],
    [
      "a passphrase of 44 characters",
      { keys: [{ id: "k", key: "correct horse battery staple, and no base64!" }] },
    ],
    ["a number", { keys: [{ id: "k", key: 7 }] }],
    ["no id", { keys: [{ key: secret }] }],
    ["an id with a space", { keys: [{ id: "a b", key: secret }] }],
    ["an id that is too long", { keys: [{ id: "k".repeat(33), key: secret }] }],
    [
      "two keys of one id",
      {
        keys: [
          { id: "k", key: secret },
          { id: "k", key: randomBytes(32) },
        ],
      },
    ],
    ["an unknown option", { keys: [{ id: "k", key: secret }], strict: true }],
    ["an unknown option of a key", { keys: [{ id: "k", key: secret, secret }] }],
    ["allowPlaintext that is no flag", { keys: [{ id: "k", key: secret }], allowPlaintext: "yes" }],
    ["plainMetadata that is no list", { keys: [{ id: "k", key: secret }], plainMetadata: "user" }],
  ])("%s is refused, and the error holds no key", async (_, encryption) => {
    const refused: unknown[] = [];
    const take = (error: unknown): void => void refused.push(error);
    const pool = { connect: () => Promise.reject(new Error("nothing may be asked")) } as never;
    if (encryption !== undefined) {
      try {
        new PostgresSaver(pool, undefined, { encryption: encryption as never });
      } catch (error) {
        take(error);
      }
      await PostgresCheckpointStore.connect({
        connString: "postgres://127.0.0.1:1/x",
        encryption: encryption as never,
      }).catch(take);
      expect(refused).toHaveLength(2);
    }
    try {
      createCipher(encryption as never);
    } catch (error) {
      take(error);
    }
    for (const error of refused) {
      expect(error).toBeInstanceOf(InvalidOptionError);
      const shown = allThatShows(error);
      for (const key of [secret, bytes.toString("hex"), "battery staple"]) {
        expect(shown).not.toContain(key.slice(0, 20));
      }
    }
    expect(refused.length).toBeGreaterThan(0);
  });
});

describe("the cipher", () => {
  const cipher = createCipher({
    keys: [
      { id: "new", key: bytes },
      { id: "old", key: randomBytes(32) },
    ],
  });

  test("what is sealed is opened at its place and nowhere else", () => {
    const sealed = cipher.seal("t", place, "text");
    expect(cipher.open("t", place, sealed)).toEqual({ bytes: Buffer.from("text"), key: "new" });
    expect(sealed.includes("text")).toBe(false);
    expect(cipher.seal("t", place, "text")).not.toEqual(sealed);
    const others: [string, Place][] = [
      ["u", place],
      ["t", { ...place, kind: "write" }],
      ["t", { ...place, key: ["", "messages", "2"] }],
      ["t", { ...place, key: ["messages", "", "1"] }],
      ["t", { ...place, beside: ["sealed-snapshot", null] }],
      ["t", { ...place, beside: ["sealed", "{}"] }],
    ];
    for (const [thread, other] of others) {
      expect(() => cipher.open(thread, other, sealed)).toThrow(CorruptCheckpointError);
    }
  });

  test("every changed bit is noticed", () => {
    const sealed = cipher.seal("t", place, "text");
    for (let i = 0; i < sealed.length * 8; i += 1) {
      const changed = Buffer.from(sealed);
      changed[i >> 3] = (changed[i >> 3] ?? 0) ^ (1 << (i & 7));
      expect(() => cipher.open("t", place, changed)).toThrow();
    }
    for (let length = 0; length < sealed.length; length += 1) {
      expect(() => cipher.open("t", place, sealed.subarray(0, length))).toThrow();
    }
  });

  test("an unknown key and another key of the id are told apart from damage, without a key in sight", () => {
    const sealed = cipher.seal("t", place, "the payload");
    const unknown = createCipher({ keys: [{ id: "other", key: bytes }] });
    const wrong = createCipher({ keys: [{ id: "new", key: randomBytes(32) }] });
    for (const [opens, says] of [
      [unknown, /"new", which was not configured. Add/],
      [wrong, /another key of the id "new"/],
    ] as const) {
      try {
        opens.open("t", place, sealed);
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(DecryptionError);
        expect(error).toMatchObject({
          code: "DECRYPTION_FAILED",
          message: expect.stringMatching(says),
        });
        expect(allThatShows(error)).not.toMatch(/the payload|battery/);
        expect(allThatShows(error)).not.toContain(bytes.toString("hex"));
      }
    }
  });

  test("ids are hidden by thread and key, and shown again", () => {
    const ids = ["00000000-0000-0000-0000-000000000000", "fedcba98-7654-3210-0123-456789abcdef"];
    const hidden = cipher.hideIds("t", "new", ids);
    expect(cipher.showIds("t", "new", hidden)).toEqual(ids);
    expect(cipher.hideIds("t", "new", ids)).toEqual(hidden);
    const all = [
      ...ids,
      ...hidden,
      ...cipher.hideIds("u", "new", ids),
      ...cipher.hideIds("t", "old", ids),
    ];
    expect(new Set(all).size).toBe(8);
    expect(cipher.hideIds("t", "new", [])).toEqual([]);
  });
});
