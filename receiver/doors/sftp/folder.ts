/** A folder that an SFTP client has open to list: names as they are asked for, in packets that every client takes. */

import type { Attributes } from "@tributary/shared/sftp/attributes.ts";
import { attributesOf, type Look, nameOf } from "./attributes.ts";
import type { Handle } from "./handles.ts";
import type { Listed } from "./listing.ts";
import type { Name } from "./wire.ts";

/** The draft asks servers for no more than 32 KiB of a read; some clients take longer packets for an attack. */
const MOST_BYTES = 30_000;

interface FolderOptions {
  readonly owner: string;
  readonly now: number;
  /** When it is open no more. */
  readonly release: () => void;
}

export class OpenFolder implements Handle {
  readonly what = "folder";
  readonly #look: Look;
  readonly #listed: AsyncGenerator<readonly Listed[]>;
  readonly #options: FolderOptions;
  #page: readonly Listed[] = [];
  #at = 0;
  /** A listing that broke off has no end: a mirror would take what is missing for gone. */
  #failure: { readonly error: unknown } | undefined;

  constructor(look: Look, listed: AsyncGenerator<readonly Listed[]>, options: FolderOptions) {
    this.#look = look;
    this.#listed = listed;
    this.#options = options;
  }

  attributes(): Attributes {
    return attributesOf(this.#look);
  }

  async names(): Promise<readonly Name[] | undefined> {
    const { owner, now } = this.#options;
    const names: Name[] = [];
    let bytes = 0;
    for (;;) {
      const one = this.#page[this.#at] ?? (await this.#next());
      if (one === undefined) return names.length === 0 ? undefined : names;
      const name = nameOf(one.name, one.look, owner, now);
      // Lengths, attributes, and the name twice.
      bytes += 48 + 2 * name.name.length + name.line.length;
      if (bytes > MOST_BYTES && names.length > 0) return names;
      this.#at += 1;
      names.push(name);
    }
  }

  async close(): Promise<string> {
    this.#options.release();
    await this.#listed.return(undefined);
    return "";
  }

  async abandon(): Promise<void> {
    this.#options.release();
    await this.#listed.return(undefined).catch(() => {});
  }

  /** The first of the next page. */
  async #next(): Promise<Listed | undefined> {
    if (this.#failure !== undefined) throw this.#failure.error;
    do {
      const { done, value } = await this.#listed.next().catch((error: unknown) => {
        this.#failure = { error };
        throw error;
      });
      if (done === true) return undefined;
      this.#page = value;
    } while (this.#page.length === 0);
    this.#at = 0;
    return this.#page[0];
  }
}
