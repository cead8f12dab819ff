/** Reads the fields of a packet of SFTP, one after the other. Strings are bytes, and views of the packet. */
import { type Attributes, HAS } from "./attributes.ts";

/** A packet that cannot be read: nothing behind it can be trusted either. */
export class MalformedPacket extends Error {}

/** One that can, and names a byte that no file has. */
export class BeyondAnyFile extends Error {}

export class Fields {
  readonly #bytes: Buffer;
  readonly #beyond: "throws" | "infinity";
  #at: number;

  /** `beyond`: what becomes of numbers above 2^53, where no file ends and no number is exact. */
  constructor(bytes: Buffer, at: number, beyond: "throws" | "infinity" = "throws") {
    this.#bytes = bytes;
    this.#at = at;
    this.#beyond = beyond;
  }

  get ended(): boolean {
    return this.#at === this.#bytes.length;
  }

  uint32(): number {
    this.#need(4);
    const value = this.#bytes.readUInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  uint64(): number {
    const value = this.uint32() * 2 ** 32 + this.uint32();
    if (Number.isSafeInteger(value)) return value;
    if (this.#beyond === "infinity") return Number.POSITIVE_INFINITY;
    throw new BeyondAnyFile("an offset or size above 2^53");
  }

  string(): Buffer {
    const length = this.uint32();
    this.#need(length);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  attributes(): Attributes {
    const flags = this.uint32();
    const size = flags & HAS.size ? this.uint64() : undefined;
    const owner = flags & HAS.owner ? { uid: this.uint32(), gid: this.uint32() } : {};
    const permissions = flags & HAS.permissions ? { permissions: this.uint32() } : {};
    const times = flags & HAS.times ? { accessed: this.uint32(), modified: this.uint32() } : {};
    if ((flags & HAS.extended) !== 0) {
      for (let count = this.uint32(); count > 0; count -= 1) {
        this.string();
        this.string();
      }
    }
    return { ...(size === undefined ? {} : { size }), ...owner, ...permissions, ...times };
  }

  #need(length: number): void {
    if (this.#at + length > this.#bytes.length) throw new MalformedPacket("it ends too early");
  }
}
