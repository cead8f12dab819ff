import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodePath, encodePath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Entry } from "@tributary/shared/protocol.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Call } from "../identity/receiver.ts";
import { ENDED, type RemovalParcel, type VersionParcel } from "../queue/queue.ts";
import { openQueue, type SqliteQueue } from "../queue/sqlite.ts";
import { overtakes, takeOver } from "./handover.ts";

const ME = uuidv7();
const OTHER = uuidv7();
const place = { client: "acme", source: "pos" };
const sha = (text: string): string => Buffer.from(text.padEnd(32, ".")).toString("hex");
const at = (second: number): string => new Date(Date.UTC(2026, 0, 31, 5, 0, second)).toISOString();

let folder: string;
let queue: SqliteQueue;
/** The receiver's ledger, in commit order. */
let ledger: Entry[];
let calls: URL[];
let ended: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "handover-"));
  queue = openQueue(join(folder, "queue.sqlite"));
  ledger = [];
  calls = [];
  ended = [];
  queue.onEnd((ends) => ended.push(...ends.map(({ parcel, end }) => `${parcel.path} ${end.kind}`)));
});
afterEach(() => {
  queue.close();
  rmSync(folder, { recursive: true });
});

/** `GET /v1/versions` as the receiver answers it, in pages of three. */
const receiver = {
  async call({ path, headers }: Call) {
    const url = new URL(path, "https://receiver.test");
    calls.push(url);
    if (headers?.["tributary-lease"] !== "7") throw new ProblemError("lease-lost", "it is another's");
    const wanted = /[?&]path=([^&]*)/.exec(url.search)?.[1];
    const newest = new Map(ledger.map((entry) => [entry.pathEncoded, entry]));
    const all = ledger.filter((entry) =>
      wanted === undefined
        ? newest.get(entry.pathEncoded) === entry
        : decodePath(entry.pathEncoded).equals(decodePath(wanted)),
    );
    const from = Number(url.searchParams.get("cursor") ?? 0);
    const entries = all.slice(from, from + 3);
    const cursor = from + 3 < all.length ? String(from + 3) : null;
    return { status: 200, headers: {}, json: { entries, cursor } };
  },
};

function holds(path: string | Buffer, text: string | null, second: number, more: Partial<Entry> = {}): void {
  const kind = text === null ? "removal" : "version";
  ledger.push({
    ...{
      versionId: uuidv7(),
      kind,
      ...place,
      path: String(path),
      pathEncoded: encodePath(Buffer.from(path)),
    },
    ...{ size: text === null ? null : text.length, sha256: text === null ? null : sha(text) },
    ...{ captureId: uuidv7(), modifiedAt: text === null ? null : at(second - 1), sealedAt: at(second) },
    ...{ receivedAt: at(second + 1), channel: "push", agentId: OTHER, key: null },
    ...more,
  });
}

function version(path: string, text: string, second: number): VersionParcel {
  return {
    ...{ kind: "version", captureId: uuidv7(), ...place, path: Buffer.from(path), sealedAt: at(second) },
    state: { size: text.length, mtimeNs: 5n, ctimeNs: 6n, fileId: 7n },
    ...{ sha256: sha(text), partDigests: undefined, spooled: undefined },
  };
}

function seal(path: string, text: string, second: number): VersionParcel {
  const parcel = version(path, text, second);
  const seen = { path: parcel.path, state: parcel.state, sha256: parcel.sha256, sealedAt: 5, missed: 0 };
  queue.intake("acme", "pos").put([{ parcel, seen }]);
  return parcel;
}

function vanish(path: string, second: number): void {
  const { captureId, sealedAt, ...rest } = version(path, "", second);
  const parcel: RemovalParcel = { kind: "removal", captureId, ...place, path: rest.path, sealedAt };
  queue.intake("acme", "pos").missed([parcel.path], 1);
  queue.intake("acme", "pos").put([{ parcel, seen: undefined }]);
}

function deliver(parcel: VersionParcel): void {
  const receipt = { receipt: "r", versionId: "v", status: "created", receivedAt: at(9), at: 1 };
  queue.outbox.end(parcel.captureId, { kind: "delivered", ...receipt });
  ended = [];
}

const go = async (signal = new AbortController().signal) =>
  await takeOver({
    ...{ receiver, place, term: 7, agentId: ME, outbox: queue.outbox, now: () => 99, signal },
    takeover: queue.takeover("acme", "pos"),
  });
const seen = (path: string | Buffer) => queue.intake("acme", "pos").seen(Buffer.from(path));
const standing = (path: string) => queue.intake("acme", "pos").standing(Buffer.from(path));
const waiting = (): string[] => queue.outbox.take(99, 0).map(({ parcel }) => `${parcel.kind} ${parcel.path}`);

