/** Who may do what, with real processes: copies are found out, revocation cuts what is open, trust moves. */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { caller } from "../site/caller.ts";
import { launch, ok, type Running, run, until } from "../site/process.ts";
import { makeSite, type Site } from "../site/site.ts";

describe("identity", () => {
  let site: Site;
  let receiver: Running;
  const running: Running[] = [];
  beforeEach(async () => {
    site = await makeSite({ receiver: { heartbeat: "500ms" } });
    await site.command("client", "add", "demo");
    await site.command("client", "add", "other");
    receiver = await site.serve();
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((p) => p.stop()));
    await receiver.stop();
    site.remove();
  });

  const folderWith = (name: string, ...files: string[]): string => {
    const folder = join(site.dir, name);
    mkdirSync(folder, { recursive: true });
    for (const file of files) writeFileSync(join(folder, file), file);
    return folder;
  };
  const start = async (agent: { run(): Promise<Running> }): Promise<Running> => {
    const started = await agent.run();
    running.push(started);
    return started;
  };
  const delivered = async (path: string): Promise<void> =>
    void (await until(`${path} delivered`, async () => (await site.history("--path", path)).length > 0, {
      everyMs: 300,
    }));
  const agents = async (): Promise<{ id: string; name: string; state: string }[]> =>
    (await site.command("agent", "list", "--json"))
      .split("\n")
      .map((line) => JSON.parse(line) as { id: string; name: string; state: string });

  test("a copied data folder is found out; both stop, queues kept; a new invitation moves the agent", {
    timeout: 120_000,
  }, async () => {
    const folder = folderWith("files", "first.txt");
    const agent = await site.agent("one", {
      clients: ["demo"],
      settings: { sources: [{ name: "files", path: folder, settle: "100ms", rescan: "2s" }] },
    });
    const original = await start(agent);
    await delivered("first.txt");
    await original.stop();
    const copy = join(site.dir, "copy");
    cpSync(agent.data, copy, { recursive: true });
    const first = await start(agent);
    const second = launch("agent", ["run", "--data", copy]);
    running.push(second);
    await until("the fork is shown", async () => (await agents()).some((a) => a.state === "forked"), {
      everyMs: 300,
    });
    const stopped = (agentProcess: Running): boolean => /forked|two hosts/i.test(agentProcess.stderr());
    await until("both know it", () => stopped(first) && stopped(second));
    writeFileSync(join(folder, "held.txt"), "held");
    await pause(3000);
    expect(await site.history("--path", "held.txt")).toEqual([]);
    await first.stop();
    await second.stop();
    const id = (await agents())[0]?.id as string;
    const code = await site.command("agent", "invite", "--client", "demo", "--replaces", id);
    await ok("agent", ["enroll", "-", "--data", agent.data], { stdin: code });
    await start(agent);
    await delivered("held.txt");
    expect(await agents()).toMatchObject([{ id, state: "active" }]);
    // The other copy has the old key: nobody knows it any more.
    const late = await run("agent", ["doctor", "--data", copy]);
    expect(late.code).toBe(1);
  });

  test("a revoked key loses its open upload and its event stream within 5 seconds", {
    timeout: 60_000,
  }, async () => {
    const key = await site.command("key", "add", "--client", "demo", "--scope", "write,read");
    const ca = readFileSync(site.ca);
    const open = (method: string, path: string, headers: Record<string, string>) => {
      const sent = request({
        host: "127.0.0.1",
        port: site.port,
        method,
        path,
        ca,
        headers: { authorization: `Bearer ${key}`, ...headers },
      });
      const closed = new Promise<number>((resolve) => {
        const from = performance.now();
        const end = (): void => resolve(performance.now() - from);
        sent.on("error", end);
        sent.on("response", (answer) => {
          answer.resume();
          answer.on("end", end);
          answer.on("error", end);
          answer.on("close", end);
        });
      });
      return { sent, closed };
    };
    const upload = open("PUT", "/v1/files/pos/endless.bin", { "transfer-encoding": "chunked" });
    const drip = setInterval(() => upload.sent.write(Buffer.alloc(20_000)), 100);
    const events = open("GET", "/v1/events", { accept: "text/event-stream" });
    events.sent.end();
    await pause(1500);
    const id = (
      JSON.parse((await site.command("key", "list", "--json")).split("\n")[0] as string) as { id: string }
    ).id;
    const from = performance.now();
    await site.command("key", "revoke", id);
    await Promise.all([upload.closed, events.closed]);
    clearInterval(drip);
    expect(performance.now() - from).toBeLessThan(6000);
    expect(await site.history()).toEqual([]);
    const api = caller(site, key);
    expect((await api.put("pos", "x", Buffer.from("x"))).status).toBe(401);
    await api.close();
  });

  test("a revoked agent is refused within 5 seconds and keeps its queue; a suspended client waits and goes on", {
    timeout: 90_000,
  }, async () => {
    const folder = folderWith("files", "1.txt");
    const agent = await site.agent("one", {
      clients: ["demo"],
      settings: { sources: [{ name: "files", path: folder, settle: "100ms", rescan: "2s" }] },
    });
    await start(agent);
    await delivered("1.txt");
    await site.command("client", "suspend", "demo");
    await pause(1000);
    writeFileSync(join(folder, "2.txt"), "2");
    await pause(2000);
    expect(await site.history("--path", "2.txt")).toEqual([]);
    await site.command("client", "resume", "demo");
    await delivered("2.txt");
    await site.command("agent", "revoke", (await agents())[0]?.id as string);
    await pause(5000);
    writeFileSync(join(folder, "3.txt"), "3");
    await pause(2000);
    expect(await site.history("--path", "3.txt")).toEqual([]);
    expect(await agent.command("status", "--json")).toMatch(/revoked/);
  });

  test("codes: used once, by one host, at their own receiver, in time", { timeout: 60_000 }, async () => {
    const code = await site.command("agent", "invite", "--client", "demo");
    await ok("agent", ["enroll", "-", "--data", join(site.dir, "first")], { stdin: code });
    // The same host may ask again (an answer got lost); another may not.
    const again = await run("agent", ["enroll", code, "--data", join(site.dir, "second")]);
    expect(again).toMatchObject({ code: 1 });
    expect(again.stderr).toMatch(/used/);
    const short = await site.command("agent", "invite", "--client", "demo", "--expires", "1s");
    await pause(1500);
    expect((await run("agent", ["enroll", short, "--data", join(site.dir, "third")])).stderr).toMatch(
      /was good until/,
    );
    const elsewhere = await makeSite();
    try {
      await elsewhere.command("client", "add", "demo");
      const theirs = await elsewhere.command("agent", "invite", "--client", "demo");
      // Our address, their pin: the authority seen is not the one that the code names.
      const parsed = JSON.parse(Buffer.from(theirs.slice(5), "base64url").toString()) as { url: string };
      const crossed = `trb1_${Buffer.from(JSON.stringify({ ...parsed, url: site.url })).toString("base64url")}`;
      const refused = await run("agent", ["enroll", crossed, "--data", join(site.dir, "fourth")]);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/trust|certificate|authority/i);
    } finally {
      elsewhere.remove();
    }
    const unknown = await run("agent", ["enroll", code.slice(0, -6), "--data", join(site.dir, "fifth")]);
    expect(unknown.code).toBe(2);
  });

  test("a house agent acts for two clients and for no third", { timeout: 60_000 }, async () => {
    await site.command("client", "add", "third");
    const [a, b] = [folderWith("a", "a.txt"), folderWith("b", "b.txt")];
    const agent = await site.agent("house", {
      clients: ["demo", "other"],
      settings: {
        sources: [
          { name: "files", client: "demo", path: a, settle: "100ms" },
          { name: "files", client: "other", path: b, settle: "100ms" },
        ],
      },
    });
    await start(agent);
    await delivered("a.txt");
    await delivered("b.txt");
    expect((await site.history("--client", "demo")).map((e) => e.path)).toEqual(["a.txt"]);
    expect((await site.history("--client", "other")).map((e) => e.path)).toEqual(["b.txt"]);
  });

  test("trust moves: the authority is rotated under a running agent", { timeout: 90_000 }, async () => {
    const folder = folderWith("files", "1.txt");
    const agent = await site.agent("one", {
      clients: ["demo"],
      settings: { sources: [{ name: "files", path: folder, settle: "100ms", rescan: "2s" }] },
    });
    const sender = await start(agent);
    await delivered("1.txt");
    await site.command("authority", "next");
    await until(
      "the agent knows the next authority",
      () => {
        const standing = join(agent.data, "standing.json");
        return existsSync(standing) && readFileSync(standing, "utf8").split("BEGIN CERTIFICATE").length > 2;
      },
      { everyMs: 200 },
    );
    // Refused until every agent has surely heard of it.
    const switched = async (): Promise<boolean> =>
      (await run("receiver", ["authority", "switch", ...site.at])).code === 0;
    await until("the switch is allowed", switched, { everyMs: 1000 });
    await receiver.stop();
    receiver = await site.serve();
    writeFileSync(join(folder, "2.txt"), "2");
    await delivered("2.txt");
    expect(sender.exited()).toBe(false);
  });
});
