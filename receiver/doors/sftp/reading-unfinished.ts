/** What is under way, as its own account reads it: it is nobody's upload by that, and ends with whatever becomes of it. */

import type { Attributes } from "@tributary/shared/sftp/attributes.ts";
import type { Piecemeal } from "../../ingest/piecemeal.ts";
import { attributesOf } from "./attributes.ts";
import type { Handle } from "./handles.ts";
import { refuse } from "./refusal.ts";
import { lookOf, type Target } from "./sight.ts";
import type { Visit } from "./visit.ts";
import { LIMITS } from "./wire.ts";

export class ReadingUnfinished implements Handle {
  readonly what = "file to read";
  readonly #visit: Visit;
  readonly #target: Target;
  readonly #one: Piecemeal;

  constructor(visit: Visit, target: Target, one: Piecemeal) {
    this.#visit = visit;
    this.#target = target;
    this.#one = one;
  }

  attributes(): Attributes {
    return attributesOf(lookOf(this.#visit, { kind: "unfinished", target: this.#target, one: this.#one }));
  }

  async read(offset: number, length: number): Promise<Buffer> {
    this.#requireThere();
    if (offset >= this.#one.size) throw refuse.end();
    const bytes = await this.#one.read(offset, Math.min(length, LIMITS.read));
    this.#requireThere();
    return bytes;
  }

  async close(): Promise<string> {
    return "";
  }

  async abandon(): Promise<void> {}

  #requireThere(): void {
    if (this.#visit.rooms.unfinished.find(this.#one.at) !== this.#one)
      throw refuse.failure("it is not under way any more: it was recorded or given up; open it again");
  }
}
