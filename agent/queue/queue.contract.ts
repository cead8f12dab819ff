/** What every queue must do, whatever it is stored in: capture and courier are written against exactly this. */
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ParcelEnd, RemovalParcel, Seen, VersionParcel } from "./queue.ts";
import type { SqliteQueue } from "./sqlite.ts";

const sha = (text: string): string => Buffer.from(text.padEnd(32, ".")).toString("hex");

export function version(
  path: string | Buffer,
  content = "a",
  more: Partial<VersionParcel> = {},
): VersionParcel {
  return {
    kind: "version",
    captureId: uuidv7(),
    client: "acme",
    source: "pos",
    path: Buffer.from(path as string),
    sealedAt: "2026-01-01T00:00:00.000Z",
    state: {
      size: content.length,
      mtimeNs: 1_700_000_000_123_456_789n,
      ctimeNs: 2n ** 62n,
      fileId: 2n ** 64n - 2n,
    },
    sha256: sha(content),
    partDigests: undefined,
    spooled: undefined,
    ...more,
  };
}

function removal(path: string): RemovalParcel {
  return {
    kind: "removal",
    captureId: uuidv7(),
    client: "acme",
    source: "pos",
    path: Buffer.from(path),
    sealedAt: "2026-01-01T00:00:00.000Z",
  };
}

export function seenOf(parcel: VersionParcel): Seen {
  return { path: parcel.path, state: parcel.state, sha256: parcel.sha256, sealedAt: 5, missed: 0 };
}

export const delivered: ParcelEnd = {
  kind: "delivered",
  receipt: "jws",
  versionId: "v1",
  status: "stored",
  receivedAt: "2026-01-01T00:00:01.000Z",
  at: 1000,
};
export const superseded: ParcelEnd = { kind: "superseded", detail: "changed", at: 1000 };
export const aside: ParcelEnd = { kind: "aside", code: "quota-file", detail: "too large", at: 1000 };

