/** One SSH connection from its first line to its login; `welcome` has it from there on. */
import type { AuthContext, Connection } from "ssh2";
import { sendBanner } from "./banner.ts";
import { boundExchanges } from "./exchanges.ts";
import { type Attempt, attempt, METHODS, userOf } from "./login.ts";
import type { SshParts } from "./visitor.ts";
import { type Ending, type Known, type Line, welcome } from "./welcome.ts";

/** A connection before anybody is known to be there. */
export interface Guest extends Line {
  /** Ends the wait for a login. */
  readonly loggedIn: () => void;
}

/** Attempts of one connection to log in: passwords, and all of them; each costs a look into the ledger. */
const MOST = { passwords: 6, attempts: 50 } as const;
/** Known only of who has shown the right key or password: he may hear it, as nobody else may. */
const TOLD: readonly string[] = ["client-suspended"];

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
