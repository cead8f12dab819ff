import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodePath } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { PARTS } from "@tributary/shared/protocol.ts";
import { signReceipt } from "@tributary/shared/receipt.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { makeTestAuthority, type TestAuthority } from "@tributary/test/network/authority.ts";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { ReceiverClock } from "../identity/clock.ts";
import type { Parcel, VersionParcel } from "../queue/queue.ts";
import { FreshBytes } from "../seal/fresh.ts";
import { IN_PARTS_FROM } from "../seal/part-hasher.ts";
import type { Opened, Source } from "../source/source.ts";
import type { FileState } from "../source/state.ts";
import { Bundles } from "./bundles.ts";
import { contentOpener, type ReadSmall } from "./content.ts";
import { type Carried, courier } from "./courier.ts";
import { FakeReceiver } from "./fake-receiver.ts";
import { HttpReceiver } from "./http.ts";
import { placeHeaders } from "./place-headers.ts";
import { Slots } from "./slots.ts";
import { RING_BYTES } from "./stream.ts";

let authority: TestAuthority;
let credentials: { cert: string; key: string };
let receiver: FakeReceiver;
let http: HttpReceiver;
let spool: string;
let jwks: ReturnType<FakeReceiver["jwks"]>;
const key = generateKeyPairSync("ed25519");
const live = new AbortController().signal;

beforeAll(async () => {
  authority = await makeTestAuthority("Tributary test authority");
  credentials = await authority.issue(["127.0.0.1"]);
});

beforeEach(async () => {
  spool = mkdtempSync(join(tmpdir(), "tributary-courier-"));
  receiver = await new FakeReceiver(credentials, authority.cert).start();
  receiver.agentKey = key.publicKey;
  jwks = receiver.jwks();
  const trust = { authorities: [{ pem: authority.cert, lastNamedAt: 0 }], systemNamedAt: null };
  http = new HttpReceiver({
    bearing: () => ({
      agentId: receiver.agentId,
      site: receiver.site,
      url: receiver.url,
      key: key.privateKey,
      trust,
      proxy: undefined,
      ca: undefined,
    }),
    clock: new ReceiverClock(),
    connections: 8,
    env: {},
  });
  folder.clear();
});

afterEach(async () => {
  await http.close();
  await receiver.stop();
  rmSync(spool, { recursive: true, force: true });
});

/** A source in memory: what `open` sees can be changed while it is read. */
const folder = new Map<string, { bytes: Buffer; state: FileState }>();
let healthy = true;
const source: Source = {
  name: "pos",
  tells: { hostTimes: true, coarseMs: 0, staleMs: 0, contentIds: false },
  after: {
    act: () => Promise.reject(new Error("not used")),
    recover: () => Promise.reject(new Error("not used")),
  },
  list: () => {
    throw new Error("not used");
  },
  takes: () => true,
  look: () => Promise.resolve({ kind: "gone" }),
  open: (path): Promise<Opened> => {
    const name = path.toString();
    const file = folder.get(name);
    if (file === undefined) return Promise.resolve({ kind: "gone" });
    return Promise.resolve({
      kind: "open",
      file: {
        state: file.state,
        recheck: () => Promise.resolve(folder.get(name)?.state),
        read: (into, position) => {
          onRead(position);
          return Promise.resolve((folder.get(name) ?? file).bytes.copy(into, 0, position));
        },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      },
    });
  },
  health: () =>
    Promise.resolve(
      healthy
        ? { healthy: true, rootId: "1" }
        : { healthy: false, code: "source-unreachable", reason: "the share is away" },
    ),
  watch: () => Promise.resolve(() => Promise.resolve()),
};
/** Of the lease of all. */
let term: number | ProblemError | undefined;
let onRead: (position: number) => void = () => {};
let readSmall: ReadSmall = () => undefined;
let fresh = new FreshBytes();

