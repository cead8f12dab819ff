import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { agentSettings } from "./config.ts";
import type { Fact } from "./facts.ts";
import type { LeasesOptions } from "./lease/lease.ts";
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
    ...{ openLeases: never, takeOver: never, waits: never, say: () => undefined, warn: never, fault: never },
  });
};

const partsOf = (more: Partial<SourcesParts> = {}): SourcesParts => ({
  queue,
  spool: new Spool(join(home, "spool"), 1e9, new Map()),
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

test("what is wrong in a source that agent.yaml names no more is forgotten, and nothing else", async () => {
  const sources = new Sources(partsOf());
  const naming = (...names: string[]) =>
    agentSettings.parse({ sources: names.map((name) => ({ name, path: join(home, name), settle: "50ms" })) });
  for (const name of ["well", "hung"]) {
    queue.intake("acme", name);
    queue.book("acme", name).problem(Buffer.from("locked"), "file-unreadable", "EBUSY", 1);
  }
  const troubled = (): string[] => queue.status.problems(9).map(({ source }) => source);
  expect(troubled().toSorted()).toEqual(["hung", "well"]);
  await sources.take(naming("well", "hung"), ["acme"]);
  expect(troubled().toSorted()).toEqual(["hung", "well"]);
  await sources.take(naming("hung"), ["acme"]);
  expect(troubled()).toEqual(["hung"]);
  await sources.stop(10_000);
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
    spool: new Spool(join(home, "spool"), 1e9, new Map()),
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

/** Sources that others may have too, of a kind whose server nobody asks: leases as the test gives and takes them. */
describe("shared with other agents", () => {
  let events: Pick<LeasesOptions, "gained" | "lost">;
  let faults: unknown[];
  let stopped: boolean;
  let sources: Sources;
  const shared: SourcesParts["share"] = (parts) =>
    new Sharing({
      ...parts,
      openLeases: (given) => {
        events = given;
        return {
          want: () => undefined,
          released: () => undefined,
          refusedUnder: () => undefined,
          stop: async () => {
            stopped = true;
          },
        };
      },
      takeOver: () => Promise.resolve({ overtaken: 0, learned: 0 }),
      waits: () => false,
      say: () => undefined,
      warn: () => undefined,
      fault: (cause) => faults.push(cause),
    });
  const settings = (...names: string[]) =>
    agentSettings.parse({
      sources: names.map((name) => ({
        ...{ name, client: "acme", kind: "sftp", host: "127.0.0.1", port: 9, user: "u", path: "/out" },
        ...{ password: { env: "P" }, hostKey: [`SHA256:${"A".repeat(43)}`] },
      })),
    });
  const place = (source: string) => ({ client: "acme", source });
  const here = (name: string): boolean => sources.find("acme", name) !== undefined;
  const begin = (more: Partial<SourcesParts> = {}): void => {
    faults = [];
    stopped = false;
    sources = new Sources(partsOf({ share: shared, secrets: { read: () => Promise.resolve("p") }, ...more }));
  };
  afterEach(() => sources.stop(100));

  test("what is on its way when it stops leaves under its lease, which is given back then", async () => {
    begin();
    await sources.take(settings("erp"), ["acme", "bell"]);
    events.gained(place("erp"), 7);
    await expect.poll(() => here("erp")).toBe(true);
    await sources.stop(100);
    expect([sources.termOf("acme", "erp"), stopped]).toEqual([7, false]);
    await sources.giveBack();
    expect(stopped).toBe(true);
  });

  test("what waits of one that is taken out of agent.yaml does not leave without its lease, also after a start", async () => {
    begin();
    await sources.take(settings("erp"), ["acme", "bell"]);
    events.gained(place("erp"), 7);
    await expect.poll(() => here("erp")).toBe(true);
    expect(sources.termOf("acme", "erp")).toBe(7);
    await sources.take(settings(), ["acme", "bell"]);
    const refused = expect.objectContaining({ code: "lease-lost" });
    expect(() => sources.termOf("acme", "erp")).toThrow(refused);
    queue.close();
    queue = openQueue(join(home, "queue.sqlite"));
    begin();
    await sources.take(settings(), ["acme", "bell"]);
    expect(() => sources.termOf("acme", "erp")).toThrow(refused);
    expect(sources.termOf("acme", "never shared")).toBeUndefined();
    // No other agent has it: it may leave as it is, also when it is gone from the file then.
    const { sources: own } = settings("erp");
    await sources.take({ ...settings(), sources: own.map((one) => ({ ...one, lease: false })) as never }, [
      "acme",
    ]);
    expect(sources.termOf("acme", "erp")).toBeUndefined();
    await sources.take(settings(), ["acme"]);
    expect(sources.termOf("acme", "erp")).toBeUndefined();
  });

  test("an agent that acts for a second client shares from then on: what ran without a lease ends until there is one", async () => {
    begin();
    await sources.take(settings("erp"), ["acme"]);
    expect(here("erp")).toBe(true);
    await sources.take(settings("erp"), ["acme", "bell"]);
    expect(here("erp")).toBe(false);
    events.gained(place("erp"), 7);
    await expect.poll(() => here("erp")).toBe(true);
    await sources.take(settings("erp"), ["acme"]);
    expect(here("erp")).toBe(true);
    expect(sources.termOf("acme", "erp")).toBeUndefined();
  });

  test("one that cannot be begun is told, and ends nothing else", async () => {
    begin({
      queue: {
        ...queue,
        intake(client, source) {
          if (source === "erp") throw new TypeError("a fault of ours");
          return queue.intake(client, source);
        },
      },
    });
    await sources.take(settings("erp", "pos"), ["acme", "bell"]);
    events.gained(place("erp"), 7);
    events.gained(place("pos"), 8);
    await expect.poll(() => here("pos")).toBe(true);
    expect(faults).toEqual([new TypeError("a fault of ours")]);
  });

  test("one that found no room is begun when there is room", async () => {
    let full = true;
    begin({
      againMs: 20,
      queue: {
        ...queue,
        intake(client, source) {
          if (full) throw new ProblemError("disk-full", "no room");
          return queue.intake(client, source);
        },
      },
    });
    await sources.take(settings("erp"), ["acme", "bell"]);
    events.gained(place("erp"), 7);
    await expect.poll(() => sources.states()[0]?.reason).toContain("no room");
    full = false;
    await expect.poll(() => here("erp")).toBe(true);
  });
});
