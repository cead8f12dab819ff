import { type ProblemCode, ProblemError } from "@tributary/shared/problems.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Fact } from "../facts.ts";
import type { Admit, Outbox, ParcelEnd, Postponement, RemovalParcel, Waiting } from "../queue/queue.ts";
import type { Carried } from "./courier.ts";
import { Dispatcher } from "./dispatch.ts";

/** A queue in memory with the promises of the port: the oldest of each path, handed out once. */
class MemoryOutbox implements Outbox {
  readonly waiting: { parcel: RemovalParcel; attempts: number; due: number; out: boolean }[] = [];
  readonly ends: { readonly captureId: string; readonly end: ParcelEnd }[] = [];
  commits = 0;
  full = false;

  put(...names: string[]): void {
    this.putOf("acme", "pos", ...names);
  }

  putOf(client: string, source: string, ...names: string[]): void {
    for (const name of names) {
      const [path = "", number = "1"] = name.split("#");
      const parcel: RemovalParcel = {
        kind: "removal",
        captureId: `${path}#${number}`,
        client,
        source,
        path: Buffer.from(path),
        sealedAt: "2026-01-01T00:00:00Z",
      };
      this.waiting.push({ parcel, attempts: 0, due: 0, out: false });
    }
  }

  #heads() {
    const seen = new Set<string>();
    return this.waiting.filter(({ parcel }) => {
      const path = parcel.path.toString();
      if (seen.has(path)) return false;
      seen.add(path);
      return true;
    });
  }

  take(limit: number, now: number, admit: Admit = () => "yes"): Waiting[] {
    const taken: Waiting[] = [];
    for (const one of this.#heads()) {
      const { parcel, attempts } = one;
      if (taken.length === limit || one.out || one.due > now) continue;
      if (admit(parcel.captureId, parcel, 0) !== "yes") continue;
      one.out = true;
      taken.push({ parcel, attempts });
    }
    return taken;
  }

  giveBack(captureIds: readonly string[]): void {
    for (const captureId of captureIds) this.#find(captureId).out = false;
  }

  retake(): number {
    return 0;
  }

  wakeAll(): void {
    for (const one of this.waiting) one.due = 0;
  }

  wakeSource(name: string): void {
    for (const one of this.waiting) if (one.parcel.source === name) one.due = 0;
  }

  nextDue(): number | undefined {
    const due = this.#heads().filter((one) => !one.out && one.due > 0);
    return due.length === 0 ? undefined : Math.min(...due.map((one) => one.due));
  }

  postpone(postponed: readonly Postponement[]): void {
    this.commits += 1;
    for (const { captureId, until } of postponed) {
      const one = this.#find(captureId);
      one.out = false;
      one.due = until;
      one.attempts += 1;
    }
  }

  end(captureId: string, end: ParcelEnd): void {
    this.endAll([{ captureId, end }]);
  }

  endAll(ends: readonly { readonly captureId: string; readonly end: ParcelEnd }[]): void {
    this.commits += 1;
    if (this.full) {
      for (const { captureId } of ends) this.#find(captureId).out = false;
      throw new ProblemError("disk-full", "no room");
    }
    for (const one of ends) {
      this.waiting.splice(this.waiting.indexOf(this.#find(one.captureId)), 1);
      this.ends.push(one);
    }
  }

  #find(captureId: string) {
    const found = this.waiting.find((one) => one.parcel.captureId === captureId);
    if (found === undefined) throw new Error(`${captureId} ended twice`);
    return found;
  }
}

let outbox: MemoryOutbox;
let facts: Fact[];
let carried: string[];
let dispatcher: Dispatcher;
let down: ProblemCode | undefined;
let probes: number;
let most: number;
let now: number;
let open: boolean;
let shareOf: (name: string) => number;

beforeEach(() => {
  outbox = new MemoryOutbox();
  facts = [];
  carried = [];
  down = undefined;
  probes = 0;
  most = 8;
  now = 1_000;
  open = true;
  shareOf = () => 1;
});
afterEach(() => dispatcher.stop(0));

