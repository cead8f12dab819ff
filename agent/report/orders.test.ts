import { ProblemError } from "@tributary/shared/problems.ts";
import type { Command } from "@tributary/shared/protocol.ts";
import { beforeEach, expect, test } from "vitest";
import type { Fact } from "../facts.ts";
import { Orders } from "./orders.ts";

let carried: string[];
let facts: Fact[];
let told: number;
let gate: Promise<void>;
let orders: Orders;

beforeEach(() => {
  carried = [];
  facts = [];
  told = 0;
  gate = Promise.resolve();
  orders = new Orders({
    carryOut: {
      scan: async ({ source }) => {
        carried.push(`scan ${source}`);
        await gate;
        if (source === "away") throw new ProblemError("source-unreachable", "hunter2 is away");
        return `looked through ${source}`;
      },
      diagnostics: () => Promise.reject(new Error("never reached")),
    },
    denied: (kind) => (kind === "diagnostics" ? "not allowed here" : undefined),
    report: (fact) => void facts.push(fact),
    words: (text) => text.replaceAll("hunter2", "[secret]"),
    tell: () => {
      told += 1;
    },
  });
});

const scan = (id: string, source = "pos"): Command => ({ id, kind: "scan", source, by: "anna" });

test("a command is carried out once, told at once, and told again until an answer came", async () => {
  orders.take([scan("1")]);
  await expect.poll(() => told).toBe(1);
  orders.take([scan("1")]);
  const done = orders.done();
  expect(done).toEqual([{ id: "1", ok: true, detail: "looked through pos" }]);
  orders.told(done);
  expect(orders.done()).toEqual([]);
  // The receiver asks again: it has not heard.
  orders.take([scan("1")]);
  expect(orders.done()).toEqual(done);
  expect(carried).toEqual(["scan pos"]);
  expect(facts).toEqual([
    {
      ...{ kind: "CommandDone", command: "scan", source: "pos", by: "anna", ok: true },
      detail: "looked through pos",
    },
  ]);
});

test("while it is being carried out it is not begun again", async () => {
  let open = () => {};
  gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  orders.take([scan("1")]);
  orders.take([scan("1"), scan("2", "other")]);
  expect(carried).toEqual(["scan pos", "scan other"]);
  expect(orders.done()).toEqual([]);
  open();
  await expect.poll(() => orders.done().length).toBe(2);
});

test("what fails, is not allowed, or is not known is told as not done, and no secret with it", async () => {
  orders.take([scan("1", "away"), { id: "2", kind: "diagnostics" }, { id: "3", kind: "dance" }]);
  await expect.poll(() => orders.done().length).toBe(3);
  expect(Object.fromEntries(orders.done().map(({ id, ok, detail }) => [id, [ok, detail]]))).toEqual({
    1: [false, "[secret] is away"],
    2: [false, "not allowed here"],
    3: [false, 'this version of the agent does not know the command "dance"'],
  });
});

test("a receiver of before gives no id: it is carried out, and nothing is told", async () => {
  orders.take([{ kind: "scan", source: "pos" }]);
  await expect.poll(() => facts.length).toBe(1);
  expect(orders.done()).toEqual([]);
  expect(told).toBe(0);
});
