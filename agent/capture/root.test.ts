import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Fact } from "../facts.ts";
import { openQueue, type SqliteQueue } from "../queue/sqlite.ts";
import type { RootHealth } from "../source/source.ts";
import { Root } from "./root.ts";

describe("the root of a source", () => {
  let home: string;
  let queue: SqliteQueue;
  const facts: Fact[] = [];
  /** Calls that the fake disk has not answered. */
  let open: ((health: RootHealth) => void)[];
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "root-"));
    queue = openQueue(join(home, "queue.sqlite"));
    facts.length = 0;
    open = [];
  });
  afterEach(() => {
    queue.close();
    rmSync(home, { recursive: true, force: true });
  });
  const well: RootHealth = { healthy: true, rootId: "1:2" };
  const answer = (health: RootHealth): void => {
    for (const resolve of open.splice(0)) resolve(health);
  };
  const rootOf = (back: () => void = () => undefined, answerMs = 50): Root =>
    new Root({
      source: { name: "pos", health: () => new Promise((resolve) => open.push(resolve)) },
      book: queue.book("acme", "pos"),
      report: (fact) => facts.push(fact),
      clocks: { wall: Date.now, steady: () => performance.now(), corrected: Date.now },
      accept: "accepted",
      back,
      answerMs,
    });

  test("one that hangs is asked once, is said not to answer, and is looked at anew when it is back", async () => {
    let back = 0;
    const root = rootOf(() => {
      back += 1;
    });
    const checks = await Promise.all([root.check(), root.check(), root.check()]);
    expect(checks).toEqual(Array(3).fill(expect.objectContaining({ code: "source-unreachable" })));
    expect(await root.stands()).toBe(false);
    expect(open).toHaveLength(1);
    expect(root.reason).toContain("does not answer");
    expect(facts).toMatchObject([{ kind: "SourceHealthChanged", healthy: false }]);
    answer(well);
    const check = root.check();
    await expect.poll(() => open).toHaveLength(1);
    answer(well);
    expect(await check).toEqual(well);
    expect(facts).toMatchObject([{ healthy: false }, { kind: "SourceHealthChanged", healthy: true }]);
    expect([root.reason, back]).toEqual([undefined, 1]);
  });

  test("an answer counts for those who asked before the question", async () => {
    const root = rootOf(undefined, 10_000);
    const first = root.check();
    const [second, third] = [root.check(), root.check()];
    answer(well);
    expect(await first).toEqual(well);
    await expect.poll(() => open).toHaveLength(1);
    answer({ healthy: false, code: "source-unreachable", reason: "gone meanwhile" });
    expect(await Promise.all([second, third])).toMatchObject([{ healthy: false }, { healthy: false }]);
  });

  test("a stop waits for no answer, and notes nothing any more", async () => {
    const root = rootOf(undefined, 10_000);
    const check = root.check();
    root.stop();
    expect(await check).toMatchObject({ healthy: false });
    expect([queue.status.problems(9), facts]).toEqual([[], []]);
  });
});