const delivered: Carried = {
  kind: "delivered",
  receipt: "r",
  claims: {
    iss: "i",
    client: "acme",
    source: "pos",
    pathEncoded: "p",
    versionId: "v",
    captureId: "c",
    size: null,
    sha256: null,
    status: "removed",
    receivedAt: "2026-01-01T00:00:00Z",
    channel: "push",
    agentId: "a",
  },
};

function start(
  how: (name: string, signal: AbortSignal) => Promise<Carried> | Carried = () => delivered,
): void {
  dispatcher = new Dispatcher({
    outbox,
    carry: async ({ parcel }, signal) => {
      carried.push(parcel.captureId);
      await new Promise(setImmediate);
      return await how(parcel.captureId, signal);
    },
    probe: async () => {
      probes += 1;
      await new Promise(setImmediate);
      if (down !== undefined) throw new ProblemError(down, "down");
    },
    parallel: () => most,
    share: ({ captureId }) => shareOf(captureId),
    open: () => open,
    report: (fact) => facts.push(fact),
    random: () => 0.01,
    now: () => now,
  });
  dispatcher.start();
}

const kinds = () => facts.map((fact) => fact.kind);
const problem = (code: ProblemCode, retryAfter?: number) =>
  new ProblemError(code, code, retryAfter === undefined ? {} : { retryAfter });
const emptied = () => expect.poll(() => outbox.waiting.length).toBe(0);

test("many at once, never more than allowed, one path in its order, their ends in few commits", async () => {
  const names = Array.from({ length: 100 }, (_, i) => `f${i % 50}#${Math.floor(i / 50)}`);
  outbox.put(...names);
  let atOnce = 0;
  let peak = 0;
  start(async () => {
    atOnce += 1;
    peak = Math.max(peak, atOnce);
    await new Promise(setImmediate);
    atOnce -= 1;
    return delivered;
  });
  await emptied();
  expect(peak).toBe(8);
  for (let i = 0; i < 50; i += 1) expect(carried.indexOf(`f${i}#0`)).toBeLessThan(carried.indexOf(`f${i}#1`));
  expect(outbox.commits).toBeLessThan(60);
  expect(kinds().filter((kind) => kind === "ParcelDelivered")).toHaveLength(100);
});

