import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Fact } from "../facts.ts";
import type { ParcelEnd } from "../queue/queue.ts";
import { openQueue, type SqliteQueue } from "../queue/sqlite.ts";
import { type FakePlace, fakePlace, fakeRemote } from "../remote/fake-remote.ts";
import { RemoteError } from "../remote/remote.ts";
import { remoteSource } from "../remote/remote-source.ts";
import { FreshBytes } from "../seal/fresh.ts";
import { PartHasher } from "../seal/part-hasher.ts";
import { Spool } from "../seal/spool.ts";
import { key } from "../source/bytes.ts";
import type { FileState } from "../source/state.ts";
import { type Capture, startCapture } from "./capture.ts";
import type { CaptureRules } from "./rules.ts";
import { everyMs } from "./schedule.ts";

const DELIVERED: ParcelEnd = {
  kind: "delivered",
  receipt: "r",
  versionId: "v",
  status: "new",
  receivedAt: "2026-01-01T00:00:00.000Z",
  at: 1,
};

describe("capture of a place far away", () => {
  let home: string;
  let queue: SqliteQueue;
  let spool: Spool;
  let facts: Fact[];
  let place: FakePlace;
  let capture: Capture | undefined;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "capture-remote-"));
    open();
    facts = [];
    place = fakePlace();
  });
  afterEach(async () => {
    await capture?.stop(10_000);
    queue.close();
    rmSync(home, { recursive: true, force: true });
  });

  function open(mostBytes = 1e9): void {
    queue = openQueue(join(home, "queue.sqlite"));
    spool = new Spool(join(home, "spool"), mostBytes, queue.status.spooled(), queue.status.begun());
  }
  function start(more: Partial<CaptureRules> = {}, most = 10_000): Capture {
    const rules: CaptureRules = {
      settleMs: 20,
      snapshotMs: undefined,
      rehashMs: undefined,
      removals: true,
      copy: true,
      after: undefined,
      schedule: everyMs(60_000),
      near: false,
      watch: false,
      parallel: 4,
      accept: "accepted",
      ...more,
    };
    capture = startCapture({
      source: remoteSource({
        name: "erp",
        remote: fakeRemote(place),
        root: "",
        include: [],
        exclude: [],
        ignored: [],
        folder: join(home, "listings"),
        // What is left alone for seconds is so for a tenth of them.
        now: () => performance.now() * 10,
      }),
      rules,
      intake: queue.intake("acme", "erp"),
      book: queue.book("acme", "erp"),
      fetches: queue.fetches("acme", "erp"),
      spool,
      fresh: new FreshBytes(),
      partHasher: new PartHasher(),
      onEnd: queue.onEnd,
      report: (fact) => facts.push(fact),
      corrected: Date.now,
      most,
    });
    return capture;
  }
  const waiting = (): string[] =>
    queue.status.waiting(1000).map((p) => `${p.kind === "removal" ? "-" : ""}${p.path}`);
  const contents = (): string[] =>
    queue.outbox.take(1000, Date.now()).map(({ parcel }) => {
      queue.outbox.giveBack([parcel.captureId]);
      if (parcel.kind === "removal") return `-${parcel.path}`;
      return `${parcel.path}=${readFileSync(spool.pathOf(parcel.spooled as string))}`;
    });
  /** Delivers all that waits, in its order. */
  function deliver(): string[] {
    const sent: string[] = [];
    for (
      let some = queue.outbox.take(1000, Date.now());
      some.length > 0;
      some = queue.outbox.take(1000, Date.now())
    )
      for (const { parcel } of some) {
        sent.push(
          parcel.kind === "removal"
            ? `-${parcel.path}`
            : `${parcel.path}=${readFileSync(spool.pathOf(parcel.spooled as string))}`,
        );
        queue.outbox.end(parcel.captureId, DELIVERED);
      }
    return sent;
  }
  const poll = (what: () => unknown) => expect.poll(what, { timeout: 10_000, interval: 20 });

  test("files are fetched into the spool, and a changed one again", async () => {
    place.put("a.csv", "one");
    place.put("in/b.csv", "two");
    start();
    await poll(waiting).toHaveLength(2);
    expect(contents().sort()).toEqual(["a.csv=one", "in/b.csv=two"]);
    place.put("a.csv", "three");
    await capture?.scanNow();
    await poll(waiting).toHaveLength(3);
  });

  test("a place that is away keeps what waits, removes nothing, blames no file, and says why", async () => {
    for (let i = 0; i < 50; i += 1) place.put(`f${i}`, "x");
    start();
    await poll(waiting).toHaveLength(50);
    deliver();
    for (let i = 0; i < 50; i += 1) place.put(`g${i}`, "y");
    place.onPiece = () => {
      place.away = "erp.example.com does not answer";
    };
    await capture?.scanNow();
    await poll(() => capture?.state().reason).toBe("erp.example.com does not answer");
    expect(capture?.state().reachable).toBe(false);
    await capture?.scanNow();
    expect(queue.status.problems(100).map(({ code, path }) => `${path}: ${code}`)).toEqual([
      ": source-unreachable",
    ]);
    expect(waiting().filter((one) => one.startsWith("-"))).toEqual([]);
    place.onPiece = () => undefined;
    place.away = undefined;
    await poll(() => waiting().length).toBe(50);
    await poll(() => capture?.state().reason).toBeUndefined();
  }, 30_000);

  test("a place that shows nothing at all removes nothing for an hour; one that shows something removes what is missing", async () => {
    for (const name of ["a", "b", "c"]) place.put(name, name);
    start();
    await poll(waiting).toHaveLength(3);
    deliver();
    const files = [...place.files];
    place.files.clear();
    await capture?.scanNow();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await capture?.scanNow();
    expect(waiting()).toEqual([]);
    for (const [name, file] of files.slice(1)) place.files.set(name, file);
    await capture?.scanNow();
    await poll(waiting).toEqual(["-a"]);
  });

  test("a file at which the server falls silent each time is said to be the trouble; the others arrive", async () => {
    place.put("poison", "x");
    place.onPiece = (path) => {
      if (String(path) === "poison") throw new RemoteError("away", "erp.example.com fell silent");
    };
    start();
    for (let i = 0; i < 4; i += 1) {
      place.put(`f${i}`, "y");
      const looked = async () => {
        await capture?.scanNow();
        return waiting().length;
      };
      await expect.poll(looked, { timeout: 20_000, interval: 200 }).toBeGreaterThan(i);
    }
    const said = () => queue.status.problems(9).map(({ code, path }) => `${path}: ${code}`);
    await expect.poll(said, { timeout: 40_000 }).toContain("poison: file-unreadable");
  }, 120_000);

  test("a look that was cut short is none, and the next one comes soon, whatever was planned", async () => {
    place.put("in/a", "1");
    place.onList = (folder) => {
      if (folder.length > 0) place.away = "erp.example.com does not answer";
    };
    start({ schedule: { firstMs: () => 0, nextMs: () => 86_400_000 } });
    await poll(() => capture?.state().reason).toBe("erp.example.com does not answer");
    const { lastScanAt, nextScanAt } = capture?.state() ?? {};
    expect(lastScanAt).toBeUndefined();
    expect(nextScanAt).toBeLessThan(Date.now() + 20_000);
    expect(queue.book("acme", "erp").lastScanAt()).toBeUndefined();
    place.away = undefined;
    place.onList = () => undefined;
    await new Promise((resolve) => setTimeout(resolve, 600));
    await capture?.scanNow();
    await poll(waiting).toEqual(["in/a"]);
    await poll(() => capture?.state().nextScanAt).toBeGreaterThan(Date.now() + 80_000_000);
  });

  test("another place under the same name removes nothing until it is accepted", async () => {
    place.put("a", "1");
    start();
    await poll(waiting).toHaveLength(1);
    deliver();
    place.identity = "fake://another";
    place.files.clear();
    place.put("b", "2");
    await capture?.scanNow();
    await poll(waiting).toEqual(["b"]);
    await capture?.scanNow();
    expect(queue.status.problems(9).map(({ code }) => code)).toEqual(["root-changed"]);
    queue.book("acme", "erp").recordRoot(undefined);
    await capture?.scanNow();
    await poll(() => waiting().sort()).toEqual(["-a", "b"]);
  });

  test("a file that was half fetched goes on after a crash, from what was durable", async () => {
    const bytes = Buffer.alloc(50_000_000);
    for (let i = 0; i < bytes.length; i += 4) bytes.writeUInt32LE(i, i);
    place.put("big", bytes);
    const gate = Promise.withResolvers<void>();
    place.onPiece = (_, at) => (at >= 40_000_000 ? gate.promise : undefined);
    const first = start();
    await poll(() => queue.fetches("acme", "erp").get(Buffer.from("big"))?.bytes ?? 0).toBeGreaterThan(30e6);
    await poll(() => place.given).toBe(40_000_000);
    // As after a kill: nothing is told to anybody, the queue is opened anew.
    void first.stop(0);
    queue.close();
    open();
    const durable = queue.fetches("acme", "erp").get(Buffer.from("big"))?.bytes as number;
    place.onPiece = () => undefined;
    place.given = 0;
    start();
    await poll(waiting).toEqual(["big"]);
    expect(place.given).toBe(bytes.length - durable);
    const [one] = queue.outbox.take(1, Date.now());
    if (one?.parcel.kind !== "version") throw new Error("no version");
    expect(readFileSync(spool.pathOf(one.parcel.spooled as string)).equals(bytes)).toBe(true);
    expect(queue.fetches("acme", "erp").all()).toEqual([]);
    expect(readdirSync(spool.folder)).toHaveLength(1);
    gate.reject(new Error("the process is gone"));
  }, 30_000);

  test("a file that was cut goes on where it was, and one that was changed since begins anew", async () => {
    const bytes = Buffer.alloc(10_000_000, "abc");
    let cuts = 1;
    place.put("big", bytes);
    place.onPiece = (_, at) => {
      if (at < 8_000_000 || cuts === 0) return;
      cuts -= 1;
      throw new Error("the line was cut");
    };
    start();
    await poll(waiting).toEqual(["big"]);
    // What came of the piece that was cut is asked for again.
    expect(place.given).toBeLessThan(bytes.length + 600_000);
    place.put("big", Buffer.alloc(10_000_000, "xyz"));
    cuts = 1;
    place.given = 0;
    const before = place.onPiece;
    place.onPiece = (path, at) => {
      if (at >= 8_000_000 && cuts === 1) place.put("big", Buffer.alloc(9_000_000, "new"));
      return before(path, at);
    };
    await capture?.scanNow();
    await poll(waiting).toEqual(["big", "big"]);
    expect(contents()[0]?.slice(0, 10)).toBe("big=abcabc");
    expect(queue.fetches("acme", "erp").all()).toEqual([]);
    expect(readdirSync(spool.folder)).toHaveLength(2);
    expect(place.given).toBe(8_000_000 + 9_000_000);
  }, 30_000);

  test("what was begun of a file that is gone is given up", async () => {
    place.put("big", Buffer.alloc(10_000_000));
    place.onPiece = (_, at) => {
      if (at >= 8_000_000) throw new Error("the line was cut");
    };
    start();
    await poll(() => queue.fetches("acme", "erp").all().length).toBe(1);
    place.files.clear();
    await capture?.scanNow();
    await poll(() => queue.fetches("acme", "erp").all().length).toBe(0);
    await poll(() => readdirSync(spool.folder)).toEqual([]);
  }, 30_000);

  test("what was begun of a file keeps neither its own rest nor other files out of a spool that is nearly full", async () => {
    spool.bound(12_000_000);
    let cut = true;
    place.put("big", Buffer.alloc(10_000_000));
    place.onPiece = (path, at) => {
      if (cut && String(path) === "big" && at >= 8_000_000) throw new Error("the line was cut");
    };
    start();
    await poll(() => queue.fetches("acme", "erp").all().length).toBe(1);
    place.put("other", Buffer.alloc(5_000_000));
    await capture?.scanNow();
    await poll(waiting).toEqual(["other"]);
    expect(spool.used).toBeLessThanOrEqual(12_000_000);
    await capture?.stop(1_000);
    queue.close();
    open(12_000_000);
    start();
    await poll(() => queue.status.problems(9).map(({ code }) => code)).toEqual(["spool-full"]);
    deliver();
    await poll(() => queue.status.problems(9).map(({ code }) => code)).toEqual(["file-unreadable"]);
    await capture?.stop(1_000);
    queue.close();
    open(12_000_000);
    place.given = 0;
    cut = false;
    start();
    await poll(waiting).toEqual(["big"]);
    expect(place.given).toBeLessThan(3_000_000);
  }, 30_000);

  test("a server that gives more than it says is not believed at a second try either", async () => {
    place.put("big", Buffer.alloc(6_000_000), { size: 5_000_000 });
    start();
    await poll(() => queue.status.problems(9).map(({ detail }) => detail)).toEqual([
      expect.stringContaining("and gives more"),
    ]);
    place.given = 0;
    await poll(() => place.given).toBeGreaterThan(0);
    await poll(() => queue.status.problems(9).length).toBe(1);
    expect(waiting()).toEqual([]);
  }, 30_000);

  test("what was begun of a file that is as it was sealed again is given up", async () => {
    place.put("big", Buffer.alloc(10_000_000));
    start();
    await poll(waiting).toHaveLength(1);
    const before = place.files.get("big");
    if (before === undefined) throw new Error("no file");
    place.put("big", Buffer.alloc(10_000_000, "x"));
    place.onPiece = (_, at) => {
      if (at >= 8_000_000) throw new Error("the line was cut");
    };
    await capture?.scanNow();
    await poll(() => queue.fetches("acme", "erp").all().length).toBe(1);
    place.files.set("big", before);
    await capture?.scanNow();
    await poll(() => queue.fetches("acme", "erp").all().length).toBe(0);
    await poll(() => readdirSync(spool.folder).length).toBe(1);
  }, 30_000);

  test("where the content has an id, another time alone is nothing new, and nothing is read", async () => {
    place = fakePlace({ contentIds: true });
    place.put("a", "one", { fileId: 7n });
    start();
    await poll(waiting).toHaveLength(1);
    place.put("a", "one", { fileId: 7n });
    const given = place.given;
    await capture?.scanNow();
    await poll(() => queue.intake("acme", "erp").seen(Buffer.from("a"))?.state.mtimeNs).toBe(
      place.files.get("a")?.state.mtimeNs,
    );
    expect(place.given).toBe(given);
    place.put("a", "two", { fileId: 8n });
    await capture?.scanNow();
    await poll(waiting).toHaveLength(2);
  });

  test("what lies in an archive is said, unless it was captured before it went there", async () => {
    place.tells = { ...place.tells, contentIds: true };
    place.put("a", "one", { fileId: 7n });
    place.put("b", "two", { fileId: 8n });
    const freeze = (path: string): void => {
      const file = place.files.get(path);
      if (file !== undefined) place.files.set(path, { ...file, held: "it is archived" });
    };
    freeze("b");
    start();
    const troubled = () => [...queue.book("acme", "erp").problems()].map(({ path }) => `${path}`);
    await poll(waiting).toEqual(["a"]);
    await poll(troubled).toEqual(["b"]);
    freeze("a");
    await capture?.scanNow();
    expect(troubled()).toEqual(["b"]);
    place.put("b", "two", { fileId: 8n });
    await capture?.scanNow();
    await poll(waiting).toEqual(["a", "b"]);
    await poll(troubled).toEqual([]);
  });

  describe("a place that keeps versions", () => {
    const version = (text: string, id: bigint): { bytes: Buffer; state: FileState; deleted: boolean } => ({
      bytes: Buffer.from(text),
      state: { size: text.length, mtimeNs: 5n, ctimeNs: 0n, fileId: id },
      deleted: false,
    });
    const end = (id: bigint) => ({ ...version("", id), deleted: true });
    type One = ReturnType<typeof version>;
    /** Reads by state; the fake gives the bytes of whichever is asked for. */
    function keep(path: string, past: readonly (One & { readonly held?: string })[]): void {
      const last = past.at(-1) as One & { readonly held?: string };
      const held = last.held === undefined ? {} : { held: last.held };
      place.files.set(key(Buffer.from(path)), { bytes: last.bytes, state: last.state, past, ...held });
    }
    beforeEach(() => {
      place = fakePlace({ contentIds: true });
    });

    test("all of them arrive in their order, ends included, also those that came between two looks", async () => {
      keep("x", [version("A", 1n), end(2n), version("A", 3n), version("B", 4n)]);
      start();
      await poll(waiting).toEqual(["x", "-x", "x", "x"]);
      expect(deliver()).toEqual(["x=A", "-x", "x=A", "x=B"]);
      await capture?.scanNow();
      keep("x", [version("A", 1n), end(2n), version("A", 3n), version("B", 4n), end(5n)]);
      await capture?.scanNow();
      await poll(waiting).toEqual(["-x"]);
      expect(deliver()).toEqual(["-x"]);
      await capture?.scanNow();
      expect(waiting()).toEqual([]);
      keep("x", [version("A", 1n), end(2n), version("A", 3n), version("B", 4n), end(5n), version("C", 6n)]);
      await capture?.scanNow();
      await poll(waiting).toEqual(["x"]);
      expect(deliver()).toEqual(["x=C"]);
    });

    test("a long history is brought without being asked for anew at each of its versions", async () => {
      const all = Array.from({ length: 250 }, (_, i) =>
        i % 7 === 6 ? end(BigInt(i + 1)) : version(`v${i}`, BigInt(i + 1)),
      );
      keep("x", all);
      start();
      await expect.poll(() => waiting().length, { timeout: 30_000 }).toBe(all.length);
      expect(deliver()).toEqual(all.map(({ deleted, bytes }) => (deleted ? "-x" : `x=${bytes}`)));
      expect(place.looked).toBeLessThan(10);
      keep(
        "x",
        [...all.slice(0, 100), version("last", 300n)].map((one, i) =>
          i < 100 ? one : { ...one, state: { ...one.state, mtimeNs: 9n } },
        ),
      );
      await capture?.scanNow();
      await poll(waiting).toEqual(["x"]);
    }, 60_000);

    test("old versions in an archive are passed over and said; the newest is waited for", async () => {
      const frozen = (text: string, id: bigint) => ({ ...version(text, id), held: "it is archived" });
      keep("x", [version("A", 1n), frozen("BB", 2n), frozen("CC", 3n), version("D", 4n)]);
      keep("y", [version("A", 11n), frozen("B", 12n)]);
      keep("z", [frozen("A", 21n), end(22n)]);
      keep("w", [frozen("A", 31n), end(32n)]);
      start();
      await poll(() => waiting().toSorted()).toEqual(["x", "x", "y"]);
      expect(deliver().toSorted()).toEqual(["x=A", "x=D", "y=A"]);
      const said = facts.filter(({ kind }) => kind === "SourceWarned");
      expect(said).toEqual([
        expect.objectContaining({
          detail: "x: 2 older versions cannot be had, and newer ones do not wait: it is archived",
        }),
      ]);
      const troubled = () => [...queue.book("acme", "erp").problems()].map(({ path }) => `${path}`);
      await poll(() => troubled().toSorted()).toEqual(["w", "y", "z"]);
      // What was brought is well in an archive, too; what was waited for is brought when it can be had.
      keep("x", [version("A", 1n), frozen("D", 4n)]);
      keep("y", [version("A", 11n), version("B", 12n)]);
      keep("z", [version("A", 21n), end(22n)]);
      // It can never be had any more: all that is kept is its end.
      keep("w", [end(32n)]);
      await capture?.scanNow();
      await poll(() => waiting().toSorted()).toEqual(["-z", "y", "z"]);
      expect(deliver().toSorted()).toEqual(["-z", "y=B", "z=A"]);
      await poll(troubled).toEqual([]);
    });

    test("a restart in the middle goes on where it was", async () => {
      keep("x", [version("A", 1n), version("BB", 2n), end(3n), version("CCC", 4n)]);
      start();
      await poll(() => waiting().length).toBeGreaterThan(1);
      await capture?.stop(1_000);
      queue.close();
      open();
      start();
      await poll(waiting).toEqual(["x", "x", "-x", "x"]);
      expect(deliver()).toEqual(["x=A", "x=BB", "-x", "x=CCC"]);
    });

    test("of which nothing is kept any more: what was at its end is forgotten, what was not is removed", async () => {
      keep("ended", [version("A", 1n), end(2n)]);
      keep("there", [version("B", 3n)]);
      start();
      await poll(waiting).toHaveLength(3);
      deliver();
      place.files.clear();
      place.put("other", "x", { fileId: 9n });
      await capture?.scanNow();
      await poll(waiting).toEqual(["other", "-there"]);
      expect(queue.intake("acme", "erp").seen(Buffer.from("ended"))).toBeUndefined();
    });

    test("our own end is none: it is not told, and what is kept before it is not brought again", async () => {
      place.keeps = true;
      keep("x", [version("A", 1n), version("BB", 2n)]);
      start({ after: { kind: "delete" } });
      await poll(waiting).toEqual(["x", "x"]);
      expect(deliver()).toEqual(["x=A", "x=BB"]);
      await poll(() => place.files.get("x")?.past?.at(-1)?.deleted).toBe(true);
      await capture?.scanNow();
      await capture?.stop(1_000);
      queue.close();
      open();
      start({ after: { kind: "delete" } });
      await capture?.scanNow();
      await capture?.scanNow();
      expect(waiting()).toEqual([]);
      const { past } = place.files.get("x") ?? {};
      keep("x", [
        ...((past ?? []) as One[]),
        { ...version("C", 7n), state: { ...version("C", 7n).state, mtimeNs: 2n ** 62n } },
      ]);
      await capture?.scanNow();
      await poll(waiting).toEqual(["x"]);
      expect(deliver()).toEqual(["x=C"]);
    });

    test("our own end of which a crash left no note is not told either", async () => {
      place.keeps = true;
      keep("x", [version("A", 1n)]);
      start();
      await poll(waiting).toEqual(["x"]);
      deliver();
      await capture?.stop(1_000);
      keep("x", [version("A", 1n), end(2n)]);
      start({ after: { kind: "delete" } });
      await capture?.scanNow();
      await poll(() => queue.intake("acme", "erp").seen(Buffer.from("x"))?.missed).toBe(3);
      expect(waiting()).toEqual([]);
    });

    test("a look that lasts while others go on brings nothing twice", async () => {
      keep("x", [version("A", 1n)]);
      start({}, 1);
      await poll(waiting).toEqual(["x"]);
      // What comes behind it was looked for.
      await poll(() => place.looked).toBe(1);
      keep("x", [version("A", 1n), end(2n)]);
      place.put("a", "slow", { fileId: 50n });
      const gate = Promise.withResolvers<void>();
      place.onPiece = () => gate.promise;
      // It waits for room behind the first file, with what was known of the second.
      const scan = capture?.scanNow();
      await poll(() => capture?.state().settling).toBe(1);
      // Its delivery has the folder looked at beside that.
      queue.intake("acme", "erp").missed([Buffer.from("x")], 1);
      deliver();
      await poll(waiting).toEqual(["-x"]);
      gate.resolve();
      await scan;
      await poll(waiting).toEqual(["-x", "a"]);
      // Whatever is on its way into the queue is there then.
      await capture?.stop(1_000);
      expect(waiting()).toEqual(["-x", "a"]);
    });

    test("a delivery of what was ended does not have all be listed again", async () => {
      keep("x", [version("A", 1n), end(2n)]);
      start();
      await poll(waiting).toEqual(["x", "-x"]);
      const before = place.listed;
      deliver();
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(place.listed).toBe(before);
    });

    test("ends are not told where removals are not", async () => {
      keep("x", [version("A", 1n), end(2n), version("B", 3n)]);
      start({ removals: false });
      await poll(waiting).toEqual(["x", "x"]);
    });
  });

  test("after: where the content has an id, a time that is told in another way by then keeps nothing", async () => {
    place = fakePlace({ contentIds: true });
    place.put("a", "one", { fileId: 7n });
    place.put("b", "two", { fileId: 8n });
    start({ after: { kind: "delete" } });
    await poll(waiting).toHaveLength(2);
    place.put("a", "one", { fileId: 7n });
    place.put("b", "new", { fileId: 9n });
    deliver();
    await poll(() => [...place.files.keys()]).toEqual(["b"]);
  });

  test("after: a server that is away then blames no file; what is delivered is taken away when it is back", async () => {
    for (let i = 0; i < 30; i += 1) place.put(`f${i}`, "x");
    start({ after: { kind: "delete" } });
    await poll(waiting).toHaveLength(30);
    place.away = "the server is away";
    deliver();
    await capture?.scanNow();
    expect(queue.status.problems(99).map(({ code }) => code)).toEqual(["source-unreachable"]);
    place.away = undefined;
    await poll(async () => {
      await capture?.scanNow();
      return place.files.size;
    }).toBe(0);
    expect(waiting()).toEqual([]);
  });

  test("after: what another agent took away before this one has the source is no removal", async () => {
    for (const name of ["a", "b", "c"]) place.put(name, name);
    start();
    await poll(waiting).toHaveLength(3);
    deliver();
    await capture?.stop(1_000);
    place.files.delete("a");
    place.put("b", "changed");
    place.hands = false;
    start({ after: { kind: "delete" } });
    await poll(waiting).toEqual(["b"]);
    place.files.delete("b");
    const seen = (name: string) => queue.intake("acme", "erp").seen(Buffer.from(name));
    await capture?.scanNow();
    await poll(() => seen("a")).toBeUndefined();
    await poll(waiting).toEqual(["b", "-b"]);
    expect(seen("c")).toBeDefined();
  });

  test("after: what cannot be deleted on the server is delivered once, and said", async () => {
    place.put("a", "one");
    start({ after: { kind: "delete" } });
    await poll(waiting).toEqual(["a"]);
    const { files } = place;
    const denied = new Error("permission denied");
    const remove = files.delete.bind(files);
    files.delete = () => {
      throw denied;
    };
    deliver();
    await poll(() => queue.status.problems(10).map(({ code, detail }) => `${code}: ${detail}`)).toEqual([
      'after-failed: it is delivered, but "after: delete" failed: permission denied; it is tried again',
    ]);
    await capture?.scanNow();
    expect(waiting()).toEqual([]);
    files.delete = remove;
    await capture?.scanNow();
    await poll(() => files.size).toBe(0);
    await poll(() => queue.status.problemCount()).toBe(0);
    await capture?.scanNow();
    expect(waiting()).toEqual([]);
  });
});
