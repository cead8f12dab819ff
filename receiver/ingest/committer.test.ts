import { expect, test } from "vitest";
import type { Capture, Outcome } from "../ledger/ledger.ts";
import { Committer } from "./committer.ts";

function scene(gatherMs: number, before: () => Promise<void> = async () => {}) {
  const commits: number[] = [];
  const committer = new Committer(
    {
      commit: async (captures: readonly Capture[]) => {
        commits.push(captures.length);
        await before();
        const outcomes = captures.map((): Outcome => ({ kind: "needs-bytes" }));
        return { outcomes, segment: undefined };
      },
    },
    { write: async () => {}, settled: async () => {} },
    () => "",
    () => {},
    gatherMs,
  );
  return { commits, committer };
}

const capture = {} as Capture;

test("a commit waits for what is announced, and takes it along", async () => {
  const { commits, committer } = scene(60_000);
  const announced = committer.announce();
  const first = committer.commit(capture);
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  expect(commits).toEqual([]);
  announced();
  const second = committer.commit(capture);
  await Promise.all([first, second]);
  expect(commits).toEqual([2]);
});

test("what is announced and does not come holds nobody up", async () => {
  const { commits, committer } = scene(1);
  committer.announce();
  await committer.commit(capture);
  expect(commits).toEqual([1]);
});

test("waiting until nothing is under way rests while a commit hangs", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { commits, committer } = scene(1, () => promise);
  const first = committer.commit(capture);
  await expect.poll(() => commits).toEqual([1]);
  let idle = false;
  const waiting = committer.idle().then(() => {
    idle = true;
  });
  const before = performance.eventLoopUtilization();
  await new Promise((done) => setTimeout(done, 200));
  expect(performance.eventLoopUtilization(before).utilization).toBeLessThan(0.7);
  expect(idle).toBe(false);
  resolve();
  await Promise.all([first, waiting]);
  await committer.idle();
  await committer.commit(capture);
  expect(commits).toEqual([1, 1]);
});
