/**
 * Uploads of a directory lake: `.staging/uploads/<handle>/key.json` and `…/unit`, the version's folder as it will be
 * published, with the one file that all parts are written into. Completing is hashing and one rename.
 */
import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { dirname, join } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import { digestOf, type Tree } from "./directory-tree.ts";
import { type UploadFile, uploadFile } from "./directory-upload.ts";
import { type Disk, lakeFault, syncFolder } from "./disk.ts";
import type { Follower } from "./follower.ts";
import type { PartLake, PartUpload, StoredPart } from "./lake.ts";
import { placeOf, requireAllParts, requireWhole, withinPart } from "./part-place.ts";
import type { Staging } from "./stage.ts";

interface Open {
  readonly upload: UploadFile;
  /** Parts below this number were given to the follower. */
  followed: number;
  following: boolean;
  closed: ProblemError | undefined;
}

type Whole = { readonly size: number; readonly sha256: string };

const HANDLE = /^[0-9a-f-]{36}$/;

/** The half of a directory lake that takes files in parts. */
export function directoryParts(tree: Tree, staging: Staging, follower: Follower, disk: Disk): PartLake {
  const uploads = join(tree.root, ".staging", "uploads");
  const opened = new Map<string, Open>();
  const completing = new Map<string, Promise<Whole>>();

  const folderOf = (handle: string): string => {
    if (!HANDLE.test(handle)) throw new ProblemError("upload-unknown", `"${handle}" names no upload`);
    return join(uploads, handle);
  };
  const fileOf = (key: string, handle: string): string =>
    join(folderOf(handle), "unit", ...tree.unitOf(key).inside);
  const unknown = (key: string): ProblemError =>
    new ProblemError("upload-unknown", `the lake has no upload for ${key}; it was aborted or swept`);

  const openUpload = async (upload: PartUpload): Promise<Open> => {
    const there = opened.get(upload.handle);
    if (there !== undefined) {
      if (there.closed !== undefined) throw there.closed;
      return there;
    }
    const file = fileOf(upload.key, upload.handle);
    if (!(await tree.exists(file))) {
      await tree.guard.require();
      throw unknown(upload.key);
    }
    const found: Open = opened.get(upload.handle) ?? {
      upload: uploadFile(file, false, disk),
      followed: 1,
      following: true,
      closed: undefined,
    };
    opened.set(upload.handle, found);
    return found;
  };

  const follow = (upload: PartUpload, open: Open, stored: (number: number) => boolean): void => {
    while (open.following && (open.followed - 1) * upload.partSize < upload.size && stored(open.followed)) {
      const place = placeOf(upload, open.followed);
      open.followed += 1;
      follower
        .append(upload.handle, { file: open.upload.file, start: place.start, length: place.size })
        .catch(() => {
          open.following = false;
        });
    }
  };

  /** What was followed so far, and the rest; all anew when the follower lost its place. */
  const wholeDigest = async (upload: PartUpload, open: Open): Promise<string> => {
    follow(upload, open, () => true);
    try {
      if (open.following) return await follower.finish(upload.handle);
    } catch {
      // The follower is a convenience: read all of it below.
    }
    follower.drop(upload.handle);
    const job = randomUUID();
    try {
      await follower.append(job, { file: open.upload.file, start: 0, length: upload.size });
      return await follower.finish(job);
    } catch (error) {
      follower.drop(job);
      throw lakeFault(error, open.upload.file);
    }
  };

  const published = async (upload: PartUpload, declared: string): Promise<Whole> => {
    const done = await digestOf(tree.locate(upload.key));
    if (done === undefined) throw unknown(upload.key);
    requireWhole(upload, done.sha256, declared);
    await tree.requireSame(upload.key, done.sha256);
    await disk.rm(folderOf(upload.handle), { recursive: true, force: true });
    return done;
  };

  const complete = async (
    upload: PartUpload,
    parts: readonly StoredPart[],
    declared: string,
  ): Promise<Whole> => {
    requireAllParts(upload, parts);
    const folder = folderOf(upload.handle);
    const open = await openUpload(upload).catch((error: unknown) => {
      if (error instanceof ProblemError && error.code === "upload-unknown") return undefined;
      throw error;
    });
    if (open === undefined) return published(upload, declared);
    open.closed = new ProblemError("upload-busy", `${upload.key} is being completed`, { retryAfter: 1 });
    try {
      await open.upload.quiet(open.closed);
      const { size } = await disk.lstat(open.upload.file).catch(() => ({ size: undefined }));
      if (size === undefined) {
        await tree.guard.require();
        // Completed by another process of ours since we opened it.
        opened.delete(upload.handle);
        follower.drop(upload.handle);
        return await published(upload, declared);
      }
      if (size !== upload.size) {
        throw new ProblemError(
          "parts-missing",
          `${upload.key} has ${size} of ${upload.size} bytes in the lake`,
        );
      }
      const sha256 = await wholeDigest(upload, open);
      if (sha256 !== declared) {
        // Before anybody can see it. Nothing can come of these parts any more.
        await disk.rm(folder, { recursive: true, force: true }).catch(() => {});
        requireWhole(upload, sha256, declared);
      }
      if (!(await tree.moveIn(tree.unitOf(upload.key), join(folder, "unit")))) {
        await tree.requireSame(upload.key, sha256);
      }
      opened.delete(upload.handle);
      // Durable and visible: what is left over is the sweep's if this fails.
      await disk.rm(folder, { recursive: true, force: true }).catch(() => {});
      return { size, sha256 };
    } catch (error) {
      // Nothing is remembered: a repeat looks at what is there.
      opened.delete(upload.handle);
      follower.drop(upload.handle);
      throw lakeFault(error, upload.key);
    }
  };

  return {
    async begin(key) {
      const handle = randomUUID();
      const folder = folderOf(handle);
      try {
        await tree.ensure(uploads);
        await disk.mkdir(folder);
        const unit = tree.unitOf(key);
        const file = await tree.layOut(unit, join(folder, "unit"));
        await (await disk.open(file, "wx")).close();
        const note = await disk.open(join(folder, "key.json"), "wx");
        try {
          await note.writeFile(JSON.stringify({ key, startedAt: Date.now() }));
          await note.sync();
        } finally {
          await note.close();
        }
        await tree.syncInside(unit, join(folder, "unit"));
        await syncFolder(disk, folder);
        await syncFolder(disk, uploads);
        opened.set(handle, {
          upload: uploadFile(file, true, disk),
          followed: 1,
          following: true,
          closed: undefined,
        });
        return handle;
      } catch (error) {
        await disk.rm(folder, { recursive: true, force: true }).catch(() => {});
        throw lakeFault(error, dirname(folder));
      }
    },

    async stagePart(upload, number, body) {
      const open = await openUpload(upload);
      if (open.closed !== undefined) throw open.closed;
      placeOf(upload, number);
      return open.upload.isFree(number)
        ? open.upload.writeInPlace(upload, number, body)
        : staging.stage(withinPart(upload, number, body));
    },

    async part(upload, number, staged) {
      let open: Open;
      try {
        open = await openUpload(upload);
        if (open.closed !== undefined) throw open.closed;
      } catch (error) {
        await staged.discard();
        throw error;
      }
      if (open.upload.isInPlace(staged)) {
        await open.upload.storeInPlace(upload, number, staged);
      } else {
        const content = staging.consume(staged);
        try {
          await open.upload.storeCopy(upload, number, staged, () =>
            content.kind === "file"
              ? createReadStream(content.file, { highWaterMark: 256 * 1024 })
              : one(content.bytes),
          );
        } finally {
          if (content.kind === "file") await disk.rm(content.file, { force: true }).catch(() => {});
        }
      }
      follow(upload, open, open.upload.isStored);
      return staged.sha256;
    },

    complete(upload, parts, sha256) {
      const running = completing.get(upload.handle) ?? complete(upload, parts, sha256);
      completing.set(upload.handle, running);
      const end = (): void => void completing.delete(upload.handle);
      running.then(end, end);
      return running;
    },

    async abort(upload) {
      const open = opened.get(upload.handle);
      if (open !== undefined) {
        open.closed = new ProblemError("upload-closed", `the upload for ${upload.key} was aborted`);
        await open.upload.quiet(open.closed);
        opened.delete(upload.handle);
      }
      follower.drop(upload.handle);
      await disk.rm(folderOf(upload.handle), { recursive: true, force: true }).catch((error: unknown) => {
        throw lakeFault(error, upload.key);
      });
    },

    async *open() {
      await tree.guard.require();
      for (const handle of await disk.readdir(uploads).catch(() => [])) {
        // Whatever else lies there (`.DS_Store`) is nobody's upload.
        if (!HANDLE.test(handle)) continue;
        const folder = join(uploads, handle);
        try {
          yield { handle, ...(JSON.parse(await disk.readFile(join(folder, "key.json"), "utf8")) as Note) };
        } catch {
          // A process died while it began; or it was completed just now.
          const found = await disk.lstat(folder).catch(() => undefined);
          if (found !== undefined) yield { handle, key: "", startedAt: found.mtimeMs };
        }
      }
    },
  };
}

interface Note {
  readonly key: string;
  readonly startedAt: number;
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