test("what another brought is as if it had been seen here, to the byte of its name", async () => {
  const odd = Buffer.from([0x64, 0x2f, 0xff, 0x0a, 0x25]);
  holds("a", "old", 1);
  holds("a", "new", 3);
  holds(odd, "odd", 4);
  for (let i = 0; i < 8; i += 1) holds(`d/e/${i}`, `${i}`, 5);
  holds("gone", "x", 5);
  holds("gone", null, 6);
  expect(await go()).toEqual({ overtaken: 0, learned: 11 });
  expect(seen("a")).toEqual({
    path: Buffer.from("a"),
    state: { size: 3, mtimeNs: BigInt(Date.parse(at(2))) * 1_000_000n, ctimeNs: 0n, fileId: undefined },
    sha256: sha("new"),
    sealedAt: Date.parse(at(3)),
    missed: 0,
  });
  expect(standing("a")).toEqual({ delivered: true, current: true, waiting: "none" });
  expect(seen(odd)?.sha256).toBe(sha("odd"));
  expect(seen("gone")).toBeUndefined();
  expect(queue.intake("acme", "pos").childFolders(Buffer.from("d"))).toEqual([Buffer.from("e")]);
  expect([...queue.intake("acme", "pos").seenIn(Buffer.from("d/e"))]).toHaveLength(8);
  expect(await go()).toEqual({ overtaken: 0, learned: 11 });
});

test("an end that the source keeps is known, for what comes behind it", async () => {
  holds("ended", "x", 5);
  holds("ended", null, 6, { modifiedAt: at(5) });
  holds("gone", null, 6);
  await go();
  expect(seen("ended")).toMatchObject({
    state: { size: 0, mtimeNs: BigInt(Date.parse(at(5))) * 1_000_000n, ctimeNs: 0n, fileId: undefined },
    missed: ENDED,
  });
  expect(seen("gone")).toBeUndefined();
  // One that was seen here is known by its own id.
  const state = { size: 0, mtimeNs: 9n, ctimeNs: 0n, fileId: 7n };
  const own = { path: Buffer.from("ended"), state, sha256: sha("x"), sealedAt: 5, missed: ENDED };
  queue.intake("acme", "pos").put([{ parcel: undefined, seen: own, ended: true }]);
  await go();
  expect(seen("ended")).toEqual(own);
});

test("its own rows: of the same bytes they stay, of others they are replaced, without an entry they go", async () => {
  for (const name of ["same", "other", "removed", "d/never", "d/e/never"]) deliver(seal(name, name, 1));
  holds("same", "same", 1, { agentId: ME });
  holds("other", "newer", 5);
  holds("removed", null, 5);
  queue.intake("acme", "pos").missed([Buffer.from("same")], 1);
  await go();
  expect(seen("same")).toMatchObject({ state: { mtimeNs: 5n, ctimeNs: 6n, fileId: 7n }, missed: 0 });
  expect(seen("other")).toMatchObject({ sha256: sha("newer"), state: { fileId: undefined } });
  for (const name of ["removed", "d/never", "d/e/never"]) expect(seen(name)).toBeUndefined();
  expect(queue.intake("acme", "pos").childFolders(Buffer.alloc(0))).toEqual([]);
});

test("what a program or an SFTP account brought says nothing of the source", async () => {
  deliver(seal("mine", "mine", 1));
  holds("mine", "theirs", 5, { agentId: "88a464e07ff88467", channel: "api" });
  holds("only", "theirs", 5, { agentId: "88a464e07ff88467", channel: "sftp" });
  await go();
  expect(seen("mine")?.sha256).toBe(sha("mine"));
  expect(seen("only")).toBeUndefined();
});

test("its own parcels: those that another brought meanwhile end, all others leave first and stay above", async () => {
  seal("brought", "x", 1);
  seal("lost", "x", 1);
  seal("twice", "first", 1);
  seal("twice", "second", 2);
  seal("mine", "x", 1);
  seal("early", "x", 9);
  deliver(seal("vanished", "x", 1));
  vanish("vanished", 2);
  deliver(seal("back", "x", 1));
  vanish("back", 2);
  seal("in another", "x", 1);
  for (let i = 0; i < 5; i += 1) holds("brought", `${i}`, 2 + i);
  holds("brought", "x", 8);
  holds("brought", "later still", 9);
  holds("lost", "newer", 5);
  holds("twice", "first", 5);
  // Its own receipt was lost: it is sent again, and gets it.
  holds("mine", "x", 1, { agentId: ME });
  holds("early", "x", 8);
  holds("vanished", null, 1);
  holds("back", "again", 5);
  holds("in another", "x", 5, { agentId: "88a464e07ff88467" });
  expect(await go()).toEqual({ overtaken: 3, learned: 8 });
  expect(ended.sort()).toEqual(["back overtaken", "brought overtaken", "twice overtaken"]);
  expect(waiting().sort()).toEqual([
    "removal vanished",
    "version early",
    "version in another",
    "version lost",
    "version mine",
    "version twice",
  ]);
  // All that was brought is over: the receiver's newest counts, and the file is compared with that.
  expect(seen("brought")?.sha256).toBe(sha("later still"));
  expect(seen("back")?.sha256).toBe(sha("again"));
  // What still leaves will be the newest there: what the file has become since is sealed anew, and goes behind it.
  expect(seen("lost")?.sha256).toBe(sha("x"));
  expect(seen("twice")?.sha256).toBe(sha("second"));
  expect(seen("vanished")).toBeUndefined();
});

