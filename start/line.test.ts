import { expect, test } from "vitest";
import { shortLine } from "./line.ts";

test.for<[string, string, RegExp | undefined]>([
  [
    "an agent's fact",
    '{"level":"info","time":"2026-05-05T12:00:00.000Z","fact":"ParcelDelivered","msg":"inbox/a delivered"}',
    /^\d\d:\d\d:00 agent {4}inbox\/a delivered$/,
  ],
  [
    "a warning is marked",
    '{"level":40,"time":"2026-05-05T12:00:00.000Z","msg":"late"}',
    /^\d\d:\d\d:00 agent {4}! late$/,
  ],
  ["what only machines read", '{"level":"debug","msg":"scan"}', undefined],
  ["a plain line", "ready", /^agent {4}ready$/],
  ["an empty line", "", undefined],
  ["what looks like JSON", "{oops", /^agent {4}\{oops$/],
  ["a terminal obeys nothing", "\u001b[2J", /^agent {4}\\u001b\[2J$/],
])("%s", ([, line, expected]) => {
  const short = shortLine("agent", line);
  if (expected === undefined) expect(short).toBeUndefined();
  else expect(short).toMatch(expected);
});
