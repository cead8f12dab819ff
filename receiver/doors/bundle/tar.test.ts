/** Tars of other programs, taken apart; and what is no tar, or not a whole one. */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BLOCK, entryHead, padding, TRAILER } from "@tributary/shared/tar.ts";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TarEntry, TarReader } from "./tar.ts";

const home = mkdtempSync(join(tmpdir(), "tar-reader-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

type Read = Pick<TarEntry, "kind" | "what" | "size" | "mtimeNs"> & { name: string; text: string };

/** A source that uses its memory again, as a body does. */
async function* pieces(bytes: Buffer, size = bytes.length || 1): AsyncGenerator<Uint8Array> {
  const memory = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += size) {
    const length = bytes.copy(memory, 0, at, at + size);
    yield memory.subarray(0, length);
    memory.fill(0xee);
  }
}

async function readAll(bytes: Buffer, size?: number): Promise<Read[]> {
  const tar = new TarReader(pieces(bytes, size));
  const all: Read[] = [];
  for (let entry = await tar.next(); entry !== undefined; entry = await tar.next()) {
    const { kind, what, size, mtimeNs, name } = entry;
    const text = kind === "file" ? (await tar.take()).toString("latin1") : "";
    all.push({ kind, what, size, mtimeNs, name: name.toString("latin1"), text });
  }
  return all;
}

const one = (path: string, content: string, records: [string, string][] = []): Buffer =>
  Buffer.concat([
    entryHead({ path: Buffer.from(path), size: content.length, mtimeNs: 1_500_000_000n, records }),
    Buffer.from(content, "latin1"),
    Buffer.alloc(padding(content.length)),
  ]);
/** A block of another type, its sum fitting. */
const block = (type: string, size: number, name = "x"): Buffer => {
  const head = Buffer.from(
    entryHead({ path: Buffer.from(name), size, mtimeNs: 0n, records: [] }).subarray(-BLOCK),
  );
  head.write(type, 156, "latin1");
  head.fill(" ", 148, 156);
  head.write(
    `${head
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
    "latin1",
  );
  return head;
};
const extended = (type: string, content: string | Buffer): Buffer =>
  Buffer.concat([
    block(type, content.length),
    Buffer.from(content as string),
    Buffer.alloc(padding(content.length)),
  ]);
const record = (name: string, value: string): string => {
  let length = name.length + value.length + 3;
  while (`${length}`.length + name.length + value.length + 3 !== length) length += 1;
  return `${length} ${name}=${value}\n`;
};

describe.skipIf(process.platform !== "linux")("what GNU tar writes", () => {
  const folder = join(home, "files");
  const longest = `${"n".repeat(200)}/${"m".repeat(200)}`;
  const odd = Buffer.from([0xff, 0x0a, 0x5c, 0x20]);
  beforeAll(() => {
    mkdirSync(join(folder, "n".repeat(200)), { recursive: true });
    writeFileSync(join(folder, longest), "long");
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), odd]), "odd");
    writeFileSync(join(folder, "empty"), "");
    writeFileSync(join(folder, "small"), "s".repeat(BLOCK));
    utimesSync(join(folder, "small"), 1, 1.25);
    writeFileSync(join(folder, "old"), "o");
    execFileSync("touch", ["-d", "@-5", join(folder, "old")]);
    symlinkSync("x".repeat(150), join(folder, "link"));
    linkSync(join(folder, "small"), join(folder, "small2"));
    writeFileSync(join(folder, "holes"), "");
    truncateSync(join(folder, "holes"), 2 ** 22);
    execFileSync("mkfifo", [join(folder, "pipe")]);
  });
  const tar = (...options: string[]): Buffer =>
    execFileSync("tar", ["c", "--sort=name", ...options, "."], { cwd: folder, maxBuffer: 2 ** 26 });

  test.for(["gnu", "oldgnu", "pax", "posix"])("%s", async (format) => {
    for (const size of [undefined, 1, 100, 513, 10240]) {
      const read = await readAll(tar(`--format=${format}`, "-S"), size);
      const of = (name: string): Read | undefined => read.find((entry) => entry.name === `./${name}`);
      expect(of(longest)).toMatchObject({ kind: "file", text: "long" });
      expect(of(odd.toString("latin1"))).toMatchObject({ kind: "file", text: "odd" });
      expect(of("empty")).toMatchObject({ kind: "file", size: 0, text: "" });
      expect(of("small")).toMatchObject({ kind: "file", text: "s".repeat(BLOCK) });
      expect(of("small")?.mtimeNs).toBe(format.endsWith("gnu") ? 1_000_000_000n : 1_250_000_000n);
      expect(of("old")?.mtimeNs).toBe(-5_000_000_000n);
      expect(of("small2")).toMatchObject({ kind: "other", what: "a hard link" });
      expect(of("link")).toMatchObject({ kind: "other", what: "a symbolic link" });
      expect(of("pipe")).toMatchObject({ kind: "other", what: "a pipe" });
      expect(read.filter(({ what }) => what === "a sparse file")).toHaveLength(1);
      expect(read.filter(({ kind }) => kind === "directory").map(({ name }) => name)).toEqual([
        "./",
        `./${"n".repeat(200)}/`,
      ]);
    }
  });

  test.for(["ustar", "v7"])("%s, of what it can name", async (format) => {
    const read = await readAll(
      tar(`--format=${format}`, ...["n*", "link", "pipe", "old"].map((name) => `--exclude=${name}`)),
    );
    const files = read.filter(({ kind }) => kind === "file").map(({ name, text }) => [name, text.length]);
    expect(files).toEqual([
      ["./empty", 0],
      ["./holes", 2 ** 22],
      ["./small", BLOCK],
      [`./${odd.toString("latin1")}`, 3],
    ]);
    expect(read.filter(({ kind }) => kind === "directory")).toHaveLength(1);
  });

  test("sparse in all its ways: passed over whole, and named as such", async () => {
    // More pieces than the map of one header holds.
    const holes = openSync(join(folder, "holes"), "w");
    for (let i = 0; i < 60; i += 1) writeSync(holes, "x", i * 2 ** 16);
    closeSync(holes);
    for (const way of [
      "--format=gnu",
      "--sparse-version=0.0",
      "--sparse-version=0.1",
      "--sparse-version=1.0",
    ]) {
      const read = await readAll(tar("-S", ...(way.startsWith("--format") ? [way] : ["--format=pax", way])));
      expect(
        read.filter(({ what }) => what === "a sparse file"),
        way,
      ).toHaveLength(1);
      expect(read.find(({ name }) => name === "./small")?.text).toBe("s".repeat(BLOCK));
    }
  });
});

test("records for all, records for one, and the one wins", async () => {
  const read = await readAll(
    Buffer.concat([
      extended("g", record("mtime", "7") + record("comment", "c")),
      one("a", "A"),
      extended("x", record("path", "b")),
      extended("x", record("mtime", "9.5")),
      block("0", 1),
      Buffer.from("B".padEnd(BLOCK, "\0")),
      extended("L", "c\0rubbish"),
      block("0", 0),
      TRAILER,
    ]),
  );
  expect(read.map(({ name, mtimeNs }) => [name, mtimeNs])).toEqual([
    ["a", 1_500_000_000n],
    ["b", 9_500_000_000n],
    ["c", 7_000_000_000n],
  ]);
});

test("a path of others' memory is not changed by what comes behind it", async () => {
  const tar = new TarReader(
    pieces(Buffer.concat([one("a", "A", [["path", "real"]]), one("b", "B"), TRAILER]), 512),
  );
  const first = await tar.next();
  await tar.next();
  expect(String(first?.name)).toBe("real");
});

describe("is not read on", () => {
  const refused = async (bytes: Buffer): Promise<string> => {
    try {
      await readAll(bytes, 4096);
    } catch (error) {
      expect(error).toMatchObject({ code: "bundle-invalid" });
      return (error as Error).message;
    }
    throw new Error("it was read");
  };

  test("what is no tar, and nothing at all", async () => {
    expect(await refused(Buffer.from("x".repeat(2000)))).toMatch(/is no tar stream/);
    expect(await refused(Buffer.alloc(0))).toMatch(/ends after entry 0/);
    expect(await refused(Buffer.concat([one("a", "A"), Buffer.alloc(BLOCK, "?")]))).toMatch(
      /no header of a tar/,
    );
  });

  test("a size that its header and its records tell apart, or that is none", async () => {
    for (const size of ["5", "0", "-1", "x", "1e3", "99999999999999999"])
      expect(
        await refused(
          Buffer.concat([extended("x", record("size", size)), block("0", 1), Buffer.alloc(BLOCK), TRAILER]),
        ),
      ).toMatch(/size of entry 1/);
  });

  test("another tar behind it, or anything", async () => {
    const tar = Buffer.concat([one("a", "A"), TRAILER]);
    expect(await refused(Buffer.concat([tar, Buffer.alloc(9000), one("b", "B"), TRAILER]))).toMatch(
      /several tars/,
    );
    expect(await readAll(Buffer.concat([tar, Buffer.alloc(20 * BLOCK)]))).toHaveLength(1);
  });

  test("more extended headers than an entry may have, in one or in many, full or empty", async () => {
    const gigabyte = async function* (piece: Buffer, first = piece): AsyncGenerator<Uint8Array> {
      yield first;
      for (let sent = 0; sent < 2 ** 30; sent += piece.length) yield piece;
    };
    const zeros = Buffer.concat(Array.from({ length: 256 }, () => block("g", 0)));
    const many = Buffer.concat(
      Array.from({ length: 2000 }, (_, i) => extended("x", record(`k${i}`, "v".repeat(400)))),
    );
    const before = process.memoryUsage().rss;
    for (const [name, source] of [
      ["empty", gigabyte(zeros)],
      ["many", gigabyte(many)],
      ["one", gigabyte(Buffer.alloc(BLOCK), block("x", 2 ** 30))],
      ["a long name", gigabyte(Buffer.alloc(BLOCK, "n"), block("L", 2 ** 30))],
    ] as const)
      await expect(new TarReader(source).next(), name).rejects.toThrow(/bytes of extended headers/);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 2 ** 20);
    const text = record("path", "p".repeat(65_537));
    expect(await refused(Buffer.concat([extended("x", text), block("0", 0), TRAILER]))).toMatch(
      /a record path of 65537/,
    );
  });

  test("of a hundred thousand records that nobody uses none stays", async () => {
    let text = "";
    for (let i = 0; text.length < 1_000_000; i += 1) text += record(`${i}`, "");
    const head = extended("g", text);
    const tar = new TarReader(
      pieces(Buffer.concat([head, ...Array.from({ length: 500 }, () => block("0", 0)), TRAILER])),
    );
    let entries = 0;
    for (let entry = await tar.next(); entry !== undefined; entry = await tar.next()) {
      entries += 1;
      expect(entry.records.size).toBe(0);
    }
    expect(entries).toBe(500);
  });
});

test("cut at any byte, it says so: the entries before are whole, and none is made up", async () => {
  const whole = Buffer.concat([one("first", "1".repeat(700)), one("second", "2"), TRAILER]);
  for (let at = 0; at < whole.length - BLOCK; at += 1) {
    const tar = new TarReader(pieces(whole.subarray(0, at), 300));
    const texts: string[] = [];
    const reading = async (): Promise<void> => {
      for (let entry = await tar.next(); entry !== undefined; entry = await tar.next())
        texts.push(String(await tar.take()));
    };
    await expect(reading(), `${at}`).rejects.toMatchObject({ code: "bundle-invalid" });
    expect(["1".repeat(700), "2"].slice(0, texts.length)).toEqual(texts);
  }
});

test("corrupted at any byte, it ends, and what is not refused is what was written or differs in its content alone", async () => {
  const whole = Buffer.concat([one("first", "1".repeat(700)), one("second", "2"), TRAILER]);
  const names = new Set(["first", "second"]);
  for (let at = 0; at < whole.length; at += 1)
    for (const flip of [0x01, 0x80]) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] as number) ^ flip;
      const read = await readAll(bytes, 1000).catch((error: unknown) => {
        expect(error, `byte ${at}`).toMatchObject({ code: "bundle-invalid" });
        return undefined;
      });
      if (read === undefined) continue;
      // Records have no sum of their own: a digest goes with what must not be mistaken.
      expect(
        read.map(({ size }) => size),
        `byte ${at}`,
      ).toEqual([700, 1]);
      for (const { name } of read) expect(names, `byte ${at}`).toContain(name);
    }
});

test("rubbish never hangs it, and never throws anything else", async () => {
  const blocks = fc.oneof(
    fc.uint8Array({ minLength: BLOCK, maxLength: BLOCK }).map((bytes) => Buffer.from(bytes)),
    fc
      .tuple(fc.constantFrom(..."0123456789xgLKSVMN\0".split("")), fc.nat(2000))
      .map(([type, size]) => block(type, size)),
    fc.tuple(fc.constantFrom("x", "g", "L", "K"), fc.string()).map(([type, text]) => extended(type, text)),
    fc
      .tuple(fc.string(), fc.string())
      .map(([name, text]) => one(name.replaceAll("\0", "_") || "n", text.replaceAll(/[^ -~]/g, "?"))),
    fc.constant(Buffer.alloc(BLOCK)),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(blocks, { maxLength: 12 }),
      fc.integer({ min: 1, max: 2000 }),
      async (all, size) => {
        await readAll(Buffer.concat(all), size).catch((error: unknown) => {
          expect(error).toMatchObject({ code: "bundle-invalid" });
        });
      },
    ),
    { numRuns: 500 },
  );
});
