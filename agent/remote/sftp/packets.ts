/** Cuts what comes on the channel into packets. Each has memory of its own where it came in pieces: what was read of a file is given away. */
import { MalformedPacket } from "@tributary/shared/sftp/fields.ts";

/** OpenSSH's are 256 KiB at most; some servers put more names into one. */
const MOST = 4 * 2 ** 20;

export class Packets {
  readonly #head = Buffer.alloc(4);
  #headBytes = 0;
  #packet: Buffer | undefined;
  #at = 0;

  /** The packets that are whole now, without their lengths. Throws MalformedPacket. */
  *cut(chunk: Buffer): Generator<Buffer> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#packet === undefined) {
        const taken = chunk.copy(this.#head, this.#headBytes, at, at + 4 - this.#headBytes);
        this.#headBytes += taken;
        at += taken;
        if (this.#headBytes < 4) return;
        const length = this.#head.readUInt32BE();
        if (length === 0 || length > MOST) throw new MalformedPacket(`a packet of ${length} bytes`);
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
