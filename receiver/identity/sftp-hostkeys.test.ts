import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openKeys, type SiteKeys } from "./keys.ts";
import { rotateReceipts } from "./rotation.ts";
import { openScene, type Scene } from "./scene.ts";
import { replaceSftpHostKeys } from "./sftp-hosting.ts";
import { makePrivateKey, parsePrivateKey } from "./ssh-private-key.ts";

const refusal = (code: string, why = /./) =>
  expect.objectContaining({ name: "ProblemError", code, message: expect.stringMatching(why) });
const keygen = (...args: string[]) => execFileSync("ssh-keygen", args, { encoding: "utf8" });
const FILES = ["sftp-ecdsa", "sftp-ed25519"];
const hostFiles = (folder: string) => readdirSync(folder).filter((name) => name.startsWith("sftp-"));

async function open(scene: Scene, folder: string, problems: string[] = []): Promise<SiteKeys> {
  const onProblem = (message: string) => void problems.push(message);
  const keys = await openKeys({ db: scene.db, folder, hosts: ["localhost"], pollMs: 20, onProblem });
  onTestFinished(() => keys.close());
  return keys;
}

async function openSite() {
  const scene = await openScene(onTestFinished);
  const folder = join(scene.folder, "keys");
  return { scene, folder, keys: await open(scene, folder) };
}

const fingerprints = async (keys: SiteKeys) => (await keys.sftpHostKeys()).map((key) => key.fingerprint);

test("they are made when they are needed, as OpenSSH writes and reads them, and stay", async () => {
  const { scene, folder, keys } = await openSite();
  expect(hostFiles(folder)).toEqual([]);
  const made = await keys.sftpHostKeys();
  expect(made.map((key) => key.algorithm)).toEqual(["ssh-ed25519", "ecdsa-sha2-nistp256"]);
  expect(hostFiles(folder)).toEqual(FILES);
  for (const [at, name] of ["sftp-ed25519", "sftp-ecdsa"].entries()) {
    const [file, key] = [join(folder, name), made[at]];
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "utf8")).toBe(key?.text);
    expect(keygen("-y", "-f", file).split(" ")[1]).toBe(key?.blob.toString("base64"));
    expect(keygen("-l", "-f", file)).toContain(key?.fingerprint);
  }
  expect(await keys.sftpHostKeys()).toEqual(made);
  expect(await (await open(scene, folder)).sftpHostKeys()).toEqual(made);
});

test("two that need them at once for the first time: of one folder the same, of copies one is the site", async () => {
  const { scene, folder, keys } = await openSite();
  const copy = join(scene.folder, "copy");
  cpSync(folder, copy, { recursive: true });
  const others = await open(scene, copy);
  const [one, two, late] = await Promise.allSettled([
    fingerprints(keys),
    fingerprints(keys),
    fingerprints(others),
  ]);
  expect(one).toEqual(two);
  expect(one.status).toBe("fulfilled");
  expect(late).toMatchObject({ status: "rejected", reason: refusal("keys-refused", /sftp-host key/) });
  expect(hostFiles(copy)).toEqual([]);
  for (const name of FILES) copyFileSync(join(folder, name), join(copy, name));
  expect(await fingerprints(others)).toEqual(await fingerprints(keys));
});

