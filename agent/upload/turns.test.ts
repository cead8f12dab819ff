import { ProblemError } from "@tributary/shared/problems.ts";
import { HEADER } from "@tributary/shared/protocol.ts";
import { expect, test } from "vitest";
import type { Call } from "../identity/receiver.ts";
import { InTurn } from "./turns.ts";

/** A receiver that takes `limit` uploads of a client at once, each for a few turns of the event loop. */
function scene(limit: number) {
  const seen = { limit, underway: 0, peak: 0, refused: 0, taken: 0, now: 1_000 };
  const receiver = {
    call: async (call: Call) => {
      if (call.path === "/v1/removals") return { status: 200, headers: {}, json: "free" };
      if (seen.underway >= seen.limit) {
        seen.refused += 1;
        await new Promise(setImmediate);
        throw new ProblemError("limit-concurrent", `${seen.limit} at once`, { retryAfter: 0.02 });
      }
      seen.underway += 1;
      seen.peak = Math.max(seen.peak, seen.underway);
      for (let i = 0; i < 5; i += 1) await new Promise(setImmediate);
      seen.underway -= 1;
      seen.taken += 1;
      return { status: 201, headers: {}, json: call.path };
    },
  };
  const lines = async (call: Call): Promise<void> => void (await receiver.call(call));
  const turns = new InTurn({ receiver: { ...receiver, lines }, random: () => 0.01, now: () => seen.now });
  const put = (path: string, more: Partial<Call> = {}) =>
    turns.call({
      method: "PUT",
      path: `/v1/files/pos/${path}`,
      headers: { [HEADER.client]: "acme" },
      ...more,
    });
  const many = (count: number) => Promise.all(Array.from({ length: count }, (_, i) => put(String(i))));
  return { seen, turns, put, many };
}

test("a limit that is met is found out, and then kept: all get through, few are refused", async () => {
  const { seen, turns, many } = scene(3);
  expect(turns.slowed()).toEqual([]);
  await many(8);
  expect(seen.taken).toBe(8);
  expect(turns.slowed()).toMatchObject([{ client: "acme", detail: "3 at once", since: 1_000, atOnce: 3 }]);
  const before = seen.refused;
  await many(100);
  expect(seen.taken).toBe(108);
  expect(seen.refused).toBe(before);
  expect(seen.peak).toBe(3);
});

test("a limit that is gone is found out too, one more at a time", async () => {
  const { seen, turns, put, many } = scene(3);
  await many(8);
  seen.limit = 1000;
  while (turns.slowed().length > 0 && seen.now < 10_000_000) {
    seen.now += 30_000;
    await put("one");
  }
  expect(turns.slowed()).toEqual([]);
  seen.peak = 0;
  await many(20);
  expect(seen.peak).toBe(20);
});

test("where others have all that there is, the problem is told after a few tries", async () => {
  const { seen, put } = scene(0);
  await expect(put("a")).rejects.toMatchObject({ code: "limit-concurrent", retryAfter: 0.02 });
  expect(seen.refused).toBe(3);
});

test("what is no upload, and other clients, wait for nobody", async () => {
  const { seen, turns, put } = scene(1);
  await Promise.all([put("a"), put("b"), put("c")]);
  seen.limit = 0;
  expect(
    await turns.call({ method: "POST", path: "/v1/removals", headers: { [HEADER.client]: "acme" } }),
  ).toMatchObject({
    json: "free",
  });
  seen.limit = 5;
  await Promise.all(
    Array.from({ length: 5 }, (_, i) => put(`${i}`, { headers: { [HEADER.client]: "other" } })),
  );
  expect(seen.peak).toBe(5);
});

test("who waits for its turn goes at once when it is no longer wanted", async () => {
  const { put } = scene(1);
  await Promise.all([put("a"), put("b")]);
  const stop = new AbortController();
  const first = put("a");
  const second = put("b", { signal: stop.signal });
  stop.abort(new Error("the agent stops"));
  await expect(second).rejects.toThrow("the agent stops");
  await first;
});

test("a bundle takes one place, is not repeated here, and what refuses it is remembered", async () => {
  const { seen, turns, many } = scene(1);
  const bundle: Call = { method: "POST", path: "/v1/bundles/pos", headers: { [HEADER.client]: "acme" } };
  const first = turns.lines(bundle, () => {});
  await expect(turns.lines(bundle, () => {})).rejects.toMatchObject({ code: "limit-concurrent" });
  await first;
  expect(turns.slowed()).toMatchObject([{ client: "acme", atOnce: 1 }]);
  await many(2);
  expect(seen.peak).toBe(1);
});