function carry(
  parcel: Parcel,
  signal: AbortSignal = live,
  bundles = new Bundles({ receiver: http, now: () => performance.now() }),
): Promise<Carried> {
  onRead ??= () => {};
  const run = courier({
    receiver: http,
    headersOf: placeHeaders(() => {
      if (term instanceof ProblemError) throw term;
      return term;
    }),
    readSmall: (parcel) => readSmall(parcel),
    ridesUpTo: () => 65_536,
    left: () => {},
    fresh,
    bundles,
    open: contentOpener(spool, (client, name) => (client === "acme" && name === "pos" ? source : undefined)),
    site: () => receiver.site,
    jwks: () => jwks,
    bandwidth: { take: (most) => Promise.resolve(most) },
    underway: new Slots(4, () => undefined),
    rings: new Slots(2, () => Buffer.alloc(RING_BYTES)),
    random: () => 0,
  });
  return run({ parcel, attempts: 0 }, signal);
}

function version(bytes: Buffer, path = "a b/ü%.csv", spooled = true): VersionParcel {
  const captureId = uuidv7();
  const state = { size: bytes.length, mtimeNs: 1_700_000_000_123_456_789n, ctimeNs: 1n, fileId: 7n };
  if (spooled) writeFileSync(join(spool, captureId), bytes);
  else folder.set(path, { bytes, state });
  return {
    kind: "version",
    captureId,
    client: "acme",
    source: "pos",
    path: Buffer.from(path),
    sealedAt: new Date().toISOString(),
    state,
    sha256: createHash("sha256").update(bytes).digest("hex"),
    partDigests: undefined,
    spooled: spooled ? captureId : undefined,
  };
}

/** As it comes out of sealing: with the digest of each part. */
function sealed(bytes: Buffer, path?: string, spooled?: boolean): VersionParcel {
  const digests: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += PARTS.smallest)
    digests.push(
      createHash("sha256")
        .update(bytes.subarray(at, at + PARTS.smallest))
        .digest(),
    );
  return { ...version(bytes, path, spooled), partDigests: Buffer.concat(digests) };
}

const change = (path: string, bytes: Buffer, mtimeNs = 5n): void => {
  folder.set(path, { bytes, state: { size: bytes.length, mtimeNs, ctimeNs: mtimeNs, fileId: 7n } });
};

beforeEach(() => {
  healthy = true;
  onRead = () => {};
  readSmall = () => undefined;
  fresh = new FreshBytes();
});

test("what was read to be sealed leaves as it was sealed, whatever became of the file; once, and for that capture alone", async () => {
  const [kept, other] = [
    version(Buffer.from("sealed"), "p", false),
    version(Buffer.from("other"), "q", false),
  ];
  fresh.keep(kept.captureId, Buffer.from("sealed"));
  change("p", Buffer.from("changed"));
  change("q", Buffer.from("changed"));
  expect(await carry(other)).toMatchObject({ kind: "superseded" });
  expect(await carry(kept)).toMatchObject({ kind: "delivered" });
  expect(receiver.taken.map(({ bytes }) => String(bytes))).toEqual(["sealed"]);
  // A second try reads what lies there now, and finds that it is no longer what was sealed.
  expect(await carry(kept)).toMatchObject({ kind: "superseded" });
});

test("a small file that is read at once is compared with what was sealed", async () => {
  const parcel = version(Buffer.from("sealed"), "p", false);
  readSmall = () => Buffer.from("seaLed");
  expect(await carry(parcel)).toMatchObject({ kind: "superseded" });
  expect(receiver.requests).toEqual([]);
  readSmall = () => Buffer.from("sealed");
  expect(await carry(parcel)).toMatchObject({ kind: "delivered" });
});

