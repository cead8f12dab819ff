/** The folder of the packages. Nothing else of it is handed out; its names come from a listing, never from a request. */
import { createHash } from "node:crypto";
import type { BigIntStats, ReadStream } from "node:fs";
import { existsSync } from "node:fs";
import { type FileHandle, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { type PackageName, packageNamed } from "./packages.ts";

/** A package, opened: what is read is what was hashed, even when another file takes its name meanwhile. */
export interface OpenPackage {
  readonly size: number;
  readonly sha256: string;
  /** To be called once; the file is closed when the stream is. */
  read(range?: { readonly start: number; readonly end: number }): ReadStream;
  close(): Promise<void>;
}

export class PackageFolder {
  readonly #places: readonly string[];
  /** Path -> the digest and what the file was like when it was read. Reading all packages takes a second or two. */
  readonly #digests = new Map<string, { readonly mark: string; readonly digest: Promise<string> }>();

  /** `places`: the first that is there counts, asked each time, so that a folder may be made while `serve` runs. */
  constructor(places: readonly [string, ...string[]]) {
    this.#places = places;
  }

  get path(): string {
    return this.#places.find((place) => existsSync(place)) ?? (this.#places[0] as string);
  }

  /** The packages that are there, by name. */
  async names(): Promise<PackageName[]> {
    const entries = await readdir(this.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
      throw error;
    });
    return entries
      .sort((a, b) => (a < b ? -1 : 1))
      .map(packageNamed)
      .filter((one) => one !== undefined);
  }

  /** Undefined: it vanished since it was listed, or is no file. */
  async open({ name }: PackageName): Promise<OpenPackage | undefined> {
    const path = join(this.path, name);
    const handle = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (handle === undefined) return undefined;
    try {
      const stat = await handle.stat({ bigint: true });
      if (stat.isFile()) {
        const sha256 = await this.#digestOf(path, handle, stat);
        return {
          size: Number(stat.size),
          sha256,
          read: (range) => handle.createReadStream(range ?? { start: 0 }),
          close: () => handle.close(),
        };
      }
    } catch (error) {
      await handle.close();
      throw error;
    }
    await handle.close();
    return undefined;
  }

  async #digestOf(path: string, handle: FileHandle, stat: BigIntStats): Promise<string> {
    const mark = `${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}:${stat.ino}`;
    let known = this.#digests.get(path);
    if (known?.mark !== mark) {
      known = { mark, digest: digest(handle) };
      this.#digests.set(path, known);
      known.digest.catch(() => this.#digests.delete(path));
    }
    return await known.digest;
  }
}

async function digest(handle: FileHandle): Promise<string> {
  const hash = createHash("sha256");
  const bytes = handle.createReadStream({ start: 0, autoClose: false, highWaterMark: 2 ** 20 });
  for await (const chunk of bytes) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
