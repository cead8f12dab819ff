import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { BLOCK, entryHead, padding, readHeader, readPax, TRAILER } from "./tar.ts";

const home = mkdtempSync(join(tmpdir(), "tar-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const python = (script: string, input?: Buffer): Buffer =>
  execFileSync("python3", ["-c", script], { ...(input === undefined ? {} : { input }) });
const hasPython = (() => {
  try {
    return python("print(1)").length > 0;
  } catch {
    return false;
  }
})();

const bytes = Buffer.from("content");
const tarOf = (
  ...entries: { path: Buffer; mtimeNs: bigint; records?: readonly (readonly [string, string])[] }[]
): Buffer =>
  Buffer.concat([
    ...entries.flatMap(({ records = [], ...entry }) => [
      entryHead({ ...entry, size: bytes.length, records }),
      bytes,
      Buffer.alloc(padding(bytes.length)),
    ]),
    TRAILER,
  ]);

const long = Buffer.from(`${"deep/".repeat(60)}ü.csv`);
const odd = Buffer.from([0x64, 0x2f, 0xff, 0x0a, 0x3d, 0x20, 0x5c]);
const entries = [
  { path: Buffer.from("a.csv"), mtimeNs: 1_700_000_000_123_456_789n },
  { path: long, mtimeNs: -1_500_000_000n },
  { path: odd, mtimeNs: 0n },
  { path: Buffer.alloc(100, "x"), mtimeNs: 8n ** 11n * 1_000_000_000n },
];

describe("what is written", () => {
  test("GNU tar takes it apart, byte for byte and to the nanosecond", () => {
    const into = mkdtempSync(join(home, "gnu-"));
    execFileSync("tar", ["x", "-C", into], { input: tarOf(...entries), stdio: "pipe" });
    for (const { path, mtimeNs } of entries) {
      const file = Buffer.concat([Buffer.from(`${into}/`), path]);
      expect(readFileSync(file)).toEqual(bytes);
      // A file system may not hold times so far away.
      if (mtimeNs >= 0n && mtimeNs < 2n ** 62n)
        expect(statSync(file, { bigint: true }).mtimeNs).toBe(mtimeNs);
    }
  });

  test.skipIf(!hasPython)("Python's tarfile reads it, with all its records", () => {
    const script = `
import sys, io, tarfile, json
t = tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read()))
print(json.dumps([[m.name.encode("utf-8", "surrogateescape").hex(), t.extractfile(m).read().hex(), m.pax_headers.get("mtime"), m.pax_headers.get("TRIBUTARY.captureId")] for m in t]))`;
    const read = JSON.parse(
      python(
        script,
        tarOf(
          ...entries.map((entry, i) => ({ ...entry, records: [["TRIBUTARY.captureId", `c${i}`]] }) as const),
        ),
      ).toString(),
    );
    expect(read).toEqual(
      entries.map(({ path }, i) => [
        path.toString("hex"),
        bytes.toString("hex"),
        ["1700000000.123456789", "-1.5", "0", "8589934592"][i],
        `c${i}`,
      ]),
    );
  });

  test("is read back as it was, whatever it was", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 4096 }).map((path) => Buffer.from(path.map((b) => b || 1))),
        fc.integer({ min: 0, max: 8 ** 11 - 1 }),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.array(fc.tuple(fc.constantFrom("TRIBUTARY.captureId", "TRIBUTARY.sha256"), fc.string())),
        (path, size, mtimeNs, records) => {
          const head = entryHead({ path, size, mtimeNs, records });
          expect(head.length % BLOCK).toBe(0);
          const extended = readHeader(head.subarray(0, BLOCK));
          const header = readHeader(head.subarray(head.length - BLOCK));
          if (typeof extended === "string" || typeof header === "string") throw new Error("no header");
          const pax = readPax(head.subarray(BLOCK, BLOCK + extended.size)) as Map<string, Buffer>;
          expect(extended.type).toBe("x");
          expect(pax.get("path") ?? header.name).toEqual(path);
          expect(header.size).toBe(size);
          const [whole = "", fraction = ""] = String(pax.get("mtime")).split(".");
          const ns = BigInt(whole.replace("-", "")) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
          expect(whole.startsWith("-") ? -ns : ns).toBe(mtimeNs);
          for (const [name, value] of new Map(records))
            expect(String(pax.get(name))).toBe(value.toWellFormed());
        },
      ),
    );
  });
});

