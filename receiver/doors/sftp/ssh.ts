/**
 * The SSH side of the SFTP door, over the library `ssh2`: connections and their bounds, logging in, and the one thing
 * that is served, the subsystem `sftp`. Everything a stranger can do before he has logged in is bounded here by count,
 * by time and by bytes.
 */
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Connection } from "ssh2";
import { FairQueue } from "../../identity/fair-queue.ts";
import { addressOf, networkOf } from "../../identity/network.ts";
import { ALGORITHMS } from "./algorithms.ts";
import { type Guest, receive } from "./connection.ts";
import { Crowd } from "./crowd.ts";
import { offerGcmToOpenSsh } from "./offer.ts";
import { Valve } from "./valve.ts";
import type { SshParts } from "./visitor.ts";

export interface SshListening {
  readonly port: number;
  /** No new connections, and the end of those that there are. */
  stop(withinMs: number): Promise<void>;
}

/**
 * Exchanging keys takes up to 5 ms of the only thread that there is, and costs a stranger nothing: connections begin so
 * far apart, by turns of their networks, and what else is to be done is done in between.
 */
const APART_MS = 5;
/** Of what a client calls itself so much is kept, and logged. */
const LONGEST_PROGRAM = 100;
/** The longest logins that there are, 50 keys of RSA, take half of it. */
const MOST_BEFORE_LOGIN = 256 * 1024;

export async function listenSsh(parts: SshParts, host: string, port: number): Promise<SshListening> {
  const server = new parts.library.Server({
    hostKeys: [...parts.hostKeys],
    algorithms: ALGORITHMS,
    ident: parts.ident,
    keepaliveInterval: 30_000,
    keepaliveCountMax: 4,
  });
  const guests = new Map<Socket, Guest>();
  const { most, perAddress } = parts.connections;
  const turns = new FairQueue({ atOnce: 1, each: perAddress, all: most });
  const crowd = new Crowd(parts.connections, (address, again) =>
    parts.report({ kind: "SftpTurnedAway", address, again }),
  );
  // The library has a listener of its own, which takes sockets: ours counts them first.
  const listener = createServer({ noDelay: true }, (socket) => {
    const address = addressOf(socket.remoteAddress ?? "");
    const place = crowd.enter(address, () => socket.destroy());
    if (place === undefined) {
      socket.destroy();
      return;
    }
    // Until the library has read its first line nobody else listens.
    socket.on("error", () => {});
    const late = setTimeout(() => socket.destroy(), parts.loginWithin);
    const gone = new AbortController();
    socket.once("close", () => {
      gone.abort();
      clearTimeout(late);
      guests.delete(socket);
      place.leave();
    });
    const begin = (): void => {
      const bound = (): void => {
        if (socket.bytesRead > MOST_BEFORE_LOGIN) socket.destroy();
      };
      server.injectSocket(socket);
      socket.on("data", bound);
      const loggedIn = (): void => {
        clearTimeout(late);
        socket.off("data", bound);
        place.known();
      };
      guests.set(socket, { socket, address, valve: new Valve(socket), loggedIn });
    };
    const turn = async (): Promise<void> => {
      if (socket.destroyed) return;
      begin();
      await pause(APART_MS, undefined, { ref: false });
    };
    turns.run(networkOf(address), turn, gone.signal).catch((error: unknown) => {
      // Who does not wait for his turn keeps no place in front of others.
      if (gone.signal.aborted) return;
      parts.report({ kind: "SftpFailed", address, error });
      socket.destroy();
    });
  });
  server.on("connection", (connection, info) => {
    const guest = guests.get(socketOf(connection));
    const software = (info.header?.versions?.software ?? "").slice(0, LONGEST_PROGRAM);
    offerGcmToOpenSsh(connection, software);
    if (guest === undefined) connection.end();
    else receive(parts, connection, guest, software);
  });
  server.on("error", (error: Error) => parts.report({ kind: "SftpFailed", address: "", error }));
  await listening(listener, host, port);
  // Such as too many open files: whoever came then is not there, and everybody else stays.
  listener.on("error", (error) => parts.report({ kind: "SftpFailed", address: "", error }));
  const taken = listener.address();
  return {
    port: typeof taken === "object" && taken !== null ? taken.port : port,
    async stop(withinMs) {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      crowd.sendStrangersAway();
      const late = setTimeout(() => {
        for (const { socket } of guests.values()) socket.destroy();
      }, withinMs);
      await closed;
      clearTimeout(late);
    },
  };
}

/** The library tells of a connection by the address that it comes from, which two may share that came to two of ours. */
function socketOf(connection: Connection): Socket {
  return (connection as unknown as { readonly _sock: Socket })._sock;
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
