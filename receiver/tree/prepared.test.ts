import { expect, test } from "vitest";
import { preparedTrees } from "./prepared.ts";
import type { Trees } from "./tree.ts";

/** A tree that is ready when it is told. */
function slow() {
  const gate = Promise.withResolvers<void>();
  let asked = 0;
  const tree = {
    sources: async () => ["pos"],
    find: async () => undefined,
    list: async () => ({ nodes: [], next: undefined }),
  };
  const trees = {
    now: tree,
    ever: tree,
    asAt: () => tree,
    bounds: async () => undefined,
    catchUp: async () => {
      asked += 1;
      await gate.promise;
    },
  } as unknown as Trees;
  return { trees, gate, asked: () => asked };
}

const VIEW = { client: "acme", bearer: { id: "", seesAll: true } } as const;

test("who looks too early is told so, the work goes on once for all, and then there is an answer", async () => {
  const { trees, gate, asked } = slow();
  const prepared = preparedTrees(trees, 5);
  const early = [
    prepared.now.sources(VIEW),
    prepared.asAt(1).list(VIEW, "pos", "", { limit: 1 }),
    prepared.bounds("acme"),
  ];
  for (const answer of await Promise.allSettled(early))
    expect(answer).toMatchObject({ status: "rejected", reason: { code: "preparing" } });
  expect(asked()).toBe(1);
  gate.resolve();
  expect(await prepared.now.sources(VIEW)).toEqual(["pos"]);
});

test("a ledger that is away is told to who asks, and asked again the next time", async () => {
  const { trees, gate, asked } = slow();
  const prepared = preparedTrees(trees, 1000);
  const first = prepared.ever.sources(VIEW);
  gate.reject(new Error("the ledger is away"));
  await expect(first).rejects.toThrow("away");
  await expect(prepared.ever.sources(VIEW)).rejects.toThrow("away");
  expect(asked()).toBe(2);
});
