/**
 * Cuts a channel's bytes into packets. A packet that comes in several pieces is put together in a buffer that is used
 * again once the packet is done with: uploads come in packets of 32 KiB by the ten thousand.
 */

import { MalformedPacket } from "@tributary/shared/sftp/fields.ts";
import { Blocks } from "../../lake/blocks.ts";
import { LIMITS } from "./wire.ts";

/** What nearly all clients send at most: 32 KiB and what stands around them. */
const USUAL = new Blocks(34 * 1024, 256);
const LARGEST = new Blocks(LIMITS.packet, 16);

export interface Packet {
  readonly bytes: Buffer;
  /** Where it was put together. */
  readonly block: Buffer | undefined;
}

/** Nobody looks at its bytes any more. */
export function done({ block }: Packet): void {
  if (block !== undefined) (block.length === USUAL.size ? USUAL : LARGEST).give(block);
}

export class Packets {
  #head = Buffer.alloc(4);
  #headBytes = 0;
  #packet: Buffer | undefined;
  #block: Buffer | undefined;
  #at = 0;

  /** The packets that are whole now. Throws MalformedPacket for a length that no packet has. */
  *cut(chunk: Buffer): Generator<Packet> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#packet === undefined) {
        const taken = chunk.copy(this.#head, this.#headBytes, at, at + 4 - this.#headBytes);
        this.#headBytes += taken;
        at += taken;
        if (this.#headBytes < 4) return;
        const length = this.#head.readUInt32BE();
        if (length === 0 || length > LIMITS.packet)
          throw new MalformedPacket(`a packet of ${length} bytes; ${LIMITS.packet} are the most`);
        // One that is here whole needs no copy.
        if (chunk.length - at >= length) {
          this.#headBytes = 0;
          yield { bytes: chunk.subarray(at, at + length), block: undefined };
          at += length;
          continue;
        }
        this.#block = (length <= USUAL.size ? USUAL : LARGEST).take();
        this.#packet = this.#block.subarray(0, length);
        this.#at = 0;
      }
      const taken = chunk.copy(this.#packet, this.#at, at);
      this.#at += taken;
      at += taken;
      if (this.#at < this.#packet.length) return;
      const whole = { bytes: this.#packet, block: this.#block };
      this.#packet = undefined;
      this.#block = undefined;
      this.#headBytes = 0;
      yield whole;
    }
  }
}