describe("those that share a place", () => {
  const counting = () => {
    const atOnce = { small: 0, large: 0 };
    const peak = { small: 0, large: 0, load: 0 };
    const ends: (() => void)[] = [];
    const how = async (name: string): Promise<Carried> => {
      const kind = name.startsWith("l") ? "large" : "small";
      atOnce[kind] += 1;
      peak[kind] = Math.max(peak[kind], atOnce[kind]);
      peak.load = Math.max(peak.load, atOnce.large + atOnce.small * shareOf(name.replace("l", "s")));
      await new Promise<void>((resolve) => ends.push(resolve));
      atOnce[kind] -= 1;
      return delivered;
    };
    const goOn = async (): Promise<void> => {
      while (outbox.waiting.length > 0) {
        for (const end of ends.splice(0, 5)) end();
        await new Promise(setImmediate);
      }
    };
    return { peak, how, goOn };
  };

  test("many go for one, never more than their shares allow; a large one takes a whole place, and waits for none that is younger", async () => {
    most = 2;
    shareOf = (name) => (name.startsWith("l") ? 1 : 1 / 16);
    const small = (from: number) => Array.from({ length: 100 }, (_, i) => `s${from + i}`);
    outbox.put(...small(0), "l1", "l2", ...small(100), "l3", ...small(200));
    const { peak, how, goOn } = counting();
    start(how);
    await expect.poll(() => carried.length).toBe(32);
    await goOn();
    expect(peak.small).toBe(32);
    expect(peak.large).toBe(2);
    // The last that begins may be a large one.
    expect(peak.load).toBeLessThanOrEqual(2 + 15 / 16);
    const order = carried.map((name) => name.split("#")[0]);
    expect(order.indexOf("l1")).toBe(100);
    expect(order.indexOf("l3")).toBeLessThan(order.indexOf("s200"));
    expect(outbox.ends).toHaveLength(303);
  });

  test("shares add up to nothing when all is over, however they ended", async () => {
    most = 1;
    shareOf = () => 1 / 128;
    let fails = true;
    outbox.put(...Array.from({ length: 400 }, (_, i) => `f${i}`));
    start((name) => {
      if (fails && Number(/\d+/.exec(name)?.[0]) % 3 === 0) throw problem("file-unreadable", 1);
      return delivered;
    });
    await expect.poll(() => outbox.waiting.length).toBe(134);
    fails = false;
    now += 120_000;
    dispatcher.wake();
    await emptied();
    // As many as at the first time.
    let atOnce = 0;
    outbox.put(...Array.from({ length: 200 }, (_, i) => `again${i}`));
    await dispatcher.stop(0);
    start(async (_name, signal) => {
      atOnce += 1;
      return await new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(new Error("cut"))),
      );
    });
    await expect.poll(() => atOnce).toBe(128);
  });

  test("receipts that come together cost few looks into the queue", async () => {
    most = 2;
    shareOf = () => 1 / 128;
    let looks = 0;
    const take = outbox.take.bind(outbox);
    outbox.take = (...args) => {
      looks += 1;
      return take(...args);
    };
    outbox.put(...Array.from({ length: 2_000 }, (_, i) => `f${i}`));
    start();
    await emptied();
    expect(looks).toBeLessThan(200);
  });

  test("while nobody knows whether the receiver takes anything, one asks, small as it is", async () => {
    shareOf = () => 1 / 128;
    outbox.put(...Array.from({ length: 300 }, (_, i) => `f${i}`));
    let atOnce = 0;
    let peak = 0;
    let peakAtFirst: number | undefined;
    down = "receiver-unreachable";
    start(async () => {
      atOnce += 1;
      peak = Math.max(peak, atOnce);
      await new Promise(setImmediate);
      atOnce -= 1;
      if (down !== undefined) throw problem(down);
      peakAtFirst ??= peak;
      return delivered;
    });
    await expect.poll(() => probes).toBeGreaterThan(1);
    peak = 0;
    down = undefined;
    now += 3_600_000;
    dispatcher.heard();
    await emptied();
    expect(peakAtFirst).toBe(1);
    expect(peak).toBeGreaterThan(1);
  });
});

test("a new parcel goes at once", async () => {
  start();
  outbox.put("late");
  dispatcher.wake();
  await emptied();
});

test.for([[undefined], [1], [7200]])(
  "a file that is too large waits an hour at least, Retry-After %s",
  async ([retryAfter]) => {
    outbox.put("large");
    start(() => {
      throw problem("quota-file", retryAfter);
    });
    await expect.poll(() => facts.length).toBe(1);
    expect(outbox.waiting[0]?.due).toBeGreaterThanOrEqual(now + Math.max(3600, retryAfter ?? 0) * 1000);
  },
);

test("over its limit of requests an agent asks nothing more until the time is over, and loses nothing", async () => {
  const names = Array.from({ length: 60 }, (_, i) => `f${i}`);
  outbox.put(...names);
  let left = 20;
  start(() => {
    left -= 1;
    if (left < 0) throw problem("limit-requests", 30);
    return delivered;
  });
  const asked = async (count: number) => {
    await expect.poll(() => outbox.ends.length).toBe(count);
    await expect.poll(() => outbox.waiting.filter(({ out }) => out).length).toBe(0);
  };
  await asked(20);
  // Those that were on their way, and not one more.
  expect(carried.length).toBeLessThanOrEqual(28);
  expect(dispatcher.held()).toMatchObject([{ client: "acme", source: null, code: "limit-requests" }]);
  const before = carried.length;
  dispatcher.heard();
  now += 29_000;
  dispatcher.wake();
  expect(carried.length).toBe(before);
  left = 1000;
  now += 5_000;
  dispatcher.wake();
  await emptied();
  expect(outbox.ends).toHaveLength(60);
  expect(probes).toBe(0);
});

