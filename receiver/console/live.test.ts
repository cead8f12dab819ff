/** What open pages are told, what it costs, and when it ends. */
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { PassThrough } from "node:stream";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { Streams } from "../doors/streams.ts";
import { createLedger } from "../ledger/commit.ts";
import { sign, version } from "../ledger/samples.ts";
import { disable } from "../people/people.ts";
import { revokeSession, signOut } from "../people/sessions.ts";
import type { Asked } from "./console.ts";
import { Live, type Marks } from "./live.ts";
import { type ConsoleScene, startConsole, type Visitor } from "./scene.ts";

/** Pages over a ledger that is played. */
function played(most = 1000) {
  const ledger = {
    seq: 5,
    marks: { agents: "1", audit: "1" } as Marks,
    away: false,
    looks: 0,
    asked: async () => {},
  };
  const stopping = new AbortController();
  const allowed = new Set<string>();
  const live = new Live({
    seq: async () => {
      ledger.looks += 1;
      if (ledger.away) throw new Error("the ledger is away");
      return ledger.seq;
    },
    marks: async () => ledger.marks,
    allowed: async ({ session }) => {
      await ledger.asked();
      return allowed.has(session?.person.id ?? "");
    },
    streams: new Streams(most),
    stopping: stopping.signal,
  });
  onTestFinished(() => stopping.abort());
  const page = (person: string, reads = true) => {
    const outgoing = new PassThrough({ highWaterMark: 16 });
    const got: string[] = [];
    if (reads) outgoing.on("data", (chunk: Buffer) => got.push(chunk.toString()));
    Object.assign(outgoing, { writeHead: () => outgoing });
    allowed.add(person);
    const session = { person: { id: person } };
    const following = live.follow({ outgoing, session } as unknown as Asked);
    following.catch(() => {});
    return { outgoing, following, text: () => got.join("") };
  };
  return { live, ledger, page, allowed, stopping };
}

describe("open pages", () => {
  test("hear of arrivals once a second together, and of nothing that was before", async () => {
    const { ledger, page } = played();
    const one = page("p");
    await expect.poll(one.text).toContain("event: ready");
    ledger.seq = 8;
    ledger.seq = 105;
    await expect.poll(one.text).toContain('event: arrived\ndata: {"count":100}\n\n');
    ledger.marks = { agents: "2", audit: "1" };
    await expect.poll(one.text).toContain('event: changed\ndata: ["agents"]\n\n');
    expect(one.text().match(/event: /g)).toHaveLength(3);
  });

  test("cost one look a second, however many they are; and none when all are closed", async () => {
    const { live, ledger, page } = played();
    const begun = performance.now();
    const pages = Array.from({ length: 10 }, (_, i) => page(`p${i}`));
    for (const one of pages) await expect.poll(one.text).toContain("event: ready");
    ledger.seq = 6;
    for (const one of pages) await expect.poll(one.text).toContain("event: arrived");
    ledger.seq = 7;
    for (const one of pages) await expect.poll(() => one.text().match(/arrived/g)).toHaveLength(2);
    const seconds = (performance.now() - begun) / 1000;
    expect(ledger.looks).toBeLessThanOrEqual(1 + Math.ceil(seconds));
    for (const { outgoing } of pages) outgoing.destroy();
    await Promise.all(pages.map(({ following }) => following));
    expect(live.listening).toBe(0);
    // Whoever comes then hears of nothing that came meanwhile.
    ledger.seq = 100;
    const later = page("p");
    await expect.poll(later.text).toContain("event: ready");
    ledger.seq = 101;
    await expect.poll(later.text).toContain('{"count":1}');
  });

  test("ask a ledger that hangs once whether their person still may, and again when it has answered", async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { page, ledger } = played();
    const asks: (() => void)[] = [];
    ledger.asked = () => new Promise((resolve) => asks.push(resolve));
    page("p");
    await vi.advanceTimersByTimeAsync(20_000);
    expect(asks).toHaveLength(1);
    asks[0]?.();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(asks).toHaveLength(2);
  });

  test("go on when the ledger was away, and nobody's session ends by that", async () => {
    const { ledger, page } = played();
    const one = page("p");
    await expect.poll(one.text).toContain("event: ready");
    ledger.away = true;
    const { looks } = ledger;
    await expect.poll(() => ledger.looks).toBeGreaterThan(looks + 1);
    ledger.seq = 9;
    ledger.away = false;
    await expect.poll(one.text).toContain('{"count":4}');
    // One that came when it was away is open as well.
    ledger.away = true;
    const other = page("q");
    await expect.poll(other.text).toContain("event: ready");
  });

  test("that read nothing are not waited for", async () => {
    const { ledger, page, live } = played();
    const reads = page("p");
    const sleeps = page("q", false);
    await expect.poll(() => live.listening).toBe(2);
    await expect.poll(reads.text).toContain("event: ready");
    // So long that few of them are more than may lie unread.
    const topic = "x".repeat(40_000);
    for (let i = 0; !sleeps.outgoing.destroyed && i < 5; i += 1) {
      ledger.marks = { [topic]: i };
      await expect
        .poll(() => sleeps.outgoing.destroyed || reads.text().split(topic).length > i + 1)
        .toBe(true);
    }
    expect(sleeps.outgoing.destroyed).toBe(true);
    await sleeps.following;
    expect(live.listening).toBe(1);
    expect(reads.outgoing.destroyed).toBe(false);
  });

  test("end at a stop, also where nobody reads", async () => {
    const { page, stopping, live } = played();
    const pages = [page("p"), page("q", false)];
    await expect.poll(() => live.listening).toBe(2);
    stopping.abort();
    await Promise.all(pages.map(({ following }) => following));
    expect(live.listening).toBe(0);
  });

  test("are not without end, of one person and in all", async () => {
    const { page } = played(20);
    const own = Array.from({ length: 16 }, () => page("p"));
    await expect(page("p").following).rejects.toMatchObject({ code: "limit-requests" });
    for (let i = 0; i < 4; i += 1) page("q");
    await expect(page("q").following).rejects.toMatchObject({ code: "busy" });
    own[0]?.outgoing.destroy();
    await own[0]?.following;
    const again = page("p");
    await expect.poll(again.text).toContain("event: ready");
  });
});

