import { createHash } from "node:crypto";
import { ProblemError, problemBody } from "@tributary/shared/problems.ts";
import type { BundleLine } from "@tributary/shared/protocol.ts";
import { BLOCK, padding, readHeader, readPax } from "@tributary/shared/tar.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Call, Receiver } from "../identity/receiver.ts";
import type { VersionParcel } from "../queue/queue.ts";
import { Bundles } from "./bundles.ts";

const live = new AbortController().signal;
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

interface Arrived {
  readonly captureId: string;
  readonly sha256: string;
  readonly path: string;
  readonly bytes: Buffer;
}

/** Entries out of a bundle's body, as it comes. */
async function* entriesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<Arrived> {
  let rest = Buffer.alloc(0);
  let records = new Map<string, Buffer>();
  for await (const chunk of body) {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      if (rest.length < BLOCK) break;
      const header = readHeader(rest.subarray(0, BLOCK));
      if (header === "invalid") throw new Error("no tar");
      if (header === "end") return;
      const end = BLOCK + header.size + padding(header.size);
      if (rest.length < end) break;
      const content = rest.subarray(BLOCK, BLOCK + header.size);
      if (header.type === "x") records = readPax(content) ?? new Map();
      else
        yield {
          captureId: String(records.get("TRIBUTARY.captureId")),
          sha256: String(records.get("TRIBUTARY.sha256")),
          path: String(records.get("path") ?? header.name),
          bytes: Buffer.from(content),
        };
      rest = rest.subarray(end);
    }
  }
}

let answer: (arrived: Arrived, n: number) => BundleLine | undefined | "break" | "end";
let bundles: { readonly call: Call; readonly arrived: Arrived[] }[];
let refuse: (() => ProblemError | undefined) | undefined;
let now: number;

beforeEach(() => {
  bundles = [];
  refuse = undefined;
  now = 0;
  answer = (arrived, n) => receipt(arrived, n);
});
afterEach(() => expect(bundles.every(({ call }) => call.path.startsWith("/v1/bundles/"))).toBe(true));

function receipt({ captureId, sha256: digest, path, bytes }: Arrived, entry: number): BundleLine {
  return {
    ...{
      entry,
      status: "created",
      versionId: uuidv7(),
      client: "acme",
      source: "pos",
      path,
      pathEncoded: path,
    },
    ...{ size: bytes.length, sha256: digest, captureId, receivedAt: "2026-01-01T00:00:00Z", receipt: "jws" },
  };
}

const receiver: Receiver = {
  call: () => Promise.reject(new Error("not used")),
  async lines(call, take) {
    const bundle = { call, arrived: [] as Arrived[] };
    bundles.push(bundle);
    const refused = refuse?.();
    if (refused !== undefined) throw refused;
    if (typeof call.body !== "function") throw new Error("a bundle is a stream");
    for await (const arrived of entriesOf(call.body())) {
      bundle.arrived.push(arrived);
      const line = answer(arrived, bundle.arrived.length);
      if (line === "break") throw new ProblemError("receiver-unreachable", "the line broke");
      if (line === "end") return;
      if (line !== undefined) take(line);
    }
    take({ end: true, complete: true, delivered: 1, refused: 0 });
  },
};

function parcel(name: string, bytes: Buffer, source = "pos"): VersionParcel {
  return {
    ...{ kind: "version", captureId: uuidv7(), client: "acme", source, path: Buffer.from(name) },
    ...{
      sealedAt: "2026-01-01T00:00:00.000Z",
      sha256: sha256(bytes),
      partDigests: undefined,
      spooled: undefined,
    },
    state: { size: bytes.length, mtimeNs: 1n, ctimeNs: 1n, fileId: 1n },
  };
}

const ride = (of: Bundles, names: readonly string[], source?: string) =>
  names.map((name) => of.carry(parcel(name, Buffer.from(name), source), Buffer.from(name), live));