test("what keeps one path back lets the others go", async () => {
  outbox.put("bad#1", "bad#2", "good#1", "good#2");
  let mended = false;
  start((name) => {
    if (name === "bad#1" && !mended) throw problem("file-unreadable", 1000);
    return delivered;
  });
  await expect.poll(() => outbox.ends.length).toBe(2);
  expect(outbox.waiting.map(({ parcel }) => parcel.captureId)).toEqual(["bad#1", "bad#2"]);
  expect(facts).toContainEqual(expect.objectContaining({ kind: "ParcelPostponed", code: "file-unreadable" }));
  expect(probes).toBe(0);
  mended = true;
  now += 1_200_000;
  dispatcher.wake();
  await emptied();
  expect(carried.at(-1)).toBe("bad#2");
});

test("a permanent problem sets aside, visibly, and the next of the path goes", async () => {
  outbox.put("bad#1", "bad#2");
  start((name) => {
    if (name === "bad#1") throw problem("path-invalid");
    return delivered;
  });
  await emptied();
  expect(outbox.ends.map(({ captureId, end }) => [captureId, end.kind])).toEqual([
    ["bad#1", "aside"],
    ["bad#2", "delivered"],
  ]);
  expect(kinds()).toContain("ParcelSetAside");
});

test("what is in quarantine is set aside for an hour at least, alone; its path and all else goes on", async () => {
  outbox.put("bad#1", "bad#2", "other");
  start((name) => {
    if (name === "bad#1") throw problem("quarantined", 60);
    return delivered;
  });
  await emptied();
  const [end] = outbox.ends.filter(({ captureId }) => captureId === "bad#1");
  if (end?.end.kind !== "aside") throw new Error("it was not set aside");
  expect(end.end.code).toBe("quarantined");
  expect((end.end.until ?? 0) - end.end.at).toBeGreaterThanOrEqual(3_600_000);
  expect(carried.toSorted()).toEqual(["bad#1", "bad#2", "other#1"]);
  expect(facts).toContainEqual(
    expect.objectContaining({ kind: "ParcelSetAside", code: "quarantined", forMs: expect.any(Number) }),
  );
  expect(probes).toBe(0);
});

test("superseded ends the parcel, visibly", async () => {
  outbox.put("a");
  start(() => ({ kind: "superseded", detail: "changed" }));
  await emptied();
  expect(kinds()).toEqual(["ParcelSuperseded"]);
});

test("without a receiver one probe asks, not every parcel; told once, and once when it is back", async () => {
  outbox.put(...Array.from({ length: 500 }, (_, i) => `f${i}`));
  down = "receiver-unreachable";
  start(() => {
    if (down !== undefined) throw problem(down);
    return delivered;
  });
  await expect.poll(() => probes).toBeGreaterThan(4);
  expect(carried.length).toBeLessThanOrEqual(8);
  expect(kinds()).toEqual(["ReceiverLost"]);
  down = undefined;
  dispatcher.heard();
  now += 60_000;
  await expect.poll(() => outbox.ends.length).toBe(500);
  expect(kinds().filter((kind) => /Receiver/.test(kind))).toEqual(["ReceiverLost", "ReceiverBack"]);
});

test("one parcel under which the line always breaks does not hold back the others", async () => {
  outbox.put("poison", ...Array.from({ length: 50 }, (_, i) => `f${i}`));
  start((name) => {
    if (name === "poison#1") throw problem("receiver-unreachable");
    return delivered;
  });
  await expect.poll(() => outbox.ends.length).toBe(50);
  expect(outbox.waiting).toHaveLength(1);
  expect(kinds()).not.toContain("ReceiverLost");
});

test("a receiver that answers and takes nothing counts as lost too", async () => {
  outbox.put(...Array.from({ length: 50 }, (_, i) => `f${i}`));
  let broken = true;
  start(() => {
    if (broken) throw problem("lake-unavailable");
    return delivered;
  });
  await expect.poll(() => kinds()).toContain("ReceiverLost");
  expect(carried.length).toBeLessThan(30);
  broken = false;
  now += 60_000;
  await expect.poll(() => outbox.ends.length, { timeout: 10_000 }).toBe(50);
  expect(kinds().filter((kind) => kind === "ReceiverLost" || kind === "ReceiverBack")).toEqual([
    "ReceiverLost",
    "ReceiverBack",
  ]);
});