describe("a header", () => {
  /** One header block as Python writes it. */
  const header = (fields: string, format: string) => {
    const script = `
import sys, tarfile
t = tarfile.TarInfo(); ${fields}
sys.stdout.buffer.write(t.tobuf(tarfile.${format}, "utf-8", "surrogateescape")[-512:])`;
    return readHeader(python(script));
  };

  test.skipIf(!hasPython).for([
    ["a size of 20 GiB in base 256", "t.name='a'; t.size=20*2**30", "GNU_FORMAT", { size: 20 * 2 ** 30 }],
    ["a time before 1970", "t.name='a'; t.mtime=-7", "GNU_FORMAT", { mtime: -7 }],
    ["a time far away", "t.name='a'; t.mtime=8**11", "GNU_FORMAT", { mtime: 8 ** 11 }],
    [
      "a prefix",
      "t.name='p'*150+'/'+'n'*90",
      "USTAR_FORMAT",
      { name: Buffer.from(`${"p".repeat(150)}/${"n".repeat(90)}`) },
    ],
    ["a name that fills its place", "t.name='n'*100", "USTAR_FORMAT", { name: Buffer.alloc(100, "n") }],
    ["a name that is not UTF-8", "t.name='\\udcff'", "USTAR_FORMAT", { name: Buffer.from([0xff]) }],
    ["a link", "t.name='a'; t.type=tarfile.SYMTYPE; t.linkname='b'", "USTAR_FORMAT", { type: "2" }],
  ] as const)("of another tar: %s", ([, fields, format, expected]) => {
    expect(header(fields, format)).toMatchObject(expected);
  });

  const block = entryHead({ path: Buffer.from("a"), size: 5, mtimeNs: 0n, records: [] }).subarray(-BLOCK);
  /** With another value somewhere, and a sum that fits again. */
  const changed = (at: number, text: string, signed = false): Buffer => {
    const copy = Buffer.from(block);
    copy.write(text, at, "latin1");
    copy.fill(" ", 148, 156);
    const sum = copy.reduce((all, byte) => all + (signed && byte > 127 ? byte - 256 : byte), 0);
    copy.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
    return copy;
  };

  test("any other byte in it, and it is none", () => {
    for (let at = 0; at < BLOCK; at += 1) {
      const copy = Buffer.from(block);
      copy[at] = (copy[at] as number) ^ 0x01;
      const read = readHeader(copy);
      // The blanks and zeros around the sum's digits are no part of it.
      if (at < 154 || at >= 156) expect(read, `byte ${at}`).toBe("invalid");
    }
    expect(readHeader(Buffer.alloc(BLOCK))).toBe("end");
  });

  test("a sum of signed bytes, as old tars have it", () => {
    expect(readHeader(changed(0, "\u00ff\u00fe", true))).toMatchObject({ name: Buffer.from([0xff, 0xfe]) });
  });

  test.for([
    ["no digits", "00000000xyz "],
    ["a negative size", "\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff"],
    ["a size beyond all numbers", "\u0080\u0001\u0001\u0001\u0001\u0001\u0001\u0001\u0001\u0001\u0001\u0001"],
  ] as const)("%s: none", ([, text]) => {
    expect(readHeader(changed(124, text))).toBe("invalid");
  });

  test("a folder of a Seventh Edition tar is one by its name; a file with content never is", () => {
    expect(readHeader(changed(0, "folder/"))).toMatchObject({ type: "0", size: 5 });
    const empty = entryHead({ path: Buffer.from("folder/"), size: 0, mtimeNs: 0n, records: [] });
    expect(readHeader(empty.subarray(-BLOCK))).toMatchObject({ type: "5" });
  });
});

describe("pax records", () => {
  test.for(["", "13 path=abcd\n", "14 path=a=b\nc\n", "6 a=b\n7 a=bc\n"])("%j are read", (text) => {
    expect(readPax(Buffer.from(text))).toBeInstanceOf(Map);
  });
  test.for([
    "5 a=b\n",
    "7 a=b\n",
    "6 a=b",
    "6a=b\n",
    "0 a=b\n",
    "06 a=b\n",
    "99999999999 a=b\n",
    "x",
    "6 abc\n",
    "-6 a=b\n",
  ])("%j are none", (text) => {
    expect(readPax(Buffer.from(text))).toBeUndefined();
  });
  test("of one name the last counts; what is not wanted is left out; values have memory of their own", () => {
    const from = Buffer.from("6 a=b\n7 a=bc\n6 x=y\n");
    const records = readPax(from, (name) => name === "a");
    from.fill(0);
    expect(records).toEqual(new Map([["a", Buffer.from("bc")]]));
  });
});
