import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redactor } from "@tributary/shared/redactor.ts";
import { Command } from "commander";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pendingKey, publicX, storeEnrolment } from "../identity/identity.ts";
import { openQueueFile } from "../queue/database.ts";
import { lookInto } from "../queue/sqlite.ts";
import { addScan } from "./scan.ts";

const writeOut = process.stdout.write.bind(process.stdout);
const writeErr = process.stderr.write.bind(process.stderr);
let dir: string;
let data: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tributary-scan-"));
  data = join(dir, "data");
  storeEnrolment(data, {
    agentId: "00000000-0000-4000-8000-000000000000",
    name: "a",
    site: "00000000-0000-4000-8000-000000000001",
    url: "https://127.0.0.1:1",
    codeSha256: "",
    publicKey: publicX(pendingKey(data)),
    clients: ["demo"],
    trust: { authorities: [], systemNamedAt: null },
    jwks: { keys: [] },
    nonce: "n",
    heartbeatSeconds: 10,
  });
});
afterEach(() => {
  process.stdout.write = writeOut;
  process.stderr.write = writeErr;
  process.exitCode = undefined;
  rmSync(dir, { recursive: true, force: true });
});

/** What `scan --dry-run` says of these sources, and its exit code. */
async function scanned(sources: readonly object[]): Promise<{ out: string; err: string; code: unknown }> {
  writeFileSync(join(data, "agent.yaml"), JSON.stringify({ sources }));
  let out = "";
  let err = "";
  process.stdout.write = (chunk: string | Uint8Array) => {
    out += String(chunk);
    return true;
  };
  process.stderr.write = (chunk: string | Uint8Array) => {
    err += String(chunk);
    return true;
  };
  const program = new Command().exitOverride();
  const look = (folder: string, client: string, source: string) =>
    lookInto(join(folder, "queue.sqlite"), client, source);
  addScan(program, look, new Redactor());
  await program.parseAsync(["scan", "--dry-run", "--data", data], { from: "user" });
  const code = process.exitCode;
  process.stdout.write = writeOut;
  process.stderr.write = writeErr;
  process.exitCode = undefined;
  return { out, err, code };
}

/** A folder with one file. */
function folder(name: string): string {
  const path = join(dir, name);
  mkdirSync(path);
  writeFileSync(join(path, `${name}.csv`), "1");
  return path;
}

test("a source that is not there does not hide the others; the exit code tells", async () => {
  const sources = [
    { name: "gone", path: join(dir, "missing") },
    { name: "other", path: folder("b"), client: "stranger" },
    { name: "here", path: folder("a") },
  ];
  const { out, err, code } = await scanned(sources);
  expect(out).toContain("here/a.csv");
  expect(err).toMatch(/^gone: .*\(source-unreachable\)$/m);
  expect(err).toMatch(/^other: .*for whom this agent does not act/m);
  expect(err).toContain("2 sources were not looked through");
  expect(code).toBe(1);
  expect((await scanned(sources.slice(2))).code).toBeUndefined();
});

test("looking writes nothing into the queue, and makes none", async () => {
  const source = { name: "here", path: folder("a") };
  await scanned([source]);
  const file = join(data, "queue.sqlite");
  expect(lookInto(file, "demo", "here")).toBeUndefined();
  const db = openQueueFile(file);
  db.prepare("INSERT INTO sources (client, name) VALUES ('demo', 'known')").run();
  await scanned([source, { ...source, name: "known" }]);
  expect(db.prepare("SELECT name FROM sources").pluck().all()).toEqual(["known"]);
  db.close();
});

test("what a link leads to is the agent's own, or where it moves files, as for run", async () => {
  const path = folder("a");
  mkdirSync(join(path, "done"));
  writeFileSync(join(path, "done", "moved.csv"), "1");
  symlinkSync(path, join(dir, "link"));
  const { out } = await scanned([{ name: "here", path, after: `move:${join(dir, "link", "done")}` }]);
  expect(out).toContain("here/a.csv");
  expect(out).not.toMatch(/capture .*moved.csv/);
});
