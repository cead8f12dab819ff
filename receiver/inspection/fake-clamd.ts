/** For tests: a server that speaks as much of clamd's language as the inspector does, and can be away, slow, or wrong. */
import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { ClamdAddress } from "./clamd.ts";

/** What it finds: split, so that no scanner takes this file for what it is about. */
export const EICAR = ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR", "STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].join("-");

export interface FakeClamd {
  readonly address: ClamdAddress;
  /** How it takes the files that come from now on. `hang`: it says nothing. `hang up`: it closes the line after the first bytes. `early`: it calls a file clean after them. */
  manner: "scan" | "hang" | "hang up" | "early" | { readonly answer: string };
  /** Files of more bytes are refused in the middle. */
  streamMax: number;
  /** That answer is lost, as it is where the other end goes on writing. */
  loses: boolean;
  /** Files that it gave a verdict on. */
  readonly seen: Buffer[];
  /** Lines that are open now, and all that were ever. */
  readonly lines: { open: number; count: number };
  /** Files that it looks into now, and the most that it did at once. */
  readonly scans: { open: number; most: number };
  /** Verdicts wait until the promise resolves. */
  gate: Promise<void>;
  /** Ends all lines; nobody listens any more. */
  stop(): Promise<void>;
  /** Listens again, at the same address. */
  start(): Promise<void>;
}

/** `path`: a Unix socket there; without it a port of loopback. */
export async function fakeClamd(path?: string): Promise<FakeClamd> {
  let server: Server | undefined;
  let port = 0;
  const sockets = new Set<Socket>();
  const fake: FakeClamd = {
    get address() {
      return path === undefined ? { host: "127.0.0.1", port } : { path };
    },
    manner: "scan",
    streamMax: 2 ** 30,
    loses: false,
    seen: [],
    lines: { open: 0, count: 0 },
    scans: { open: 0, most: 0 },
    gate: Promise.resolve(),
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server?.close(resolve));
      if (path !== undefined && existsSync(path)) rmSync(path);
    },
    async start() {
      server = createServer((socket) => {
        sockets.add(socket);
        fake.lines.open += 1;
        fake.lines.count += 1;
        socket.on("error", () => {});
        socket.on("close", () => {
          sockets.delete(socket);
          fake.lines.open -= 1;
        });
        void talk(fake, socket).catch(() => void socket.destroy());
      });
      server.listen(path === undefined ? { host: "127.0.0.1", port } : { path });
      await once(server, "listening");
      if (path === undefined) port = (server.address() as AddressInfo).port;
    },
  };
  await fake.start();
  return fake;
}

async function talk(fake: FakeClamd, socket: Socket): Promise<void> {
  const take = reader(socket);
  let command = "";
  while (!command.endsWith("\0")) command += (await take(1)).toString("latin1");
  if (command === "zVERSION\0") {
    if (fake.manner !== "hang") socket.end("ClamAV 0.0.0/1/fake\0");
    return;
  }
  if (command !== "zINSTREAM\0") return void socket.end("UNKNOWN COMMAND\0");
  fake.scans.open += 1;
  fake.scans.most = Math.max(fake.scans.most, fake.scans.open);
  try {
    await scan(fake, socket, take);
  } finally {
    fake.scans.open -= 1;
  }
}

async function scan(
  fake: FakeClamd,
  socket: Socket,
  take: (count: number) => Promise<Buffer>,
): Promise<void> {
  const chunks: Buffer[] = [];
  let size = 0;
  for (;;) {
    const length = (await take(4)).readUInt32BE();
    if (length === 0) break;
    size += length;
    if (size > fake.streamMax && fake.loses && chunks.length > 0) return void socket.destroy();
    if (size > fake.streamMax) return void socket.end("INSTREAM size limit exceeded. ERROR\0");
    chunks.push(await take(length));
    if (fake.manner === "hang up") return void socket.destroy();
    if (fake.manner === "early") return void socket.end("stream: OK\0");
  }
  if (fake.manner === "hang") return;
  await fake.gate;
  if (typeof fake.manner === "object") return void socket.end(`${fake.manner.answer}\0`);
  const bytes = Buffer.concat(chunks);
  fake.seen.push(bytes);
  socket.end(bytes.includes(EICAR) ? "stream: Eicar-Test-Signature FOUND\0" : "stream: OK\0");
}

/** Exactly so many bytes at a time. */
function reader(socket: Socket): (count: number) => Promise<Buffer> {
  const chunks = socket.iterator() as AsyncIterator<Buffer>;
  let rest: Buffer = Buffer.alloc(0);
  return async (count) => {
    const pieces = [rest];
    let length = rest.length;
    while (length < count) {
      const { value, done } = await chunks.next();
      if (done) throw new Error("the line ended");
      pieces.push(value);
      length += value.length;
    }
    const all = Buffer.concat(pieces, length);
    rest = all.subarray(count);
    return all.subarray(0, count);
  };
}
