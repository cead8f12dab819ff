/**
 * Signatures of what is handed to others, by whoever has a key. Without one nothing is signed, and nothing here runs.
 *
 *   TRIBUTARY_SIGN_PKCS12          .exe, .dll and .msi: file with certificate, chain and private key (Authenticode)
 *   TRIBUTARY_SIGN_PASSWORD_FILE   file with its password
 *   TRIBUTARY_SIGN_TIMESTAMP_URL   RFC 3161 server; with its stamp the signature outlives the certificate
 *   TRIBUTARY_SIGN_GPG_KEY         .rpm, .deb and SHA256SUMS: id of a key in the user's keyring (GNUPGHOME)
 */
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./run.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Signs an .exe, .dll or .msi in place, in the place of a signature that it has. */
export async function signWindows(file: string, env: Environment = process.env): Promise<void> {
  const pkcs12 = env["TRIBUTARY_SIGN_PKCS12"];
  if (!pkcs12) return;
  const password = env["TRIBUTARY_SIGN_PASSWORD_FILE"];
  if (!password)
    throw new Error(
      "TRIBUTARY_SIGN_PKCS12 is set and TRIBUTARY_SIGN_PASSWORD_FILE is not; name the file with its password",
    );
  const url = env["TRIBUTARY_SIGN_TIMESTAMP_URL"];
  const signed = `${file}.signed`;
  rmSync(signed, { force: true });
  await run("osslsigncode", [
    ...["sign", "-pkcs12", pkcs12, "-readpass", password, "-h", "sha256", "-n", "Tributary agent"],
    ...(url ? ["-ts", url] : []),
    ...["-in", file, "-out", signed],
  ]);
  renameSync(signed, file);
}

/** Signs an .rpm in place; `rpm --import` of the public key and `rpm -K` verify it, and so does dnf with gpgcheck=1. */
export async function signRpm(file: string, env: Environment = process.env): Promise<void> {
  const key = env["TRIBUTARY_SIGN_GPG_KEY"];
  if (!key) return;
  // Debian's rpm names no path, and looks for none.
  const gpg = (await run("sh", ["-c", "command -v gpg || echo /usr/bin/gpg"])).trim();
  const defined = ["--define", `_gpg_name ${key}`, "--define", `__gpg ${gpg}`];
  await run("rpmsign", [...defined, "--addsign", file], { env: { ...process.env, ...env } });
}

const ORIGIN = "_gpgorigin";

/** Adds to a .deb the member that debsigs would: a signature of all its other members, which debsig-verify verifies. */
export async function signDeb(file: string, env: Environment = process.env): Promise<void> {
  if (!env["TRIBUTARY_SIGN_GPG_KEY"]) return;
  const archive = readFileSync(file);
  const members = membersOf(archive).filter(({ name }) => !name.startsWith("_gpg"));
  const signature = await detached(Buffer.concat(members.map(({ content }) => content)), [], env);
  writeFileSync(
    file,
    Buffer.concat([
      MAGIC,
      ...members.map(({ whole }) => whole),
      header(ORIGIN, signature.length),
      even(signature),
    ]),
  );
}

/** Writes SHA256SUMS.asc beside the sums; one of other sums does not stay. */
export async function signSums(file: string, env: Environment = process.env): Promise<void> {
  rmSync(`${file}.asc`, { force: true });
  if (!env["TRIBUTARY_SIGN_GPG_KEY"]) return;
  writeFileSync(`${file}.asc`, await detached(readFileSync(file), ["--armor"], env));
}

async function detached(bytes: Uint8Array, words: readonly string[], env: Environment): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), "tributary-signing-"));
  try {
    const [file, signature] = [join(folder, "signed"), join(folder, "signature")];
    writeFileSync(file, bytes);
    const key = env["TRIBUTARY_SIGN_GPG_KEY"] as string;
    await run(
      "gpg",
      ["--batch", ...words, "--local-user", key, "--output", signature, "--detach-sign", file],
      {
        env: { ...process.env, ...env },
      },
    );
    return readFileSync(signature);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// An ar archive, deb(5): "!<arch>\n", then per member a header of 60 bytes and its content, padded to an even length.
const MAGIC = Buffer.from("!<arch>\n");
const HEADER = 60;

interface Member {
  readonly name: string;
  readonly content: Buffer;
  /** Header, content and padding. */
  readonly whole: Buffer;
}

function membersOf(archive: Buffer): readonly Member[] {
  const members: Member[] = [];
  for (let at = MAGIC.length; at < archive.length; ) {
    const field = (from: number, length: number): string =>
      archive.toString("latin1", at + from, at + from + length).trim();
    const size = Number(field(48, 10));
    if (field(58, 2) !== "`" || !Number.isSafeInteger(size))
      throw new Error(`no member of an ar archive at byte ${at}`);
    const end = at + HEADER + size + (size % 2);
    const content = archive.subarray(at + HEADER, at + HEADER + size);
    members.push({ name: field(0, 16).replace(/\/$/, ""), content, whole: archive.subarray(at, end) });
    at = end;
  }
  return members;
}

/** Of no time: what is signed tells when. */
const header = (name: string, size: number): Buffer =>
  Buffer.from(
    `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${String(size).padEnd(10)}\`\n`,
  );

const even = (content: Buffer): Buffer =>
  content.length % 2 === 0 ? content : Buffer.concat([content, Buffer.from("\n")]);