test("small files that come together ride together, a large one and a removal beside them; each has its own receipt", async () => {
  const small = Array.from({ length: 50 }, (_, i) => version(Buffer.from(`s${i}`), `s${i}`));
  for (const [i, { captureId }] of small.entries()) fresh.keep(captureId, Buffer.from(`s${i}`));
  const large = version(Buffer.alloc(100_000), "large");
  const removal: Parcel = {
    ...small[0],
    kind: "removal",
    captureId: uuidv7(),
    path: Buffer.from("gone"),
  } as Parcel;
  const bundles = new Bundles({ receiver: http, now: () => performance.now() });
  const carried = await Promise.all([...small, large, removal].map((parcel) => carry(parcel, live, bundles)));
  for (const [i, parcel] of [...small, large, removal].entries())
    expect(carried[i]).toMatchObject({ kind: "delivered", claims: { captureId: parcel.captureId } });
  expect(receiver.bundles.map(({ length }) => length)).toEqual([50]);
  expect(receiver.requests).toHaveLength(3);
});

test("what began under one term of a lease never goes on under another", async () => {
  const sizes = [60_000, IN_PARTS_FROM + 1];
  for (const parcel of sizes.map((size) => version(Buffer.alloc(size), `${size}`, false))) {
    term = 7;
    onRead = () => {
      term = 9;
    };
    await expect(carry(parcel)).rejects.toMatchObject({ code: "lease-lost" });
  }
  term = undefined;
  onRead = () => {};
  expect(receiver.taken).toEqual([]);
});

test("a part whose lease is lost holds no place that another client's could have", async () => {
  const lost = new ProblemError("lease-lost", "another agent has it", { retryAfter: 5 });
  onRead = () => {
    term = lost;
  };
  const began = performance.now();
  await expect(carry(version(Buffer.alloc(IN_PARTS_FROM + 1), "parts", false))).rejects.toBe(lost);
  expect(performance.now() - began).toBeLessThan(4_000);
  term = undefined;
  onRead = () => {};
});

test("a receipt in a bundle that is another's proves nothing", async () => {
  const [a, b] = [version(Buffer.from("a"), "a"), version(Buffer.from("b"), "b")];
  const receipts: unknown[] = [];
  receiver.line = (line) => {
    if (line.receipt !== undefined) receipts.push(line.receipt);
    return line.receipt === undefined ? line : { ...line, receipt: receipts[0] };
  };
  const bundles = new Bundles({ receiver: http, now: () => performance.now() });
  // In hand already: whoever has to be read first may come too late for the other's bundle, and go alone.
  for (const { captureId, path } of [a, b]) fresh.keep(captureId, Buffer.from(path));
  const settled = await Promise.allSettled([carry(a, live, bundles), carry(b, live, bundles)]);
  expect(settled).toMatchObject([
    { status: "fulfilled", value: { kind: "delivered" } },
    { status: "rejected", reason: { code: "receipt-invalid" } },
  ]);
});

test("a path of 4,096 bytes, all of them escaped", async () => {
  const path = Buffer.alloc(4096, 0xff);
  for (let at = 255; at < path.length; at += 256) path[at] = 0x2f;
  path[4095] = 0xfe;
  const parcel = { ...version(Buffer.from("x")), path };
  expect(await carry(parcel)).toMatchObject({ kind: "delivered" });
  expect(receiver.taken[0]?.answer.pathEncoded).toBe(encodePath(path));
});

test.for([0, 1, 4096, 128 * 1024, 128 * 1024 + 1, 3_000_000])(
  "a file of %i bytes in one request",
  async (size) => {
    const bytes = Buffer.alloc(size, "tributary");
    for (const spooled of [true, false]) {
      const parcel = version(bytes, "a b/ü%.csv", spooled);
      const carried = await carry(parcel);
      expect(carried).toMatchObject({
        kind: "delivered",
        claims: { captureId: parcel.captureId, status: "created" },
      });
      const taken = receiver.taken.at(-1);
      expect(taken?.bytes.equals(bytes)).toBe(true);
      expect(taken?.answer.pathEncoded).toBe(encodePath(parcel.path));
      expect(taken?.headers).toMatchObject({
        "content-length": String(size),
        "tributary-client": "acme",
        "tributary-modified-at": "2023-11-14T22:13:20.123Z",
        "tributary-sealed-at": parcel.sealedAt,
      });
    }
  },
);

