import { MalformedPacket } from "@tributary/shared/sftp/fields.ts";
import { REQUEST, STATUS } from "@tributary/shared/sftp/words.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Request } from "./wire.ts";
import {
  attributesAnswer,
  dataHead,
  handleAnswer,
  limitsAnswer,
  nameAnswer,
  statusAnswer,
  versionAnswer,
} from "./wire-answers.ts";
import { readRequest } from "./wire-requests.ts";

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
const uint64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
};
const string = (value: Uint8Array | string): Buffer => {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([uint32(bytes.length), bytes]);
};
/** Without its length, as a session hands it over. */
const packet = (type: number, ...parts: readonly Buffer[]): Buffer =>
  Buffer.concat([Buffer.from([type]), uint32(7), ...parts]);

const NONE = uint32(0);
const [PATH, OTHER, HANDLE] = [Buffer.from("/a/\xe8", "latin1"), Buffer.from("/b"), Buffer.from([0, 1])];
const path = { path: PATH };
const handle = { handle: HANDLE };

const REQUESTS: readonly (readonly [number, readonly Buffer[], object])[] = [
  [REQUEST.open, [string(PATH), uint32(26), NONE], { kind: "open", ...path, flags: 26, attributes: {} }],
  [REQUEST.close, [string(HANDLE)], { kind: "close", ...handle }],
  [
    REQUEST.read,
    [string(HANDLE), uint64(2n ** 40n), uint32(9)],
    { kind: "read", ...handle, offset: 2 ** 40, length: 9 },
  ],
  [
    REQUEST.write,
    [string(HANDLE), uint64(5n), string("xy")],
    { kind: "write", ...handle, offset: 5, bytes: Buffer.from("xy") },
  ],
  [REQUEST.lstat, [string(PATH)], { kind: "lstat", ...path }],
  [REQUEST.stat, [string(PATH)], { kind: "stat", ...path }],
  [REQUEST.fstat, [string(HANDLE)], { kind: "fstat", ...handle }],
  [
    REQUEST.setstat,
    [string(PATH), uint32(1), uint64(3n)],
    { kind: "setstat", ...path, attributes: { size: 3 } },
  ],
  [
    REQUEST.fsetstat,
    [string(HANDLE), uint32(0x8000000e), ...[1, 2, 3, 4, 5, 1].map(uint32), string("x"), string("y")],
    { kind: "fsetstat", ...handle, attributes: { uid: 1, gid: 2, permissions: 3, accessed: 4, modified: 5 } },
  ],
  [REQUEST.opendir, [string(PATH)], { kind: "opendir", ...path }],
  [REQUEST.readdir, [string(HANDLE)], { kind: "readdir", ...handle }],
  [REQUEST.remove, [string(PATH)], { kind: "remove", ...path }],
  [REQUEST.mkdir, [string(PATH), NONE], { kind: "mkdir", ...path, attributes: {} }],
  [REQUEST.rmdir, [string(PATH)], { kind: "rmdir", ...path }],
  [REQUEST.realpath, [string("")], { kind: "realpath", path: Buffer.alloc(0) }],
  [REQUEST.rename, [string(PATH), string(OTHER)], { kind: "rename", from: PATH, to: OTHER, replace: false }],
  [REQUEST.readlink, [string(PATH)], { kind: "readlink", ...path }],
  [REQUEST.symlink, [string(PATH), string(OTHER)], { kind: "symlink", from: PATH, to: OTHER }],
  [
    REQUEST.extended,
    [string("posix-rename@openssh.com"), string(PATH), string(OTHER)],
    { kind: "rename", from: PATH, to: OTHER, replace: true },
  ],
  [REQUEST.extended, [string("fsync@openssh.com"), string(HANDLE)], { kind: "fsync", ...handle }],
  [REQUEST.extended, [string("limits@openssh.com")], { kind: "limits" }],
  [
    REQUEST.extended,
    [string("lsetstat@openssh.com"), string(PATH), NONE],
    { kind: "setstat", ...path, attributes: {} },
  ],
  [
    REQUEST.extended,
    [string("hardlink@openssh.com"), string(PATH), string(OTHER)],
    { kind: "unknown", what: "hardlink@openssh.com" },
  ],
  [77, [Buffer.from("anything")], { kind: "unknown", what: "packet type 77" }],
];