test.for(["agent-forked", "agent-revoked", "unauthenticated"] as const)(
  "%s stops everything, the queue is kept",
  async (code) => {
    outbox.put("a", "b", "c", "d");
    most = 1;
    down = code;
    start(() => {
      throw problem(code);
    });
    await expect.poll(() => probes).toBe(1);
    expect(kinds()).toEqual(["AgentStopped"]);
    expect(outbox.waiting).toHaveLength(4);
    expect(carried).toHaveLength(1);
    down = undefined;
    dispatcher.heard();
    await expect.poll(() => kinds()).toContain("ReceiverBack");
  },
);

test("a probe that fails for this host's own reason does not hold the parcels back", async () => {
  outbox.put("a", "b");
  down = "disk-full";
  let failures = 0;
  start(() => {
    failures += 1;
    if (failures === 1) throw problem("receiver-unreachable");
    return delivered;
  });
  await expect.poll(() => outbox.ends.length).toBe(1);
  now += 60_000;
  dispatcher.wake();
  await emptied();
  expect(probes).toBe(1);
  expect(kinds()).not.toContain("ReceiverLost");
});

test("a full disk: nothing ended, everything goes again", async () => {
  outbox.put("a", "b");
  outbox.full = true;
  start();
  await expect.poll(() => outbox.commits).toBeGreaterThan(0);
  expect(outbox.waiting).toHaveLength(2);
  outbox.full = false;
  await emptied();
});

test("stopping lets what is on its way finish, and cuts it when it does not", async () => {
  outbox.put("quick", "endless", "not begun");
  most = 2;
  start(async (name, signal) => {
    if (name.startsWith("quick")) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return delivered;
    }
    return await new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error));
    });
  });
  await expect.poll(() => carried.length).toBe(2);
  await dispatcher.stop(200);
  expect(outbox.ends.map(({ captureId }) => captureId)).toEqual(["quick#1"]);
  expect(carried).toHaveLength(2);
  expect(facts.map((fact) => fact.kind)).toEqual(["ParcelDelivered"]);
});

const thousand = (letter: string) => Array.from({ length: 1000 }, (_, i) => `${letter}${i}`);
const quiet = async () => {
  let before: number;
  do {
    before = carried.length;
    for (let i = 0; i < 20; i += 1) await new Promise(setImmediate);
  } while (carried.length > before);
};

test.for([
  ["client-suspended", 15],
  ["quota-day", 3600],
  ["client-not-allowed", undefined],
] as const)(
  "%s holds the client: one parcel is tried, the other client's all go",
  async ([code, retryAfter]) => {
    let shut = true;
    outbox.put(...thousand("a"));
    outbox.putOf("bell", "pos", ...thousand("b"));
    start((name) => {
      if (shut && name.startsWith("a")) throw problem(code, retryAfter);
      return delivered;
    });
    await expect.poll(() => outbox.ends.length).toBe(1000);
    await quiet();
    const tried = () => carried.filter((name) => name.startsWith("a")).length;
    const first = tried();
    expect(first).toBeLessThanOrEqual(8 + 3);
    expect(dispatcher.held()).toMatchObject([{ client: "acme", source: null, code, since: 1000 }]);
    now += (retryAfter ?? 0) * 1000 - 1;
    dispatcher.wake();
    await quiet();
    if (retryAfter !== undefined) expect(tried()).toBe(first);
    now += (retryAfter ?? 60) * 200 + 2000;
    dispatcher.wake();
    await quiet();
    expect(tried()).toBe(first + 1);
    shut = false;
    now += 2 * 86_400_000;
    dispatcher.wake();
    await emptied();
    expect(dispatcher.held()).toEqual([]);
  },
);

