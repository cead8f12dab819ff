/**
 * What every remote must do, on its real server. A kind brings a `Yard`: the other side, on which the suite puts files
 * by other means than the remote itself.
 */
import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AfterRule, afterByHands } from "../source/after.ts";
import { join, key } from "../source/bytes.ts";
import { sameState } from "../source/same-state.ts";
import type { FileState } from "../source/state.ts";
import { afterExactly } from "./exactly.ts";
import { type Entry, type Remote, RemoteError } from "./remote.ts";

export interface Yard {
  /** To the yard's folder, which holds nothing but what the suite put there; each its own. */
  connect(): Promise<Remote>;
  /** The place's own path of the yard's folder, as `move:` targets and `Hands` have it. */
  readonly root: string;
  write(path: Buffer, bytes: Buffer): Promise<void>;
  remove(path: Buffer): Promise<void>;
  /** What is there, recursively: paths below the yard's folder. */
  paths(): Promise<readonly string[]>;
  /** Makes everything below unreachable until the answer is called: the server ends, or refuses. */
  away(): Promise<() => Promise<void>>;
  /** Cuts what is open now; new connections are taken. Undefined where that cannot be done. */
  readonly cut?: () => Promise<void>;
  /** Folders without files exist. */
  readonly folders: boolean;
  /** Names need not be UTF-8. */
  readonly anyBytes: boolean;
  /** False: the place itself makes a slash of a backslash. */
  readonly backslashes?: false;
  close(): Promise<void>;
}

