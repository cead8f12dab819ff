import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openInstall } from "../install/install.ts";
import { type Rig, startRig } from "../rig.ts";
import { installDoor } from "./install.ts";

const DEB = "tributary-agent_0.1.0_amd64.deb";
const LARGE = "tributary-agent-0.1.0-linux-x64.tar.gz";
const sha256 = (bytes: string | Buffer): string => createHash("sha256").update(bytes).digest("hex");

let dir: string;
let rig: Rig;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "tributary-install-"));
  mkdirSync(join(dir, "install"));
  writeFileSync(join(dir, "install", DEB), "a package");
  writeFileSync(join(dir, "install", LARGE), Buffer.alloc(32 * 2 ** 20, "x"));
  writeFileSync(join(dir, "install", "SHA256SUMS"), "none");
  writeFileSync(join(dir, "secret"), "secret");
  rig = await startRig({
    doors: [installDoor({ install: openInstall([join(dir, "install")]), atOnce: 2, idle: 400 })],
  });
});
afterAll(async () => {
  await rig.stop();
  rmSync(dir, { recursive: true, force: true });
});

const openFiles = (): number =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(dir);
    } catch {
      return false;
    }
  }).length;

/** A reader that stops at its first byte. */
const begin = async (name: string): Promise<IncomingMessage> =>
  await new Promise((resolve, reject) => {
    const sent = request(`${rig.receiver.url}/install/${name}`, { ca: rig.ca, agent: false }, resolve);
    sent.on("error", reject).end();
  });

test("whole, in ranges, not again when it is known, without a body", async () => {
  const etag = `"${sha256("a package")}"`;
  const get = async (headers = {}, method = "GET") => await rig.ask(method, `/install/${DEB}`, headers);
  const whole = await get();
  expect([whole.status, whole.body.toString(), whole.headers.etag]).toEqual([200, "a package", etag]);
  expect([whole.headers["content-length"], whole.headers["accept-ranges"]]).toEqual(["9", "bytes"]);
  const range = await get({ range: "bytes=2-4" });
  expect([range.status, range.body.toString(), range.headers["content-range"]]).toEqual([
    206,
    "pac",
    "bytes 2-4/9",
  ]);
  expect((await get({ range: "bytes=9-" })).json.code).toBe("range-invalid");
  expect((await get({ "if-none-match": etag })).status).toBe(304);
  const head = await get({}, "HEAD");
  expect([head.status, head.headers["content-length"], head.body.length]).toEqual([200, "9", 0]);
  expect((await get({}, "PUT")).json.code).toBe("method-not-allowed");
  await expect.poll(openFiles).toBe(0);
});

test("the list is what sha256sum reads; the scripts are in it", async () => {
  const list = (await rig.ask("GET", "/install/")).body.toString();
  const script = await rig.ask("GET", "/install/linux.sh");
  expect(script.headers["content-type"]).toBe("text/plain; charset=utf-8");
  expect(list.split("\n")).toEqual([
    `${sha256(script.body)}  linux.sh`,
    expect.stringContaining(`  ${LARGE}`),
    `${sha256("a package")}  ${DEB}`,
    "",
  ]);
  const range = await rig.ask("GET", "/install/linux.sh", { range: "bytes=2-8" });
  expect(range.body.toString()).toBe("/bin/sh");
});

test.for([
  "SHA256SUMS",
  "windows.ps1",
  "..%2fsecret",
  "%2e%2e/secret",
  "../secret",
  `../install/${DEB}`,
  `%00${DEB}`,
  `${DEB}/`,
  `%zz`,
  "tributary-agent_9.9.9_amd64.deb",
])("%s is not there", async (name) => {
  const answer = await rig.ask("GET", `/install/${name}`);
  expect([answer.status, answer.json.code]).toEqual([404, "not-found"]);
});

test("so many at once, and who reads nothing is cut off", async () => {
  const readers = await Promise.all([begin(LARGE), begin(LARGE)]);
  const third = await rig.ask("GET", `/install/${LARGE}`);
  expect([third.status, third.json.code, third.headers["retry-after"]]).toEqual([503, "busy", "1"]);
  expect(third.json.detail).toBe("the receiver hands out 2 files at once; come again");
  // Only the receiver's side can see it: these two look at nothing that comes.
  await expect.poll(openFiles).toBe(0);
  const ends = readers.map(
    (reader) =>
      new Promise((resolve) =>
        reader
          .on("error", () => {})
          .on("close", resolve)
          .resume(),
      ),
  );
  await Promise.all(ends);
  expect(readers.map((reader) => reader.complete)).toEqual([false, false]);
  expect((await rig.ask("GET", `/install/${LARGE}`)).body.length).toBe(32 * 2 ** 20);
});

test("a package that shrinks while it is read does not look whole", async () => {
  const reader = await begin(LARGE);
  truncateSync(join(dir, "install", LARGE), 2 ** 20);
  const ended = new Promise((resolve) => reader.on("error", () => {}).on("close", resolve));
  reader.resume();
  await ended;
  expect(reader.complete).toBe(false);
  await expect.poll(openFiles).toBe(0);
});