const fresh = (): Bundles => new Bundles({ receiver, now: () => now });
const names = (count: number, prefix = "f"): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}/${i}`);

describe("small parcels", () => {
  test("that come together ride together, and each has its own answer", async () => {
    const answers = await Promise.all(ride(fresh(), names(500)));
    expect(bundles).toHaveLength(1);
    expect(bundles[0]?.arrived.map(({ path }) => path)).toEqual(names(500));
    expect(bundles[0]?.arrived.every(({ bytes, sha256: digest }) => sha256(bytes) === digest)).toBe(true);
    for (const [i, one] of answers.entries())
      expect(one).toMatchObject({ status: 201, json: { path: `f/${i}` } });
  });

  test("one alone goes by itself; sources do not share a bundle", async () => {
    const all = fresh();
    expect(await Promise.all(ride(all, ["alone"]))).toEqual(["alone"]);
    await Promise.all([...ride(all, names(5), "pos"), ...ride(all, names(5), "hr")]);
    expect(bundles.map(({ call, arrived }) => [call.path, arrived.length])).toEqual([
      ["/v1/bundles/pos", 5],
      ["/v1/bundles/hr", 5],
    ]);
  });

  test("that come later get on while it is under way", async () => {
    const all = fresh();
    let second: Promise<unknown>[] = [];
    answer = (arrived, n) => {
      if (n === 2) second = ride(all, names(3, "late"));
      return receipt(arrived, n);
    };
    await Promise.all(ride(all, names(2)));
    await Promise.all(second);
    expect(bundles).toHaveLength(1);
    expect(bundles[0]?.arrived).toHaveLength(5);
  });

  test("more than one bundle takes go in the next", async () => {
    const large = Buffer.alloc(1_000_000, "x");
    const all = fresh();
    const riding = Array.from({ length: 70 }, (_, i) => all.carry(parcel(`l/${i}`, large), large, live));
    await Promise.all(riding);
    expect(bundles.length).toBeGreaterThan(1);
    for (const { arrived } of bundles)
      expect(arrived.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThan(35_000_000);
    expect(bundles.flatMap(({ arrived }) => arrived)).toHaveLength(70);
  });
});

describe("what goes wrong", () => {
  test("with one is that one's alone", async () => {
    answer = (arrived, entry) =>
      arrived.path === "f/3"
        ? {
            ...{ entry, path: arrived.path, captureId: arrived.captureId },
            problem: problemBody(new ProblemError("quota-file", "too large", { retryAfter: 60 })),
          }
        : receipt(arrived, entry);
    const ends = await Promise.allSettled(ride(fresh(), names(6)));
    expect(ends.map(({ status }) => status === "fulfilled")).toEqual([true, true, true, false, true, true]);
    expect(ends[3]).toMatchObject({ reason: { code: "quota-file", retryAfter: 60 } });
  });

  test("a line that breaks costs one repetition of what was not answered, and no more", async () => {
    answer = (arrived, n) => (bundles.length === 1 && n === 3 ? "break" : receipt(arrived, n));
    expect(await Promise.all(ride(fresh(), names(6)))).toHaveLength(6);
    expect(bundles).toHaveLength(2);
    const again = bundles[1]?.arrived.map(({ path }) => path);
    expect(again).toEqual(expect.arrayContaining(["f/2", "f/3", "f/4", "f/5"]));
    expect(again).not.toContain("f/0");

    bundles = [];
    answer = () => "break";
    const ends = await Promise.allSettled(ride(fresh(), names(4)));
    expect(bundles).toHaveLength(2);
    for (const end of ends) expect(end).toMatchObject({ reason: { code: "receiver-unreachable" } });
  });

  test("an answer that ends before it named everybody, and one with lines that are none", async () => {
    answer = (arrived, n) => (n === 2 ? "end" : receipt(arrived, n));
    const ends = await Promise.allSettled(ride(fresh(), names(3)));
    expect(bundles.length).toBeGreaterThan(1);
    expect(ends.some(({ status }) => status === "fulfilled")).toBe(true);

    bundles = [];
    answer = () => ({ nonsense: true }) as never;
    for (const end of await Promise.allSettled(ride(fresh(), names(3))))
      expect(end).toMatchObject({ reason: { code: "receipt-invalid" } });
  });

  test("the receiver's own trouble reaches all that ride, with its name", async () => {
    answer = (_, n) =>
      n === 1
        ? {
            entry: null,
            problem: problemBody(new ProblemError("lake-unavailable", "no disk", { retryAfter: 7 })),
          }
        : undefined;
    for (const end of await Promise.allSettled(ride(fresh(), names(5))))
      expect(end).toMatchObject({ reason: { code: "lake-unavailable", retryAfter: 7 } });
  });

  test("answers for captures that nobody sent change nothing", async () => {
    answer = (arrived, n) => receipt(n === 1 ? { ...arrived, captureId: uuidv7() } : arrived, n);
    const ends = await Promise.allSettled(ride(fresh(), names(2)));
    expect(ends[1]?.status).toBe("fulfilled");
    expect(ends[0]).toMatchObject({ reason: { code: "receiver-unreachable" } });
  });

  test("a receiver that cannot be reached is tried twice, not for ever", async () => {
    refuse = () => new ProblemError("receiver-unreachable", "connection refused");
    for (const end of await Promise.allSettled(ride(fresh(), names(5))))
      expect(end).toMatchObject({ reason: { code: "receiver-unreachable" } });
    expect(bundles).toHaveLength(2);
  });

  test("a receiver that knows no bundles gets its files one by one, and is asked again after an hour", async () => {
    const all = fresh();
    refuse = () => new ProblemError("not-found", "there is nothing at /v1/bundles/pos");
    expect(await Promise.all(ride(all, names(3)))).toEqual(["alone", "alone", "alone"]);
    refuse = undefined;
    expect(await Promise.all(ride(all, names(3)))).toEqual(["alone", "alone", "alone"]);
    expect(bundles).toHaveLength(1);
    now = 3_600_001;
    expect(await Promise.all(ride(all, names(3)))).not.toContain("alone");
  });
});
