/** The packaged receiver has the console in it: its pages, and the login, whose library is loaded at the first request. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Pool } from "undici";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { freePort, until } from "../site/process.ts";

const PASSWORD = "rivers carry what they are given";

let dir: string;
let receiver: ChildProcess;
let pool: Pool;
let origin: string;
let secret: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "tributary-console-"));
  const [ingest, port] = [await freePort(), await freePort()];
  const config = join(dir, "receiver.yaml");
  writeFileSync(config, `listen: { ingest: "127.0.0.1:${ingest}", console: "127.0.0.1:${port}" }\n`);
  const program = join(inject("packages").dist, "tributary-receiver-linux-x64");
  receiver = spawn(program, ["serve", "--data", dir, "--config", config], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  receiver.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  secret = await until("the first administrator's link", () => {
    if (receiver.exitCode !== null) throw new Error(said);
    return /\/welcome#(\S+)\n[\s\S]*^ready$/m.exec(said)?.[1];
  });
  origin = `https://localhost:${port}`;
  pool = new Pool(origin, { connect: { ca: readFileSync(join(dir, "keys/ca.pem"), "utf8") } });
});
afterAll(async () => {
  await pool?.close();
  if (receiver?.exitCode === null) {
    const ended = once(receiver, "exit");
    receiver.kill("SIGTERM");
    await ended;
  }
  rmSync(dir, { recursive: true, force: true });
});

async function ask(method: "GET" | "POST", path: string, body?: object, cookie = "") {
  const headers = { origin, cookie, "content-type": "application/json" };
  const sent = body === undefined ? null : JSON.stringify(body);
  const answer = await pool.request({ method, path, headers, body: sent });
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
}

test("the pages are served, with every script and style that they name", async () => {
  const { status, text } = await ask("GET", "/clients");
  expect({ status, text }).toMatchObject({ status: 200, text: expect.stringContaining('id="root"') });
  const named = [...text.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path as string);
  expect(named.length).toBeGreaterThan(2);
  for (const path of named) expect({ path, ...(await ask("GET", path)) }).toMatchObject({ status: 200 });
});

test("the first administrator comes in", async () => {
  const joined = { secret, name: "Ada", email: "ada@example.com", password: PASSWORD };
  expect(await ask("POST", "/api/welcome/accept", joined)).toMatchObject({ status: 200 });
  const entered = await ask("POST", "/api/auth/sign-in/email", {
    email: joined.email,
    password: PASSWORD,
  });
  expect(entered).toMatchObject({ status: 200 });
  const cookie = [entered.headers["set-cookie"] ?? []]
    .flat()
    .map((one) => one.split(";")[0])
    .join("; ");
  const me = await ask("GET", "/api/me", undefined, cookie);
  expect(JSON.parse(me.text)).toMatchObject({ email: joined.email, role: "admin" });
});
