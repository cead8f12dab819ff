import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import type { Preview, PreviewFile } from "./preview.ts";
import { previewsInProcess } from "./process.ts";
import { fileOfBytes, parquetThatClaims, workbookOf } from "./samples.ts";

const WISH = { rows: 20, columns: 20 };
const MIB = 2 ** 20;
/** Where all tests run at once, everything takes its time. */
const previews = previewsInProcess({ milliseconds: 20_000, startMilliseconds: 20_000 });
const children = () => process.getActiveResourcesInfo().filter((one) => one === "ProcessWrap").length;

const csv = fileOfBytes("a.csv", Buffer.from("a,b\n1,2\n"));

test("a file is read in another process, which ends with the answer", async () => {
  expect(await previews.preview(csv, WISH)).toMatchObject({ kind: "table", rows: [["1", "2"]] });
  await expect.poll(children).toBe(0);
});

describe("what strangers send", () => {
  const cell = `<sheetData><row><c t="s"><v>0</v></c><c t="s"><v>30000000</v></c></row></sheetData>`;
  const endless = (text: string, size: number): PreviewFile => ({
    name: "x.csv",
    size,
    read: async () => Readable.from(repeated(Buffer.from(text.repeat(1_000)))),
  });
  function* repeated(piece: Buffer) {
    for (;;) yield piece;
  }

  test.for<[string, () => PreviewFile, (preview: Preview) => void]>([
    [
      "100 MB of shared strings in 200 kB",
      () => fileOfBytes("x.xlsx", workbookOf(cell, "<si><t>hello there</t></si>".repeat(4_000_000))),
      (preview) => expect(preview).toMatchObject({ rows: [["hello there", "…"]] }),
    ],
    [
      "a hundred million blanks before the first row",
      () => fileOfBytes("x.xlsx", workbookOf(" ".repeat(100 * MIB))),
      (preview) => expect(preview).toMatchObject({ kind: "none", why: expect.stringContaining("unpacked") }),
    ],
    [
      "one text of 100 MB",
      () =>
        fileOfBytes("x.xlsx", workbookOf(`<sheetData><row><c t="inlineStr"><is><t>${"x".repeat(100 * MIB)}`)),
      (preview) => expect(preview).toMatchObject({ kind: "none", why: expect.stringContaining("unpacked") }),
    ],
    [
      "a page of Parquet with two thousand million values, in nine bytes",
      () => fileOfBytes("x.parquet", parquetThatClaims(2 ** 31 - 1, 2 ** 31 - 1)),
      (preview) => expect(preview).toMatchObject({ kind: "none", why: expect.stringContaining("memory") }),
    ],
    [
      "a million brackets of JSON",
      () => fileOfBytes("x.json", Buffer.from("[".repeat(1e6) + "]".repeat(48_000))),
      (preview) => expect(preview).toMatchObject({ kind: "json", more: true }),
    ],
    [
      "a million objects in each other",
      () => fileOfBytes("x.json", Buffer.from('[{"a":'.repeat(170_000))),
      (preview) => expect(preview).toMatchObject({ kind: "table", format: "json" }),
    ],
    [
      "a key in each object",
      () =>
        fileOfBytes(
          "x.ndjson",
          Buffer.from(Array.from({ length: 70_000 }, (_, at) => `{"k${at}":1}`).join("\n")),
        ),
      (preview) => expect(preview).toMatchObject({ kind: "table", format: "ndjson" }),
    ],
    [
      "a quote that is never closed",
      () => fileOfBytes("x.csv", Buffer.from(`a,b\n1,"${"2,3\n".repeat(400_000)}`)),
      (preview) => expect(preview).toMatchObject({ kind: "table", more: true }),
    ],
    [
      "nothing but quotes",
      () => fileOfBytes("x.csv", Buffer.from('"'.repeat(MIB + 1))),
      (preview) => expect(preview).toMatchObject({ kind: "table" }),
    ],
    [
      "quotes and commas in a quarrel",
      () => fileOfBytes("x.csv", Buffer.from('"a" b,"'.repeat(200_000))),
      (preview) => expect(preview).toMatchObject({ kind: "table" }),
    ],
    [
      "a million columns",
      () => fileOfBytes("x.csv", Buffer.from(`${"1,".repeat(500_000)}\n`)),
      (preview) => expect(preview).toMatchObject({ columns: { length: 20 } }),
    ],
    [
      "a terabyte on one line",
      () => endless("x", 2 ** 40),
      (preview) => expect(preview).toMatchObject({ kind: "table", more: true }),
    ],
    [
      "NULs",
      () => fileOfBytes("x.csv", Buffer.alloc(4 * MIB)),
      (preview) => expect(preview).toMatchObject({ kind: "none", why: expect.stringContaining("binary") }),
    ],
  ])("%s", { timeout: 60_000 }, async ([, file, check]) => {
    const given = file();
    const before = process.memoryUsage.rss();
    check(await previews.preview(given, WISH));
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * MIB);
  });
});

