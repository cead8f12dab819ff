/** `npm start` as a newcomer meets it: set up, a drop, Ctrl-C, and on from there. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Entry } from "@tributary/shared/protocol.ts";
import { afterAll, expect, test } from "vitest";
import { freePort, ok, ROOT, until } from "../site/process.ts";

const dir = mkdtempSync(join(tmpdir(), "tributary-start-"));
const inbox = join(dir, "inbox");
const data = join(dir, "data");
const started: ReturnType<typeof spawn>[] = [];
afterAll(() => {
  // The programs that it started end by themselves then.
  for (const child of started) child.kill("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
});

function start(...args: string[]) {
  const child = spawn(process.execPath, [join(ROOT, "start", "start.ts"), "--inbox", inbox, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, TRIBUTARY_DATA: data },
  });
  started.push(child);
  let text = "";
  child.stderr?.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  return {
    child,
    ended,
    said: async (pattern: RegExp) => {
      await until(`said ${pattern}`, () => pattern.test(text) || child.exitCode !== null, {
        withinMs: 60_000,
      }).catch((cause: unknown) => {
        throw new Error(`never said ${pattern}:\n${text}`, { cause });
      });
    },
    text: () => text,
  };
}

const history = async (): Promise<Entry[]> =>
  (await ok("receiver", ["history", "--client", "demo", "--json", "--data", join(data, "receiver")]))
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Entry);

test("a drop, a busy port, Ctrl-C; a second start goes on; killed, it leaves nobody behind", async () => {
  const port = await freePorts();
  const first = start("--port", String(port));
  await first.said(/Ctrl-C stops both/);
  writeFileSync(join(inbox, "hello.txt"), "first");
  await first.said(/inbox\/hello\.txt delivered \(created\)/);
  expect(await history()).toMatchObject([{ kind: "version", source: "inbox", path: "hello.txt", size: 5 }]);

  const busy = start();
  expect(await busy.ended).toBe(1);
  expect(busy.text()).toContain(`port ${port} of 127.0.0.1 is taken`);
  expect(await greeting(port + 3)).toMatch(/^SSH-2\.0-Tributary/);

  first.child.kill("SIGINT");
  expect(await first.ended).toBe(0);
  expect(first.text()).toContain("goes on from here");

  writeFileSync(join(inbox, "meanwhile.txt"), "while it was off");
  unlinkSync(join(inbox, "hello.txt"));
  const second = start();
  await second.said(/meanwhile\.txt delivered/);
  await second.said(/hello\.txt removal recorded/);
  second.child.kill("SIGTERM");
  expect(await second.ended).toBe(0);
  await ok("receiver", ["verify", "--data", join(data, "receiver")]);

  const third = start();
  await third.said(/Ctrl-C stops both/);
  third.child.kill("SIGKILL");
  await until("the agent is gone", async () => {
    const status = await ok("agent", ["status", "--json", "--data", join(data, "agent")]);
    return !(JSON.parse(status) as { running: boolean }).running;
  });
  await until("the receiver is gone", () => isFree(port));
}, 180_000);

/** The first of two ports beside each other. */
async function freePorts(): Promise<number> {
  for (;;) {
    const port = await freePort();
    // For agents, the console, and SFTP.
    if ((await isFree(port + 1)) && (await isFree(port + 3))) return port;
  }
}

async function greeting(port: number): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  const [first] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return first.toString("latin1");
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
