/**
 * Taking bytes in: counted and hashed once, small bodies held in memory, larger ones spilled to a file in a folder
 * of this process. Memory per body is bounded by SMALL bytes and one chunk, whatever the body's size and the disk's pace.
 */
import { createHash, hash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { ProblemError } from "@tributary/shared/problems.ts";
import { type Disk, lakeFault } from "./disk.ts";
import type { Staged, StagedFile } from "./lake.ts";

const SMALL = 256 * 1024;

/** Where staged bytes are: taken over by whoever consumes them. */
export type Content =
  | { readonly kind: "memory"; readonly bytes: Buffer }
  | { readonly kind: "file"; readonly file: string };

export interface Staging {
  stage(body: AsyncIterable<Uint8Array> | Buffer): Promise<StagedFile>;
  /** A file of this file system that is whole: staged from now on, as if it had come through `stage`. */
  adopt(file: string, size: number, sha256: string): StagedFile;
  /** The bytes of what `stage` gave; from now on the caller's to remove. */
  consume(staged: Staged): Content;
  /** A new name in this process's folder, which is there when it resolves. */
  name(): Promise<string>;
  /** Removes what dead processes left; gives their number. */
  sweep(): Promise<number>;
}

/** Writes chunks one after the other, from a position on. A chunk may be used again when its `write` is over. */
export function positionedWriter(handle: FileHandle | Promise<FileHandle>, from: number, what: string) {
  let position = from;
  let opened: FileHandle | undefined;
  let flying: Promise<void> = Promise.resolve();
  let stopped: ProblemError | undefined;

  const writeAll = async (chunk: Uint8Array): Promise<void> => {
    opened ??= await handle;
    // A nearly full disk takes a part of it, and says why at the next call.
    for (let done = 0; done < chunk.length; )
      done += (await opened.write(chunk, done, chunk.length - done, position + done)).bytesWritten;
    position += chunk.length;
  };
  return {
    /** Handed to the system when it resolves; not yet durable. */
    async write(chunk: Uint8Array): Promise<void> {
      if (stopped !== undefined) throw stopped;
      const writing = writeAll(chunk);
      flying = writing.catch(() => {});
      await writing.catch((error: unknown) => Promise.reject(lakeFault(error, what)));
    },
    /** Nothing more is written, for this reason; with `idle` it says when the last write is over. */
    stop(reason: ProblemError): void {
      stopped ??= reason;
    },
    /** Nothing is in flight any more, whatever became of it. */
    idle: (): Promise<void> => flying,
  };
}

export type PositionedWriter = ReturnType<typeof positionedWriter>;

/** A staging folder that several processes of one host may share. `mayMake` throws where nothing may be made now. */
export function openStaging(
  folder: string,
  disk: Disk,
  mayMake: () => Promise<void> = async () => {},
): Staging {
  const held = new Map<Staged, Content>();
  const own = `${process.pid}-${randomBytes(6).toString("hex")}`;
  let made: Promise<unknown> | undefined;
  let count = 0;

  const name = async (): Promise<string> => {
    made ??= mayMake().then(() => disk.mkdir(join(folder, own), { recursive: true }));
    try {
      await made;
    } catch (error) {
      made = undefined;
      throw lakeFault(error, `the staging folder ${folder}`);
    }
    count += 1;
    return join(folder, own, String(count));
  };

  const hold = (size: number, sha256: string, content: Content): StagedFile => {
    const staged: StagedFile = {
      size,
      sha256,
      bytes: () => bytesOf(content),
      discard: async () => {
        if (held.delete(staged) && content.kind === "file") await disk.rm(content.file, { force: true });
      },
    };
    held.set(staged, content);
    return staged;
  };

  return {
    name,
    async stage(body) {
      if (Buffer.isBuffer(body))
        return hold(body.length, hash("sha256", body), { kind: "memory", bytes: body });
      const digest = createHash("sha256");
      const small: Buffer[] = [];
      let size = 0;
      let spill: { file: string; handle: FileHandle; writer: PositionedWriter } | undefined;
      try {
        for await (const chunk of body) {
          size += chunk.length;
          if (spill === undefined && size <= SMALL) {
            digest.update(chunk);
            small.push(Buffer.from(chunk));
            continue;
          }
          if (spill === undefined) {
            const file = await name();
            const handle = await disk.open(file, "wx").catch((error: unknown) => {
              throw lakeFault(error, file);
            });
            spill = { file, handle, writer: positionedWriter(handle, 0, file) };
            await spill.writer.write(Buffer.concat(small.splice(0)));
          }
          // The disk and the digest work on it side by side.
          const writing = spill.writer.write(chunk);
          digest.update(chunk);
          await writing;
        }
        if (spill === undefined) {
          const bytes = small.length === 1 ? (small[0] as Buffer) : Buffer.concat(small, size);
          return hold(size, digest.digest("hex"), { kind: "memory", bytes });
        }
        await spill.handle.close().catch((error: unknown) => {
          throw lakeFault(error, spill?.file ?? folder);
        });
        return hold(size, digest.digest("hex"), { kind: "file", file: spill.file });
      } catch (error) {
        if (spill !== undefined) {
          await spill.handle.close().catch(() => {});
          await disk.rm(spill.file, { force: true }).catch(() => {});
        }
        throw error;
      }
    },
    adopt: (file, size, sha256) => hold(size, sha256, { kind: "file", file }),
    consume(staged) {
      const content = held.get(staged);
      if (content === undefined) {
        throw new TypeError("these bytes were not staged here, or were consumed already");
      }
      held.delete(staged);
      return content;
    },
    async sweep() {
      const startedAt = Date.now() - process.uptime() * 1000;
      let swept = 0;
      for (const entry of await disk.readdir(folder).catch(() => [])) {
        const pid = Number(/^(\d+)-[0-9a-f]{12}$/.exec(entry)?.[1]);
        if (!(pid > 0) || entry === own || (pid !== process.pid && isAlive(pid))) continue;
        const found = await disk.lstat(join(folder, entry)).catch(() => undefined);
        if (found === undefined || found.mtimeMs >= startedAt) continue;
        await disk.rm(join(folder, entry), { recursive: true, force: true });
        swept += 1;
      }
      return swept;
    },
  };
}

/** Opens the file when it is first asked for bytes, and closes it when nobody asks any more. */
async function* bytesOf(content: Content): AsyncGenerator<Uint8Array> {
  if (content.kind === "memory") yield content.bytes;
  else yield* createReadStream(content.file, { highWaterMark: 256 * 1024 });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
