/**
 * The SSH side of the SFTP door, over the library `ssh2`: connections and their bounds, logging in, and the one thing
 * that is served, the subsystem `sftp`. Everything a stranger can do before he has logged in is bounded here by count,
 * by time and by bytes.
 */
import { createServer, type Server as NetServer } from "node:net";
import { ProblemError } from "@tributary/shared/problems.ts";
import { ALGORITHMS } from "./algorithms.ts";
import { type Guest, receive } from "./connection.ts";
import { offerGcmToOpenSsh } from "./offer.ts";
import { Valve } from "./valve.ts";
import type { SshParts } from "./visitor.ts";

export interface SshListening {
  readonly port: number;
  /** No new connections, and the end of those that there are. */
  stop(withinMs: number): Promise<void>;
}

export async function listenSsh(parts: SshParts, host: string, port: number): Promise<SshListening> {
  const server = new parts.library.Server({
    hostKeys: [...parts.hostKeys],
    algorithms: ALGORITHMS,
    ident: parts.ident,
    keepaliveInterval: 30_000,
    keepaliveCountMax: 4,
  });
  const guests = new Map<string, Guest>();
  const counts = new Map<string, number>();
  // The library has a listener of its own, which takes sockets: ours counts them first.
  const listener = createServer({ noDelay: true }, (socket) => {
    const address = socket.remoteAddress ?? "";
    const place = `${address} ${socket.remotePort}`;
    const of = (counts.get(address) ?? 0) + 1;
    if (guests.size >= parts.connections.most || of > parts.connections.perAddress) {
      parts.report({ kind: "SftpTurnedAway", address });
      socket.destroy();
      return;
    }
    counts.set(address, of);
    // Until the library has read its first line nobody else listens.
    socket.on("error", () => {});
    const late = setTimeout(() => socket.destroy(), parts.loginWithin);
    socket.once("close", () => {
      clearTimeout(late);
      guests.delete(place);
      const left = (counts.get(address) ?? 1) - 1;
      if (left > 0) counts.set(address, left);
      else counts.delete(address);
    });
    server.injectSocket(socket);
    guests.set(place, { socket, valve: new Valve(socket), loggedIn: () => clearTimeout(late) });
  });
  server.on("connection", (connection, info) => {
    const place = `${info.ip} ${info.port}`;
    const guest = guests.get(place);
    const software = info.header?.versions?.software ?? "";
    offerGcmToOpenSsh(connection, software);
    if (guest === undefined) connection.end();
    else receive(parts, connection, guest, software);
  });
  server.on("error", (error: Error) => parts.report({ kind: "SftpFailed", address: "", error }));
  await listening(listener, host, port);
  const taken = listener.address();
  return {
    port: typeof taken === "object" && taken !== null ? taken.port : port,
    async stop(withinMs) {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      const late = setTimeout(() => {
        for (const { socket } of guests.values()) socket.destroy();
      }, withinMs);
      await closed;
      clearTimeout(late);
    },
  };
}

async function listening(listener: NetServer, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    listener.once("error", reject);
    listener.listen(port, host, () => {
      listener.off("error", reject);
      resolve();
    });
  }).catch((cause: NodeJS.ErrnoException) => {
    throw new ProblemError(
      "config-invalid",
      `cannot listen on ${host}:${port} for SFTP: ${cause.message}; name another address in receiver.yaml: listen: { sftp: HOST:PORT }`,
      { cause },
    );
  });
}
