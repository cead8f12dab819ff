import { createHash, randomBytes } from "node:crypto";
import { PARTS } from "@tributary/shared/protocol.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { expect, test } from "vitest";
import type { Call } from "../identity/receiver.ts";
import type { VersionParcel } from "../queue/queue.ts";
import { carryInParts } from "./parts.ts";
import { placeHeaders } from "./place-headers.ts";
import { Slots } from "./slots.ts";
import { RING_BYTES } from "./stream.ts";

const SIZE = 3 * PARTS.smallest;
const live = new AbortController().signal;

/** A body's bytes as the line takes them: copied before the next piece is asked for. */
async function sha256Of(body: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of body) hash.update(piece);
  return hash.digest("hex");
}

test("a body that is asked for again, while the one before still reads, shares its memory with nobody", async () => {
  const bytes = randomBytes(SIZE);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const parcel: VersionParcel = {
    kind: "version",
    captureId: uuidv7(),
    client: "acme",
    source: "pos",
    path: Buffer.from("large"),
    sealedAt: "2026-01-01T00:00:00Z",
    state: { size: SIZE, mtimeNs: 0n, ctimeNs: 0n, fileId: 1n },
    sha256,
    partDigests: undefined,
    spooled: undefined,
  };
  const rings: Buffer[] = [];
  let most = 0;
  let taken = 0;
  const slots = new Slots(2, () => {
    const ring = Buffer.alloc(RING_BYTES);
    rings.push(ring);
    return ring;
  });
  const take = slots.take.bind(slots);
  slots.take = async (signal) => {
    const slot = await take(signal);
    taken += 1;
    most = Math.max(most, taken);
    return {
      value: slot.value,
      [Symbol.dispose]: () => {
        taken -= 1;
        slot[Symbol.dispose]();
      },
    };
  };
  const inUse = new Set<Buffer>();
  const shared: string[] = [];
  const content = {
    fill: async (into: Buffer, at: number) => {
      const ring = rings.find((one) => one.buffer === into.buffer) as Buffer;
      if (inUse.has(ring)) shared.push(`two read into one at ${at}`);
      inUse.add(ring);
      await new Promise(setImmediate);
      bytes.copy(into, 0, at, at + into.length);
      inUse.delete(ring);
    },
    check: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
  const stuck: AsyncIterator<Uint8Array>[] = [];
  const arrived: string[] = [];
  const call = async ({ method, path, body }: Call) => {
    if (method === "POST" && path.endsWith("/uploads")) {
      const json = {
        uploadId: uuidv7(),
        versionId: uuidv7(),
        partSize: PARTS.smallest,
        partCount: 3,
        parts: [],
        expiresAt: "2026-01-01T00:00:00Z",
      };
      return { status: 200, headers: {}, json };
    }
    if (typeof body === "function") {
      // The line breaks; whoever read for it still waits for its next piece.
      const first = body()[Symbol.asyncIterator]();
      await first.next();
      stuck.push(first);
      void first.next();
      arrived.push(await sha256Of(body()));
      await first.return?.();
    }
    return { status: 200, headers: {}, json: {} };
  };
  await carryInParts(
    {
      receiver: { call },
      headersOf: placeHeaders(() => undefined),
      bandwidth: { take: (wanted) => Promise.resolve(wanted) },
      underway: new Slots(1, () => undefined),
      rings: slots,
      random: () => 0,
    },
    parcel,
    content,
    live,
  );
  const digests = [0, 1, 2].map((i) =>
    createHash("sha256")
      .update(bytes.subarray(i * PARTS.smallest, (i + 1) * PARTS.smallest))
      .digest("hex"),
  );
  expect(arrived).toEqual(digests);
  expect(shared).toEqual([]);
  expect(stuck).toHaveLength(3);
  expect([most, taken]).toEqual([2, 0]);
});
