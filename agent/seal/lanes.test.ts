import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { type Job, Lanes } from "./lanes.ts";

const LARGE = 100 * 2 ** 20;

/** Holds its lane until it is let go. */
function held(size: number): Job & { begun: boolean; end: () => void; buffer: Buffer | undefined } {
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const job = {
    ...{ size, begun: false, buffer: undefined as Buffer | undefined },
    end: () => end(),
    async run(buffer: Buffer) {
      job.begun = true;
      job.buffer = buffer;
      await ended;
    },
  };
  return job;
}
const begun = (jobs: readonly { begun: boolean }[]): boolean[] => jobs.map((job) => job.begun);
const settled = async (): Promise<void> => {
  for (let i = 0; i < 5; i += 1) await turn();
};

test("as many at once as there are lanes, each with a buffer of its own, in their order", async () => {
  const lanes = new Lanes(2);
  const jobs = [held(1), held(1), held(1)];
  for (const job of jobs) lanes.add(job);
  await settled();
  expect(begun(jobs)).toEqual([true, true, false]);
  expect(jobs[0]?.buffer).not.toBe(jobs[1]?.buffer);
  jobs[0]?.end();
  await settled();
  expect(begun(jobs)).toEqual([true, true, true]);
});

test("one large file always moves on; a second only while no small one waits", async () => {
  const lanes = new Lanes(2);
  const [first, second] = [held(LARGE), held(LARGE)];
  lanes.add(first);
  const small = [held(1), held(1)];
  for (const job of small) lanes.add(job);
  lanes.add(second);
  await settled();
  expect(begun([first, ...small, second])).toEqual([true, true, false, false]);
  small[0]?.end();
  await settled();
  expect(begun([first, ...small, second])).toEqual([true, true, true, false]);
  small[1]?.end();
  await settled();
  expect(second.begun).toBe(true);
  for (const job of [first, second]) job.end();
});

test("small files that are read while everything waits leave a turn to the others every few milliseconds", async () => {
  const lanes = new Lanes();
  let done = 0;
  let turns = 0;
  let over = false;
  const watch = (async () => {
    while (!over) {
      await turn();
      turns += 1;
    }
  })();
  const all = 400;
  await new Promise<void>((resolve) => {
    for (let i = 0; i < all; i += 1)
      lanes.add({
        size: 1,
        run: async () => {
          const until = performance.now() + 0.5;
          while (performance.now() < until);
          done += 1;
          if (done === all) resolve();
        },
      });
  });
  over = true;
  await watch;
  expect(done).toBe(all);
  // In one go there would be one, at the end of their 200 ms.
  expect(turns).toBeGreaterThan(10);
});

test("told to stop: what has begun ends, what has not never begins", async () => {
  const lanes = new Lanes(1);
  const [first, second] = [held(1), held(1)];
  lanes.add(first);
  lanes.add(second);
  await settled();
  let stopped = false;
  const stopping = lanes.stop().then(() => {
    stopped = true;
  });
  lanes.add(held(1));
  await settled();
  expect(stopped).toBe(false);
  first.end();
  await stopping;
  expect(second.begun).toBe(false);
  await lanes.stop();
});
