/** Where the secrets of sources come from. Whatever is read is known to the redactor before anybody else has it. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Redactor } from "@tributary/shared/redactor.ts";
import { nameOf, type SecretReference } from "./reference.ts";
import { SecretStore } from "./store.ts";
import { MOST_BYTES, type Refused, readValue } from "./value.ts";

export interface Secrets {
  /** The value as it is now: asked anew each time, so that a changed one counts. Throws `secret-missing`. */
  read(reference: SecretReference): Promise<string>;
}

export interface SecretsOptions {
  readonly data: string;
  /** agent.yaml: relative files begin at its folder. */
  readonly config: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly redactor: Redactor;
  /** Told once of each file that others may read. */
  readonly warn: (text: string) => void;
}

/** The secrets of this host. */
export function openSecrets({ data, config, env, redactor, warn }: SecretsOptions): Secrets {
  const store = new SecretStore(data);
  const warned = new Set<string>();
  const told = (text: string): void => {
    if (!warned.has(text)) warn(text);
    warned.add(text);
  };
  const base = dirname(resolve(config));
  return {
    async read(reference) {
      const value =
        "secret" in reference
          ? fromStore(store, reference.secret)
          : "env" in reference
            ? fromEnvironment(env, reference.env)
            : await fromFile(resolve(base, reference.file), told);
      if (value === "") throw missing(`${nameOf(reference)} is empty`, "give it its value");
      redactor.learn(value);
      return value;
    },
  };
}

const missing = (what: string, todo: string, cause?: unknown): ProblemError =>
  new ProblemError("secret-missing", `${what}; ${todo}`, { cause });

function fromStore(store: SecretStore, name: string): string {
  let value: string | undefined;
  try {
    value = store.get(name);
  } catch (cause) {
    // Whoever asks tries again later, and the file may be mended by then.
    if (!(cause instanceof ProblemError)) throw cause;
    throw new ProblemError("secret-missing", cause.message, { cause });
  }
  if (value === undefined)
    throw missing(`the secret ${name} is not set`, `set it: tributary-agent secret set ${name}`);
  return value;
}

function fromEnvironment(env: SecretsOptions["env"], name: string): string {
  const value = env[name];
  if (value === undefined)
    throw missing(
      `the environment variable ${name} is not set`,
      "set it for the agent's service and start that anew, or use: tributary-agent secret set NAME",
    );
  return value;
}

async function fromFile(file: string, warn: (text: string) => void): Promise<string> {
  const refused = (refusal: Refused): ProblemError =>
    missing(`the file ${file} ${refusal.says}`, "name the file that holds the secret alone");
  let handle: FileHandle | undefined;
  try {
    // A FIFO without a writer would keep us for ever.
    handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const found = await handle.stat();
    if (!found.isFile()) throw refused({ says: "is no file" });
    const open_ = openTo(found.mode, found.uid);
    if (open_ !== undefined)
      warn(`the secret in ${file} can be read by ${open_}; close it: chmod 600 ${file}`);
    const bytes = Buffer.alloc(MOST_BYTES + 3);
    let size = 0;
    for (let n = 1; n > 0 && size < bytes.length; size += n)
      n = (await handle.read(bytes, size, bytes.length - size, size)).bytesRead;
    const value = readValue(bytes.subarray(0, size));
    if (typeof value !== "string") throw refused(value);
    return value;
  } catch (cause) {
    if (cause instanceof ProblemError) throw cause;
    throw missing(
      `the file ${file} cannot be read: ${(cause as Error).message}`,
      "put it there, readable for the account that the agent runs as",
      cause,
    );
  } finally {
    await handle?.close();
  }
}

/** Of a file that is another account's the group is how this one reads it, and no mistake. */
function openTo(mode: number, uid: number): string | undefined {
  if (process.platform === "win32") return undefined;
  if ((mode & 0o004) !== 0) return "every account of this host";
  return (mode & 0o040) !== 0 && uid === process.geteuid?.() ? "its group" : undefined;
}