test("of a parcel that is set aside nothing is touched", async () => {
  const parcel = seal("aside", "x", 1);
  queue.outbox.end(parcel.captureId, { kind: "aside", code: "quota-file", detail: "too large", at: 1 });
  await go();
  expect(seen("aside")?.sha256).toBe(sha("x"));
  expect(queue.status.depth().aside).toBe(1);
});

test("a history is asked for once for all parcels of its path", async () => {
  for (let i = 0; i < 20; i += 1) seal("a", `${i}`, i);
  for (let i = 0; i < 20; i += 1) seal(`b${i}`, "x", 1);
  await go();
  expect(calls.filter(({ search }) => search.includes("path="))).toHaveLength(21);
});

test("another source's rows stay as they are", async () => {
  const parcel = { ...version("x", "x", 1), source: "erp" };
  const state = { path: parcel.path, state: parcel.state, sha256: parcel.sha256, sealedAt: 5, missed: 0 };
  queue.intake("acme", "erp").put([{ parcel, seen: state }]);
  queue.outbox.end(parcel.captureId, {
    ...{ kind: "delivered", receipt: "r", versionId: "v", status: "created", receivedAt: at(9), at: 1 },
  });
  await go();
  expect(queue.intake("acme", "erp").seen(parcel.path)).toEqual(state);
});

test("it ends when the lease is lost, told by the receiver or here, and forgets nothing then", async () => {
  deliver(seal("kept", "x", 1));
  for (let i = 0; i < 9; i += 1) holds(`p${i}`, "x", 1);
  const stop = new AbortController();
  const call = receiver.call;
  receiver.call = async (request) => {
    if (calls.length === 2) stop.abort(new Error("lost"));
    return await call(request);
  };
  try {
    await expect(go(stop.signal)).rejects.toThrow("lost");
  } finally {
    receiver.call = call;
  }
  expect(seen("kept")).toBeDefined();
  const other = takeOver({
    ...{ receiver, place, term: 6, agentId: ME, outbox: queue.outbox, now: () => 99 },
    ...{ signal: new AbortController().signal, takeover: queue.takeover("acme", "pos") },
  });
  await expect(other).rejects.toMatchObject({ code: "lease-lost" });
  await go();
  expect(seen("kept")).toBeUndefined();
});

test("a page that the receiver refuses for now is asked for again, and not all from the beginning", async () => {
  for (let i = 0; i < 9; i += 1) holds(`p${i}`, "x", 1);
  const call = receiver.call;
  let asked = 0;
  receiver.call = async (request) => {
    asked += 1;
    if (asked % 2 === 0) throw new ProblemError("limit-requests", "too many requests", { retryAfter: 0.001 });
    return await call(request);
  };
  try {
    expect(await go()).toEqual({ overtaken: 0, learned: 9 });
    expect(calls).toHaveLength(3);
    asked = 0;
    receiver.call = () => {
      asked += 1;
      return Promise.reject(new ProblemError("limit-requests", "too many", { retryAfter: 0.001 }));
    };
    await expect(go()).rejects.toMatchObject({ code: "limit-requests" });
    expect(asked).toBe(5);
  } finally {
    receiver.call = call;
  }
});

test("only another agent's look that was no earlier counts", () => {
  holds("a", "x", 5);
  const [entry] = ledger;
  if (entry === undefined) throw new Error("it was just put there");
  const parcel = version("a", "x", 5);
  expect(overtakes(entry, parcel, ME)).toBe(true);
  expect(overtakes(entry, parcel, OTHER)).toBe(false);
  expect(overtakes({ ...entry, sealedAt: at(4) }, parcel, ME)).toBe(false);
  expect(overtakes({ ...entry, sealedAt: null }, parcel, ME)).toBe(true);
  expect(overtakes({ ...entry, sha256: sha("y") }, parcel, ME)).toBe(false);
  expect(overtakes({ ...entry, kind: "removal", sha256: null }, parcel, ME)).toBe(false);
});
