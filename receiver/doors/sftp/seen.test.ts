/** What is there for whom: names that look like others', what an account is bound to, and what is told although nothing new came. */
import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import type { SftpSession, SftpStatus } from "@tributary/test/site/sftp.ts";
import { attributes, OPEN, STATUS, string, TYPE } from "@tributary/test/site/sftp-wire.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openPostgres } from "../../ledger/postgres.ts";
import { type Rig, startRig } from "../../rig.ts";
import { SftpScene } from "./scene.ts";

let rig: Rig;
let scene: SftpScene;
beforeEach(async () => {
  scene = new SftpScene();
  rig = await startRig({ sftp: scene });
});
afterEach(async () => {
  expect(scene.faults).toEqual([]);
  await rig.stop();
});

const text = (words: string): Buffer => Buffer.from(words);
const absent = { status: STATUS.noSuchFile } satisfies Partial<SftpStatus>;

async function namesIn(session: SftpSession, path: string): Promise<string[]> {
  return (await session.list(path))
    .map(({ name }) => name.toString())
    .filter((name) => !/^\.\.?$/.test(name));
}

/** Of a key that may write and read: what other doors bring. */
async function send(source: string, path: string, words: string): Promise<string> {
  const authorization = "Bearer reader";
  const { json, status } = await rig.ask("PUT", `/v1/files/${source}/${path}`, { authorization }, words);
  expect(status).toBe(201);
  return String(json.versionId);
}

const bound = (source: string) => {
  const account = scene.account("bound");
  return { ...account, defaultSource: source, principal: { ...account.principal, source } };
};

test("who is bound to a source reads no version of another, though it knows which there is", async () => {
  const versionId = await send("hq", "wages.csv", "secret");
  const all = await scene.session(scene.account("all"));
  const [name = ""] = await namesIn(all, "/.history/hq/wages.csv");
  expect(name).toContain(versionId);
  expect(await all.get(`/.history/hq/wages.csv/${name}`)).toEqual(text("secret"));
  const one = await scene.session(bound("till"));
  await expect(one.stat(`/.history/hq/wages.csv/${name}`)).rejects.toMatchObject(absent);
  await expect(one.get(`/.history/hq/wages.csv/${name}`)).rejects.toMatchObject(absent);
});

test("a path in .history may be called as versions are", async () => {
  const versionId = await send("hq", "a.csv", "1");
  const all = await scene.session(scene.account("all"));
  const [name = ""] = await namesIn(all, "/.history/hq/a.csv");
  await send("hq", `old/${name}`, "2");
  expect(await namesIn(all, "/.history/hq/old")).toEqual([name]);
  const [second = ""] = await namesIn(all, `/.history/hq/old/${name}`);
  expect(await all.get(`/.history/hq/old/${name}/${second}`)).toEqual(text("2"));
  expect(second).not.toContain(versionId);
});

test("in / nothing is listed that cannot be reached there", async () => {
  await send("in", ".history/x", "x");
  await send("in", ".receipts", "x");
  await send("in", "a.csv", "x");
  const free = await scene.session(scene.account("free"));
  expect(await namesIn(free, "/")).toEqual(["a.csv"]);
  expect(await namesIn(free, "/in")).toEqual([".history", ".receipts", "a.csv"]);
  const one = await scene.session(bound("in"));
  expect(await namesIn(one, "/")).toEqual(["a.csv"]);
  expect(await one.get("/in/.history/x")).toEqual(text("x"));
});

test("a folder of the default source is not in /, and in no way of a source of its name", async () => {
  await send("in", "pos/a.csv", "of in");
  const all = await scene.session(scene.account("all"));
  expect(await namesIn(all, "/")).toEqual([]);
  await expect(all.stat("/pos")).rejects.toMatchObject(absent);
  await expect(all.put("/pos", text("hidden"))).rejects.toThrow(/is a folder/);
  await all.put("/x", text("x"));
  await expect(all.rename("/x", "/pos", true)).rejects.toThrow(/is a folder/);
  await all.mkdir("/pos");
  expect(await all.put("/pos/a.csv", text("of pos"))).toMatch(/^created /);
  expect(await all.get("/in/pos/a.csv")).toEqual(text("of in"));
  expect(await all.get("/pos/a.csv")).toEqual(text("of pos"));
});

