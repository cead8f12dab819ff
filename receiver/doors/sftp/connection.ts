/** One SSH connection from its first line to its end: logging in, then sessions of the subsystem `sftp` and nothing else. */
import type { Socket } from "node:net";
import { formatDuration } from "@tributary/shared/units.ts";
import type { AuthContext, Connection, ServerChannel } from "ssh2";
import type { Account } from "../../identity/account.ts";
import { sendBanner } from "./banner.ts";
import { boundExchanges } from "./exchanges.ts";
import { type Attempt, attempt, METHODS, userOf } from "./login.ts";
import { takesPackets, type Valve } from "./valve.ts";
import type { SftpChannel, SshParts } from "./visitor.ts";

/** A connection before anybody is known to be there. */
export interface Guest {
  readonly socket: Socket;
  readonly address: string;
  readonly valve: Valve;
  /** Ends the wait for a login. */
  readonly loggedIn: () => void;
}

/** Attempts of one connection to log in: passwords, and all of them; each costs a look into the ledger. */
const MOST = { passwords: 6, attempts: 50 } as const;
/** Known only of who has shown the right key or password: he may hear it, as nobody else may. */
const TOLD: readonly string[] = ["client-suspended"];
/** Sessions that one connection may open one after the other: the library remembers each of them. */
const MOST_SESSIONS = 1000;
/** A connection that has logged in and has no session. */
const UNUSED_MS = 60_000;
/** Between what somebody is told and the end of the connection. */
const LAST_WORDS_MS = 200;
/** After the end was said: who does not hear it is cut off. */
const LINGER_MS = 1000;

/** In the listener of `connection`, before anything is waited for. `program`: what the client calls itself. */
export function receive(parts: SshParts, connection: Connection, guest: Guest, program: string): void {
  const { socket, address } = guest;
  parts.report({ kind: "SftpConnected", address });
  let known: Known | undefined;
  let user = "";
  let attempts = 0;
  let passwords = 0;
  let told = false;
  /** Fingerprints of keys that are not the user's. */
  const otherKeys = new Set<string>();
  const gone = new AbortController();
  const ending: Ending = {};
  const cut = (why: string): void => {
    ending.why ??= why;
    socket.destroy();
  };
  const fail = (error: unknown): void => {
    parts.report({ kind: "SftpFailed", address, error });
    cut("a fault of the receiver");
  };
  const refused = (method: string, code: string, why: string): void =>
    parts.report({ kind: "SftpRefused", address, user, method, code, why });
  socket.once("close", () => {
    gone.abort();
    // Once for all of them, and not where one was right: programs try every key that they have.
    if (known === undefined && otherKeys.size > 0)
      refused(
        "publickey",
        "unauthenticated",
        `no account of this name has one of these keys: ${[...otherKeys].join(", ")}`,
      );
  });
  // What is malformed comes here; without a listener it would end the process.
  connection.on("error", (error: Error & { readonly level?: string }) => {
    if (error.level === "handshake" && known === undefined)
      parts.report({ kind: "SftpNotAgreed", address, program, why: error.message });
    cut(`the connection failed: ${error.message}`);
  });
  boundExchanges(connection, guest.socket, () => known !== undefined, cut);
  connection.on("authentication", (context: AuthContext) => {
    attempts += 1;
    if (context.method === "password") passwords += 1;
    if (attempts > MOST.attempts || passwords > MOST.passwords) {
      socket.destroy();
      return;
    }
    user = userOf(context);
    const decided = (outcome: Attempt): void => {
      // Who guesses and is gone before the answer has guessed.
      if (outcome.kind === "refused") refused(context.method, outcome.code, outcome.why);
      if (outcome.kind === "another key") otherKeys.add(outcome.fingerprint);
      if (socket.destroyed || outcome.kind === "goes on") return;
      if (outcome.kind === "in") {
        known = { account: outcome.account, method: outcome.method, program };
        context.accept();
        return;
      }
      if (outcome.kind === "refused" && TOLD.includes(outcome.code) && !told) {
        told = true;
        sendBanner(connection, `tributary: ${outcome.code}: ${outcome.why}`);
      }
      context.reject([...METHODS]);
    };
    attempt(parts, context, address, gone.signal).then(decided).catch(fail);
  });
  connection.on("ready", () => {
    guest.loggedIn();
    if (known === undefined || socket.destroyed) {
      socket.destroy();
      return;
    }
    try {
      welcome(parts, connection, guest, known, ending, fail);
    } catch (error) {
      fail(error);
    }
  });
}