test("others are refused at a start; without them a receiver runs, but has no SFTP door", async () => {
  const { scene, folder, keys } = await openSite();
  await keys.sftpHostKeys();
  const file = join(folder, "sftp-ed25519");
  const before = readFileSync(file);
  writeFileSync(file, makePrivateKey("ssh-ed25519", "another").text);
  await expect(open(scene, folder)).rejects.toEqual(refusal("keys-refused", /sftp-host key SHA256:/));
  rmSync(file);
  const without = await open(scene, folder);
  await expect(without.sftpHostKeys()).rejects.toEqual(
    refusal("keys-refused", /lacks this site's sftp-host/),
  );
  expect(existsSync(file)).toBe(false);
  writeFileSync(file, before);
  expect(await fingerprints(without)).toEqual(await fingerprints(keys));
});

test("an old server's are taken before the first need, also by a receiver that runs", async () => {
  const { scene, folder, keys } = await openSite();
  const problems: string[] = [];
  const running = await open(scene, folder, problems);
  const file = join(folder, "sftp-ed25519");
  keygen("-q", "-t", "ed25519", "-N", "", "-C", "root@old", "-f", file);
  rmSync(`${file}.pub`);
  const old = /SHA256:\S+/.exec(keygen("-l", "-f", file))?.[0];
  await running.refresh();
  await open(scene, folder);
  await rotateReceipts(scene.db, folder);
  const [first, second] = await fingerprints(keys);
  expect(first).toBe(old);
  expect(second).toMatch(/^SHA256:/);
  expect(problems).toEqual([]);
  await open(scene, folder);
});

test("replaced deliberately: the old ones are refused from then on", async () => {
  const { scene, folder, keys } = await openSite();
  const before = await fingerprints(keys);
  const copy = join(scene.folder, "copy");
  cpSync(folder, copy, { recursive: true });
  const after = (await replaceSftpHostKeys(scene.db, folder, Date.now())).map((key) => key.fingerprint);
  expect(after).toHaveLength(2);
  for (const one of after) expect(before).not.toContain(one);
  expect(await fingerprints(keys)).toEqual(after);
  expect(await fingerprints(await open(scene, folder))).toEqual(after);
  await expect(open(scene, copy)).rejects.toEqual(refusal("keys-refused"));
  await expect(replaceSftpHostKeys(scene.db, copy, Date.now())).rejects.toEqual(refusal("keys-refused"));
});

test("what cannot be one is refused in words", async () => {
  const scene = await openScene(onTestFinished);
  const at = (name: string) => join(scene.folder, name);
  mkdirSync(at("keys"));
  keygen("-q", "-t", "ed25519", "-N", "secret", "-f", at("locked"));
  keygen("-q", "-t", "ecdsa", "-b", "384", "-N", "", "-f", at("p384"));
  keygen("-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", at("rsa"));
  const pem = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const good = makePrivateKey("ssh-ed25519", "").text;
  const other = makePrivateKey("ssh-ed25519", "").text;
  const bytes = (text: string) => Buffer.from(text.replace(/-----.*-----|\n/g, ""), "base64");
  const wrapped = (content: Buffer) =>
    `-----BEGIN OPENSSH PRIVATE KEY-----\n${content.toString("base64")}\n-----END OPENSSH PRIVATE KEY-----\n`;
  // The public half of one with the private half of another.
  const [a, b] = [bytes(good), bytes(other)];
  const crossed = wrapped(Buffer.concat([a.subarray(0, 90), b.subarray(90)]));
  const cases: readonly (readonly [string, RegExp])[] = [
    [readFileSync(at("locked"), "utf8"), /has a passphrase.*ssh-keygen -p -N/],
    [readFileSync(at("p384"), "utf8"), /kind ecdsa-sha2-nistp384, and must be ssh-ed25519/],
    [readFileSync(at("rsa"), "utf8"), /kind ssh-rsa, and must be/],
    [readFileSync(at("rsa.pub"), "utf8"), /no private key in OpenSSH's form/],
    [pem, /no private key in OpenSSH's form; `ssh-keygen -p -f FILE`/],
    ["", /no private key/],
    [crossed, /damaged/],
    [wrapped(a.subarray(0, -9)), /damaged/],
    [wrapped(Buffer.from("openssh-key-v2")), /damaged/],
  ];
  for (const [text, why] of cases) {
    expect(parsePrivateKey("ssh-ed25519", text), text).toMatch(why);
    writeFileSync(join(at("keys"), "sftp-ed25519"), text);
    await expect(open(scene, at("keys"))).rejects.toEqual(refusal("config-invalid", why));
  }
  const ecdsa = makePrivateKey("ecdsa-sha2-nistp256", "").text;
  expect(parsePrivateKey("ssh-ed25519", ecdsa)).toMatch(/must be ssh-ed25519/);
});

test("many of them, with comments of every length, are whole for ssh-keygen and for us", async () => {
  const { folder } = await openScene(onTestFinished);
  const file = join(folder, "key");
  for (let i = 0; i < 12; i += 1)
    for (const algorithm of ["ssh-ed25519", "ecdsa-sha2-nistp256"] as const) {
      const key = makePrivateKey(algorithm, "c".repeat(i));
      writeFileSync(file, key.text, { mode: 0o600 });
      expect(keygen("-y", "-f", file).split(" ")[1]?.trim()).toBe(key.blob.toString("base64"));
      expect(parsePrivateKey(algorithm, key.text)).toEqual(key);
    }
});

test.for([
  ["with the lines of Windows", (text: string) => text.replaceAll("\n", "\r\n")],
  ["with a mark of Unicode before it", (text: string) => `\ufeff${text}`],
  ["in one line", (text: string) => text.replaceAll("\n", " ")],
  ["with an empty line before and behind", (text: string) => `\n${text}\n`],
] as const)("one %s is given to SSH as SSH reads it", ([, changed]) => {
  const key = makePrivateKey("ssh-ed25519", "");
  expect(parsePrivateKey("ssh-ed25519", changed(key.text))).toEqual(key);
});