test("the time of what is sent again unchanged is remembered, or it would be sent for ever", async () => {
  const one = await scene.session(scene.account("one"));
  const sent = async (modified: number): Promise<string> => {
    const handle = await one.open("/in/a.csv");
    await one.write(handle, text("as before"));
    await one.ask(TYPE.fsetstat, string(handle), attributes({ modified }));
    return await one.shut(handle);
  };
  expect(await sent(1_000_000_000)).toMatch(/^created /);
  expect(await sent(1_500_000_000)).toMatch(/^unchanged /);
  expect(await one.stat("/in/a.csv")).toMatchObject({ modified: 1_500_000_000 });
  // Under another name first, as WinSCP does.
  const handle = await one.open("/in/a.csv.filepart");
  await one.write(handle, text("as before"));
  await one.ask(TYPE.fsetstat, string(handle), attributes({ modified: 1_600_000_000 }));
  await one.shut(handle);
  expect(await one.rename("/in/a.csv.filepart", "/in/a.csv", true)).toMatch(/^unchanged /);
  expect(await one.stat("/in/a.csv")).toMatchObject({ modified: 1_600_000_000 });
});

test("a folder is not renamed into itself", async () => {
  const one = await scene.session(scene.account("one"));
  await one.mkdir("/in/a");
  await expect(one.rename("/in/a", "/in/a/b")).rejects.toThrow(/itself/);
  expect(await namesIn(one, "/in/a")).toEqual([]);
});

test("a version of a name without an end takes no time to list", async () => {
  const path = "a".repeat(4000);
  const one = await scene.session(scene.account("one"));
  for (let i = 0; i < 40; i += 1) await one.put(`/in/${path}`, text(`${i}`));
  const from = performance.now();
  expect(await namesIn(one, `/.history/in/${path}`)).toHaveLength(40);
  expect(performance.now() - from).toBeLessThan(200);
});

test("a file below which something is under way is a folder to a look, as to a listing", async () => {
  const one = await scene.session(scene.account("one"));
  await one.put("/in/a", text("a"));
  await one.write(await one.open("/in/a/b"), text("b"));
  const [listed] = (await one.list("/in")).filter(({ name }) => name.toString() === "a");
  expect((await one.stat("/in/a")).permissions).toBe(listed?.attributes.permissions);
});

test("an account has so many folders open to list, over all its sessions, because a page waits in each", async () => {
  const account = scene.account("one");
  const [a, b] = [await scene.session(account), await scene.session(account)];
  const opened = async (session: SftpSession, path: string) => await session.ask(TYPE.opendir, string(path));
  const handles: Buffer[] = [];
  for (let i = 0; i < 64; i += 1) {
    const answer = await opened(i % 2 ? a : b, i % 3 ? "/" : "/.history");
    if (answer.kind === "handle") handles.push(answer.handle);
  }
  expect(handles).toHaveLength(64);
  await expect(a.list("/")).rejects.toMatchObject({ code: "limit-concurrent" });
  await expect(a.list("/.receipts")).rejects.toMatchObject({ code: "limit-concurrent" });
  const other = await scene.session(scene.account("other"));
  expect(await namesIn(other, "/")).toEqual([]);
  await b.shut(handles[0] as Buffer);
  expect(await namesIn(a, "/")).toEqual([]);
  await b.cut();
  for (let i = 0; i < 32; i += 1) expect(await opened(a, "/")).toMatchObject({ kind: "handle" });
  await expect(a.list("/")).rejects.toMatchObject({ code: "limit-concurrent" });
});

describeWithPostgres("postgres", (server) => {
  test("names that no database takes are names of nothing", async () => {
    await rig.stop();
    scene = new SftpScene();
    rig = await startRig({ sftp: scene, database: await openPostgres(await freshDatabase(server)) });
    const one = await scene.session(scene.account("one"));
    for (const path of ["/\0", "/a\0/b", "/in/\0", "/.history/\0", "/.history/in/\0", "/\xff\xfe"]) {
      await expect(one.stat(path)).rejects.toMatchObject(absent);
      await expect(one.list(path)).rejects.toMatchObject(absent);
      await expect(one.open(path, OPEN.read)).rejects.toMatchObject(absent);
    }
  });
});
