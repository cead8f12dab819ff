import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { agentSettings } from "./config.ts";
import type { Fact } from "./facts.ts";
import { Sharing } from "./lease/sharing.ts";
import { openQueueFile } from "./queue/database.ts";
import { openQueue, queueOn, type SqliteQueue } from "./queue/sqlite.ts";
import { FreshBytes } from "./seal/fresh.ts";
import { PartHasher } from "./seal/part-hasher.ts";
import { Spool } from "./seal/spool.ts";
import { type Disk, realDisk } from "./source/disk.ts";
import { Sources, type SourcesParts } from "./sources.ts";

let home: string;
let queue: SqliteQueue;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "sources-"));
  for (const name of ["well", "hung"]) mkdirSync(join(home, name));
  queue = openQueue(join(home, "queue.sqlite"));
});
afterEach(() => {
  queue.close();
  rmSync(home, { recursive: true, force: true });
});

/** A disk on which looks at what is in `hung` never return. */
function hanging(): { readonly disk: Disk; calls(): number } {
  let calls = 0;
  const gate =
    <R>(call: (path: Buffer) => Promise<R>) =>
    async (path: Buffer): Promise<R> => {
      if (!path.toString().startsWith(join(home, "hung"))) return await call(path);
      calls += 1;
      return await new Promise<never>(() => undefined);
    };
  const { lstat, realPath, open } = realDisk;
  const disk = { ...realDisk, lstat: gate(lstat), realPath: gate(realPath), open: gate(open) };
  return { disk, calls: () => calls };
}

const NO_SECRETS = { read: () => Promise.reject(new Error("not asked for")) };

/** Nobody to share with. */
const share: SourcesParts["share"] = (events) => {
  const never = (): never => {
    throw new Error("nothing is shared here");
  };
  return new Sharing({
    ...events,
    ...{ openLeases: never, takeOver: never, waits: never, say: () => undefined, fault: never },
  });
};

const partsOf = (more: Partial<SourcesParts> = {}): SourcesParts => ({
  queue,
  spool: new Spool(join(home, "spool"), 1e9, new Set()),
  partHasher: new PartHasher(),
  fresh: new FreshBytes(),
  report: () => undefined,
  corrected: Date.now,
  data: join(home, "data"),
  secrets: NO_SECRETS,
  share,
  ...more,
});

test("a change that fails is told, and the next one is taken all the same", async () => {
  let broken = true;
  const sources = new Sources(
    partsOf({
      queue: {
        ...queue,
        intake(client, source) {
          if (broken) throw new TypeError("a fault of ours");
          return queue.intake(client, source);
        },
      },
    }),
  );
  writeFileSync(join(home, "well", "a"), "1");
  const settings = agentSettings.parse({
    sources: [{ name: "well", path: join(home, "well"), settle: "50ms" }],
  });
  await expect(sources.take(settings, ["acme"])).rejects.toThrow("a fault of ours");
  broken = false;
  await sources.take(settings, ["acme"]);
  await vi.waitFor(() => expect(queue.status.waiting(9).map(({ path }) => `${path}`)).toEqual(["a"]), 10_000);
  expect(await sources.stop(10_000)).toEqual([]);
});

test("a share that hangs holds up neither the other sources nor a stop", async () => {
  const { disk, calls } = hanging();
  const sources = new Sources(partsOf({ disk }));
  writeFileSync(join(home, "well", "a"), "1");
  const { sources: both } = agentSettings.parse({
    sources: ["well", "hung"].map((name) => ({ name, path: join(home, name), settle: "50ms", share: true })),
  });
  await sources.take({ ...agentSettings.parse({}), sources: both }, ["acme"]);
  await vi.waitFor(() => expect(queue.status.waiting(9).map(({ path }) => `${path}`)).toEqual(["a"]), 10_000);
  // Where it leads, and what it holds: each is asked once, however often the configuration changes.
  await sources.take({ ...agentSettings.parse({}), sources: both }, ["acme"]);
  await expect.poll(() => calls()).toBe(2);
  const began = performance.now();
  expect(await sources.stop(200)).toEqual(["hung"]);
  expect(performance.now() - began).toBeLessThan(5_000);
});

test("a source that finds no room on the disk is told, keeps no other from its work, and begins when there is room", async () => {
  const db = openQueueFile(join(home, "full.sqlite"));
  const full = queueOn(db);
  full.intake("acme", "well");
  const facts: Fact[] = [];
  const sources = new Sources({
    queue: full,
    spool: new Spool(join(home, "spool"), 1e9, new Set()),
    partHasher: new PartHasher(),
    fresh: new FreshBytes(),
    report: (fact) => facts.push(fact),
    corrected: Date.now,
    data: join(home, "data"),
    secrets: NO_SECRETS,
    share,
    againMs: 20,
  });
  db.pragma(`max_page_count = ${db.pragma("page_count", { simple: true })}`);
  // The page of the sources has room for some: the first that finds none.
  const name = Array.from({ length: 400 }, (_, i) => `${"n".repeat(59)}${i}`).find((one) => {
    try {
      return full.intake("acme", one) === undefined;
    } catch {
      return true;
    }
  }) as string;
  const parsed = agentSettings.parse({
    sources: [
      { name, path: join(home, "hung"), settle: "50ms" },
      { name: "well", path: join(home, "well"), settle: "50ms" },
    ],
  });
  await sources.take(parsed, ["acme"]);
  const states = () => sources.states().map((one) => `${one.name} ${one.reachable}`);
  expect(states()).toEqual(["well true", `${name} false`]);
  expect(sources.states().at(-1)?.reason).toContain("disk-full");
  expect(facts.filter(({ kind }) => kind === "SourceHealthChanged")).toHaveLength(1);
  db.pragma("max_page_count = 1000000");
  await vi.waitFor(() => expect(states()).toEqual(["well true", `${name} true`]), 10_000);
  await sources.stop(200);
  full.close();
});
