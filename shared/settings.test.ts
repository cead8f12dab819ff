import { describe, expect, test } from "vitest";
import { z } from "zod";
import { byteRate, byteSize, duration, parseSettings } from "./settings.ts";

const schema = z.strictObject({
  sources: z.array(z.strictObject({ name: z.string(), settle: duration.default(2000) })).default([]),
  lake: z
    .discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("a"), path: z.string() }),
      z.strictObject({ kind: z.literal("b"), bucket: z.string() }),
    ])
    .optional(),
  rate: byteRate.optional(),
  size: byteSize.optional(),
});

describe("configuration files", () => {
  test("are read with units", () => {
    expect(
      parseSettings("sources: [{ name: a, settle: 1m }]\nrate: 20MB/s\nsize: 1GiB\n", "f", schema),
    ).toEqual({
      sources: [{ name: "a", settle: 60_000 }],
      rate: 20e6,
      size: 2 ** 30,
    });
    expect(parseSettings("", "f", schema)).toEqual({ sources: [] });
  });

  test.for([
    ["sources: foo\n", "f:1:1: sources: expected a list, such as [a, b]"],
    ["sources:\n  - settle: 2s\n", "f:2:5: sources.0.name: is missing; expected a text"],
    ["- a\n", "f:1:1: expected a section: keys with values"],
    ["lake: { kind: c }\n", "f:1:9: lake.kind: expected a or b"],
    ["sources:\n  - name: a\n    setle: 2s\n", 'f:3:5: unknown key "setle"; expected one of name, settle'],
    [
      "sources:\n  - name: a\n    settle: 2 weeks\n",
      "f:3:5: sources.0.settle: expected a duration such as 2s, 5m or 7d",
    ],
    ["rate: fast\n", "f:1:1: rate: expected a rate such as 20MB/s"],
    ["foo: 1\n", 'f:1:1: unknown key "foo"; expected one of sources, lake, rate, size'],
    ["sources:\n  - settle: 2s\n", "f:2:5: sources.0.name"],
    ["lake:\n  kind: c\n", "f:2:3: lake.kind"],
    ["lake:\n  kind: a\n  bucket: x\n  path: y\n", 'f:3:3: unknown key "bucket"'],
    ["a: [\n", "f:2:1"],
    ["a: 1\na: 2\n", "f:2:1"],
  ] as const)("a mistake is named with its place: %j", ([text, message]) => {
    expect(() => parseSettings(text, "f", schema)).toThrow(message);
  });

  test("every mistake is told at once", () => {
    expect(() => parseSettings("rate: x\nsize: y\n", "f", schema)).toThrow(/f:1:1.*\n.*f:2:1/);
  });
});