export function remoteContract(kind: string, open: () => Promise<Yard>): void {
  describe(`${kind}: a remote`, () => {
    let yard: Yard;
    let remote: Remote;
    beforeAll(async () => {
      yard = await open();
      remote = await yard.connect();
    }, 120_000);
    afterAll(async () => {
      await remote[Symbol.asyncDispose]();
      await yard.close();
    }, 60_000);

    const path = (text: string): Buffer => Buffer.from(text);
    async function listed(folder: string | Buffer): Promise<Entry[]> {
      const found: Entry[] = [];
      for await (const some of remote.list(Buffer.from(folder as string), new AbortController().signal))
        found.push(...some);
      const names = found.map(({ name }) => key(name));
      if (remote.ordered) expect(names).toEqual([...names].sort());
      expect(new Set(names).size).toBe(names.length);
      return found;
    }
    async function stateOf(at: Buffer): Promise<FileState> {
      const entry = await remote.look(at);
      if (entry?.kind !== "file") throw new Error(`${at} is ${entry?.kind ?? "not there"}`);
      return entry.state;
    }
    async function read(at: Buffer, from = 0): Promise<Buffer> {
      await using file = await remote.open(at, await stateOf(at));
      const pieces: Buffer[] = [];
      for await (const piece of file.bytes(from)) pieces.push(piece);
      return Buffer.concat(pieces);
    }
    const failing = async (work: Promise<unknown>): Promise<RemoteError> => {
      const error = await work.then(
        () => undefined,
        (cause: unknown) => cause,
      );
      expect(error).toBeInstanceOf(RemoteError);
      return error as RemoteError;
    };

    test("lists a folder: files with size and time, folders, nothing of what is deeper", async () => {
      const before = BigInt(Date.now() - 90_000) * 1_000_000n;
      await yard.write(path("list/a.csv"), Buffer.from("12345"));
      await yard.write(path("list/b/deep.csv"), Buffer.from("1"));
      await yard.write(path("list/b.csv"), Buffer.alloc(0));
      const found = await listed("list");
      expect(found.map((entry) => `${entry.kind} ${entry.name}`).sort()).toEqual([
        "file a.csv",
        "file b.csv",
        "folder b",
      ]);
      const a = found.find(({ name }) => String(name) === "a.csv");
      if (a?.kind !== "file") throw new Error("no file");
      expect(a.state.size).toBe(5);
      expect(a.state.ctimeNs).toBe(0n);
      expect(a.state.mtimeNs > before).toBe(true);
      expect((await listed("list/b")).map(({ name }) => String(name))).toEqual(["deep.csv"]);
      expect((await listed("")).some(({ kind, name }) => kind === "folder" && String(name) === "list")).toBe(
        true,
      );
    });

    test("what a listing, a look and an open file say of a file is the same state", async () => {
      await yard.write(path("same/x"), Buffer.from("xyz"));
      const [entry] = await listed("same");
      const looked = await stateOf(path("same/x"));
      await using file = await remote.open(path("same/x"), looked);
      if (entry?.kind !== "file") throw new Error("no file");
      expect(sameState(entry.state, looked)).toBe(true);
      expect(sameState(file.state, looked)).toBe(true);
      const again = await file.again();
      expect(again !== undefined && sameState(again, looked)).toBe(true);
    });

    test("a changed file has another state", async () => {
      await yard.write(path("change/x"), Buffer.from("one"));
      const before = await stateOf(path("change/x"));
      await new Promise((resolve) => setTimeout(resolve, remote.tells.contentIds ? 0 : 1_100));
      await yard.write(path("change/x"), Buffer.from("two"));
      expect(sameState(await stateOf(path("change/x")), before)).toBe(false);
    });

    test("what is not there is undefined to a look, and absent to a listing or an opening", async () => {
      expect(await remote.look(path("no/such"))).toBeUndefined();
      const state = { size: 1, mtimeNs: 0n, ctimeNs: 0n, fileId: undefined };
      const opening = (async () => {
        await using file = await remote.open(path("no/such"), state);
        for await (const _ of file.bytes(0));
      })();
      expect((await failing(opening)).failure).toBe("absent");
      // Where folders are only parts of names, one that is not there is an empty one.
      if (yard.folders) expect((await failing(listed("no"))).failure).toBe("absent");
      else expect(await listed("no")).toEqual([]);
    });

    test("a folder is a folder to a look", async () => {
      await yard.write(path("look/in/x"), Buffer.from("1"));
      expect(await remote.look(path("look/in"))).toMatchObject({ kind: "folder" });
      expect(await remote.look(Buffer.alloc(0))).toMatchObject({ kind: "folder" });
    });

    test("bytes come as they are, from any position, to the end", async () => {
      const bytes = randomBytes(20_000_000);
      await yard.write(path("bytes/big"), bytes);
      const sha256 = (data: Buffer): string => createHash("sha256").update(data).digest("hex");
      expect(sha256(await read(path("bytes/big")))).toBe(sha256(bytes));
      expect(sha256(await read(path("bytes/big"), 12_345_678))).toBe(sha256(bytes.subarray(12_345_678)));
      expect((await read(path("bytes/big"), bytes.length)).length).toBe(0);
      await yard.write(path("bytes/none"), Buffer.alloc(0));
      expect((await read(path("bytes/none"))).length).toBe(0);
    });

    test("a reading that is given up leaves everything as it was", async () => {
      await yard.write(path("givenup/big"), randomBytes(5_000_000));
      for (let round = 0; round < 10; round += 1) {
        await using file = await remote.open(path("givenup/big"), await stateOf(path("givenup/big")));
        for await (const _ of file.bytes(round)) break;
      }
      expect((await read(path("givenup/big"))).length).toBe(5_000_000);
    });

    test("several files are read at once", async () => {
      const names = ["a", "b", "c", "d"].map((name) => path(`several/${name}`));
      await Promise.all(names.map((name) => yard.write(name, Buffer.alloc(3_000_000, name.at(-1)))));
      const all = await Promise.all(names.map((name) => read(name)));
      for (const [i, name] of names.entries())
        expect(all[i]?.equals(Buffer.alloc(3_000_000, name.at(-1)))).toBe(true);
    });

    test("odd names are names", async () => {
      const names = ["%41", "a b", "a;b=c&d+e", "Case", "case", "é", "e\u0301", "日本", "a\\b", '"q"', "CON"];
      // Not every protocol can say a newline: where it cannot, the file is refused, and not another one.
      if (yard.backslashes === false) names.splice(names.indexOf("a\\b"), 1);
      for (const name of names) await yard.write(path(`odd/${name}`), Buffer.from(name));
      if (yard.anyBytes)
        await yard.write(
          Buffer.concat([path("odd/"), Buffer.from([0x66, 0xfc, 0x72])]),
          Buffer.from("latin"),
        );
      const found = await listed("odd");
      const expected = names.map((name) => key(Buffer.from(name)));
      if (yard.anyBytes) expected.push("f\xfcr");
      expect(found.map(({ name }) => key(name)).sort()).toEqual(expected.sort());
      for (const name of names) expect(String(await read(path(`odd/${name}`)))).toBe(name);
      if (yard.anyBytes)
        expect(String(await read(Buffer.concat([path("odd/"), Buffer.from([0x66, 0xfc, 0x72])])))).toBe(
          "latin",
        );
    });

    test("a folder of 3,000 files is listed whole", async () => {
      const names = Array.from({ length: 3_000 }, (_, i) => `f${String(i).padStart(5, "0")}`);
      for (let i = 0; i < names.length; i += 50)
        await Promise.all(
          names.slice(i, i + 50).map((name) => yard.write(path(`many/${name}`), Buffer.from("1"))),
        );
      expect((await listed("many")).map(({ name }) => String(name)).sort()).toEqual(names);
    }, 120_000);

    test("a listing that is given up ends", async () => {
      const stop = new AbortController();
      const listing = (async () => {
        for await (const _ of remote.list(path("many"), stop.signal)) stop.abort();
      })();
      await listing.catch((error: unknown) => expect(stop.signal.aborted, String(error)).toBe(true));
      expect((await listed("many")).length).toBe(3_000);
    });

    test("its identity is the same for every connection, and away while the place is", async () => {
      const first = await remote.identity();
      const other = await yard.connect();
      expect(await other.identity()).toBe(first);
      await other[Symbol.asyncDispose]();
      const back = await yard.away();
      const error = await failing(remote.identity());
      expect(error.failure).toBe("away");
      expect(error.message.length).toBeGreaterThan(20);
      await back();
      await expect.poll(() => remote.identity().catch(String), { timeout: 30_000 }).toBe(first);
      expect((await listed("list")).length).toBe(3);
    }, 60_000);

    test("a reading that is cut fails, and the next one goes on from where it was", async () => {
      if (yard.cut === undefined) return;
      const bytes = randomBytes(20_000_000);
      await yard.write(path("cut/big"), bytes);
      const state = await stateOf(path("cut/big"));
      const pieces: Buffer[] = [];
      const reading = (async () => {
        await using file = await remote.open(path("cut/big"), state);
        for await (const piece of file.bytes(0)) {
          pieces.push(piece);
          if (pieces.length === 1) await yard.cut?.();
        }
      })();
      const error = await failing(reading);
      expect(["away", "failed"]).toContain(error.failure);
      const got = Buffer.concat(pieces);
      expect(got.length).toBeLessThan(bytes.length);
      await expect
        .poll(async () => (await read(path("cut/big"), got.length).catch(() => Buffer.alloc(0))).length, {
          timeout: 30_000,
        })
        .toBe(bytes.length - got.length);
      expect(Buffer.concat([got, await read(path("cut/big"), got.length)]).equals(bytes)).toBe(true);
    }, 60_000);

    describe("after a receipt", () => {
      const act = async (rule: AfterRule, at: Buffer, state: FileState) => {
        const unique = `0190a8c0-0000-7000-8000-${randomBytes(6).toString("hex")}`;
        const after =
          remote.hands === undefined
            ? afterExactly(remote.exactly as NonNullable<Remote["exactly"]>)
            : afterByHands(Buffer.from(yard.root), remote.hands);
        return await after.act(rule, { path: at, state }, unique);
      };
      const below = async (folder: string): Promise<string[]> =>
        (await yard.paths()).filter((one) => one.startsWith(folder)).sort();

      test("delete: it is gone, and only it", async () => {
        await yard.write(path("del/x"), Buffer.from("1"));
        await yard.write(path("del/y"), Buffer.from("1"));
        expect(await act({ kind: "delete" }, path("del/x"), await stateOf(path("del/x")))).toMatchObject({
          kind: "done",
          action: "delete",
        });
        expect(await below("del")).toEqual(["del/y"]);
        expect(await remote.look(path("del/x"))).toBeUndefined();
      });

      test("move: to where it belongs, and never over anything", async () => {
        const to: AfterRule = {
          kind: "move",
          to: yard.root === "" ? "moved" : key(join(path(yard.root), path("moved"))),
        };
        for (const text of ["1", "22"]) {
          await yard.write(path("mv/d/x"), Buffer.from(text));
          expect(await act(to, path("mv/d/x"), await stateOf(path("mv/d/x")))).toMatchObject({
            kind: "done",
          });
        }
        const moved = await below("moved");
        expect(moved.length).toBe(2);
        expect(moved[0]).toBe("moved/mv/d/x");
        expect(moved[1]?.startsWith("moved/mv/d/x~")).toBe(true);
        expect(String(await read(path("moved/mv/d/x")))).toBe("1");
        expect(String(await read(path(moved[1] as string)))).toBe("22");
        expect((await below("mv/")).length).toBe(0);
      });

      test("what was changed since, or is gone, is left alone", async () => {
        await yard.write(path("left/x"), Buffer.from("1"));
        const state = await stateOf(path("left/x"));
        await yard.write(path("left/x"), Buffer.from("22"));
        expect(await act({ kind: "delete" }, path("left/x"), state)).toMatchObject({ kind: "skipped" });
        expect(String(await read(path("left/x")))).toBe("22");
        await yard.remove(path("left/x"));
        expect(await act({ kind: "delete" }, path("left/x"), state)).toMatchObject({ kind: "skipped" });
      });
    });
  });
}
