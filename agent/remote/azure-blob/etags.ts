/** ETags that were seen lately: a state holds only what stands for one, and conditions need itself. */
import { tagId } from "../tag.ts";
import { bareTag } from "./names.ts";

/** About 2 MB. */
const MOST = 20_000;

export class Etags {
  readonly #byId = new Map<bigint, string>();
  readonly #most: number;

  constructor(most: number = MOST) {
    this.#most = most;
  }

  keep(etag: string): void {
    const bare = bareTag(etag);
    const id = tagId(bare);
    this.#byId.delete(id);
    // Copied: what was cut out of a page would keep the whole page.
    this.#byId.set(id, Buffer.from(bare).toString());
    if (this.#byId.size > this.#most)
      for (const oldest of this.#byId.keys()) {
        this.#byId.delete(oldest);
        break;
      }
  }

  /** With quotes, as conditions have it. */
  of(id: bigint | undefined): string | undefined {
    const bare = id === undefined ? undefined : this.#byId.get(id);
    return bare === undefined ? undefined : `"${bare}"`;
  }
}