describe("requests", () => {
  test.for(REQUESTS)("type %i is read as it was written", ([type, parts, request]) => {
    expect(readRequest(packet(type, ...parts))).toEqual({ id: 7, ...request });
  });

  test.for(REQUESTS.filter(([type]) => type !== 77 && type !== REQUEST.extended))(
    "type %i that ends too early is malformed, wherever it ends",
    ([type, parts]) => {
      const whole = packet(type, ...parts);
      for (let length = 0; length < whole.length; length += 1)
        expect(() => readRequest(whole.subarray(0, length)), `${length} bytes`).toThrow(MalformedPacket);
    },
  );

  test.for([2n ** 53n, 2n ** 60n, 2n ** 63n, 2n ** 64n - 1n])(
    "a byte at %i is in no file, and no fault of the packet",
    (at) => {
      for (const one of [
        packet(REQUEST.read, string(HANDLE), uint64(at), uint32(1)),
        packet(REQUEST.write, string(HANDLE), uint64(at), string("x")),
        packet(REQUEST.setstat, string(PATH), uint32(1), uint64(at)),
      ])
        expect(readRequest(one)).toMatchObject({ id: 7, kind: "unknown" });
    },
  );

  test("any bytes are a request or malformed, and four billion attributes take no time", () => {
    const read = (bytes: Buffer): Request | undefined => {
      try {
        return readRequest(bytes);
      } catch (error) {
        if (error instanceof MalformedPacket) return undefined;
        throw error;
      }
    };
    const endless = Buffer.concat([
      uint32(0x80000000),
      uint32(0xffffffff),
      ...Array.from({ length: 1000 }, () => string("")),
    ]);
    expect(read(packet(REQUEST.mkdir, string(PATH), endless))).toBeUndefined();
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(REQUEST)),
        fc.uint8Array({ maxLength: 60 }),
        (type, bytes) => {
          read(Buffer.concat([Buffer.from([type]), bytes]));
        },
      ),
    );
  });
});

describe("answers", () => {
  test.for<readonly [string, Buffer, string]>([
    ["version 3 and what it can beside", versionAnswer(), "02 00000003"],
    [
      "a status with its words",
      statusAnswer(7, STATUS.failure, "no"),
      "65 00000007 00000004 00000002 6e6f 00000002 656e",
    ],
    ["a handle", handleAnswer(7, HANDLE), "66 00000007 00000002 0001"],
    [
      "attributes",
      attributesAnswer(7, { size: 2 ** 33, permissions: 1, modified: 5 }),
      "69 00000007 0000000d 0000000200000000 00000001 00000005 00000005",
    ],
    [
      "names",
      nameAnswer(7, [{ name: HANDLE, line: "- ", attributes: { size: 2 ** 32 + 1, uid: 2 } }]),
      "68 00000007 00000001 00000002 0001 00000004 2d20 0001 00000003 0000000100000001 00000002 00000002",
    ],
    [
      "limits",
      limitsAnswer(7, 128),
      `c9 00000007 ${[256, 255, 255].map((k) => uint64(BigInt(k * 1024)).toString("hex")).join("")} 0000000000000080`,
    ],
  ])("%s", ([, bytes, hex]) => {
    expect(bytes.readUInt32BE()).toBe(bytes.length - 4);
    expect(bytes.subarray(4).toString("hex").startsWith(hex.replaceAll(" ", ""))).toBe(true);
  });

  test("data has its head in front of it", () => {
    expect(dataHead(7, 3).toString("hex")).toBe("0000000c670000000700000003");
  });
});
