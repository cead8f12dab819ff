/** The main job, with real processes and real TLS: what happens in a client's folder is in the lake, with its history. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Entry } from "@tributary/shared/protocol.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { gather } from "../crash/evidence.ts";
import { judge } from "../crash/oracle.ts";
import { describeOnBackends, type Made } from "../site/backends.ts";
import { ok, type Running, run, until } from "../site/process.ts";
import { type Agent, get, type Site } from "../site/site.ts";

const lines = (text: string): Entry[] => text.split("\n").map((line) => JSON.parse(line) as Entry);
const sha256 = (bytes: Buffer | string): string => createHash("sha256").update(bytes).digest("hex");

describeOnBackends("a folder and its history", (backend) => {
  let site: Site;
  let emptyLedger: Made["emptyLedger"];
  let receiver: Running;
  let agent: Agent;
  let running: Running;
  let folder: string;

  beforeAll(async () => {
    ({ site, emptyLedger } = await backend.site());
    await site.command("client", "add", "demo");
    folder = join(site.dir, "exports");
    mkdirSync(folder);
    receiver = await site.serve();
    agent = await site.agent("shop", {
      clients: ["demo"],
      settings: { sources: [{ name: "pos", path: folder, settle: "200ms", rescan: "5s" }] },
    });
    running = await agent.run();
  });
  afterAll(async () => {
    await running?.stop();
    await receiver?.stop();
    site?.remove();
  });

  const historyOf = async (path: string, ...args: string[]): Promise<Entry[]> =>
    await site.history("--client", "demo", "--source", "pos", "--path", path, ...args);
  const arrived = async (path: string, count: number): Promise<Entry[]> =>
    await until(
      `${count} entries of ${path}`,
      async () => {
        const entries = await historyOf(path);
        return entries.length >= count && entries;
      },
      { withinMs: 30_000, everyMs: 200 },
    ).catch((cause) => {
      throw new Error(
        `${cause}\n--- agent\n${running.stderr().slice(-4000)}\n--- receiver\n${receiver.stderr().slice(-4000)}`,
      );
    });
  /** Replaces at once, as an honest producer does; half-made files lie outside the source. */
  const put = (path: string, bytes: Buffer | string): void => {
    writeFileSync(join(site.dir, "half-made"), bytes);
    renameSync(join(site.dir, "half-made"), join(folder, path));
  };

  test("a dropped file is in the lake with a receipt, byte for byte", async () => {
    put("day.csv", "a;b\n1;2\n");
    const [entry] = await arrived("day.csv", 1);
    expect(entry).toMatchObject({
      kind: "version",
      client: "demo",
      source: "pos",
      path: "day.csv",
      pathEncoded: "day.csv",
      size: 8,
      sha256: sha256("a;b\n1;2\n"),
    });
    expect(entry?.key).toMatch(
      /^raw\/client=demo\/source=pos\/date=\d{4}-\d\d-\d\d\/[0-9a-f-]{36}\/day\.csv$/,
    );
    expect(String(await site.lake.bytes(entry?.key as string))).toBe("a;b\n1;2\n");
    expect((await get(site, entry?.versionId as string)).toString()).toBe("a;b\n1;2\n");
  });

  test("A, B, A are three versions; touched only is none", async () => {
    for (const [i, content] of ["A", "B", "A"].entries()) {
      put("aba.txt", content);
      await arrived("aba.txt", i + 1);
    }
    utimesSync(join(folder, "aba.txt"), new Date(), new Date());
    put("after-touch.txt", "x");
    await arrived("after-touch.txt", 1);
    const entries = await historyOf("aba.txt");
    expect(entries.map((e) => e.sha256)).toEqual([sha256("A"), sha256("B"), sha256("A")]);
    expect(new Set(entries.map((e) => e.captureId)).size).toBe(3);
  });

  test("A, removal, A are three entries, and a removal is there within 15 seconds", async () => {
    put("gone.txt", "A");
    await arrived("gone.txt", 1);
    const from = performance.now();
    unlinkSync(join(folder, "gone.txt"));
    await arrived("gone.txt", 2);
    expect(performance.now() - from).toBeLessThan(15_000);
    put("gone.txt", "A");
    const entries = await arrived("gone.txt", 3);
    expect(entries.map((e) => e.kind)).toEqual(["version", "removal", "version"]);
  });

  test("the state at any instant, and the latest of each path", async () => {
    const entries = await historyOf("gone.txt");
    for (const [i, entry] of entries.entries()) {
      const then = await historyOf("gone.txt", "--as-of", entry.receivedAt);
      expect(then.at(-1)?.versionId).toBe(entry.versionId);
      expect(then).toHaveLength(i + 1);
      const latest = await historyOf("gone.txt", "--as-of", entry.receivedAt, "--latest");
      expect(latest.map((e) => e.versionId)).toEqual(entry.kind === "version" ? [entry.versionId] : []);
    }
    const latest = await site.history("--client", "demo", "--latest");
    expect(new Set(latest.map((e) => e.pathEncoded)).size).toBe(latest.length);
  });

  test("a renamed folder is removals and versions, nothing else", async () => {
    mkdirSync(join(folder, "old"));
    put("old/1.txt", "one");
    put("old/2.txt", "two");
    await arrived("old/2.txt", 1);
    await arrived("old/1.txt", 1);
    renameSync(join(folder, "old"), join(folder, "new"));
    expect((await arrived("old/1.txt", 2)).map((e) => e.kind)).toEqual(["version", "removal"]);
    await arrived("old/2.txt", 2);
    expect((await arrived("new/1.txt", 1))[0]?.sha256).toBe(sha256("one"));
    await arrived("new/2.txt", 1);
    rmSync(join(folder, "new"), { recursive: true });
    await arrived("new/1.txt", 2);
  });

  test("20 MB in parts, and an agent that was away catches up", async () => {
    expect(await running.stop()).toBe(0);
    const bytes = Buffer.alloc(20_000_000, Buffer.from([...Array(251).keys()]));
    put("large.bin", bytes);
    put("while-away.txt", "x");
    unlinkSync(join(folder, "aba.txt"));
    running = await agent.run();
    const [entry] = await arrived("large.bin", 1);
    expect(entry?.sha256).toBe(sha256(bytes));
    expect(sha256(await get(site, entry?.versionId as string))).toBe(sha256(bytes));
    await arrived("while-away.txt", 1);
    expect((await arrived("aba.txt", 4)).at(-1)?.kind).toBe("removal");
  });

  test("the receiver away: nothing is lost, everything arrives in order when it is back", async () => {
    expect(await receiver.stop()).toBe(0);
    put("later.txt", "1");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    receiver = await site.serve();
    expect((await arrived("later.txt", 1))[0]?.sha256).toBe(sha256("1"));
  });

  test("verify finds a spoiled object, and passes when all is well", async () => {
    await site.command("verify");
    const entry = (await historyOf("day.csv"))[0] as Entry;
    const ran = await run("receiver", ["get", entry.versionId, "--out", join(site.dir, "copy"), ...site.at]);
    expect(ran.code).toBe(0);
    expect(readFileSync(join(site.dir, "copy"), "utf8")).toBe("a;b\n1;2\n");
  });

  test("lake, manifest and ledger say the same; from the lake alone the ledger can be rebuilt", async () => {
    const before = await site.history();
    const found = await gather(before, site.lake, []);
    const truth = new Map(
      Map.groupBy(before, (e) => e.pathEncoded)
        .entries()
        .map(([path, list]) => [
          path,
          list.map((e) => ({ sha256: e.kind === "removal" ? null : e.sha256, settled: true })),
        ]),
    );
    expect(judge(truth, found)).toEqual([]);
    // serve holds the site: rebuild must refuse beside it.
    expect((await run("receiver", ["rebuild", ...site.at])).code).toBe(1);
    expect(await running.stop()).toBe(0);
    const backup = join(site.dir, "backup.gz");
    await site.command("backup", backup);
    expect(await receiver.stop()).toBe(0);

    const empty = site.variant("rebuilt", await emptyLedger());
    await ok("receiver", ["rebuild", ...empty]);
    expect(lines(await ok("receiver", ["history", "--json", ...empty]))).toEqual(before);
    await ok("receiver", ["verify", ...empty]);
    const restored = site.variant("restored", await emptyLedger());
    await ok("receiver", ["restore", backup, ...restored]);
    expect(lines(await ok("receiver", ["history", "--json", ...restored]))).toEqual(before);
    expect(await ok("receiver", ["agent", "list", "--json", ...restored])).toContain("shop");
    receiver = await site.serve();
    running = await agent.run();
    put("after.txt", "still working");
    await arrived("after.txt", 1);
  });
});
