/** Cuts a channel's bytes into packets, each in a buffer of its own that nobody writes to any more. */
import { LIMITS, MalformedPacket } from "./wire.ts";

export class Packets {
  #head = Buffer.alloc(4);
  #headBytes = 0;
  #packet: Buffer | undefined;
  #at = 0;

  /** The packets that are whole now. Throws MalformedPacket for a length that no packet has. */
  *cut(chunk: Buffer): Generator<Buffer> {
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
          yield chunk.subarray(at, at + length);
          at += length;
          continue;
        }
        this.#packet = Buffer.allocUnsafeSlow(length);
        this.#at = 0;
      }
      const taken = chunk.copy(this.#packet, this.#at, at);
      this.#at += taken;
      at += taken;
      if (this.#at < this.#packet.length) return;
      const whole = this.#packet;
      this.#packet = undefined;
      this.#headBytes = 0;
      yield whole;
    }
  }
}