export function queueContract(name: string, open: () => { queue: SqliteQueue; end(): void }): void {
  describe(name, () => {
    let queue: SqliteQueue;
    let end: () => void;
    beforeEach(() => {
      ({ queue, end } = open());
    });
    afterEach(() => end());
    const intake = () => queue.intake("acme", "pos");
    const put = (...parcels: (VersionParcel | RemovalParcel)[]): void =>
      intake().put(
        parcels.map((parcel) =>
          parcel.kind === "version" ? { parcel, seen: seenOf(parcel) } : { parcel, seen: undefined },
        ),
      );
    const taken = (limit = 100, now = 0): string[] =>
      queue.outbox
        .take(limit, now)
        .map(({ parcel }) => `${parcel.kind === "removal" ? "-" : ""}${parcel.path}`);

    test("a parcel comes out as it was put, to the nanosecond and the byte", () => {
      const parcel = version(Buffer.from([0x61, 0x2f, 0xff, 0x0a, 0x00ff]), "x", {
        partDigests: Buffer.alloc(64, 1),
        spooled: "s1",
      });
      put(parcel);
      expect(queue.outbox.take(1, 0)).toEqual([{ parcel, attempts: 0 }]);
      expect(intake().seen(parcel.path)).toEqual(seenOf(parcel));
      expect([...intake().seenIn(Buffer.from("a"))]).toEqual([seenOf(parcel)]);
    });

    test("oldest first, one a path, none twice", () => {
      put(version("a"), version("b"), version("a", "2"), version("c"));
      expect(taken(2)).toEqual(["a", "b"]);
      expect(taken()).toEqual(["c"]);
      expect(taken()).toEqual([]);
    });

    test.for([delivered, superseded, aside])("after an end ($kind) the next of the path goes", (how) => {
      const first = version("a");
      put(first, version("a", "2"));
      expect(taken()).toEqual(["a"]);
      queue.outbox.end(first.captureId, how);
      expect(queue.outbox.take(9, 0).map((w) => (w.parcel as VersionParcel).sha256)).toEqual([sha("2")]);
    });

    test("postponing holds back that path alone, until it is due", () => {
      const first = version("a");
      put(first, version("a", "2"), version("b"));
      queue.outbox.take(1, 0);
      queue.outbox.postpone([
        { captureId: first.captureId, until: 500, problem: { code: "busy", detail: "later" } },
      ]);
      expect(taken(9, 499)).toEqual(["b"]);
      expect(queue.outbox.nextDue()).toBe(500);
      expect(queue.outbox.take(9, 500)).toMatchObject([
        { attempts: 1, parcel: { captureId: first.captureId } },
      ]);
      expect(queue.outbox.nextDue()).toBeUndefined();
    });

    test("sources take turns, oldest first in each; one that may not go holds up no other, and can be given back", () => {
      put(...["a1", "a2", "a3", "a4"].map((path) => version(path)));
      for (const [client, source] of [
        ["acme", "till"],
        ["bell", "pos"],
      ] as const)
        queue.intake(client, source).put(
          ["1", "2"].map((path) => {
            const parcel = version(`${source[0]}${path}`, "a", { client, source });
            return { parcel, seen: seenOf(parcel) };
          }),
        );
      const look = (limit: number, held?: string) => {
        const asked: string[] = [];
        const waiting = queue.outbox.take(limit, 0, (_captureId, { client, source }) => {
          asked.push(`${client}/${source}`);
          return `${client}/${source}` === held ? "no" : "yes";
        });
        return { asked, waiting, paths: waiting.map(({ parcel }) => `${parcel.client} ${parcel.path}`) };
      };
      const first = look(4);
      expect(first.paths).toEqual(["acme a1", "acme t1", "bell p1", "acme a2"]);
      queue.outbox.giveBack(first.waiting.map(({ parcel }) => parcel.captureId));
      const second = look(9, "acme/pos");
      expect(second.paths).toEqual(["acme t1", "bell p1", "acme t2", "bell p2"]);
      expect(second.asked.filter((place) => place === "acme/pos")).toHaveLength(1);
      expect(look(9).paths).toEqual(["acme a1", "acme a2", "acme a3", "acme a4"]);
    });

    test("behind many that are too large the small ones are found", () => {
      const parcels = Array.from({ length: 300 }, (_, i) => version(`f${i}`));
      put(
        ...parcels.map((parcel, i) => {
          const size = i % 100 === 99 ? 5 : 1000 + i;
          return { ...parcel, state: { ...parcel.state, size } };
        }),
      );
      const asked: number[] = [];
      const small = queue.outbox.take(9, 0, (_captureId, _place, size) => {
        asked.push(size);
        return size < 1000 ? "yes" : { below: 1000 };
      });
      expect(small.map(({ parcel }) => `${parcel.path}`)).toEqual(["f99", "f199", "f299"]);
      expect(asked).toEqual([1000, 5, 5, 5]);
    });

    test("a source that is back wakes what it held back, and nothing else", () => {
      const parcels = ["away", "locked", "root", "elsewhere"].map((path) => version(path));
      put(...parcels);
      const till = version("till", "a", { source: "till" });
      queue.intake("acme", "till").put([{ parcel: till, seen: seenOf(till) }]);
      taken();
      const codes = [
        "source-unreachable",
        "file-unreadable",
        "root-changed",
        "lease-lost",
        "source-unreachable",
      ] as const;
      for (const [i, { captureId }] of [...parcels, till].entries())
        queue.outbox.postpone([
          {
            captureId: captureId,
            until: 500,
            problem: { code: codes[i] as (typeof codes)[number], detail: "" },
          },
        ]);
      queue.outbox.wakeSource("pos");
      expect(taken()).toEqual(["away", "root", "elsewhere"]);
      queue.outbox.wakeAll();
      expect(taken().sort()).toEqual(["locked", "till"]);
    });

    test("one name in two folders, two sources and two clients is four paths", () => {
      put(version("x/n"), version("y/n"));
      const other = version("x/n", "a", { client: "bell" });
      queue.intake("bell", "pos").put([{ parcel: other, seen: seenOf(other) }]);
      const till = version("x/n", "a", { source: "till" });
      queue.intake("acme", "till").put([{ parcel: till, seen: seenOf(till) }]);
      expect(taken()).toHaveLength(4);
      queue.outbox.end(other.captureId, superseded);
      expect(intake().seen(Buffer.from("x/n"))?.state.size).toBe(1);
      expect(queue.intake("bell", "pos").seen(Buffer.from("x/n"))?.state.size).toBe(-1);
    });

    test("a parcel of another source is refused, with all of its batch", () => {
      const good = version("a");
      expect(() =>
        intake().put([
          { parcel: good, seen: seenOf(good) },
          { parcel: version("b", "a", { client: "bell" }), seen: seenOf(good) },
        ]),
      ).toThrow("bell/pos");
      expect(intake().seen(good.path)).toBeUndefined();
      expect(taken()).toEqual([]);
    });

    test("delivered: its receipt is kept, and the path stands as delivered", () => {
      const parcel = version("a");
      put(parcel);
      expect(intake().standing(parcel.path)).toEqual({
        delivered: false,
        current: false,
        waiting: "in-place",
      });
      queue.outbox.end(parcel.captureId, delivered);
      expect(intake().standing(parcel.path)).toEqual({ delivered: true, current: true, waiting: "none" });
      expect(queue.status.deliveries(9)).toMatchObject([
        { captureId: parcel.captureId, receipt: "jws", size: 1 },
      ]);
      expect(queue.status.depth()).toEqual({ depth: 0, bytes: 0, oldestSealedAt: undefined, aside: 0 });
    });

    test("a path is current only by the receipt of its youngest capture", () => {
      const [a1, b, a2] = [version("p", "A"), version("p", "B"), version("p", "A")];
      put(a1, b, a2);
      queue.outbox.end(a1.captureId, delivered);
      expect(intake().standing(a1.path)).toMatchObject({ delivered: true, current: false });
      queue.outbox.end(b.captureId, delivered);
      expect(intake().standing(a1.path)).toMatchObject({ delivered: true, current: false });
      queue.outbox.end(a2.captureId, aside);
      expect(intake().standing(a1.path)).toEqual({ delivered: true, current: false, waiting: "none" });
      expect(queue.status.depth()).toMatchObject({ depth: 0, aside: 1 });
    });

    test("superseded: the state and the digest of the path are forgotten, unless a younger capture stands", () => {
      const [first, second] = [version("p", "A"), version("p", "B")];
      put(first);
      queue.outbox.end(first.captureId, superseded);
      expect(intake().seen(first.path)).toMatchObject({ sha256: "", state: { size: -1 } });
      // Its answer may have been lost to a crash: the receiver may have it.
      expect(intake().standing(first.path).delivered).toBe(true);
      const again = version("p", "A");
      put(again, second);
      queue.outbox.end(again.captureId, superseded);
      expect(intake().seen(second.path)).toEqual(seenOf(second));
    });

    test("a removal is taken only of a missed path, takes its turn and forgets the path", () => {
      const first = version("d/a");
      put(first, removal("d/a"));
      expect(intake().standing(first.path).waiting).toBe("in-place");
      intake().missed([first.path], 1);
      put(removal("d/a"));
      expect(intake().seen(first.path)).toBeUndefined();
      intake().put([{ parcel: undefined, seen: seenOf(first) }]);
      expect(intake().seen(first.path)).toBeUndefined();
      expect([...intake().foldersSeen(Buffer.alloc(0))]).toEqual([]);
      expect(intake().standing(first.path).waiting).toBe("removal");
      expect(taken()).toEqual(["d/a"]);
      queue.outbox.end(first.captureId, delivered);
      expect(taken()).toEqual(["-d/a"]);
    });

    test("a touched path keeps that it is current", () => {
      const parcel = version("a");
      put(parcel);
      queue.outbox.end(parcel.captureId, delivered);
      const state = { ...parcel.state, mtimeNs: 7n };
      intake().put([{ parcel: undefined, seen: { ...seenOf(parcel), state, sealedAt: 9 } }]);
      expect(intake().seen(parcel.path)).toMatchObject({ state, sealedAt: 9 });
      expect(intake().standing(parcel.path).current).toBe(true);
      const next = version("a", "b");
      put(next);
      expect(intake().standing(parcel.path)).toEqual({
        delivered: true,
        current: false,
        waiting: "in-place",
      });
    });

    test("folders: the children of one, and all below it, whatever sorts in between", () => {
      put(
        ...["r", "x/1", "x/y/2", "x-y/3", "x-y/z/4", "x!/5", "x/y-z/6", "y/7"].map((path) => version(path)),
      );
      const names = (folder: string): string[] =>
        intake().childFolders(Buffer.from(folder)).map(String).sort();
      expect(names("")).toEqual(["x", "x!", "x-y", "y"]);
      expect(names("x")).toEqual(["y", "y-z"]);
      expect([...intake().foldersSeen(Buffer.from("x"))].map(String)).toEqual(["x", "x/y", "x/y-z"]);
      expect([...intake().foldersSeen(Buffer.alloc(0))]).toHaveLength(8);
      expect(Array.from(intake().seenIn(Buffer.alloc(0)), (seen) => String(seen.path))).toEqual(["r"]);
    });

    test("folders whose names are the first or the last of all bytes are found like all others", () => {
      const names = [Buffer.of(1), Buffer.alloc(3, 0xff), Buffer.alloc(255, 0xff)];
      const deep = Buffer.alloc(4_096, 0xff).fill(0x2f, 255, 256).fill(0x2f, 511, 512);
      const folders = [...names, deep.subarray(0, 511)];
      put(...folders.map((folder, i) => version(Buffer.concat([folder, Buffer.from("/x")]), `${i}`)));
      put(version("in the root"));
      const hex = (paths: Iterable<Buffer>): string[] => Array.from(paths, (path) => path.toString("hex"));
      expect(hex(intake().childFolders(Buffer.alloc(0))).sort()).toEqual(hex(names).sort());
      expect(hex(intake().foldersSeen(Buffer.alloc(0))).sort()).toEqual(["", ...hex(folders)].sort());
      expect(hex(intake().childFolders(Buffer.alloc(255, 0xff)))).toEqual(["ff".repeat(255)]);
    });

    test("the files of one folder come in byte order, however many, while others are stored and forgotten", () => {
      const names = Array.from({ length: 1_203 }, (_, i) => `d/${(i * 7919) % 1_203}`);
      put(...[...names, "d/\u00ff", "d2/x"].map((name) => version(name)));
      const found: string[] = [];
      for (const { path } of intake().seenIn(Buffer.from("d"))) {
        found.push(String(path));
        if (found.length === 3) {
          intake().forget(Buffer.from("d/999"));
          put(version("d/zzz"));
        }
      }
      expect(found).toEqual([...names.filter((name) => name !== "d/999").sort(), "d/zzz", "d/\u00ff"]);
    });

    test("misses are counted, and forgotten", () => {
      const parcel = version("d/a");
      put(parcel);
      intake().missed([parcel.path], 1);
      expect(intake().seen(parcel.path)?.missed).toBe(1);
      intake().missed([parcel.path], 0);
      expect(intake().seen(parcel.path)?.missed).toBe(0);
      intake().forget(parcel.path);
      expect(intake().seen(parcel.path)).toBeUndefined();
    });

    test("problems of files, postponed and set-aside parcels stand in one list, since the first time", () => {
      const book = queue.book("acme", "pos");
      book.problem(Buffer.from("locked"), "file-unreadable", "EBUSY", 1000);
      book.problem(Buffer.from("locked"), "file-unreadable", "EACCES", 9000);
      const [late, off] = [version("late"), version("off")];
      put(late, off);
      queue.outbox.postpone([
        { captureId: late.captureId, until: 500, problem: { code: "busy", detail: "later" } },
      ]);
      queue.outbox.end(off.captureId, { ...aside, at: 2e12 });
      expect(queue.status.problems(9).map((p) => [String(p.path), p.code, p.aside])).toEqual([
        ["locked", "file-unreadable", false],
        ["late", "busy", false],
        ["off", "quota-file", true],
      ]);
      const tried = queue.status.problems(9).map(({ until }) => until);
      expect(tried).toEqual([undefined, "1970-01-01T00:00:00.500Z", undefined]);
      expect(queue.status.problems(1)[0]).toMatchObject({
        since: "1970-01-01T00:00:01.000Z",
        detail: "EACCES",
      });
      expect(queue.status.problemCount()).toBe(3);
      expect(book.recovered(Buffer.from("locked"))).toBe(true);
      expect(book.recovered(Buffer.from("locked"))).toBe(false);
      expect(queue.status.problemCount()).toBe(2);
    });

    describe("a source that is taken over", () => {
      const takeover = () => queue.takeover("acme", "pos");
      const forget = (term: number): number => [...takeover().forgetOthers(term)].length;
      const learn = (term: number, content: string | null, ...paths: string[]): void =>
        takeover().learn(
          term,
          paths.map((path) =>
            content === null
              ? { kind: "removal", path: Buffer.from(path) }
              : {
                  ...{ kind: "version", path: Buffer.from(path), sha256: sha(content), sealedAt: 8 },
                  state: { size: content.length, mtimeNs: 1n, ctimeNs: 0n, fileId: undefined },
                },
          ),
        );
      const seen = (path: string) => intake().seen(Buffer.from(path));

      test("what waits comes by path, then by age, whatever is taken or set aside, and may end meanwhile", () => {
        const many = Array.from({ length: 2500 }, (_, i) => version(`m/${String(i).padStart(5, "0")}`));
        const [late, early, left] = [version("b", "1"), version("b", "2"), version("set aside")];
        put(late, ...many, early, left);
        queue.outbox.take(9, 0);
        queue.outbox.end(left.captureId, aside);
        const paths: string[] = [];
        for (const { path, captureId } of takeover().waiting()) {
          paths.push(String(path));
          if (paths.length % 100 === 1) queue.outbox.end(captureId, { kind: "overtaken", at: 1 });
        }
        expect(paths).toEqual(["b", "b", ...many.map(({ path }) => String(path))]);
        expect([...takeover().waiting()]).toHaveLength(paths.length - 26);
      });

      test("what is learned is seen and delivered; what has a parcel stays as it was sealed", () => {
        const [own, same] = [version("own"), version("same")];
        put(own, same);
        queue.outbox.end(same.captureId, delivered);
        learn(7, "theirs", "own", "d/new");
        learn(7, "a", "same");
        expect(seen("own")).toEqual(seenOf(own));
        expect(seen("same")).toEqual(seenOf(same));
        expect(seen("d/new")).toMatchObject({ sha256: sha("theirs"), sealedAt: 8, missed: 0 });
        expect(intake().standing(Buffer.from("d/new"))).toEqual({
          delivered: true,
          current: true,
          waiting: "none",
        });
        learn(7, null, "own", "d/new");
        expect([seen("own")?.sha256, seen("d/new")]).toEqual([sha("a"), undefined]);
        expect(intake().childFolders(Buffer.alloc(0))).toEqual([]);
      });

      test("what was not learned under this term is forgotten, but for what has a parcel, or another source", () => {
        const [own, gone, left] = [version("own"), version("d/e/gone"), version("aside")];
        const other = version("x", "a", { source: "erp" });
        put(own, gone, left);
        queue.intake("acme", "erp").put([{ parcel: other, seen: seenOf(other) }]);
        queue.outbox.end(gone.captureId, delivered);
        queue.outbox.end(left.captureId, aside);
        queue.outbox.end(other.captureId, delivered);
        const paths = Array.from({ length: 2500 }, (_, i) => `d/${i}`);
        learn(6, "theirs", ...paths.slice(0, 1200));
        learn(7, "theirs", ...paths.slice(1200));
        takeover().learn(7, [{ kind: "unknown", path: Buffer.from("d/3") }]);
        expect(forget(7)).toBeGreaterThan(0);
        expect([...intake().seenIn(Buffer.from("d"))]).toHaveLength(1301);
        expect(seen("d/3")).toBeDefined();
        expect([seen("d/e/gone"), seen("own")?.sha256, seen("aside")?.sha256]).toEqual([
          undefined,
          sha("a"),
          sha("a"),
        ]);
        expect(queue.intake("acme", "erp").seen(other.path)).toEqual(seenOf(other));
        expect([...intake().foldersSeen(Buffer.alloc(0))].map(String)).toEqual(["", "d"]);
      });
    });

    test("listeners hear of puts and ends", () => {
      const heard: string[] = [];
      queue.onPut(() => heard.push("put"));
      const stop = queue.onEnd((ends) => heard.push(...ends.map((e) => `${e.parcel.path} ${e.end.kind}`)));
      const [a, b] = [version("a"), version("b")];
      put(a, b);
      queue.outbox.endAll([
        { captureId: a.captureId, end: delivered },
        { captureId: b.captureId, end: superseded },
      ]);
      expect(heard).toEqual(["put", "a delivered", "b superseded"]);
      stop();
      queue.outbox.end(a.captureId, delivered);
      expect(heard).toHaveLength(3);
    });
  });
}
