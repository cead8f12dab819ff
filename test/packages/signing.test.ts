/** Signatures by keys that are thrown away: each is verified by the program of its system, and an altered file is not. */
import { copyFile, mkdir, open, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { signDeb, signRpm, signSums, signWindows } from "../../installers/signing.ts";
import { createSandbox, type Sandbox } from "../servers/sandbox.ts";

const { dist, version } = inject("packages");
const DEB = `tributary-agent_${version}_amd64.deb`;
const RPM = `tributary-agent-${version}-1.x86_64.rpm`;
const EXE = "tributary-agent-win-x64.exe";
const MSI = `tributary-agent-${version}-x64.msi`;

let sandbox: Sandbox;
let folder: string;
/** As a releaser sets it. */
let env: Readonly<Record<string, string>>;
let fingerprint: string;

const at = (name: string): string => join(folder, name);
const say = async (program: string, ...words: readonly string[]): Promise<string> =>
  await sandbox.run(program, words, { env });

beforeAll(async () => {
  sandbox = await createSandbox("signing");
  folder = sandbox.folder;
  await mkdir(at("gnupg"), { mode: 0o700 });
  env = {
    GNUPGHOME: at("gnupg"),
    TRIBUTARY_SIGN_PKCS12: at("company.p12"),
    TRIBUTARY_SIGN_PASSWORD_FILE: at("password"),
    TRIBUTARY_SIGN_GPG_KEY: "packages@example.com",
  };
  await writeFile(at("password"), "a secret\n", { mode: 0o600 });
  const usage = ["-addext", "keyUsage=digitalSignature", "-addext", "extendedKeyUsage=codeSigning"];
  await say(
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    "-subj",
    "/CN=Example",
    ...usage,
    "-keyout",
    at("company.key"),
    "-out",
    at("company.pem"),
  );
  await say(
    "openssl",
    "pkcs12",
    "-export",
    "-inkey",
    at("company.key"),
    "-in",
    at("company.pem"),
    "-passout",
    `file:${at("password")}`,
    "-out",
    at("company.p12"),
  );
  await say(
    "gpg",
    "--batch",
    "--passphrase",
    "",
    "--quick-generate-key",
    "Packages <packages@example.com>",
    "rsa3072",
    "sign",
    "1d",
  );
  fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(
    await say("gpg", "--with-colons", "--list-keys"),
  )?.[1] as string;
  await writeFile(at("public.asc"), await say("gpg", "--armor", "--export", fingerprint));
});

afterAll(async () => {
  await say("gpgconf", "--kill", "all").catch(() => {});
  await sandbox.stop();
});

/** A copy of a file of dist/. */
async function copied(name: string): Promise<string> {
  await copyFile(join(dist, name), at(name));
  return at(name);
}

/** Changes one byte in the middle. */
async function alter(file: string): Promise<void> {
  const handle = await open(file, "r+");
  try {
    const middle = Math.floor((await handle.stat()).size / 2);
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, middle);
    byte.writeUInt8(byte.readUInt8(0) ^ 0xff);
    await handle.write(byte, 0, 1, middle);
  } finally {
    await handle.close();
  }
}

test("without a key nothing is signed", async () => {
  await writeFile(at("SHA256SUMS"), "sums\n");
  const before = await readdir(folder);
  const bare = { GNUPGHOME: at("gnupg") };
  // Nothing of these names is there: whoever opened them would fail.
  for (const sign of [signWindows, signRpm, signDeb]) await sign(at("nothing"), bare);
  await signSums(at("SHA256SUMS"), bare);
  expect(await readdir(folder)).toEqual(before);
});

test("a certificate without its password is a mistake that is said", async () => {
  await expect(signWindows(at("nothing"), { TRIBUTARY_SIGN_PKCS12: at("company.p12") })).rejects.toThrow(
    "TRIBUTARY_SIGN_PASSWORD_FILE is not",
  );
});

test.for([EXE, MSI])("%s is signed for Windows, also a second time", async (name) => {
  const file = await copied(name);
  const verify = () => say("osslsigncode", "verify", "-CAfile", at("company.pem"), "-in", file);
  await expect(verify()).rejects.toThrow();
  await signWindows(file, env);
  await signWindows(file, env);
  const said = await verify();
  expect(said).toContain("Signature verification: ok");
  expect(said).toContain("Tributary agent");
  await alter(file);
  await expect(verify()).rejects.toThrow();
});

test("the .rpm is signed as rpm -K verifies it", async () => {
  const file = await copied(RPM);
  await mkdir(at("rpmdb"));
  await say("rpmkeys", "--dbpath", at("rpmdb"), "--import", at("public.asc"));
  const verify = () => say("rpm", "--dbpath", at("rpmdb"), "-K", file);
  expect(await verify()).toMatch(/: digests OK\n$/);
  await signRpm(file, env);
  expect(await verify()).toMatch(/: digests signatures OK\n$/);
  await alter(file);
  await expect(verify()).rejects.toThrow();
});

test("the .deb is signed as debsig-verify verifies it, and dpkg takes it as before", async () => {
  const file = await copied(DEB);
  const id = fingerprint.slice(-16);
  await mkdir(at(`policies/${id}`), { recursive: true });
  await mkdir(at(`keyrings/${id}`), { recursive: true });
  await say("gpg", "--output", at(`keyrings/${id}/origin.gpg`), "--export", fingerprint);
  const required = `<Required Type="origin" File="origin.gpg" id="${id}"/>`;
  await writeFile(
    at(`policies/${id}/tributary.pol`),
    `<?xml version="1.0"?>
<!DOCTYPE Policy SYSTEM "https://www.debian.org/debsig/1.0/policy.dtd">
<Policy xmlns="https://www.debian.org/debsig/1.0/">
  <Origin Name="Example" id="${id}" Description="packages of Example"/>
  <Selection>${required}</Selection>
  <Verification MinOptional="0">${required}</Verification>
</Policy>
`,
  );
  const verify = () =>
    say("debsig-verify", "--policies-dir", at("policies"), "--keyrings-dir", at("keyrings"), file);
  await expect(verify()).rejects.toThrow();
  const listed = await say("dpkg-deb", "--contents", file);
  await signDeb(file, env);
  const { size } = await stat(file);
  await signDeb(file, env);
  expect((await stat(file)).size).toBe(size);
  expect(await verify()).toContain("Verified package from");
  expect(await say("dpkg-deb", "--contents", file)).toBe(listed);
  await alter(file);
  await expect(verify()).rejects.toThrow();
});

test("SHA256SUMS.asc covers SHA256SUMS, and does not outlive it", async () => {
  const file = await copied("SHA256SUMS");
  await signSums(file, env);
  expect(await readFile(`${file}.asc`, "latin1")).toContain("-----BEGIN PGP SIGNATURE-----");
  await say("gpg", "--batch", "--verify", `${file}.asc`, file);
  await alter(file);
  await expect(say("gpg", "--batch", "--verify", `${file}.asc`, file)).rejects.toThrow("BAD signature");
  await signSums(file, {});
  expect(await readdir(folder)).not.toContain("SHA256SUMS.asc");
});
