import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** What is wrong with the network. Limits count per connection; `up` is towards the target. */
export interface Faults {
  /** Milliseconds that every byte is on its way, in each direction. */
  readonly latency?: number;
  /** Bytes per second of each connection, in each direction. */
  readonly bandwidth?: number;
  /** Once so many bytes of a connection have passed, both ends see a clean end (FIN). */
  readonly cut?: Limit;
  /** Once so many bytes of a connection have passed, both ends see a reset (RST). */
  readonly reset?: Limit;
  /** Nothing passes and nobody is told: connections stay open, new ones are accepted and stay silent. */
  readonly halfOpen?: boolean;
  /** New connections are reset at once. Those that exist go on. */
  readonly refuse?: boolean;
}

type Direction = "up" | "down";
export type Limit = { readonly [direction in Direction]?: number };

export interface TcpProxy {
  readonly port: number;
  /** Bytes passed on, over all connections. */
  readonly bytes: { readonly [direction in Direction]: number };
  /** Connections accepted so far, those that were refused included. */
  readonly connections: number;
  /** Replaces all faults, for open connections too; `{}` heals the network. */
  set(faults: Faults): void;
  /** Resets every open connection now. */
  dropAll(): void;
  stop(): Promise<void>;
}

/** Bytes sent at once over a line of limited bandwidth. */
const slice = 16 * 1024;
/** Bytes on their way at most, so that a fast sender over a slow line does not fill the memory. */
const inFlight = 16 * 1024 * 1024;

/** A TCP proxy on 127.0.0.1 whose network can be made bad while it runs. */
export async function startProxy(options: {
  readonly target: { readonly host: string; readonly port: number };
  readonly faults?: Faults;
}): Promise<TcpProxy> {
  let faults = options.faults ?? {};
  let connections = 0;
  const bytes = { up: 0, down: 0 };
  const open = new Set<Socket>();
  const pauses = new Set<() => void>();

  /** Ends early when the faults change: a healed network does not stay slow. */
  function pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        pauses.delete(done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(0, milliseconds));
      pauses.add(done);
    });
  }

  async function healed(): Promise<void> {
    while (faults.halfOpen) await pause(60_000);
  }

  async function accept(near: Socket): Promise<void> {
    watch(near);
    await healed();
    if (near.destroyed) return;
    const far = connect({ ...options.target, allowHalfOpen: true, noDelay: true });
    watch(far);
    const connection = { over: false };
    for (const [end, other] of [
      [near, far],
      [far, near],
    ] as const) {
      const tell = () => void healed().then(() => other.resetAndDestroy());
      if (end.errored) tell();
      else end.once("error", tell);
    }
    await Promise.all([carry("up", near, far, connection), carry("down", far, near, connection)]);
  }

  function watch(socket: Socket): void {
    open.add(socket);
    socket.once("close", () => open.delete(socket)).on("error", () => {});
  }

  async function carry(
    direction: Direction,
    from: Socket,
    to: Socket,
    connection: { over: boolean },
  ): Promise<void> {
    const line = delayLine(to);
    let passed = 0;
    let lineBusyUntil = 0;
    // What was cut is still read, and thrown away: closing a socket with unread bytes would be a reset.
    for await (const data of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      for (let at = 0; at < data.length && !connection.over; ) {
        await healed();
        const left = ((faults.reset ?? faults.cut)?.[direction] ?? Infinity) - passed;
        const most = faults.bandwidth === undefined ? data.length : slice;
        const size = Math.max(0, Math.min(left, data.length - at, most));
        if (faults.bandwidth !== undefined) {
          lineBusyUntil = Math.max(lineBusyUntil, performance.now()) + (size / faults.bandwidth) * 1000;
          await pause(lineBusyUntil - performance.now());
        }
        await line.send(data.subarray(at, at + size), faults.latency ?? 0);
        at += size;
        passed += size;
        bytes[direction] += size;
        if (size >= left) {
          connection.over = true;
          await line.empty();
          for (const socket of [from, to]) {
            if (faults.reset) socket.resetAndDestroy();
            else socket.end();
          }
        }
      }
    }
    await line.empty();
    await healed();
    to.end();
  }

  // An error of one end reaches the other one as a reset; there is nobody else to tell.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    connections += 1;
    if (faults.refuse) near.resetAndDestroy();
    else accept(near).catch(() => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  function set(next: Faults): void {
    faults = next;
    for (const done of pauses) done();
  }
  function dropAll(): void {
    for (const socket of open) socket.resetAndDestroy();
  }
  return {
    port: (server.address() as AddressInfo).port,
    bytes,
    get connections() {
      return connections;
    },
    set,
    dropAll,
    async stop() {
      const closed = once(server, "close");
      server.close();
      set({ refuse: true });
      dropAll();
      await closed;
    },
  };
}

/** Writes what is sent after its latency has passed, in order, with many pieces on their way at once. */
function delayLine(to: Socket) {
  let last: Promise<void> = Promise.resolve();
  let waiting = 0;
  const write = (data: Buffer) => new Promise<void>((resolve) => to.write(data, () => resolve()));
  return {
    /** Resolves when the sender may send more. */
    async send(data: Buffer, latency: number): Promise<void> {
      const due = latency === 0 ? undefined : new Promise((resolve) => setTimeout(resolve, latency));
      waiting += data.length;
      last = Promise.all([last, due]).then(async () => {
        await write(data);
        waiting -= data.length;
      });
      if (latency === 0 || waiting > inFlight) await last;
    },
    empty: () => last,
  };
}
