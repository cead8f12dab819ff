/**
 * One SSH connection with a channel for SFTP in it. A server may have host keys of several kinds and shows one at a
 * time: where the one shown is not the pinned one, it is asked for the others, and no credentials are sent before one fits.
 */
import { connect } from "node:net";
import type { ClientChannel } from "ssh2";
import { RemoteError } from "../remote.ts";
import { algorithms, FAMILIES, type Family } from "./algorithms.ts";
import { type HostKey, hostKeyOf, strangeHost } from "./host-key.ts";
import type { Ssh2 } from "./library.ts";
import { type Credentials, Login, type ReadSecret } from "./login.ts";
import type { Waits } from "./waits.ts";
import { addressOf, closedEarly, inWords, saidInstead } from "./words.ts";

export interface Server extends Credentials {
  readonly host: string;
  readonly port: number;
  /** Fingerprints, of which the server has to show one. */
  readonly hostKeys: readonly string[];
}

export interface Connection {
  readonly channel: ClientChannel;
  /** Resolves once it is over, with the reason. */
  readonly over: Promise<RemoteError>;
  end(): void;
}

class StrangeHost extends Error {
  readonly key: HostKey;
  constructor(key: HostKey) {
    super("another host key");
    this.key = key;
  }
}

/** Has no host key of the kinds that it was asked for. */
class NoSuchKey extends Error {}

/** Connects anew each time it is called; remembers which of the server's host keys is the pinned one. */
export function connector(
  server: Server,
  read: ReadSecret,
  ssh2: Ssh2,
  waits: Waits,
): () => Promise<Connection> {
  const all = Object.keys(FAMILIES) as Family[];
  let families = all;
  return async () => {
    const shown: HostKey[] = [];
    let asked = families;
    families = all;
    while (asked.length > 0) {
      try {
        const connection = await attempt(server, asked, read, ssh2, waits);
        families = asked;
        return connection;
      } catch (error) {
        if (error instanceof NoSuchKey && shown.length > 0) break;
        if (error instanceof NoSuchKey) throw away(server, error.message, error);
        if (!(error instanceof StrangeHost)) throw error;
        shown.push(error.key);
        asked = asked.filter((family) => family !== error.key.family);
      }
    }
    throw new RemoteError("away", strangeHost(addressOf(server), shown, server.hostKeys));
  };
}

function away(server: Server, reason: string, cause?: unknown): RemoteError {
  return new RemoteError("away", `${addressOf(server)}: ${reason}`, { cause });
}

function attempt(
  server: Server,
  families: readonly Family[],
  read: ReadSecret,
  ssh2: Ssh2,
  waits: Waits,
): Promise<Connection> {
  const { promise, resolve, reject } = Promise.withResolvers<Connection>();
  const over = Promise.withResolvers<RemoteError>();
  const socket = connect({ host: server.host, port: server.port, noDelay: true });
  const client = new ssh2.Client();
  const login = new Login(server, read, ssh2);
  let stage: "connect" | "handshake" | "login" | "open" = "connect";
  let strange: HostKey | undefined;
  let said = "";

  const fail = (error: Error): void => {
    clearTimeout(timer);
    reject(error);
    over.resolve(error instanceof RemoteError ? error : away(server, error.message, error));
    socket.destroy();
  };
  const late = (ms: number, what: () => string): NodeJS.Timeout =>
    setTimeout(
      () => fail(away(server, `${what()} within ${ms / 1000} s; try again later, or ask its administrator`)),
      ms,
    );
  let timer = late(waits.connect, () => "no connection (a firewall may be on the way, or the host is down)");

  socket.once("connect", () => {
    stage = "handshake";
    clearTimeout(timer);
    timer = late(waits.login, () => `it took the connection${saidInstead(said)} and did not let anybody in`);
  });
  socket.once("data", (bytes) => {
    said = bytes.toString("latin1", 0, 200);
  });
  client.on("error", (error) => fail(reasonOf(error)));
  client.on("close", () => fail(away(server, closedEarly(stage, said, server.user))));
  // It comes again whenever keys are exchanged anew.
  client.once("handshake", () => {
    stage = "login";
    if (!server.legacy) preferSha2(client);
  });
  client.on("change password", () => {
    login.expired();
    fail(away(server, login.failure()));
  });
  client.on("ready", () => {
    stage = "open";
    client.subsys("sftp", (error, channel) => {
      if (error !== undefined)
        return fail(
          away(server, `user ${server.user} may log in, and the server gives no SFTP: ${error.message}`),
        );
      opened(channel);
    });
  });
  client.connect({
    sock: socket,
    username: server.user,
    readyTimeout: 0,
    keepaliveInterval: waits.keepalive,
    keepaliveCountMax: 2,
    algorithms: algorithms(families, server.legacy),
    hostVerifier: (key: Buffer) => {
      const found = hostKeyOf(key);
      if (server.hostKeys.includes(found.fingerprint)) return true;
      strange = found;
      return false;
    },
    authHandler: login.next as never,
  });

  function reasonOf(error: Error & { level?: string }): Error {
    if (strange !== undefined) return new StrangeHost(strange);
    if (/no matching host key format/.test(error.message)) return new NoSuchKey(inWords(error));
    if (error.level === "client-authentication") return away(server, login.failure(), error);
    if (error.message === "Connection lost before handshake")
      return away(server, closedEarly("handshake", said, server.user), error);
    const so = stage === "login" ? ` (during the login of user ${server.user})` : "";
    return away(server, `${inWords(error)}${so}`, error);
  }

  function opened(channel: ClientChannel): void {
    clearTimeout(timer);
    let code: unknown;
    channel.on("exit", (exit: unknown) => {
      code = exit;
    });
    channel.on("close", () =>
      fail(
        away(
          server,
          typeof code === "number" && code !== 0
            ? `the server ended SFTP (exit code ${code}): whether it is set up for user ${server.user} is in the server's log`
            : "the server ended SFTP; it is asked again at the next look",
        ),
      ),
    );
    channel.stderr.resume();
    socket.on("data", heard(client, waits.keepalive / 8));
    resolve({
      channel,
      over: over.promise,
      end() {
        client.end();
        // A server that does not say good-bye is not waited for.
        setTimeout(() => socket.destroy(), 1_000).unref();
      },
    });
  }

  return promise;
}

/** Whatever comes is a sign of life: an answer to a keepalive may wait behind much that was asked for. */
function heard(client: object, every: number): () => void {
  let last = 0;
  return () => {
    const now = performance.now();
    if (now - last < every) return;
    last = now;
    (client as { _resetKA?: () => void })._resetKA?.();
  };
}

/** ssh2 takes SHA-1 for RSA keys where a server does not say what else it knows; this is its own note of servers that know more than they say. */
function preferSha2(client: object): void {
  const { _protocol: protocol } = client as { _protocol?: { _compatFlags?: number } };
  if (protocol?._compatFlags !== undefined) protocol._compatFlags |= 16;
}
