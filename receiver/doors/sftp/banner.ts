/**
 * Words before the login is decided (RFC 4252, 5.4), which programs show to people. The library has them for everybody
 * or for nobody; ours are for somebody who has proved who he is, and may not come in all the same.
 */
import type { Connection } from "ssh2";
import { fields } from "../../identity/ssh-wire.ts";

const USERAUTH_BANNER = 53;

interface Innards {
  readonly _protocol: {
    /** While keys are exchanged: then nothing else may be sent. */
    readonly _kexinit: Buffer | undefined;
    readonly _cipher: { encrypt(packet: Buffer): void };
    readonly _packetRW: {
      readonly write: {
        readonly allocStart: number;
        alloc(size: number): Buffer;
        finalize(packet: Buffer): Buffer;
      };
    };
  };
}

export function sendBanner(connection: Connection, words: string): void {
  const { _kexinit, _cipher, _packetRW } = (connection as unknown as Innards)._protocol;
  if (_kexinit !== undefined) return;
  const payload = Buffer.concat([Buffer.of(USERAUTH_BANNER), fields(`${words}\r\n`, "")]);
  const packet = _packetRW.write.alloc(payload.length);
  packet.set(payload, _packetRW.write.allocStart);
  _cipher.encrypt(_packetRW.write.finalize(packet));
}
