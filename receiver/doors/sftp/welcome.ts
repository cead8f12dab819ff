/** A connection that somebody has logged in over: sessions of the subsystem `sftp`, and nothing else. */
import type { Socket } from "node:net";
import { formatDuration } from "@tributary/shared/units.ts";
import type { Connection, ServerChannel } from "ssh2";
import type { Account } from "../../identity/account.ts";
import { takesPackets, type Valve } from "./valve.ts";
import type { SftpChannel, SshParts } from "./visitor.ts";

/** What a connection goes over. */
export interface Line {
  readonly socket: Socket;
  readonly address: string;
  readonly valve: Valve;
}

/** Sessions that one connection may open one after the other: the library remembers each of them. */
const MOST_SESSIONS = 1000;
/** A connection that has logged in and has no session. */
const UNUSED_MS = 60_000;
/** Between what somebody is told and the end of the connection. */
const LAST_WORDS_MS = 200;
/** After the end was said: who does not hear it is cut off. */
const LINGER_MS = 1000;

/** Somebody who has logged in, and how. */
export interface Known {
  readonly account: Account;
  readonly method: string;
  /** What the client calls itself. */
  readonly program: string;
}

/** Why the connection ends, where that is not the client's wish. */
export interface Ending {
  why?: string;
}

export function welcome(
  parts: SshParts,
  connection: Connection,
  { socket, address, valve }: Line,
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
