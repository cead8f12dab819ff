/** A folder that an SFTP client has open to list: names as they are asked for, in packets that every client takes. */
import { attributesOf, type Look, nameOf } from "./attributes.ts";
import type { Handle } from "./handles.ts";
import type { Listed } from "./listing.ts";
import type { Attributes, Name } from "./wire.ts";

/** The draft asks servers for no more than 32 KiB of a read; some clients take longer packets for an attack. */
const MOST_BYTES = 30_000;

export class OpenFolder implements Handle {
  readonly what = "folder";
  readonly #look: Look;
  readonly #listed: AsyncGenerator<Listed>;
  readonly #owner: string;
  readonly #now: number;
  #left: Name | undefined;

  constructor(look: Look, listed: AsyncGenerator<Listed>, owner: string, now: number) {
    this.#look = look;
    this.#listed = listed;
    this.#owner = owner;
    this.#now = now;
  }

  attributes(): Attributes {
    return attributesOf(this.#look);
  }

  async names(): Promise<readonly Name[] | undefined> {
    const names: Name[] = [];
    let bytes = 0;
    for (;;) {
      const name = this.#left ?? (await this.#next());
      this.#left = undefined;
      if (name === undefined) return names.length === 0 ? undefined : names;
      // Lengths, attributes, and the name twice.
      bytes += 48 + name.name.length + name.long.length;
      if (bytes > MOST_BYTES && names.length > 0) {
        this.#left = name;
        return names;
      }
      names.push(name);
    }
  }

  async close(): Promise<string> {
    await this.#listed.return(undefined);
    return "";
  }

  async abandon(): Promise<void> {
    await this.#listed.return(undefined).catch(() => {});
  }

  async #next(): Promise<Name | undefined> {
    const { done, value } = await this.#listed.next();
    return done === true ? undefined : nameOf(value.name, value.look, this.#owner, this.#now);
  }
}
