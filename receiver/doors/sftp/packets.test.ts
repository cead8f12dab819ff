import { MalformedPacket } from "@tributary/shared/sftp/fields.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { done, Packets } from "./packets.ts";
import { LIMITS } from "./wire.ts";

const framed = (bytes: Uint8Array): Buffer => {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(bytes.length);
  return Buffer.concat([head, bytes]);
};

test("however the bytes come, the packets are those that were sent", () => {
  const sizes = fc.oneof(
    fc.integer({ min: 1, max: 60 }),
    fc.constantFrom(34 * 1024, 34 * 1024 + 1, LIMITS.packet),
  );
  fc.assert(
    fc.property(
      fc.array(sizes, { minLength: 1, maxLength: 8 }),
      fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 70_000 })), {
        minLength: 1,
        maxLength: 30,
      }),
      (lengths, steps) => {
        const sent = lengths.map((length, i) => Buffer.alloc(length, i + 1));
        const stream = Buffer.concat(sent.map(framed));
        const packets = new Packets();
        const came: Buffer[] = [];
        for (let at = 0, i = 0; at < stream.length; i += 1) {
          const step = steps[i % steps.length] as number;
          for (const packet of packets.cut(stream.subarray(at, at + step))) {
            came.push(Buffer.from(packet.bytes));
            done(packet);
          }
          at += step;
        }
        expect(came.length).toBe(sent.length);
        expect(came.every((bytes, i) => bytes.equals(sent[i] as Buffer))).toBe(true);
      },
    ),
    { numRuns: 50 },
  );
});

test("a packet that nobody is done with yet keeps its bytes", () => {
  const packets = new Packets();
  const [one, two] = [Buffer.alloc(100, 1), Buffer.alloc(100, 2)];
  const inPieces = (bytes: Buffer) => {
    const stream = framed(bytes);
    return [...packets.cut(stream.subarray(0, 50)), ...packets.cut(stream.subarray(50))];
  };
  const [first] = inPieces(one);
  inPieces(two);
  expect(first?.bytes.equals(one)).toBe(true);
});

test.for([0, LIMITS.packet + 1, 0x80000000, 0xffffffff])("no packet has %i bytes", (length) => {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(length);
  expect(() => [...new Packets().cut(head)]).toThrow(MalformedPacket);
});
