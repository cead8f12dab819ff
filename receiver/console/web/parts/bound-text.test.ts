import { expect, test } from "vitest";
import { boundText, type Field, readBound, touched } from "./bound-text.ts";

test.for([
  [0, "0 B"],
  [999, "999 B"],
  [20e9, "20 GB"],
  [1.5e12, "1.5 TB"],
  [50 * 2 ** 30, "50 GiB"],
  [2 ** 40, "1 TiB"],
  [999_600_000_000, "999.6 GB"],
  [123_456_789, "123456789 B"],
  [2e15, "2000 TB"],
] as const)("a size of %d bytes stands there as %s and is read as what it was", ([bytes, text]) => {
  expect(boundText("stored", bytes)).toBe(text);
  expect(readBound("stored", text)).toBe(bytes);
});

test("any size is read back to the byte", () => {
  for (let bytes = 1; bytes < 9e15; bytes = Math.ceil(bytes * 1.37) + 1)
    expect(readBound("day", boundText("day", bytes))).toBe(bytes);
});

test.for(["1,000 GB", "1.000 GB", "1,5 GB", "1 000 GB", "lots", "-1", "1e9", "9999999 TB", "١ GB"])(
  "%s is no size: two people would read two numbers in it, or none",
  (text) => {
    expect(readBound("file", text)).toBeUndefined();
  },
);

test.for([
  ["1.5 GB", 1.5e9],
  ["10 GiB", 10 * 2 ** 30],
  ["20gb", 20e9],
  ["512", 512],
  ["  ", null],
] as const)("%s is a size", ([text, bytes]) => {
  expect(readBound("file", text)).toBe(bytes);
});

test("a rate keeps its window", () => {
  const rates = [
    { count: 10, perMs: 1000 },
    { count: 600, perMs: 60_000 },
  ];
  for (const rate of rates) expect(readBound("requests", boundText("requests", rate))).toEqual(rate);
  expect(boundText("requests", rates[0])).toBe("10/s");
  expect(boundText("requests", rates[1])).toBe("600");
  // Whoever made such a one did it elsewhere: it is shown, and stays as long as nobody types another.
  expect(boundText("requests", { count: 5, perMs: 7000 })).toBe("5/7000 ms");
  for (const text of ["0", "1,000", "10/h", "x"]) expect(readBound("requests", text)).toBeUndefined();
});

test("only what was typed anew is sent", () => {
  const bounds = { stored: 50 * 2 ** 30, day: null, requests: { count: 10, perMs: 1000 }, uploads: 4 };
  expect(touched(bounds, {})).toEqual([]);
  expect(touched(bounds, { stored: "50 GiB ", day: "", uploads: "4" })).toEqual([]);
  expect(touched(bounds, { day: "20 GB", uploads: "" })).toEqual(["day", "uploads"] satisfies Field[]);
});
