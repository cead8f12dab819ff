/** Packets of SSH that no program sends, over a connection that is open: ssh2 encrypts them, and looks at none. */
import type { Client } from "ssh2";
import { string, uint32 } from "./sftp-wire.ts";

interface Innards {
  readonly _protocol: {
    readonly _packetRW: {
      readonly write: {
        readonly allocStart: number;
        alloc(size: number): Buffer;
        finalize(packet: Buffer): Buffer;
      };
    };
    readonly _cipher: { encrypt(packet: Buffer): void };
  };
  readonly _sock: NodeJS.ReadableStream & { readonly writableLength: number; destroy(): void };
}

export function sendPacket(ssh: Client, payload: Buffer): void {
  const { _packetRW, _cipher } = (ssh as unknown as Innards)._protocol;
  const { write } = _packetRW;
  const from = write.allocStart;
  const bytes = write.alloc(payload.length);
  bytes.set(payload, from);
  _cipher.encrypt(write.finalize(bytes));
}

export const socketOf = (ssh: Client): Innards["_sock"] => (ssh as unknown as Innards)._sock;

/** RFC 4250, 4.1.2. */
const [GLOBAL_REQUEST, CHANNEL_OPEN, CHANNEL_DATA, CHANNEL_CLOSE, CHANNEL_REQUEST] = [80, 90, 94, 97, 98];
const message = (type: number, ...parts: readonly Buffer[]): Buffer =>
  Buffer.concat([Buffer.from([type]), ...parts]);

/** RFC 4254. `of`: the receiver's number of the channel, which begins at 0 and takes the lowest that is free. */
export const ssh = {
  globalRequest: (): Buffer => message(GLOBAL_REQUEST, string("keepalive@example.com"), Buffer.from([1])),
  open: (ours: number, window: number, packet: number, type = "session"): Buffer =>
    message(CHANNEL_OPEN, string(type), uint32(ours), uint32(window), uint32(packet)),
  data: (of: number, bytes: Buffer): Buffer => message(CHANNEL_DATA, uint32(of), string(bytes)),
  close: (of: number): Buffer => message(CHANNEL_CLOSE, uint32(of)),
  subsystem: (of: number): Buffer =>
    message(CHANNEL_REQUEST, uint32(of), string("subsystem"), Buffer.from([1]), string("sftp")),
} as const;
