import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BLOCK, entryHead, padding, readHeader, readPax, TRAILER } from "./tar.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tributary-tar-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const entry = (path: string | Buffer, bytes: Buffer, mtimeNs = 1_700_000_000_123_456_789n): Buffer =>
  Buffer.concat([
    entryHead({
      path: Buffer.from(path as string),
      size: bytes.length,
      mtimeNs,
      records: [["TRIBUTARY.captureId", "a=b c"]],
    }),
    bytes,
    Buffer.alloc(padding(bytes.length)),
  ]);

describe("what is written", () => {
  test("GNU tar unpacks: names of any bytes and any length, contents, times", () => {
    const names = ["plain.csv", "deep/er/ü.csv", `${"long/".repeat(40)}name.csv`, "line\nbreak", "a=b %41"];
    const tar = Buffer.concat([
      ...names.map((name, i) => entry(name, Buffer.alloc(i * 300, "x"))),
      entry(Buffer.from([0x66, 0xff, 0xfe]), Buffer.from("not utf-8")),
      TRAILER,
    ]);
    const out = join(folder, "unpacked");
    mkdirSync(out);
    execFileSync("tar", ["-x", "-C", out], { input: tar });
    for (const [i, name] of names.entries())
      expect(readFileSync(join(out, name))).toEqual(Buffer.alloc(i * 300, "x"));
    expect(readFileSync(Buffer.concat([Buffer.from(`${out}/`), Buffer.from([0x66, 0xff, 0xfe])]))).toEqual(
      Buffer.from("not utf-8"),
    );
    const listed = execFileSync("tar", ["--full-time", "-tv"], {
      input: tar,
      env: { TZ: "UTC", PATH: process.env.PATH },
    });
    expect(listed.toString()).toContain("2023-11-14 22:13:20.123456789");
  });

  test("its records read back as they were, whatever bytes", () => {
    fc.assert(
      fc.property(
        fc
          .uint8Array({ minLength: 1, maxLength: 3000 })
          .map((bytes) => Buffer.from(bytes.map((b) => b || 1))),
        fc.bigInt({ min: -(10n ** 19n), max: 10n ** 19n }),
        fc.nat(100_000),
        (path, mtimeNs, size) => {
          const head = entryHead({ path, size, mtimeNs, records: [] });
          const pax = readHeader(head.subarray(0, BLOCK));
          const own = readHeader(head.subarray(head.length - BLOCK));
          if (typeof pax === "string" || typeof own === "string") throw new Error("no header");
          const records = readPax(head.subarray(BLOCK, BLOCK + pax.size));
          expect(pax.type).toBe("x");
          expect(own).toMatchObject({ type: "0", size });
          expect(records?.get("path") ?? own.name).toEqual(path);
          const [, sign, whole, fraction = ""] =
            /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(records?.get("mtime"))) ?? [];
          const ns = BigInt(String(whole)) * 10n ** 9n + BigInt(fraction.padEnd(9, "0"));
          expect(sign === "-" ? -ns : ns).toBe(mtimeNs);
        },
      ),
    );
  });
});

describe("what is read", () => {
  test.for(["gnu", "ustar", "posix", "v7"] as const)("GNU tar's %s: names, sizes, times", (format) => {
    const name = format === "v7" ? "short.csv" : `${"d".repeat(60)}/${"f".repeat(60)}.csv`;
    const source = join(folder, format);
    mkdirSync(join(source, name, ".."), { recursive: true });
    writeFileSync(join(source, name), "content");
    utimesSync(join(source, name), 1_600_000_000, 1_600_000_000);
    const tar = execFileSync("tar", ["-c", `--format=${format}`, "-C", source, name]);
    let path: Buffer | undefined;
    for (let at = 0; ; ) {
      const header = readHeader(tar.subarray(at, at + BLOCK));
      if (typeof header === "string") throw new Error(`${header} at ${at}`);
      const content = tar.subarray(at + BLOCK, at + BLOCK + header.size);
      if (header.type === "L") path = content.subarray(0, -1);
      else if (header.type === "x") path = readPax(content)?.get("path");
      else {
        expect((path ?? header.name).toString()).toBe(name);
        expect(header).toMatchObject({ type: "0", size: 7, mtime: 1_600_000_000 });
        expect(content.toString()).toBe("content");
        break;
      }
      at += BLOCK + header.size + padding(header.size);
    }
  });

  test("a changed byte of a header is no header, zeros are the end", () => {
    const [block] = [entry("a", Buffer.from("x")).subarray(-2 * BLOCK, -BLOCK)];
    expect(readHeader(block)).toMatchObject({ type: "0" });
    for (const at of [0, 50, 124, 150, 156, 257, 300]) {
      const altered = Buffer.from(block);
      altered[at] = (altered[at] as number) ^ 1;
      expect(readHeader(altered), `byte ${at}`).toBe("invalid");
    }
    expect(readHeader(Buffer.alloc(BLOCK))).toBe("end");
  });

  test("sizes in GNU's base 256, and none that are less than nothing", () => {
    const block = Buffer.from(entry("a", Buffer.from("x")).subarray(-2 * BLOCK, -BLOCK));
    const withSize = (bytes: Buffer): Buffer => {
      const made = Buffer.from(block);
      bytes.copy(made, 124);
      made.fill(0x20, 148, 156);
      const sum = made.reduce((all, byte) => all + byte, 0);
      made.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
      return made;
    };
    const large = Buffer.alloc(12);
    large[0] = 0x80;
    large.writeBigUInt64BE(20n * 2n ** 30n, 4);
    expect(readHeader(withSize(large))).toMatchObject({ size: 20 * 2 ** 30 });
    expect(readHeader(withSize(Buffer.alloc(12, 0xff)))).toBe("invalid");
    expect(readHeader(withSize(Buffer.from("00000000009\0")))).toBe("invalid");
  });

  test.for(["", "12 a=b", "6 a=b\n", "8 a=b\n", "x a=b\n", "6 ab=\n3 a\n", "99999999999 a=b\n"])(
    "%j is no pax header, or an empty one",
    (text) => {
      const records = readPax(Buffer.from(text));
      expect(records === undefined || records.size === (text.startsWith("6 a=b") ? 1 : 0)).toBe(true);
    },
  );
});
