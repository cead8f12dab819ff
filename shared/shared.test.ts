import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatCode, parseCode } from "./code.ts";
import { formatDigest, parseDigest } from "./digest.ts";
import { PROBLEMS, ProblemError, problemBody } from "./problems.ts";
import { PARTS, partSizeFor } from "./protocol.ts";
import { printable } from "./terminal.ts";
import {
  formatBytes,
  formatDuration,
  formatFrequency,
  parseDuration,
  parseFrequency,
  parseRate,
  parseSize,
} from "./units.ts";
import { isUuidv7, uuidv7Maker, uuidv7Time } from "./uuid.ts";

describe("units", () => {
  test.for([
    ["250ms", 250],
    ["2s", 2000],
    ["1h30m", 5_400_000],
    ["7d", 604_800_000],
    ["1.5s", 1500],
    ["2", undefined],
    ["2 s", undefined],
    ["", undefined],
    ["s", undefined],
  ] as const)("duration %s", ([text, ms]) => expect(parseDuration(text)).toBe(ms));
  test.for([
    ["512", 512],
    ["20MB", 20e6],
    ["16MiB", 2 ** 24],
    ["1.5GB", 1.5e9],
    ["-1", undefined],
    ["x", undefined],
  ] as const)("size %s", ([text, n]) => expect(parseSize(text)).toBe(n));
  test("rate", () => {
    expect([parseRate("20MB/s"), parseRate("20MB"), parseRate("/s")]).toEqual([20e6, undefined, undefined]);
  });
  test.for([
    ["600/m", { count: 600, perMs: 60_000 }, "600/m"],
    ["10/s", { count: 10, perMs: 1000 }, "10/s"],
    ["600", { count: 600, perMs: 60_000 }, "600/m"],
    ["0/m", undefined, undefined],
    ["1.5/s", undefined, undefined],
    ["10/h", undefined, undefined],
    ["10 /s", undefined, undefined],
    ["/s", undefined, undefined],
    ["-1/s", undefined, undefined],
    ["10000000000/s", undefined, undefined],
    ["", undefined, undefined],
  ] as const)("frequency %s", ([text, frequency, again]) => {
    expect(parseFrequency(text)).toEqual(frequency);
    expect(frequency && formatFrequency(frequency)).toBe(again);
  });
  test("are printed for people", () => {
    expect([formatBytes(0), formatBytes(1500), formatBytes(48.2e9)]).toEqual(["0 B", "1.5 kB", "48.2 GB"]);
    expect([formatDuration(12), formatDuration(65_000), formatDuration(7_260_000)]).toEqual([
      "12 ms",
      "1 min 5 s",
      "2 h 1 min",
    ]);
  });
});

describe("UUIDv7", () => {
  test("is ordered even when the clock stands still or goes back", () => {
    let ms = 1_700_000_000_000;
    const make = uuidv7Maker(() => ms);
    const ids: string[] = [];
    for (let i = 0; i < 10_000; i += 1) {
      if (i === 5000) ms -= 60_000;
      ids.push(make());
    }
    expect(ids.every(isUuidv7)).toBe(true);
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
    expect(uuidv7Time(ids[0] as string)).toBe(1_700_000_000_000);
  });
});

describe("digest fields", () => {
  test("round-trip", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (b) => {
        const hex = Buffer.from(b).toString("hex");
        expect(parseDigest(formatDigest(hex))).toBe(hex);
        expect(parseDigest(`sha-512=:AAAA:, ${formatDigest(hex)};x=1`)).toBe(hex);
      }),
    );
  });
  test.for(["", "sha-256=abc", "sha-256=:AAAA:", "md5=:AAAA:", "SHA-256=x"])("%j is refused", (field) => {
    expect(() => parseDigest(field)).toThrow(expect.objectContaining({ code: "digest-invalid" }));
  });
});

describe("enrolment codes", () => {
  const code = { url: "https://r.example:8443", secret: "s".repeat(32), trust: "a".repeat(64) } as const;
  test("round-trip, with the white space of copying", () => {
    expect(parseCode(` ${formatCode(code)}\n`)).toEqual(code);
  });
  test.for([
    "",
    "hello",
    formatCode(code).slice(0, -9),
    "trb1_",
    "trb1_e30",
    formatCode({ ...code, url: "http://r.example" }),
  ])("%j is refused", (text) => {
    expect(() => parseCode(text)).toThrow(expect.objectContaining({ code: "usage" }));
  });
});

describe("parts", () => {
  test("10,000 of them always hold the file, or there are none", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (size) => {
        const part = partSizeFor(size);
        if (part === undefined)
          expect(size).toBeGreaterThan(PARTS.largest * PARTS.most - 2 ** 20 * PARTS.most);
        else expect(Math.ceil(size / part)).toBeLessThanOrEqual(PARTS.most);
      }),
    );
    expect(partSizeFor(2 ** 30)).toBe(8 * 2 ** 20);
    expect(partSizeFor(PARTS.largest * PARTS.most)).toBe(PARTS.largest);
    expect(partSizeFor(PARTS.largest * PARTS.most + 1)).toBeUndefined();
  });
});

describe("problems", () => {
  test("have one body on the wire", () => {
    expect(problemBody(new ProblemError("quota-day", "used up", { retryAfter: 60 }), "r1")).toEqual({
      type: "urn:tributary:problem:quota-day",
      title: PROBLEMS["quota-day"].title,
      status: 429,
      code: "quota-day",
      detail: "used up",
      requestId: "r1",
      retryAfter: 60,
    });
  });
});

test("a terminal never obeys a file's name", () => {
  expect(printable("a\u001b[2Jb\nc\u202ed")).toBe("a\\u001b[2Jb\\u000ac\\u202ed");
  expect(printable(null)).toBe("-");
});
