import { expect, test } from "vitest";
import type { Fact } from "../facts.ts";
import { logTo } from "./log.ts";
import { EMPTY_TALLY, tallied } from "./tally.ts";

function logged(terminal: boolean, level: "debug" | "info" | "error", ...facts: Fact[]): string[] {
  const lines: string[] = [];
  const log = logTo({ write: (line) => lines.push(line) }, terminal, level, (text) =>
    text.replaceAll("hunter2", "[secret]"),
  );
  for (const fact of facts) log.report(fact);
  return lines;
}

const delivered: Fact = {
  kind: "ParcelDelivered",
  what: "version",
  source: "pos",
  path: Buffer.from("a\nb\x1b[31m.csv"),
  captureId: "c",
  size: 12,
  status: "created",
  ms: 34,
};
const forked: Fact = { kind: "AgentStopped", code: "agent-forked", detail: "two hosts" };

test("one line a fact on a terminal, which no name can break or colour", () => {
  const [line] = logged(true, "info", delivered);
  expect(line).toMatch(
    /^\d\d:\d\d:\d\d pos\/a\\u000ab\\u001b\[31m\.csv delivered \(created\), 12 B in 34 ms\n$/,
  );
});

test("a removal is never said to be delivered", () => {
  const removal: Fact = { ...delivered, what: "removal", path: Buffer.from("a"), size: 0, status: "removed" };
  const [removed, unchanged] = logged(true, "info", removal, { ...removal, status: "unchanged" });
  expect(removed).toMatch(/pos\/a removal recorded\n$/);
  expect(unchanged).toMatch(/pos\/a removal changed nothing/);
});

test("JSON lines elsewhere, with the fact's own fields", () => {
  const [line = ""] = logged(false, "info", delivered);
  expect(JSON.parse(line)).toMatchObject({ level: "info", fact: "ParcelDelivered", source: "pos", size: 12 });
  expect(line.trimEnd()).not.toContain("\n");
});

test("what needs a person says what to do, and is never filtered", () => {
  const [line] = logged(true, "error", delivered, forked);
  expect(line).toMatch(/error: this agent may not send.*--replaces/);
});

test("the tally keeps what stands between until it is over", () => {
  const now = new Date(0);
  const lost = tallied(EMPTY_TALLY, forked, now);
  expect(lost.trouble).toEqual({
    code: "agent-forked",
    detail: "two hosts",
    since: "1970-01-01T00:00:00.000Z",
  });
  const back = tallied(tallied(lost, delivered, now), { kind: "ReceiverBack" }, now);
  expect(back).toMatchObject({ trouble: null, delivered: 1, bytes: 12 });
});
