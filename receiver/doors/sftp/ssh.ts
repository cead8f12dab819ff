/**
 * The SSH side of the SFTP door, over the library `ssh2`: connections and their bounds, logging in, and the one thing
 * that is served, the subsystem `sftp`. Everything a stranger can do before he has logged in is bounded here by count,
 * by time and by bytes.
 */
import { createServer, type Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { AuthContext, Connection, ServerChannel } from "ssh2";
import type { Account } from "../../identity/account.ts";
import type { SftpLogin } from "../../identity/sftp-login.ts";
import { ALGORITHMS } from "./algorithms.ts";
import type { SftpFact } from "./facts.ts";
import type { SshLibrary } from "./library.ts";
import { attempt, METHODS } from "./login.ts";
import { offerGcmToOpenSsh } from "./offer.ts";

export interface SshParts {
  readonly library: SshLibrary["ssh2"];
  readonly hostKeys: readonly string[];
  readonly login: SftpLogin;
  /** What the server calls itself. */
  readonly ident: string;
  readonly connections: { readonly most: number; readonly perAddress: number };
  /** ms from the connection to the login. */
  readonly loginWithin: number;
  /** Sessions of one connection at once. */
  readonly sessions: number;
  readonly report: (fact: SftpFact) => void;
  /** Somebody who logged in. The answer is called when the connection has ended. */
  readonly enter: (visitor: Visitor) => () => void;
}

export interface Visitor {
  readonly account: Account;
  readonly address: string;
  /** Calls back for each `sftp` that is asked for; its connection ends with the last of them. */
  onSession(serve: (session: SftpChannel) => Promise<void>): void;
  /** Ends the connection, as soon as what was told has been read. */
  cut(words: string): void;
}

export interface SftpChannel {
  readonly channel: Duplex;
  tell(words: string): void;
}

export interface SshListening {
  readonly port: number;
  /** No new connections, and the end of those that there are. */
  stop(withinMs: number): Promise<void>;
}

/** Attempts of one connection to log in; each costs a look into the ledger. */
const MOST_ATTEMPTS = 12;
/** Between what somebody is told and the end of the connection. */
const LAST_WORDS_MS = 200;
/** A connection that has logged in and does nothing. */
const UNUSED_MS = 60_000;

export async function listenSsh(parts: SshParts, host: string, port: number): Promise<SshListening> {
  const server = new parts.library.Server({
    hostKeys: [...parts.hostKeys],
    algorithms: ALGORITHMS,
    ident: parts.ident,
    keepaliveInterval: 30_000,
    keepaliveCountMax: 4,
  });
  const sockets = new Map<string, Socket>();
  const counts = new Map<string, number>();
  // The library has a listener of its own, which takes sockets: ours counts them first.
  const listener = createServer({ noDelay: true }, (socket) => {
    const address = socket.remoteAddress ?? "";
    const place = `${address} ${socket.remotePort}`;
    const of = (counts.get(address) ?? 0) + 1;
    if (sockets.size >= parts.connections.most || of > parts.connections.perAddress) {
      parts.report({ kind: "SftpTurnedAway", address });
      socket.destroy();
      return;
    }
    counts.set(address, of);
    sockets.set(place, socket);
    // Until the library has read its first line nobody else listens.
    socket.on("error", () => {});
    const late = setTimeout(() => socket.destroy(), parts.loginWithin);
    logins.set(place, () => clearTimeout(late));
    socket.once("close", () => {
      clearTimeout(late);
      logins.delete(place);
      sockets.delete(place);
      const left = (counts.get(address) ?? 1) - 1;
      if (left > 0) counts.set(address, left);
      else counts.delete(address);
    });
    server.injectSocket(socket);
  });
  const logins = new Map<string, () => void>();
  server.on("connection", (connection, info) => {
    const place = `${info.ip} ${info.port}`;
    const socket = sockets.get(place);
    const software = info.header?.versions?.software ?? "";
    offerGcmToOpenSsh(connection, software);
    if (socket === undefined) connection.end();
    else receive(parts, connection, socket, software, () => logins.get(place)?.());
  });
  server.on("error", (error: Error) => parts.report({ kind: "SftpFailed", address: "", error }));
  await listening(listener, host, port);
  const taken = listener.address();
  return {
    port: typeof taken === "object" && taken !== null ? taken.port : port,
    async stop(withinMs) {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      const late = setTimeout(() => {
        for (const socket of sockets.values()) socket.destroy();
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

function receive(
  parts: SshParts,
  connection: Connection,
  socket: Socket,
  program: string,
  loggedIn: () => void,
): void {
  const address = socket.remoteAddress ?? "";
  parts.report({ kind: "SftpConnected", address });
  let account: Account | undefined;
  let method = "";
  let attempts = 0;
  const fail = (error: unknown): void => {
    parts.report({ kind: "SftpFailed", address, error });
    socket.destroy();
  };
  connection.on("error", () => socket.destroy());
  connection.on("authentication", (context: AuthContext) => {
    attempts += 1;
    if (attempts > MOST_ATTEMPTS) {
      socket.destroy();
      return;
    }
    attempt(parts, context, address).then((outcome) => {
      if (socket.destroyed) return;
      switch (outcome.kind) {
        case "goes on":
          return;
        case "refused": {
          const { user, method, code } = outcome;
          if (code !== undefined) parts.report({ kind: "SftpRefused", address, user, method, code });
          context.reject([...METHODS]);
          return;
        }
        case "in":
          account = outcome.account;
          method = outcome.method;
          context.accept();
      }
    }, fail);
  });
  connection.on("ready", () => {
    loggedIn();
    if (account === undefined) {
      socket.destroy();
      return;
    }
    const { user, principal } = account;
    const [client = ""] = principal.clients;
    parts.report({ kind: "SftpLoggedIn", address, user, account: principal.id, client, method, program });
    parts.login.loggedIn(account, address).catch((error: unknown) => {
      parts.report({ kind: "SftpFailed", address, error });
    });
    welcome(parts, connection, socket, account, program, fail);
  });
}

function welcome(
  parts: SshParts,
  connection: Connection,
  socket: Socket,
  account: Account,
  program: string,
  fail: (error: unknown) => void,
): void {
  const address = socket.remoteAddress ?? "";
  let serve: ((session: SftpChannel) => Promise<void>) | undefined;
  let why = "the client left";
  let open = 0;
  const leave = parts.enter({
    account,
    address,
    onSession: (wanted) => {
      serve = wanted;
    },
    cut: (words) => {
      why = words;
      // OpenSSH forgets what it was told when the end comes with it.
      setTimeout(() => connection.end(), LAST_WORDS_MS);
      // A client that does not read holds nothing open by that.
      setTimeout(() => socket.destroy(), 1000).unref();
    },
  });
  let unused = setTimeout(() => connection.end(), UNUSED_MS);
  socket.once("close", () => {
    clearTimeout(unused);
    leave();
    parts.report({ kind: "SftpEnded", address, user: account.user, why });
  });
  connection.on("session", (accept, reject) => {
    if (open >= parts.sessions) {
      reject();
      return;
    }
    open += 1;
    clearTimeout(unused);
    const session = accept();
    let channel: ServerChannel | undefined;
    session.once("close", () => {
      open -= 1;
      if (open === 0) unused = setTimeout(() => connection.end(), UNUSED_MS);
    });
    // Any other subsystem, shells and commands are told what this is; forwarding is refused by not being heard.
    session.on("subsystem", (acceptIt, rejectIt, info) => {
      if (info.name !== "sftp" || serve === undefined || channel !== undefined) {
        rejectIt?.();
        return;
      }
      channel = acceptIt();
      const opened = channel;
      opened.on("error", () => {});
      const shows = /OpenSSH/.test(program);
      const tell = (words: string): void => {
        if (shows && opened.writable) opened.stderr.write(`tributary: ${words}\n`);
      };
      serve({ channel: opened, tell })
        .catch(fail)
        .finally(() => {
          if (opened.writable) opened.exit(0);
          // Without it OpenSSH's sftp waits for ever.
          opened.end();
        });
    });
    const onlySftp = (stream: ServerChannel): void => {
      stream.on("error", () => {});
      stream.stderr.write("This is an SFTP server: it takes files by sftp, and by scp without -O.\n");
      stream.exit(1);
      stream.end();
    };
    session.on("exec", (acceptIt) => onlySftp(acceptIt()));
    session.on("shell", (acceptIt) => onlySftp(acceptIt()));
  });
}
