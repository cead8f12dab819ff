import { expect, test } from "vitest";
import { bandwidthOf, daysOf, type Limits, rateAt, streamsAt, takeAll, takeFrom } from "../pace/bandwidth.ts";
import { version } from "../queue/queue.contract.ts";
import { bodyOf, PIECE } from "./stream.ts";

/** Monday 2026-01-05 and the days after it, local time. */
const at = (day: number, time: string): Date => {
  const [hours, minutes] = time.split(":").map(Number);
  return new Date(2026, 0, 4 + day, hours, minutes);
};
const window = (days: string, from: string, to: string, bandwidth: number) => ({ days, from, to, bandwidth });

const limits: Limits = {
  bandwidth: 100,
  schedule: [
    window("mon-fri", "08:00", "18:00", 10),
    window("sat,sun", "12:00", "24:00", 0),
    window("fri", "17:00", "19:00", 20),
    window("sun", "22:00", "06:00", 30),
  ],
};

test.for([
  [1, "07:59", 100, "before the window"],
  [1, "08:00", 10, "its first minute"],
  [1, "17:59", 10, "its last minute"],
  [1, "18:00", 100, "after it"],
  [5, "17:30", 10, "the first that fits wins"],
  [5, "18:30", 20, "the second where the first ends"],
  [6, "11:59", 100, "Saturday morning"],
  [6, "23:59", 0, "until 24:00"],
  [7, "23:00", 0, "the pause wins over the night"],
  [8, "05:59", 30, "over midnight, into Monday"],
  [8, "06:00", 100, "the night's end"],
  [9, "05:00", 100, "the night belongs to Sunday alone"],
] as const)("day %i at %s: %i (%s)", ([day, time, rate]) => {
  expect(rateAt(limits, at(day, time))).toBe(rate);
});

test("no limit at all", () => {
  expect(rateAt({ bandwidth: undefined, schedule: [] }, at(1, "12:00"))).toBeUndefined();
});

test.for([
  ["mon-fri", [1, 2, 3, 4, 5]],
  ["fri-mon", [5, 6, 0, 1]],
  ["sat, sun", [6, 0]],
  ["Wed", [3]],
] as const)("days %s", ([text, days]) => {
  expect([...daysOf(text)]).toEqual(days);
});

test("a bucket lets no more through than its rate, whatever the pieces", () => {
  let bucket = { tokens: 0, at: 0 };
  let now = 0;
  let passed = 0;
  while (now < 10_000) {
    const took = takeFrom(bucket, 1000, 300, now);
    bucket = took.bucket;
    if (took.waitMs === 0) passed += 300;
    else now += took.waitMs;
  }
  expect(passed).toBeGreaterThan(9_000);
  expect(passed).toBeLessThanOrEqual(10_000 + 250 + 300);
});

const live = new AbortController().signal;

/** A clock that moves when somebody sleeps. */
function fake(start: Date) {
  let now = 0;
  const timing = {
    now: () => now,
    wall: () => new Date(start.getTime() + now),
    sleep: (ms: number) => {
      now += ms;
      return Promise.resolve();
    },
  };
  return { timing, elapsed: () => now };
}

test("all senders share the one bucket", async () => {
  const { timing, elapsed } = fake(at(1, "20:00"));
  const bandwidth = bandwidthOf(() => ({ bandwidth: 1000, schedule: [] }), timing);
  await Promise.all(Array.from({ length: 10 }, () => takeAll(bandwidth, 500, live)));
  expect(elapsed()).toBeGreaterThan(4_000);
  expect(elapsed()).toBeLessThan(5_500);
});

test("a rate of 0 pauses until the window ends", async () => {
  const { timing, elapsed } = fake(at(6, "23:59"));
  await bandwidthOf(() => limits, timing).take(1, live);
  expect(elapsed()).toBeGreaterThanOrEqual(60_000);
  expect(elapsed()).toBeLessThan(62_000);
});

test("a changed configuration counts for what already waits", async () => {
  const { timing, elapsed } = fake(at(1, "20:00"));
  let rate: number | undefined = 1;
  const bandwidth = bandwidthOf(() => ({ bandwidth: rate, schedule: [] }), {
    ...timing,
    sleep: async (ms) => {
      await timing.sleep(ms);
      if (elapsed() > 3_000) rate = undefined;
    },
  });
  await takeAll(bandwidth, 1_000, live);
  await takeAll(bandwidth, 1_000, live);
  expect(elapsed()).toBeLessThan(5_000);
});

/** As a receiver does: what it has of each body, and the longest that it waited for the next byte of one (virtual ms). */
async function silences(rate: number, streams: number, size: number) {
  const { timing, elapsed } = fake(at(1, "20:00"));
  const bandwidth = bandwidthOf(() => ({ bandwidth: rate, schedule: [] }), timing);
  const content = {
    fill: () => Promise.resolve(),
    check: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const receive = async (): Promise<{ longest: number; ended: number }> => {
    const body = { bandwidth, content, parcel: version("f"), from: 0, to: size, signal: live };
    let last = elapsed();
    let longest = 0;
    for await (const _piece of bodyOf({ ...body, sha256: undefined, ring: undefined })) {
      longest = Math.max(longest, elapsed() - last);
      last = elapsed();
    }
    return { longest, ended: last };
  };
  const all = await Promise.all(Array.from({ length: streams }, receive));
  return {
    longest: Math.max(...all.map((one) => one.longest)),
    first: Math.min(...all.map((one) => one.ended)),
    last: elapsed(),
  };
}

test.for([
  [1_000, 14],
  [10_000, 14],
  [50_000, 20],
  [280_000, 70],
] as const)(
  "at %i bytes a second %i streams are never silent for long, and come on alike",
  async ([rate, streams]) => {
    const { longest, first, last } = await silences(rate, streams, 8 * PIECE);
    expect(longest).toBeLessThan(20_000);
    expect(first / last).toBeGreaterThan(0.9);
  },
);

test("few streams where the rate is low, as many as there may be where there is none", () => {
  expect([0, 100, 16_000, 40_000, 280_000].map(streamsAt)).toEqual([1, 1, 1, 2, 17]);
  expect(streamsAt(undefined)).toBe(Number.POSITIVE_INFINITY);
});

test.for([0, 1])(
  "who waits at %i bytes a second goes at once when it is stopped, the others stay in turn",
  async (rate) => {
    let asleep = (): void => {};
    const bandwidth = bandwidthOf(() => ({ bandwidth: rate, schedule: [] }), {
      now: () => 0,
      wall: () => new Date(0),
      sleep: () =>
        new Promise((resolve) => {
          asleep = resolve;
        }),
    });
    const stop = new AbortController();
    const stopped = bandwidth.take(100, stop.signal);
    let patient: number | undefined;
    void bandwidth.take(100, live).then((bytes) => {
      patient = bytes;
    });
    stop.abort(new Error("the agent stops"));
    await expect(stopped).rejects.toThrow("the agent stops");
    await expect(bandwidth.take(100, stop.signal)).rejects.toThrow("the agent stops");
    asleep();
    await new Promise(setImmediate);
    expect(patient).toBeUndefined();
  },
);
