import fc from "fast-check";
import { expect, test } from "vitest";
import { ReceiverClock } from "./clock.ts";

/** A host and a receiver whose clocks differ by `skew`. */
function world(skew: number, start = 1_800_000_000_000) {
  let elapsed = 0;
  let jump = 0;
  const clock = new ReceiverClock(
    () => start + elapsed + jump,
    () => elapsed + 77,
  );
  return {
    clock,
    receiver: () => start + elapsed + skew,
    jump: (ms: number) => {
      jump += ms;
    },
    pass: (ms: number) => {
      elapsed += ms;
    },
    exchange(there: number, back: number): void {
      const mark = clock.mark();
      elapsed += there;
      const date = new Date(start + elapsed + skew).toUTCString();
      elapsed += back;
      clock.heard(date, mark);
    },
  };
}

test("before the receiver was heard the host's clock counts", () => {
  const { clock } = world(0);
  expect(clock.now()).toBe(1_800_000_000_000);
  expect(clock.skewMs()).toBe(0);
});

test("a clock wrong by a day is right within a second after one answer, and better after several", () => {
  const { clock, exchange, receiver, pass } = world(-86_400_000);
  exchange(20, 20);
  expect(Math.abs(clock.now() - receiver())).toBeLessThanOrEqual(600);
  expect(Math.abs(clock.skewMs() + 86_400_000)).toBeLessThanOrEqual(600);
  for (let i = 0; i < 50; i += 1) {
    pass(137);
    exchange(20, 20);
  }
  expect(Math.abs(clock.now() - receiver())).toBeLessThanOrEqual(100);
});

test("a jump of the host's clock changes nothing but the reported skew", () => {
  const { clock, exchange, receiver, jump } = world(0);
  for (let i = 0; i < 20; i += 1) exchange(30, 99);
  jump(3_600_000);
  expect(Math.abs(clock.now() - receiver())).toBeLessThanOrEqual(600);
  expect(Math.abs(clock.skewMs() + 3_600_000)).toBeLessThanOrEqual(600);
});

test("a receiver whose clock was set is believed at once", () => {
  const { clock, exchange } = world(0);
  exchange(10, 10);
  clock.heard(new Date(1_900_000_000_000).toUTCString(), clock.mark());
  expect(Math.abs(clock.now() - 1_900_000_000_000)).toBeLessThanOrEqual(1000);
});

test("what cannot be read is ignored", () => {
  const { clock } = world(5_000);
  clock.heard(undefined, clock.mark());
  clock.heard("soon", clock.mark());
  expect(clock.skewMs()).toBe(0);
});

test("a host whose clock is right keeps it: what is sealed before it is received says so", () => {
  const { clock, exchange, receiver, pass } = world(0);
  for (let i = 0; i < 20; i += 1) {
    pass(i * 71);
    exchange(15, 60);
    expect(Math.abs(clock.now() - receiver())).toBeLessThanOrEqual(1);
    expect(Math.abs(clock.skewMs())).toBeLessThanOrEqual(1);
  }
});

test("never further off than a second and the round trip", () => {
  const ms = fc.integer({ min: 0, max: 400 });
  fc.assert(
    fc.property(
      fc.integer({ min: -1e9, max: 1e9 }),
      fc.array(fc.tuple(ms, ms, ms), { minLength: 1 }),
      (skew, steps) => {
        const { clock, exchange, receiver, pass } = world(skew);
        let worst = Number.POSITIVE_INFINITY;
        for (const [there, back, between] of steps) {
          pass(between);
          exchange(there, back);
          worst = Math.min(worst, 1000 + there + back);
        }
        expect(Math.abs(clock.now() - receiver())).toBeLessThanOrEqual(worst + 100);
      },
    ),
  );
});
