import { expect, test } from "vitest";
import { Slots } from "./slots.ts";

const live = new AbortController().signal;

test("never more than there are; who waits gets the next one; buffers are used again", async () => {
  const slots = new Slots(2, () => Buffer.alloc(16));
  const first = await slots.take(live);
  const second = await slots.take(live);
  let third: Buffer | undefined;
  const waiting = slots.take(live).then((slot) => {
    third = slot.value;
    return slot;
  });
  await new Promise(setImmediate);
  expect(third).toBeUndefined();
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  await waiting;
  expect(third).toBe(first.value);
  let fourth = false;
  const next = slots.take(live).then(() => {
    fourth = true;
  });
  await new Promise(setImmediate);
  expect(fourth).toBe(false);
  second[Symbol.dispose]();
  await next;
});

test("who gives up waiting does not keep its place", async () => {
  const slots = new Slots(1, () => Buffer.alloc(16));
  const held = await slots.take(live);
  const stop = new AbortController();
  const gaveUp = slots.take(stop.signal).catch((cause: unknown) => cause);
  const patient = slots.take(live);
  stop.abort("enough");
  expect(await gaveUp).toBe("enough");
  held[Symbol.dispose]();
  expect((await patient).value).toBe(held.value);
});

test("fewer than there are, while fewer may be taken", async () => {
  let most = 1;
  const slots = new Slots(
    3,
    () => Buffer.alloc(16),
    () => most,
  );
  const first = await slots.take(live);
  const waiting = [slots.take(live), slots.take(live)];
  let got = 0;
  for (const one of waiting) void one.then(() => (got += 1));
  await new Promise(setImmediate);
  expect(got).toBe(0);
  most = 3;
  first[Symbol.dispose]();
  await Promise.all(waiting);
});
