/** UUID version 7 (RFC 9562, 5.7): time-ordered, monotonic within one generator. Clock and randomness are parameters. */
import { randomFillSync } from "node:crypto";

export type MakeUuid = () => string;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export function uuidv7Maker(
  now: () => number = Date.now,
  fill: (bytes: Uint8Array) => void = (bytes) => void randomFillSync(bytes),
): MakeUuid {
  let lastMs = 0;
  let counter = 0;
  const bytes = Buffer.alloc(16);
  return () => {
    fill(bytes);
    const ms = now();
    if (ms > lastMs) {
      lastMs = ms;
      // Method 1 of RFC 9562, 6.2: a 12-bit counter in rand_a, seeded with its top bit clear.
      counter = bytes.readUInt16BE(6) & 0x7ff;
    } else {
      counter += 1;
      if (counter > 0xfff) {
        lastMs += 1;
        counter = 0;
      }
    }
    bytes.writeUIntBE(lastMs, 0, 6);
    bytes.writeUInt16BE(0x7000 | counter, 6);
    bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
    const hex = bytes.toString("hex");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  };
}

export const uuidv7: MakeUuid = uuidv7Maker();

export function isUuidv7(text: string): boolean {
  return UUID.test(text);
}

/** Milliseconds since 1970 that the id carries. */
export function uuidv7Time(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