test("a removal", async () => {
  const { state: _s, sha256: _h, spooled: _p, ...base } = version(Buffer.alloc(1));
  const carried = await carry({ ...base, kind: "removal" });
  expect(carried).toMatchObject({ kind: "delivered", claims: { status: "removed", sha256: null } });
});

test.for([
  ["with the digests of its parts", sealed],
  ["without", version],
] as const)("a large file in parts, %s; cut short, only the missing parts go again", async ([, made]) => {
  const bytes = Buffer.alloc(IN_PARTS_FROM + 9 * 2 ** 20 + 5);
  for (let i = 0; i < bytes.length; i += 4096) bytes.writeUInt32BE(i, i);
  const parcel = made(bytes, "big.bin", false);
  const stop = new AbortController();
  let parts = 0;
  receiver.intercept = (request) => {
    if (!request.url?.includes("/parts/")) return false;
    parts += 1;
    return parts > 2;
  };
  const cut = carry(parcel, stop.signal).catch((cause: unknown) => cause);
  await expect.poll(() => [...receiver.uploads.values()][0]?.parts.size, { timeout: 10_000 }).toBe(2);
  // None still on its way that would arrive after all.
  await expect.poll(() => parts, { timeout: 10_000 }).toBe(4);
  stop.abort(new Error("killed"));
  expect(await cut).toBe(stop.signal.reason);
  const [upload] = [...receiver.uploads.values()];
  receiver.intercept = () => false;
  receiver.requests.length = 0;
  expect(await carry(parcel)).toMatchObject({ kind: "delivered", claims: { size: bytes.length } });
  const rest = receiver.requests.filter((line) => line.includes(`${upload?.id}/parts/`));
  expect(rest).toHaveLength(4 - 2);
  expect(receiver.taken[0]?.bytes.equals(bytes)).toBe(true);
});

test("a part that fails goes again; an upload that was swept begins anew", async () => {
  const parcel = sealed(Buffer.alloc(IN_PARTS_FROM, 1), "big.bin");
  let failures = 0;
  receiver.intercept = (request, response) => {
    if (failures === 0 && request.url?.endsWith("/parts/2")) {
      failures += 1;
      request.resume().on("end", () => response.writeHead(503, { "retry-after": "0" }).end("<html>"));
      return true;
    }
    if (failures === 1 && request.url?.endsWith("/complete")) {
      failures += 1;
      receiver.uploads.clear();
    }
    return false;
  };
  expect(await carry(parcel)).toMatchObject({ kind: "delivered" });
  expect(failures).toBe(2);
  expect(receiver.taken).toHaveLength(1);
});

test("while the receiver keeps parts waiting for their answer, the next ones travel", async () => {
  const parcel = sealed(Buffer.alloc(IN_PARTS_FROM + 9 * 2 ** 20, 1), "big.bin");
  const answers: (() => void)[] = [];
  receiver.intercept = (request, response) => {
    if (!request.url?.includes("/parts/")) return false;
    const end = response.end.bind(response);
    response.end = (...args: unknown[]) => {
      answers.push(() => end(...(args as Parameters<typeof end>)));
      return response;
    };
    return false;
  };
  const carried = carry(parcel);
  // Twice as many as there are rings.
  await expect.poll(() => answers.length, { timeout: 10_000 }).toBe(4);
  for (const answer of answers.splice(0)) answer();
  expect(await carried).toMatchObject({ kind: "delivered" });
});

test("a part that is to wait for an hour gives the parcel back at once: others need its slot", async () => {
  const parcel = version(Buffer.alloc(IN_PARTS_FROM, 1), "big.bin");
  receiver.intercept = (request, response) => {
    if (!request.url?.includes("/parts/")) return false;
    request.resume().on("end", () => {
      response.writeHead(507, { "retry-after": "3600" });
      response.end('{"code":"quota-stored","detail":"full"}');
    });
    return true;
  };
  await expect(carry(parcel)).rejects.toMatchObject({ code: "quota-stored", retryAfter: 3600 });
});

