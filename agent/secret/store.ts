/**
 * The secrets of `tributary-agent secret set`, in the data folder. Format and invariants:
 *  - `secret-key`: 32 random bytes in base64url, 0600, made with the first secret, never sent, never replaced;
 *  - `secrets.json`: `{ "format": 1, "secrets": { NAME: { setAt, closed } } }`, 0600, always replaced as a whole. `closed` is
 *    base64url of 12 bytes nonce, ciphertext, 16 bytes tag (AES-256-GCM, NIST SP 800-38D) with a nonce of its own for each
 *    value; the name is authenticated with it, so that no value can be moved to another name;
 *  - all values in it open with the key: what would mix two keys is refused;
 *  - whoever changes one of them holds the folder's lock for it (commands/secret.ts); who reads needs none.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeDurably } from "@tributary/shared/durable.ts";
import { makeFolder } from "@tributary/shared/folder.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { z } from "zod";
import { readOwn } from "../own-file.ts";
import { secretName } from "./reference.ts";

const KEY = "secret-key";
const SECRETS = "secrets.json";
const NONCE = 12;
const TAG = 16;

const entry = z.strictObject({ setAt: z.iso.datetime(), closed: z.base64url() });
type Entry = z.infer<typeof entry>;
const format = z.strictObject({ format: z.literal(1), secrets: z.record(secretName, entry) });

export interface StoredSecret {
  readonly name: string;
  /** RFC 3339. */
  readonly setAt: string;
}

/** What is in the store now: both files are read again when they changed, and at no other time. */
export class SecretStore {
  readonly #data: string;
  #mark: string | undefined;
  #entries: ReadonlyMap<string, Entry> = new Map();
  #key: Buffer | undefined;

  constructor(data: string) {
    this.#data = data;
  }

  /** Undefined when it is not set. Throws `config-invalid` when the files are damaged. */
  get(name: string): string | undefined {
    this.#look();
    const found = this.#entries.get(name);
    return found && opened(this.#data, this.#key, name, found);
  }

  /** By name. Throws `config-invalid`. */
  list(): StoredSecret[] {
    this.#look();
    return [...this.#entries]
      .map(([name, { setAt }]) => ({ name, setAt }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #look(): void {
    const mark = [SECRETS, KEY].map((file) => markOf(join(this.#data, file))).join();
    if (mark === this.#mark) return;
    this.#entries = readEntries(this.#data);
    this.#key = readKey(this.#data);
    this.#mark = mark;
  }
}

function markOf(file: string): string {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? "-" : `${found.mtimeNs} ${found.size} ${found.ino}`;
}

/** Durable when it returns. Throws `config-invalid` when the files are damaged, `disk-full`; the store is as it was then. */
export function setSecret(data: string, name: string, value: string, now: Date): void {
  const entries = readEntries(data);
  const others = [...entries].filter(([other]) => other !== name);
  let key = readKey(data);
  for (const [other, closed] of others) opened(data, key, other, closed);
  makeFolder(data, { mode: 0o700, fresh: false });
  sweep(data);
  if (key === undefined) {
    key = randomBytes(32);
    writeDurably(join(data, KEY), `${key.toString("base64url")}\n`);
  }
  write(data, new Map([...others, [name, { setAt: now.toISOString(), closed: closed(key, name, value) }]]));
}

/** False when there was none. Needs no key: it is the way out for a value that cannot be opened any more. */
export function removeSecret(data: string, name: string): boolean {
  const entries = new Map(readEntries(data));
  if (!entries.delete(name)) return false;
  sweep(data);
  write(data, entries);
  return true;
}

function write(data: string, entries: ReadonlyMap<string, Entry>): void {
  const text = JSON.stringify({ format: 1, secrets: Object.fromEntries(entries) }, undefined, 2);
  writeDurably(join(data, SECRETS), `${text}\n`);
}

/** What one that was killed in the middle left. Nobody else writes now: whoever does holds the lock. */
function sweep(data: string): void {
  for (const name of readdirSync(data))
    if (/^(secret-key|secrets\.json)\.\d+\.tmp$/.test(name)) rmSync(join(data, name), { force: true });
}

const damaged = (file: string): ProblemError =>
  // Without a cause: it would quote from the file.
  new ProblemError(
    "config-invalid",
    `${file} is damaged, and was left as it is; restore ${KEY} and ${SECRETS} from one backup, or remove both and set each secret anew: tributary-agent secret set NAME`,
  );

function readEntries(data: string): ReadonlyMap<string, Entry> {
  const file = join(data, SECRETS);
  const text = readOwn(file);
  if (text === undefined) return new Map();
  try {
    return new Map(Object.entries(format.parse(JSON.parse(text)).secrets));
  } catch {
    throw damaged(file);
  }
}

function readKey(data: string): Buffer | undefined {
  const file = join(data, KEY);
  const text = readOwn(file)?.trim();
  if (text === undefined) return undefined;
  const key = Buffer.from(text, "base64url");
  if (key.length === 32 && key.toString("base64url") === text) return key;
  throw damaged(file);
}

function closed(key: Buffer, name: string, value: string): string {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(name));
  const text = Buffer.concat([cipher.update(value, "utf8"), cipher.final()]);
  return Buffer.concat([nonce, text, cipher.getAuthTag()]).toString("base64url");
}

function opened(data: string, key: Buffer | undefined, name: string, { closed }: Entry): string {
  const bytes = Buffer.from(closed, "base64url");
  try {
    if (key === undefined) throw new Error(`${KEY} is gone`);
    const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, NONCE), { authTagLength: TAG })
      .setAAD(Buffer.from(name))
      .setAuthTag(bytes.subarray(-TAG));
    return decipher.update(bytes.subarray(NONCE, -TAG), undefined, "utf8") + decipher.final("utf8");
  } catch {
    const why = key === undefined ? `${join(data, KEY)} is gone` : `it does not fit ${join(data, KEY)}`;
    throw new ProblemError(
      "config-invalid",
      `the secret ${name} in ${join(data, SECRETS)} cannot be opened: ${why}; restore both from one backup, or set it anew: tributary-agent secret remove ${name} --force, then tributary-agent secret set ${name}`,
    );
  }
}
