import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { join } from "node:path";
import { makeTestAuthority } from "../network/authority.ts";
import { createSandbox, freePorts, type Sandbox, untilReady } from "./sandbox.ts";

export interface AzuriteOptions {
  /** HTTPS with a certificate of an own authority, and bearer tokens (which Azure takes over HTTPS alone). */
  readonly tls?: boolean;
}

export interface Azurite {
  /** `http(s)://127.0.0.1:port/account`: the account stands in the path. */
  readonly endpoint: string;
  readonly port: number;
  readonly account: string;
  /** Base64, as Azure shows account keys; the one that counts now. */
  readonly key: string;
  /** Who vouches for the certificate, PEM; undefined without `tls`. */
  readonly authority: string | undefined;
  /** The account's only key from now on; connections end. */
  setKey(next: string): Promise<void>;
  /** The process ends in order, connections too. */
  halt(): Promise<void>;
  /** At the same port, with what was stored. */
  resume(): Promise<void>;
  stop(): Promise<void>;
}

/** A real blob service on loopback, as Microsoft's emulator is one. */
export async function startAzurite(options: AzuriteOptions = {}, attempts = 3): Promise<Azurite> {
  const sandbox = await createSandbox("azurite");
  try {
    return await boot(sandbox, options);
  } catch (error) {
    const words = await sandbox.lastWords("azurite");
    await sandbox.stop();
    // A port that was free may be taken by the time that it is used.
    if (attempts > 1 && /in use|EADDRINUSE/i.test(`${error}\n${words}`))
      return startAzurite(options, attempts - 1);
    throw new Error(`Azurite did not start: ${error}\n${words}`, { cause: error });
  }
}

async function boot(sandbox: Sandbox, { tls = false }: AzuriteOptions): Promise<Azurite> {
  const program = createRequire(import.meta.url).resolve("azurite/dist/src/blob/main.js");
  const folder = join(sandbox.folder, "blobs");
  const [port] = (await freePorts(1)) as [number];
  const account = "tributary";
  let key = randomBytes(64).toString("base64");
  const authority = tls ? await makeTestAuthority("who vouches for blobs") : undefined;
  const words = ["--location", folder, "--blobHost", "127.0.0.1", "--blobPort", `${port}`];
  words.push("--silent", "--skipApiVersionCheck");
  await mkdir(folder);
  if (authority !== undefined) {
    const issued = await authority.issue(["127.0.0.1", "localhost"]);
    for (const name of ["cert", "key"] as const) {
      await writeFile(join(sandbox.folder, `${name}.pem`), issued[name]);
      words.push(`--${name}`, join(sandbox.folder, `${name}.pem`));
    }
    words.push("--oauth", "basic");
  }

  let running: ChildProcess | undefined;
  const azurite: Azurite = {
    endpoint: `${tls ? "https" : "http"}://127.0.0.1:${port}/${account}`,
    port,
    account,
    get key() {
      return key;
    },
    authority: authority?.cert,
    async setKey(next) {
      key = next;
      await azurite.resume();
    },
    async halt() {
      if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
      const ended = new Promise((resolve) => running?.once("exit", resolve));
      running.kill("SIGTERM");
      await ended;
    },
    async resume() {
      await azurite.halt();
      const env = { AZURITE_ACCOUNTS: `${account}:${key}`, NODE_OPTIONS: "" };
      running = sandbox.start("azurite", process.execPath, [program, ...words], { env });
      await untilReady([running], () => answers(port), 30);
    },
    stop: sandbox.stop,
  };
  await azurite.resume();
  return azurite;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
