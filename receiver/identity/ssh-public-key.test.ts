import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parsePublicKeys } from "./ssh-public-key.ts";
import { fields, mpint } from "./ssh-wire.ts";

const refusal = (why: RegExp) =>
  expect.objectContaining({
    name: "ProblemError",
    code: "request-invalid",
    message: expect.stringMatching(why),
  });

describe("public keys", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "tributary-ssh-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const keygen = (...args: string[]) => execFileSync("ssh-keygen", args, { encoding: "utf8" });
  function make(type: string, bits: string, ...more: string[]): { file: string; line: string } {
    const file = join(folder, `${type}-${bits}-${more.length}`);
    keygen("-q", "-t", type, "-b", bits, "-N", "", "-C", "till 1 at the shop", "-f", file, ...more);
    return { file, line: readFileSync(`${file}.pub`, "utf8") };
  }

  test.for([
    ["ed25519", "256"],
    ["ecdsa", "256"],
    ["ecdsa", "384"],
    ["ecdsa", "521"],
    ["rsa", "2048"],
    ["rsa", "3072"],
  ] as const)("%s of %s bits as ssh-keygen writes and shows it, in both forms", ([type, bits]) => {
    const { file, line } = make(type, bits);
    const [key, ...more] = parsePublicKeys(line, "till.pub");
    expect(more).toEqual([]);
    expect(line.trim()).toBe(`${key?.algorithm} ${key?.publicKey} ${key?.comment}`);
    expect(keygen("-l", "-f", `${file}.pub`)).toContain(` ${key?.fingerprint} till 1 at the shop `);
    const [exported] = parsePublicKeys(keygen("-e", "-f", `${file}.pub`), "till.pub");
    expect(exported).toEqual({ ...key, comment: expect.stringMatching(/^\d+-bit \w+, converted by /) });
  });

  test("a file has several, with comments and empty lines between, also from Windows", () => {
    const lines = [make("ed25519", "257").line, make("ecdsa", "256", "-q").line].map((line) => line.trim());
    for (const text of [
      `# the shop\r\n\r\n${lines[0]}\r\n  ${lines[1]}  \r\n`,
      `\ufeff${lines[0]}\r\n${lines[1]}`,
      `# the shop\r${lines[0]}\r${lines[1]}\r`,
    ])
      expect(parsePublicKeys(text, "authorized_keys").map((key) => key.algorithm)).toEqual([
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
      ]);
  });

  test("the form that PuTTYgen saves may have long headers", () => {
    const { line } = make("ed25519", "254");
    const [, base64 = ""] = line.split(" ");
    const text = [
      "---- BEGIN SSH2 PUBLIC KEY ----",
      'Comment: "eddsa-key of the \\',
      'till"',
      "x-note: nothing",
      base64.slice(0, 40),
      base64.slice(40),
      "---- END SSH2 PUBLIC KEY ----",
    ].join("\r\n");
    expect(parsePublicKeys(text, "f")).toMatchObject([
      { algorithm: "ssh-ed25519", publicKey: base64, comment: "eddsa-key of the till" },
    ]);
  });

  test("what is none, or is not taken, is refused in words", () => {
    const { file, line } = make("ed25519", "255");
    const [, base64 = ""] = line.split(" ");
    const blob = Buffer.from(base64, "base64");
    const point = blob.subarray(-32);
    const as = (name: string, ...values: (Buffer | string)[]) =>
      `${name} ${fields(name, ...values).toString("base64")}`;
    const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
    const [e, n] = [weak.e, weak.n].map((text) => mpint(Buffer.from(text ?? "", "base64url"))) as [
      Buffer,
      Buffer,
    ];
    const cases: readonly (readonly [string, RegExp])[] = [
      [readFileSync(file, "utf8"), /^till\.pub: this is a private key, which stays with the client/],
      ["PuTTY-User-Key-File-3: ssh-ed25519\n", /private key/],
      ["-----BEGIN PUBLIC KEY-----\nMCow\n", /PEM.*ssh-keygen -i -m PKCS8/],
      ["-----BEGIN RSA PUBLIC KEY-----\nMCow\n", /PEM.*ssh-keygen -i -m PEM/],
      [Buffer.from(`\ufeff${line}`, "utf16le").toString("utf8"), /UTF-16.*save it as UTF-8/],
      [`${line.trim()} ${line.trim()}`, /line 1: there is a second key in the line/],
      ["", /holds no public key/],
      ["# nothing\n", /holds no public key/],
      ["Dear all,\n", /line 1: this is no public key/],
      [`${line}\ncommand="ls" ${line}`, /line 3: options before the key are not taken/],
      [`no-pty,restrict ${line}`, /options before the key/],
      [`ssh-ed25519 ${base64.slice(0, -3)}`, /base64 is damaged/],
      ["ssh-ed25519", /base64 is damaged/],
      [`ssh-ed25519 ${blob.subarray(0, -1).toString("base64")}`, /the key is damaged/],
      [`ssh-rsa ${base64}`, /the key is damaged/],
      [as("ssh-ed25519", point, "more"), /the key is damaged/],
      [as("ecdsa-sha2-nistp256", "nistp256", Buffer.alloc(65, 4)), /the key is damaged/],
      [as("ecdsa-sha2-nistp256", "nistp384", Buffer.alloc(97, 4)), /the key is damaged/],
      [as("ssh-rsa", e, n), /an RSA key of 1024 bits is not taken; expected .* at least 2048/],
      [as("ssh-rsa", e, Buffer.concat([Buffer.of(0), n])), /the key is damaged/],
      [as("ssh-dss", "p", "q", "g", "y"), /ssh-dss keys are not taken/],
      [as("sk-ssh-ed25519@openssh.com", point, "ssh:"), /security tokens .* are not taken/],
      [as("sk-ecdsa-sha2-nistp256@openssh.com", point), /security tokens/],
      [as("ssh-ed25519-cert-v01@openssh.com", point), /a certificate, which is not taken/],
      [as("ssh-ed448", Buffer.alloc(57)), /ssh-ed448 keys are not taken/],
    ];
    for (const [text, why] of cases) {
      const parse = () => parsePublicKeys(text, "till.pub");
      expect(parse, text).toThrow(refusal(why));
    }
  });

  test("whatever a file holds, it is keys or a named problem", () => {
    const good = make("rsa", "2049").line.trim();
    const spoilt = fc
      .tuple(fc.nat(good.length - 1), fc.string({ maxLength: 3 }), fc.nat(20))
      .map(([at, put, without]) => good.slice(0, at) + put + good.slice(at + without));
    const key = fc.uint8Array({ maxLength: 80 }).map((bytes) => {
      const [name] = good.split(" ");
      return `${name} ${Buffer.concat([fields(name ?? ""), bytes]).toString("base64")}`;
    });
    fc.assert(
      fc.property(fc.oneof(spoilt, key, fc.string()), (text) => {
        try {
          for (const one of parsePublicKeys(text, "f")) expect(one.fingerprint).toMatch(/^SHA256:.{43}$/);
        } catch (error) {
          expect(error).toBeInstanceOf(ProblemError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
