/** Long histories of paths, as they were last told: brought one version after the other, they are asked for anew only when they are through. */
import type { Seen } from "../queue/queue.ts";
import { key } from "../source/bytes.ts";
import type { Look } from "../source/source.ts";
import { type Next, nextOf } from "./past.ts";

/** Shorter ones cost one question each. */
const LONG = 100;
const MOST = 8;

type FileLook = Look & { readonly kind: "file" };

export class Histories {
  readonly #kept = new Map<string, { readonly look: FileLook; next: Next | undefined }>();

  /** What was told of this path, while it says what comes next. */
  of(path: Buffer, seen: Seen | undefined): FileLook | undefined {
    const at = key(path);
    const kept = this.#kept.get(at);
    if (kept === undefined) return undefined;
    const next = kept.look.past && nextOf(kept.look.past, seen);
    // Not a step further: it may not be there any more.
    if (next === undefined || next.state === kept.next?.state) {
      this.#kept.delete(at);
      return undefined;
    }
    kept.next = next;
    return kept.look;
  }

  keep(path: Buffer, look: Look, seen: Seen | undefined): void {
    if (look.kind !== "file" || look.past === undefined || look.past.length < LONG) return;
    for (const oldest of this.#kept.keys()) if (this.#kept.size >= MOST) this.#kept.delete(oldest);
    this.#kept.set(key(path), { look, next: nextOf(look.past, seen) });
  }
}