test("one large file that does not fit into what is left of a quota lets the small ones go", async () => {
  outbox.put("large", ...thousand("small"));
  start((name) => {
    if (name.startsWith("large")) throw problem("quota-stored", 3600);
    return delivered;
  });
  await expect.poll(() => outbox.ends.length).toBe(1000);
  expect(carried.filter((name) => name.startsWith("large"))).toHaveLength(1);
});

test("a source that is away holds its own parcels; when it is back one is tried, then all go", async () => {
  let away = true;
  outbox.put(...thousand("a"));
  outbox.putOf("acme", "till", ...thousand("b"));
  start((name) => {
    if (away && name.startsWith("a")) throw problem("source-unreachable", 120);
    return delivered;
  });
  await expect.poll(() => outbox.ends.length).toBe(1000);
  await quiet();
  const first = carried.length;
  dispatcher.sourceBack("till");
  await quiet();
  expect(carried).toHaveLength(first);
  dispatcher.sourceBack("pos");
  await quiet();
  expect(carried).toHaveLength(first + 1);
  away = false;
  dispatcher.sourceBack("pos");
  await emptied();
});

test("a source that another agent has says nothing of a receiver that takes no files", async () => {
  most = 1;
  for (let i = 0; i < 50; i += 1) {
    outbox.putOf("acme", "till", `b${i}`);
    outbox.putOf("acme", `elsewhere-${i}`, `a${i}`);
  }
  start((name) => {
    throw problem(name.startsWith("a") ? "lease-lost" : "lake-unavailable");
  });
  await expect.poll(() => facts.map(({ kind }) => kind)).toContain("ReceiverLost");
  expect(facts.map(({ kind }) => kind)).not.toContain("ReceiverBack");
});

test("what ended otherwise is not begun, though it was taken from the queue before", async () => {
  most = 1;
  outbox.put("first", "overtaken", "last");
  const first = Promise.withResolvers<Carried>();
  start((name) => (name.startsWith("first") ? first.promise : delivered));
  await expect.poll(() => carried).toEqual(["first#1"]);
  outbox.end("overtaken#1", { kind: "overtaken", at: 1 });
  dispatcher.ended(["overtaken#1"]);
  first.resolve(delivered);
  await emptied();
  expect(carried).toEqual(["first#1", "last#1"]);
});

test("a receiver that is busy is asked by one parcel, not before its Retry-After, until one gets through", async () => {
  outbox.put(...thousand("f"));
  let busy = true;
  let atOnce = 0;
  let peak = 0;
  const began = performance.now();
  start(async () => {
    atOnce += 1;
    peak = Math.max(peak, atOnce);
    await new Promise(setImmediate);
    atOnce -= 1;
    if (busy) throw problem("busy", 0.3);
    return delivered;
  });
  await quiet();
  expect(carried).toHaveLength(8);
  peak = 0;
  // What the heartbeat brings says nothing about room for files.
  dispatcher.heard();
  await expect.poll(() => carried.length, { timeout: 5_000 }).toBe(9);
  expect(performance.now() - began).toBeGreaterThan(290);
  expect(peak).toBe(1);
  busy = false;
  now += 60_000;
  await expect.poll(() => outbox.ends.length, { timeout: 5_000 }).toBe(1000);
  expect(peak).toBe(8);
});

test("a long upload that began before the trouble keeps nobody from asking, nor from going", async () => {
  outbox.put("long");
  const long = Promise.withResolvers<Carried>();
  let busy = true;
  start((name) => {
    if (name.startsWith("long")) return long.promise;
    if (busy) throw problem("busy");
    return delivered;
  });
  await quiet();
  outbox.put(...thousand("f"));
  dispatcher.wake();
  await quiet();
  busy = false;
  now += 60_000;
  dispatcher.wake();
  await expect.poll(() => outbox.ends.length, { timeout: 5_000 }).toBe(1000);
  long.resolve(delivered);
  await emptied();
});

test("while the schedule lets nothing leave, a stop cuts at once", async () => {
  outbox.put("endless");
  start(
    (_name, signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      }),
  );
  await expect.poll(() => carried.length).toBe(1);
  open = false;
  await dispatcher.stop(2 ** 30);
  expect(outbox.waiting).toHaveLength(1);
});
