import { pino } from "pino";
import { expect, test } from "vitest";
import { LineMemory } from "./memory.ts";

const logOf = (memory: LineMemory) => pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, memory);

test("a request's lines by its id, the newest first; others' are none of them", () => {
  const memory = new LineMemory();
  const log = logOf(memory);
  log.info({ requestId: "r-1", code: "quota-day" }, "refused");
  log.info({ requestId: "r-12" }, "another");
  log.info({ path: 'it says "r-1" too' }, "a file");
  log.error({ requestId: "r-1", err: new Error("broke") }, "failed");
  const { lines, before, older, receiver } = memory.recent({ requestId: "r-1", limit: 10 });
  expect(lines.map(({ level, message }) => `${level} ${message}`)).toEqual(["error failed", "info refused"]);
  expect(lines[0]?.fields).toMatchObject({ err: { message: "broke" } });
  expect(before).toBeNull();
  expect(older).toBe("journalctl -u tributary-receiver | grep r-1");
  expect(receiver).toMatch(new RegExp(`/${process.pid}$`));
});

test("by level and by text, page by page", () => {
  const memory = new LineMemory();
  const log = logOf(memory);
  for (let i = 0; i < 10; i += 1) log[i % 2 === 0 ? "info" : "warn"]({ i }, `Line ${i}`);
  const numbers = (asked: Partial<Parameters<LineMemory["recent"]>[0]>) =>
    memory.recent({ limit: 3, ...asked }).lines.map(({ fields }) => fields["i"]);
  expect(numbers({})).toEqual([9, 8, 7]);
  expect(numbers({ level: "warn" })).toEqual([9, 7, 5]);
  expect(numbers({ text: "lINE 4" })).toEqual([4]);
  const first = memory.recent({ limit: 3, level: "warn" });
  const second = memory.recent({ limit: 3, level: "warn", before: first.before ?? 0 });
  expect(second.lines.map(({ fields }) => fields["i"])).toEqual([3, 1]);
  expect(second.before).toBeNull();
});

test("bounded in bytes, and it says how far back it reaches", () => {
  let now = Date.parse("2026-11-20T05:00:00Z");
  const memory = new LineMemory({ most: 200_000, now: () => now });
  const line = (i: number): string =>
    `${JSON.stringify({ level: 30, time: new Date(now).toISOString(), i, msg: "x".repeat(400) })}\n`;
  expect(memory.recent({ limit: 1 }).since).toBe("2026-11-20T05:00:00.000Z");
  for (let i = 0; i < 100_000; i += 1) {
    now += 1;
    memory.write(line(i));
  }
  const { lines, since } = memory.recent({ limit: 10_000 });
  expect(lines.length).toBeGreaterThan(150);
  expect(lines.length).toBeLessThan(220);
  expect(lines[0]?.fields["i"]).toBe(99_999);
  expect(since).toBe(lines.at(-1)?.at);
});

test("a line of a megabyte is cut, and still leads to its request", () => {
  const memory = new LineMemory();
  const log = logOf(memory);
  log.error({ requestId: "r-1", err: new Error("x".repeat(2 ** 20)) }, "y".repeat(2 ** 20));
  const [line] = memory.recent({ requestId: "r-1", limit: 1 }).lines;
  expect(line).toMatchObject({ level: "error", requestId: "r-1" });
  expect(JSON.stringify(line).length).toBeLessThan(40_000);
});

test("four megabytes are searched within a few milliseconds", () => {
  const memory = new LineMemory();
  const log = logOf(memory);
  for (let i = 0; i < 20_000; i += 1)
    log.info({ requestId: `r-${i}`, method: "PUT", path: "/v1/files" }, "no");
  const from = performance.now();
  expect(memory.recent({ requestId: "nothing", limit: 10 }).lines).toEqual([]);
  memory.recent({ text: "nowhere", limit: 10 });
  expect(performance.now() - from).toBeLessThan(150);
});

test("an id that is none of ours does not get into a command", () => {
  expect(new LineMemory().recent({ requestId: "x; rm -rf /", limit: 1 }).older).toBe(
    "journalctl -u tributary-receiver --since -1d",
  );
});
