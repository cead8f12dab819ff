/** What a session has open. A handle is a number that no other session knows anything of. */

import type { Attributes } from "@tributary/shared/sftp/attributes.ts";
import { refuse } from "./refusal.ts";
import type { Name } from "./wire.ts";

/** What of it a client can do; the rest is refused by name. */
export interface Handle {
  readonly what: "file to read" | "file to write" | "folder";
  attributes(): Promise<Attributes> | Attributes;
  read?(offset: number, length: number): Promise<Buffer>;
  write?(bytes: Buffer, offset: number): Promise<void>;
  set?(attributes: Attributes): Promise<void>;
  sync?(): Promise<void>;
  /** The next names; undefined: there are no more. */
  names?(): Promise<readonly Name[] | undefined>;
  /** Ends it as its client wanted, and gives the words that go with it. What it throws is the client's answer. */
  close(): Promise<string>;
  /** Ends it as the connection did. Never throws. */
  abandon(): Promise<void>;
}

export class Handles {
  readonly #open = new Map<number, Handle>();
  readonly most: number;
  #last = 0;

  constructor(most: number) {
    this.most = most;
  }

  /** Throws when there are too many already: before anything is opened. */
  requireRoom(): void {
    if (this.#open.size >= this.most)
      throw refuse.failure(`this session has ${this.most} files and folders open; close some of them first`);
  }

  add(handle: Handle): Buffer {
    this.#last += 1;
    this.#open.set(this.#last, handle);
    const name = Buffer.alloc(8);
    name.writeBigUInt64BE(BigInt(this.#last));
    return name;
  }

  get(name: Buffer): Handle {
    const handle = name.length === 8 ? this.#open.get(Number(name.readBigUInt64BE())) : undefined;
    if (handle === undefined) throw refuse.failure("this handle is not open in this session");
    return handle;
  }

  take(name: Buffer): Handle {
    const handle = this.get(name);
    this.#open.delete(Number(name.readBigUInt64BE()));
    return handle;
  }

  some(is: (handle: Handle) => boolean): boolean {
    return [...this.#open.values()].some(is);
  }

  /** All that is left open. */
  takeAll(): Handle[] {
    const left = [...this.#open.values()];
    this.#open.clear();
    return left;
  }
}