describe("bounds", () => {
  // It asks for one piece of memory beyond its limit, which ends a process at once, whatever its threads may have.
  test("a process that dies of its memory is an answer", { timeout: 60_000 }, async () => {
    const found = await previews.preview(fileOfBytes("x.parquet", parquetThatClaims(1e8, 1e8)), WISH);
    expect(found).toEqual({ kind: "none", why: "Reading it takes more memory than a preview may have." });
    await expect.poll(children).toBe(0);
  });

  test("what takes too long is ended, and that is the answer", async () => {
    const slow = { kind: "none", why: "Reading it took too long." };
    expect(await previewsInProcess({ startMilliseconds: 1 }).preview(csv, WISH)).toEqual(slow);
    const hasty = previewsInProcess({ milliseconds: 100, startMilliseconds: 20_000 });
    const file = fileOfBytes("x.parquet", parquetThatClaims(1e8, 1e8));
    expect(await hasty.preview(file, WISH)).toEqual(slow);
    await expect.poll(children).toBe(0);
  });

  test("a lake that does not answer holds nothing up for ever, and its stream is let go", async () => {
    const body = new Readable({ read: () => {} });
    const file = { ...csv, read: async () => body };
    const found = await previewsInProcess({ lakeMilliseconds: 50, startMilliseconds: 20_000 }).preview(
      file,
      WISH,
    );
    expect(found).toMatchObject({ kind: "none", why: "Reading it took too long." });
    await expect.poll(() => body.destroyed).toBe(true);
  });

  test.for<[string, PreviewFile["read"], object]>([
    ["is gone", async () => undefined, { code: "lake-unavailable" }],
    [
      "is shorter than its entry says",
      async () => Readable.from([Buffer.from("a")]),
      { code: "lake-unavailable" },
    ],
    ["cannot be reached", () => Promise.reject(new Error("no route")), { message: "no route" }],
  ])("it rejects where the file %s", async ([, read, error]) => {
    await expect(previews.preview({ ...csv, read }, WISH)).rejects.toMatchObject(error);
    await expect.poll(children).toBe(0);
  });

  test("a process that does not begin is a fault of the host, and no file is said to be too large", async () => {
    const real = process.execPath;
    process.execPath = "/bin/false";
    try {
      const file = { name: "a.csv", size: 4, read: async () => undefined };
      const preview = previewsInProcess().preview(file, { rows: 1, columns: 1 });
      await expect(preview).rejects.toThrow(/\/bin\/false.*ended before it began, with exit code 1/);
    } finally {
      process.execPath = real;
    }
  });

  test("whoever goes away takes the process along", async () => {
    const gone = new AbortController();
    const file = { ...csv, read: async () => new Readable({ read: () => gone.abort(new Error("gone")) }) };
    await expect(previews.preview(file, { ...WISH, signal: gone.signal })).rejects.toThrow("gone");
    await expect.poll(children).toBe(0);
    await expect(previews.preview(csv, { ...WISH, signal: gone.signal })).rejects.toThrow("gone");
  });

  test("few at once, some wait, and more are refused", async () => {
    const few = previewsInProcess({ most: 1, waiting: 1, milliseconds: 20_000, startMilliseconds: 20_000 });
    const left = new AbortController();
    const first = few.preview(csv, WISH);
    const second = few.preview(csv, { ...WISH, signal: left.signal });
    await expect(few.preview(csv, WISH)).rejects.toMatchObject({ code: "busy" });
    left.abort(new Error("left"));
    await expect(second).rejects.toThrow("left");
    const third = few.preview(csv, WISH);
    expect(await Promise.all([first, third])).toMatchObject([{ kind: "table" }, { kind: "table" }]);
  });
});
