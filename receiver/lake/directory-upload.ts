/**
 * One upload's file, written by many requests at once, each at its own place. Invariants:
 *  - a place whose part is stored is never written again;
 *  - two requests never write one place at a time: the second goes to a side file, and what is stored first wins;
 *  - a failed fsync spoils every part that is not stored yet, since nobody can tell whose bytes were lost.
 */
import { createHash } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import { type Disk, lakeFault, sharedSync } from "./disk.ts";
import type { PartUpload, Staged } from "./lake.ts";
import { placeOf, requirePartSize } from "./part-place.ts";
import { type PositionedWriter, positionedWriter } from "./stage.ts";

type Taken =
  | { readonly kind: "writing"; readonly writer: PositionedWriter }
  | { readonly kind: "storing"; readonly done: Promise<void> }
  | { readonly kind: "stored"; readonly sha256: string };

interface InPlace {
  readonly number: number;
  readonly writer: PositionedWriter;
  readonly losses: number;
}

export type UploadFile = ReturnType<typeof uploadFile>;

/** `fresh`: this process began the upload, so a number it has not stored is stored by nobody. */
export function uploadFile(file: string, fresh: boolean, disk: Disk) {
  const places = new Map<number, Taken>();
  const inPlace = new Map<Staged, InPlace>();
  let losses = 0;

  const sync = sharedSync(async () => {
    try {
      const handle = await disk.open(file, "r+");
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      losses += 1;
      throw lakeFault(error, file);
    }
  });

  const requireNoLoss = (since: number): void => {
    if (losses !== since) {
      throw new ProblemError("lake-unavailable", `the disk lost bytes of ${file}; send the part again`);
    }
  };

  /** Runs `work` as the only one that may write this place; nothing to do when the same bytes are stored already. */
  const store = async (
    number: number,
    staged: Staged,
    own: PositionedWriter | undefined,
    work: () => Promise<void>,
  ) => {
    for (;;) {
      const taken = places.get(number);
      if (taken?.kind === "stored") {
        if (taken.sha256 === staged.sha256) return;
        throw new ProblemError("part-conflict", `part ${number} is stored already, with other bytes`);
      }
      if (taken?.kind === "storing") {
        await taken.done.catch(() => {});
        continue;
      }
      if (own !== undefined && (taken?.kind !== "writing" || taken.writer !== own)) {
        throw new ProblemError("busy", `part ${number} was sent twice at once; send it again`, {
          retryAfter: 1,
        });
      }
      if (taken?.kind === "writing" && taken.writer !== own) {
        taken.writer.stop(
          new ProblemError("busy", `part ${number} came by another request first`, { retryAfter: 1 }),
        );
      }
      const before = taken?.kind === "writing" ? taken.writer.idle() : Promise.resolve();
      const done = before.then(work);
      places.set(number, { kind: "storing", done });
      try {
        await done;
        places.set(number, { kind: "stored", sha256: staged.sha256 });
      } catch (error) {
        places.delete(number);
        throw error;
      }
      return;
    }
  };

  return {
    file,
    fresh,
    isStored: (number: number): boolean => places.get(number)?.kind === "stored",
    /** Whether a request may write this part straight to its place. */
    isFree: (number: number): boolean => fresh && !places.has(number),

    async writeInPlace(upload: PartUpload, number: number, body: AsyncIterable<Uint8Array>): Promise<Staged> {
      const place = placeOf(upload, number);
      const since = losses;
      const handle = disk.open(file, "r+");
      const close = (): Promise<void> => handle.then((open) => open.close()).catch(() => {});
      const writer = positionedWriter(handle, place.start, file);
      handle.catch(() => {});
      const hash = createHash("sha256");
      let size = 0;
      places.set(number, { kind: "writing", writer });
      const free = (): void => {
        const taken = places.get(number);
        if (taken?.kind === "writing" && taken.writer === writer) places.delete(number);
      };
      try {
        for await (const chunk of body) {
          if (size + chunk.length > place.size) requirePartSize(upload, number, size + chunk.length);
          size += chunk.length;
          // The disk and the digest work on it side by side.
          const writing = writer.write(chunk);
          hash.update(chunk);
          await writing;
        }
      } catch (error) {
        await writer.idle();
        free();
        await close();
        throw error;
      }
      const staged: Staged = {
        size,
        sha256: hash.digest("hex"),
        discard: async () => {
          if (!inPlace.delete(staged)) return;
          free();
          await close();
        },
      };
      inPlace.set(staged, { number, writer, losses: since });
      return staged;
    },

    isInPlace: (staged: Staged): boolean => inPlace.has(staged),

    /** Makes bytes durable that lie in their place already. */
    async storeInPlace(upload: PartUpload, number: number, staged: Staged): Promise<void> {
      const own = inPlace.get(staged);
      if (own === undefined || own.number !== number) throw new TypeError("staged for another part");
      try {
        requirePartSize(upload, number, staged.size);
        await store(number, staged, own.writer, async () => {
          requireNoLoss(own.losses);
          await sync(file);
          requireNoLoss(own.losses);
        });
      } finally {
        await staged.discard();
      }
    },

    /** Copies bytes from elsewhere into their place and makes them durable. */
    async storeCopy(
      upload: PartUpload,
      number: number,
      staged: Staged,
      body: () => AsyncIterable<Uint8Array>,
    ): Promise<void> {
      const place = requirePartSize(upload, number, staged.size);
      await store(number, staged, undefined, async () => {
        const since = losses;
        const handle = await disk.open(file, "r+").catch((error: unknown) => {
          throw lakeFault(error, file);
        });
        const writer = positionedWriter(handle, place.start, file);
        try {
          for await (const chunk of body()) await writer.write(chunk);
          await sync(file);
          requireNoLoss(since);
        } finally {
          await writer.idle();
          await handle.close();
        }
      });
    },

    /** Stops whoever writes; resolves when nothing is written any more. */
    async quiet(reason: ProblemError): Promise<void> {
      for (const taken of places.values()) {
        if (taken.kind === "writing") {
          taken.writer.stop(reason);
          await taken.writer.idle();
        }
        if (taken.kind === "storing") await taken.done.catch(() => {});
      }
    },
  };
}