interface Page {
  readonly text: () => string;
  readonly ended: () => boolean;
}

async function follow(scene: ConsoleScene, visitor: Visitor): Promise<Page> {
  const to = { agent: scene.agent, hostname: "127.0.0.1", port: scene.port, path: "/api/live" };
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ ...to, headers: visitor.headers("GET") }, resolve)
      .on("error", reject)
      .end();
  });
  let got = "";
  incoming.on("data", (chunk: Buffer) => {
    got += chunk.toString();
  });
  incoming.on("error", () => {});
  const page = { text: () => got, ended: () => incoming.readableEnded || incoming.destroyed };
  await expect.poll(page.text).toContain("event: ready");
  return page;
}

describe("a page of a real receiver", () => {
  test("hears of what arrives, and ends within 5 s of what shuts its person out", {
    timeout: 40_000,
  }, async () => {
    const scene = await startConsole();
    onTestFinished(() => scene.stop());
    const people = ["ada", "bob", "cyd", "dan", "eve"].map((name) => `${name}@example.com`);
    const [ada, bob, cyd] = await Promise.all(people.map((email) => scene.add(email, { role: "admin" })));
    const pages = await Promise.all(
      people.map(async (email) => await follow(scene, await scene.login(email))),
    );
    await createLedger(scene.rig.database).commit([version("a.csv", "a"), version("b.csv", "b")], sign);
    for (const page of pages) await expect.poll(page.text).toContain('event: arrived\ndata: {"count":2}');

    const { id } = await scene.db
      .selectFrom("people_sessions")
      .select("id")
      .where("person", "=", String(ada?.id))
      .executeTakeFirstOrThrow();
    await revokeSession(scene.db, String(ada?.id), id);
    await disable(scene.db, String(bob?.id));
    await signOut(scene.db, String(cyd?.id));
    await scene.db
      .updateTable("people")
      .set({ role: "uploader", client: "acme" })
      .where("email", "=", String(people[3]))
      .execute();
    // As long as a poll waits: 5 s.
    await Promise.all(pages.slice(0, 4).map((page) => expect.poll(page.ended).toBe(true)));
    for (const page of pages.slice(0, 4)) expect(page.text()).toContain("event: ended");
    expect(pages[4]?.ended()).toBe(false);
    await scene.rig.receiver.stop();
    await expect.poll(() => pages[4]?.ended()).toBe(true);
    expect(pages[4]?.text()).not.toContain("event: ended");
  });

  test("does not keep a session that nobody uses", { timeout: 30_000 }, async () => {
    const scene = await startConsole();
    onTestFinished(() => scene.stop());
    await scene.add("ada@example.com", { role: "viewer" });
    const page = await follow(scene, await scene.login("ada@example.com"));
    const soon = Date.now() + 6000;
    await scene.db.updateTable("people_sessions").set({ expires_at: soon, used_at: 5 }).execute();
    await vi.waitFor(() => expect(page.ended()).toBe(true), 15_000);
    expect(page.text()).toContain("event: ended");
  });
});
