/** A lake in memory: the fake for tests of other rooms. It passes the same contract suite as the real ones. */
import { createHash, randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { ProblemError } from "@tributary/shared/problems.ts";
import { Extents, requireNothingMissing } from "./extents.ts";
import type { AnyLake, NoteOf, PartUpload, Staged, StagedFile, UnfinishedFile } from "./lake.ts";
import { requireAllParts, requirePartSize, requireWhole, withinPart } from "./part-place.ts";

interface Upload {
  readonly key: string;
  readonly startedAt: number;
  readonly parts: Map<number, Buffer>;
}

/** `objects` may be looked at, and altered to play a lake that rots. */
export interface MemoryLake extends AnyLake {
  readonly objects: Map<string, Buffer>;
  /** How many stagings were neither consumed nor discarded: 0 when all is well. */
  staged(): number;
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export function memoryLake(now: () => number = Date.now): MemoryLake {
  const objects = new Map<string, Buffer>();
  const uploads = new Map<string, Upload>();
  const held = new Map<Staged, Buffer>();
  const kept = new Map<UnfinishedFile, string>();

  const stage = async (body: AsyncIterable<Uint8Array> | Buffer): Promise<StagedFile> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of Buffer.isBuffer(body) ? [body] : body) chunks.push(Buffer.from(chunk));
    const bytes = Buffer.concat(chunks);
    const staged: StagedFile = {
      size: bytes.length,
      sha256: sha256(bytes),
      bytes: () => Readable.from([bytes], { objectMode: false }),
      discard: async () => void held.delete(staged),
    };
    held.set(staged, bytes);
    return staged;
  };
  const consume = (staged: Staged): Buffer => {
    const bytes = held.get(staged);
    if (bytes === undefined)
      throw new TypeError("these bytes were not staged here, or were consumed already");
    held.delete(staged);
    return bytes;
  };
  const uploadOf = (upload: PartUpload): Upload => {
    const found = uploads.get(upload.handle);
    if (found === undefined)
      throw new ProblemError("upload-unknown", `the lake has no upload for ${upload.key}`);
    return found;
  };
  const put = (key: string, bytes: Buffer): void => {
    const there = objects.get(key);
    if (there !== undefined && !there.equals(bytes)) {
      throw new ProblemError("internal", `the key ${key} is taken by other bytes; nothing was overwritten`);
    }
    objects.set(key, bytes);
  };

  return {
    objects,
    staged: () => held.size,
    stage,
    publish: async (staged, key) => put(key, consume(staged)),
    read: async (key, range) => {
      const bytes = objects.get(key);
      if (bytes === undefined) return undefined;
      return Readable.from([range === undefined ? bytes : bytes.subarray(range.start, range.end + 1)], {
        objectMode: false,
      });
    },
    copy: async (from, to) => {
      const bytes = objects.get(from);
      if (bytes === undefined) throw new ProblemError("lake-unavailable", `there is no object ${from}`);
      put(to, bytes);
    },
    async *list(prefix) {
      for (const [key, bytes] of [...objects]) if (key.startsWith(prefix)) yield { key, size: bytes.length };
    },
    remove: async (key) => void objects.delete(key),
    begin: async (key) => {
      const handle = randomUUID();
      uploads.set(handle, { key, startedAt: now(), parts: new Map() });
      return handle;
    },
    stagePart: (upload, number, body) => stage(withinPart(upload, number, body)),
    part: async (upload, number, staged) => {
      const bytes = consume(staged);
      requirePartSize(upload, number, bytes.length);
      const { parts } = uploadOf(upload);
      const there = parts.get(number);
      if (there !== undefined && !there.equals(bytes)) {
        throw new ProblemError("part-conflict", `part ${number} is stored already, with other bytes`);
      }
      parts.set(number, bytes);
      return sha256(bytes);
    },
    complete: async (upload, parts, declared) => {
      const sorted = requireAllParts(upload, parts);
      const done = objects.get(upload.key);
      if (!uploads.has(upload.handle) && done !== undefined) {
        requireWhole(upload, sha256(done), declared);
        return { size: done.length, sha256: declared };
      }
      const stored = uploadOf(upload).parts;
      const whole = Buffer.concat(
        sorted.map(({ number }) => {
          const bytes = stored.get(number);
          if (bytes === undefined) throw new ProblemError("parts-missing", `part ${number} is not stored`);
          return bytes;
        }),
      );
      uploads.delete(upload.handle);
      requireWhole(upload, sha256(whole), declared);
      put(upload.key, whole);
      return { size: whole.length, sha256: declared };
    },
    unfinished: (note) => unfinishedIn(stage, note, kept),
    async *kept() {
      for (const [left, note] of [...kept]) {
        kept.delete(left);
        const bytes = await left.read(0, left.size);
        yield { note, touchedAt: now(), open: (again) => unfinishedIn(stage, again, kept, bytes) };
      }
    },
    abort: async (upload) => void uploads.delete(upload.handle),
    async *open() {
      for (const [handle, { key, startedAt }] of [...uploads]) yield { handle, key, startedAt };
    },
    probe: async () => ["memory: for tests; everything is gone when the process ends"],
    check: async () => {},
    free: async () => undefined,
    relieve: async () => 0,
  };
}

function unfinishedIn(
  stage: (bytes: Buffer) => Promise<StagedFile>,
  note: NoteOf,
  kept: Map<UnfinishedFile, string>,
  there: Buffer = Buffer.alloc(0),
): UnfinishedFile {
  let bytes: Buffer = there;
  let extents = new Extents([{ start: 0, end: there.length }]);
  const grow = (size: number): void => {
    if (size > bytes.length) bytes = Buffer.concat([bytes, Buffer.alloc(size - bytes.length)]);
  };
  const keep = (whole: boolean): void => {
    const text = note(whole);
    if (text === undefined) kept.delete(file);
    else kept.set(file, text);
  };
  const file: UnfinishedFile = {
    get size() {
      return bytes.length;
    },
    get inMemory() {
      return bytes.length;
    },
    async write(chunk, position) {
      if (chunk.length === 0) return;
      grow(position + chunk.length);
      bytes.set(chunk, position);
      extents.add(position, position + chunk.length);
    },
    read: async (position, length) => Buffer.from(bytes.subarray(position, position + length)),
    async resize(size) {
      extents.add(bytes.length, size);
      grow(size);
      bytes = bytes.subarray(0, size);
      extents.cut(size);
    },
    missing: () => extents.missing(bytes.length),
    keep: async () => keep(true),
    noteAnew: async () => {
      if (kept.has(file)) keep(false);
    },
    async finish() {
      requireNothingMissing(file.missing());
      kept.delete(file);
      return await stage(bytes);
    },
    async discard() {
      kept.delete(file);
      bytes = Buffer.alloc(0);
      extents = new Extents();
    },
  };
  return file;
}
