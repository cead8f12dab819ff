/**
 * What is known of one folder beside what is found in it. Both come in the order of their bytes, so that neither is
 * ever held whole: what is passed over on the way is missing.
 */
import { join, key, lastSegment } from "../source/bytes.ts";
import type { Found } from "../source/source.ts";
import { ENDED, type Intake, type Seen } from "./queue.ts";

export class Beside {
  readonly #folder: Buffer;
  readonly #known: Iterator<Seen>;
  #next: IteratorResult<Seen>;
  readonly #folders: Map<string, Buffer>;
  /** Keys of files that are known, and were not met. */
  readonly missing: string[] = [];
  /** Paths that were missed before, and were met. */
  readonly back: Buffer[] = [];
  /** Whether anything was met: a folder that shows nothing at all where files were may be one that is not there. */
  #anything = false;
  /** When this look began, ms of the steady clock: what is known is read while it goes on, and may be younger than what was listed. */
  readonly began: number;

  constructor(intake: Pick<Intake, "seenIn" | "childFolders">, folder: Buffer, began: number) {
    this.#folder = folder;
    this.began = began;
    this.#folders = new Map(intake.childFolders(folder).map((name) => [key(name), name]));
    this.#known = intake.seenIn(folder)[Symbol.iterator]();
    this.#next = this.#known.next();
  }

  /** What is known of what was found. What cannot be seen may be there all the same; what is a link or a device by now is certainly not what it was. */
  meet(found: Found): Seen | undefined {
    this.#anything = true;
    if ("reason" in found && found.absent) return undefined;
    if ("reason" in found && this.#folders.size > 0) this.#folders.delete(key(lastSegment(found.path)));
    while (!this.#next.done) {
      const known = this.#next.value;
      const order = Buffer.compare(known.path, found.path);
      if (order > 0) return undefined;
      this.#next = this.#known.next();
      if (order === 0) {
        if (known.missed > 0 && known.missed !== ENDED) this.back.push(known.path);
        return known;
      }
      this.missing.push(key(known.path));
    }
    return undefined;
  }

  /** Nothing at all was in it but, perhaps, folders. */
  get empty(): boolean {
    return !this.#anything;
  }

  /** Everything was met that is there; `folders` are there, too. Gives those that are not, but hold known files. */
  end(folders: readonly Buffer[]): Buffer[] {
    for (; !this.#next.done; this.#next = this.#known.next()) this.missing.push(key(this.#next.value.path));
    for (const folder of folders) this.#folders.delete(key(lastSegment(folder)));
    return [...this.#folders.values()].map((name) => join(this.#folder, name));
  }
}