test.for([
  ["gone before", () => folder.delete("f")],
  ["other bytes, other time", () => change("f", Buffer.alloc(3_000_000, 2))],
  ["shorter", () => change("f", Buffer.alloc(10))],
] as const)("in-place, %s: superseded, nothing asked of the receiver", async ([, happens]) => {
  const parcel = version(Buffer.alloc(3_000_000, 1), "f", false);
  happens();
  expect(await carry(parcel)).toMatchObject({ kind: "superseded" });
  expect(receiver.taken).toEqual([]);
});

test.for([
  [100_000, version],
  [3_000_000, version],
  [IN_PARTS_FROM + 1, version],
  [IN_PARTS_FROM + 1, sealed],
] as const)(
  "in-place, %i bytes, changed while it is sent, even with the same times: superseded, never committed",
  async ([size, made]) => {
    for (const sameTimes of [false, true]) {
      const parcel = made(Buffer.alloc(size, 1), "f", false);
      onRead = () => {
        onRead = () => {};
        change("f", Buffer.alloc(size, 2), 5n);
        if (sameTimes) folder.set("f", { bytes: Buffer.alloc(size, 2), state: parcel.state });
      };
      expect(await carry(parcel)).toMatchObject({ kind: "superseded" });
      expect(receiver.taken).toEqual([]);
    }
  },
);

test("in-place, the share went away: the parcel waits", async () => {
  const parcel = version(Buffer.alloc(10), "f", false);
  folder.clear();
  healthy = false;
  await expect(carry(parcel)).rejects.toMatchObject({ code: "source-unreachable" });
});

test("in-place, the source is no longer configured: the parcel waits", async () => {
  const parcel = { ...version(Buffer.alloc(10), "f", false), source: "other" };
  await expect(carry(parcel)).rejects.toMatchObject({ code: "source-unreachable" });
});

test("a spooled copy that was damaged is not sent as if it were whole", async () => {
  const parcel = version(Buffer.alloc(1000, 1));
  writeFileSync(join(spool, parcel.captureId), Buffer.alloc(1000, 2));
  expect(await carry(parcel)).toMatchObject({ kind: "superseded" });
  expect(receiver.taken).toEqual([]);
});

test.for([
  ["captureId", { captureId: uuidv7() }],
  ["sha256", { sha256: "0".repeat(64) }],
  ["size", { size: 1 }],
  ["client", { client: "other" }],
  ["source", { source: "other" }],
  ["pathEncoded", { pathEncoded: "other" }],
  ["iss", { iss: "00000000-0000-0000-0000-000000000000" }],
  ["removed", { status: "removed" }],
] as const)("a receipt for something else (%s) delivers nothing", async ([what, claims]) => {
  receiver.claims = (honest) => ({ ...honest, ...claims });
  await expect(carry(version(Buffer.alloc(10)))).rejects.toMatchObject({
    code: "receipt-invalid",
    message: expect.stringContaining(what),
  });
});

test("a receipt by a stranger's key delivers nothing, even under a known key id", async () => {
  const stranger = generateKeyPairSync("ed25519").privateKey;
  const parcel = version(Buffer.alloc(10));
  expect((await carry(parcel)).kind).toBe("delivered");
  const [taken] = receiver.taken;
  if (taken === undefined) throw new Error("nothing was taken");
  const { receipt, ...honest } = taken.answer;
  const { path: _path, ...claims } = honest;
  const forged = signReceipt(
    { ...claims, iss: receiver.site, channel: "push", agentId: receiver.agentId },
    stranger,
    jwks.keys[0]?.kid as string,
  );
  receiver.intercept = (request, response) => {
    request
      .resume()
      .on("end", () => response.writeHead(201).end(JSON.stringify({ ...honest, receipt: forged })));
    return true;
  };
  await expect(carry(parcel)).rejects.toMatchObject({ code: "receipt-invalid" });
  expect(receipt).not.toBe(forged);
});

test("the receiver's new key is fetched once", async () => {
  receiver.rotateReceiptKey();
  expect((await carry(version(Buffer.alloc(10)))).kind).toBe("delivered");
  expect(receiver.requests.filter((line) => line.includes("jwks"))).toHaveLength(1);
});
