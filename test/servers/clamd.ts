import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { createSandbox, untilReady } from "./sandbox.ts";

export interface Clamd {
  /** Its Unix socket. */
  readonly socket: string;
  /** SIGKILL; the socket stays behind, as it does then. */
  kill(): Promise<void>;
  /** Listens at the same socket again when it resolves. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Where Debian puts it, which is not in everybody's PATH. */
export const CLAMD = "/usr/sbin/clamd";

/** Debian's own bounds, and no service of the system: nothing of /etc/clamav or /var/lib/clamav is read. */
const settings = {
  Foreground: "yes",
  StreamMaxLength: "25M",
  MaxFileSize: "25M",
  MaxScanSize: "100M",
  MaxThreads: "12",
};

/**
 * A real clamd on a socket of its own, with one signature: `found` is found wherever it stands in a file, as `name`.
 * Debian's package brings none, and a test fetches none.
 */
export async function startClamd(name: string, found: string): Promise<Clamd> {
  const sandbox = await createSandbox("clamd");
  const socket = join(sandbox.folder, "ctl");
  const database = join(sandbox.folder, "signatures");
  const config = join(sandbox.folder, "clamd.conf");
  await mkdir(database);
  // name:target (any):offset (any):hex, see ClamAV, "Extended signature format".
  await writeFile(join(database, "test.ndb"), `${name}:0:*:${Buffer.from(found).toString("hex")}\n`);
  const words = { ...settings, LocalSocket: socket, DatabaseDirectory: database };
  await writeFile(
    config,
    Object.entries(words)
      .map(([name, value]) => `${name} ${value}\n`)
      .join(""),
  );
  let running: ReturnType<typeof sandbox.start> | undefined;
  const clamd: Clamd = {
    socket,
    async kill() {
      if (running === undefined || running.exitCode !== null) return;
      const ended = new Promise((resolve) => running?.once("exit", resolve));
      running.kill("SIGKILL");
      await ended;
    },
    async start() {
      running = sandbox.start("clamd", CLAMD, ["--config-file", config]);
      try {
        await untilReady([running], () => answers(socket), 60);
      } catch (error) {
        throw new Error(`clamd did not start: ${error}\n${await sandbox.lastWords("clamd")}`, {
          cause: error,
        });
      }
    },
    stop: sandbox.stop,
  };
  await clamd.start();
  return clamd;
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const line = connect({ path: socket }, () => line.write("zPING\0"));
    line.once("data", (said) => {
      line.destroy();
      resolve(String(said).startsWith("PONG"));
    });
    line.once("error", () => resolve(false));
    line.setTimeout(1000, () => {
      line.destroy();
      resolve(false);
    });
  });
}
