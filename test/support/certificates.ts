/** A certificate authority and a server's certificate, made on the spot: not every machine has openssl. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { chown, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { serverUser } from "./postgres-binaries.ts";

export interface Certificates {
  /** Paths of PEM files; the server's key is readable by the user that runs servers only. */
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/** How a server's certificate differs from one that is good. */
export interface Differences {
  /** What the server is known by. Default: what it can be reached by on this machine. */
  readonly names?: readonly string[];
  /** Its last second, in milliseconds since 1970. Default: tomorrow. */
  readonly until?: number;
}

/** Makes them in the directory. */
export async function makeCertificates(
  directory: string,
  { names = ["localhost", "127.0.0.1"], until = Date.now() + DAY }: Differences = {},
): Promise<Certificates> {
  const [authority, server] = [newKeys(), newKeys()];
  const paths: Certificates = {
    authority: join(directory, "authority.pem"),
    certificate: join(directory, "server.pem"),
    key: join(directory, "server.key"),
  };
  const issuer = "test authority";
  await writeFile(
    paths.authority,
    certificate({
      subject: issuer,
      keys: authority,
      issuer,
      signer: authority,
      until: Date.now() + DAY,
      extension: isAuthority(),
    }),
  );
  await writeFile(
    paths.certificate,
    certificate({
      ...{ subject: "server", keys: server, issuer, signer: authority, until },
      extension: alternativeNames(names),
    }),
  );
  await writeFile(paths.key, server.privateKey.export({ type: "pkcs8", format: "pem" }), {
    mode: 0o600,
  });
  const user = serverUser();
  if (user) await chown(paths.key, user.uid, user.gid);
  return paths;
}

interface Keys {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

function newKeys(): Keys {
  return generateKeyPairSync("ec", { namedCurve: "prime256v1" });
}

const DAY = 86_400_000;

/** An X.509 certificate, valid from yesterday on (RFC 5280, 4.1). */
function certificate(of: {
  subject: string;
  keys: Keys;
  issuer: string;
  signer: Keys;
  until: number;
  extension: Buffer;
}): string {
  const algorithm = der(SEQUENCE, oid("1.2.840.10045.4.3.2")); // ecdsa-with-SHA256
  const body = der(
    SEQUENCE,
    der(0xa0, der(INTEGER, Buffer.from([2]))), // version 3
    der(INTEGER, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    commonName(of.issuer),
    der(SEQUENCE, time(Date.now() - DAY), time(of.until)),
    commonName(of.subject),
    of.keys.publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, der(SEQUENCE, of.extension)),
  );
  const signature = sign("sha256", body, of.signer.privateKey);
  const whole = der(SEQUENCE, body, algorithm, der(BIT_STRING, Buffer.from([0]), signature));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const SEQUENCE = 0x30;

function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const part of rest) {
    const digits = [part & 0x7f];
    for (let left = part >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return der(0x06, Buffer.from(bytes));
}

function commonName(name: string): Buffer {
  const utf8 = der(0x0c, Buffer.from(name));
  return der(SEQUENCE, der(0x31, der(SEQUENCE, oid("2.5.4.3"), utf8)));
}

function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "");
  return der(0x18, Buffer.from(digits));
}

function isAuthority(): Buffer {
  const value = der(SEQUENCE, der(0x01, Buffer.from([0xff])));
  return der(SEQUENCE, oid("2.5.29.19"), der(OCTET_STRING, value));
}

function alternativeNames(names: readonly string[]): Buffer {
  const all = names.map((name) =>
    isIP(name) === 4
      ? der(0x87, Buffer.from(name.split(".").map(Number)))
      : der(0x82, Buffer.from(name)),
  );
  return der(SEQUENCE, oid("2.5.29.17"), der(OCTET_STRING, der(SEQUENCE, ...all)));
}