/** Somebody who has logged in, and how. */
interface Known {
  readonly account: Account;
  readonly method: string;
  /** What the client calls itself. */
  readonly program: string;
}

/** Why the connection ends, where that is not the client's wish. */
interface Ending {
  why?: string;
}

function welcome(
  parts: SshParts,
  connection: Connection,
  { socket, address, valve }: Guest,
  { account, method, program }: Known,
  ending: Ending,
  fail: (error: unknown) => void,
): void {
  let serve: ((session: SftpChannel) => Promise<void>) | undefined;
  let open = 0;
  let opened = 0;
  const leaving = new AbortController();
  const end = (why: string): void => {
    ending.why ??= why;
    connection.end();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  };
  // OpenSSH forgets what it was told when the end comes with it.
  const endSoon = (why: string): void => {
    ending.why ??= why;
    setTimeout(() => end(why), LAST_WORDS_MS).unref();
  };
  const endUnused = (): void => end(`it had no session for ${formatDuration(UNUSED_MS)}`);
  let unused = setTimeout(endUnused, UNUSED_MS);
  const left = (): void => {
    open -= 1;
    if (open === 0 && !socket.destroyed) unused = setTimeout(endUnused, UNUSED_MS);
  };
  const leave = parts.enter({
    account,
    address,
    onSession: (wanted) => {
      serve = wanted;
    },
    cut: endSoon,
    drop: (words) => {
      ending.why ??= words;
      socket.destroy();
    },
  });
  const { user, principal } = account;
  const [client = ""] = principal.clients;
  const key = method === "publickey" ? principal.proof : undefined;
  parts.report({ kind: "SftpLoggedIn", address, user, account: principal.id, client, method, key, program });
  parts.login.loggedIn(account, address).catch((error: unknown) => {
    parts.report({ kind: "SftpFailed", address, error });
  });
  socket.once("close", () => {
    clearTimeout(unused);
    leaving.abort();
    leave();
    parts.report({ kind: "SftpEnded", address, user, why: ending.why ?? "the client left" });
  });
  connection.on("session", (accept, reject) => {
    opened += 1;
    if (opened > MOST_SESSIONS) {
      end(`it has opened ${MOST_SESSIONS} sessions`);
      return;
    }
    if (open >= parts.sessions) {
      reject();
      return;
    }
    const session = accept();
    if (!takesPackets(session)) {
      socket.destroy();
      return;
    }
    open += 1;
    clearTimeout(unused);
    session.once("close", left);
    session.on("subsystem", (acceptIt, rejectIt, { name }) => {
      if (name !== "sftp" || serve === undefined) {
        rejectIt?.();
        return;
      }
      // Undefined where the session has one already, or has ended.
      const channel = acceptIt() as ServerChannel | undefined;
      if (channel === undefined) return;
      channel.on("error", () => {});
      valve.add(channel);
      serve({
        channel,
        gone: leaving.signal,
        hold: (held) => valve.hold(channel, held),
        tell: (words) => {
          // Others show it as an error of the connection, or not at all; they have the status.
          if (program.startsWith("OpenSSH") && channel.writable)
            channel.stderr.write(`tributary: ${words}\n`);
        },
      })
        .catch(fail)
        .finally(() => {
          valve.hold(channel, false);
          // What still comes goes nowhere, and the channel hears that it is closed.
          channel.once("close", () => valve.remove(channel)).resume();
          if (channel.writable) channel.exit(0);
          // Without it OpenSSH's sftp waits for ever.
          channel.end();
        });
    });
    // Commands and shells are told what this is; all else is refused by nobody listening.
    const onlySftp = (channel: ServerChannel | undefined): void => {
      if (channel === undefined) return;
      channel.on("error", () => {}).resume();
      channel.stderr.write("This is an SFTP server: it takes files by sftp, and by scp without -O.\n");
      channel.exit(1);
      channel.end();
    };
    session.on("exec", (acceptIt) => onlySftp(acceptIt()));
    session.on("shell", (acceptIt) => onlySftp(acceptIt()));
  });
}
