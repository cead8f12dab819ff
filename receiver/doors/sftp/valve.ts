/**
 * How much a connection may make us hold: the library takes what comes whatever it has promised to take, and writes
 * answers whether anybody reads them or not. Who keeps to the rules of SSH never meets these bounds.
 */
import type { Socket } from "node:net";
import type { ServerChannel, Session } from "ssh2";

/** Answers that nobody has read. */
const MOST_UNREAD = 256 * 1024;
/** The system is read up to 32 times in a row: of small packets that is seconds in which nobody else is served. */
const MOST_AT_ONCE_MS = 20;
/** Smaller packets than any client wants: at 0 the library would write for ever. */
const LEAST_PACKET = 1024;

export class Valve {
  readonly #socket: Socket;
  readonly #channels = new Set<ServerChannel>();
  /** Who wants nothing more to come for now. */
  readonly #holders = new Set<ServerChannel>();
  #unread = false;
  /** When the first of what came in a row came; undefined: others were served since. */
  #began: number | undefined;
  #rests = false;

  /** After the library has its own listeners, and before anything can have come. */
  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", () => this.#look());
    socket.on("drain", () => {
      this.#unread = false;
      this.#turn();
    });
  }

  add(channel: ServerChannel): void {
    this.#channels.add(channel);
  }

  remove(channel: ServerChannel): void {
    this.#channels.delete(channel);
    this.hold(channel, false);
  }

  /** Whether what comes stays with the system. */
  hold(channel: ServerChannel, held: boolean): void {
    if (held) this.#holders.add(channel);
    else this.#holders.delete(channel);
    this.#turn();
  }

  #look(): void {
    this.#rest();
    for (const channel of this.#channels) if (windowOf(channel) < 0) this.#socket.destroy();
    if (this.#socket.writableLength <= MOST_UNREAD) return;
    this.#unread = true;
    this.#turn();
  }

  /** Called once what came was dealt with. */
  #rest(): void {
    if (this.#began !== undefined) {
      if (this.#rests || performance.now() - this.#began < MOST_AT_ONCE_MS) return;
      this.#rests = true;
      this.#turn();
      return;
    }
    this.#began = performance.now();
    setImmediate(() => {
      this.#began = undefined;
      this.#rests = false;
      this.#turn();
    });
  }

  #turn(): void {
    const held = this.#unread || this.#rests || this.#holders.size > 0;
    if (held && !this.#socket.isPaused()) this.#socket.pause();
    else if (!held && this.#socket.isPaused()) this.#socket.resume();
  }
}

/** What the client may still send, as the library counts it: it goes on below 0. */
function windowOf(channel: ServerChannel): number {
  return (channel as unknown as { readonly incoming: { readonly window: number } }).incoming.window;
}

/** Whether the client takes packets of a size that can be sent. */
export function takesPackets(session: Session): boolean {
  const { _chanInfo } = session as unknown as {
    readonly _chanInfo: { readonly outgoing: { readonly packetSize: number } };
  };
  return _chanInfo.outgoing.packetSize >= LEAST_PACKET;
}
