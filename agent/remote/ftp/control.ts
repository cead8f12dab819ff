/** The library's control connection, with whole lines, whole replies, and a certificate that can be explained. */
import type { Socket } from "node:net";
import {
  type ConnectionOptions,
  checkServerIdentity,
  connect as connectTls,
  type PeerCertificate,
  type TLSSocket,
} from "node:tls";
import { FTPContext, type FTPResponse } from "./library.ts";

/** A line that is cut between two packets would be taken for two: "213 12" and "3456" for a size of 12. */
export class Control extends FTPContext {
  #begun = "";

  protected override _onControlSocketData(chunk: string): void {
    const text = this.#begun + chunk;
    const end = text.lastIndexOf("\n") + 1;
    this.#begun = text.slice(end);
    if (this.#begun.length > 65_536) this.closeWithError(new Error("a line of the server has no end"));
    else if (end > 0) super._onControlSocketData(text.slice(0, end));
  }

  /** An error of the data connection does not end this one: the server's own words for it are on their way. */
  protected override _setupDefaultErrorHandlers(socket: Socket, identifier: string): void {
    if (identifier === "data socket") socket.on("error", () => undefined);
    else super._setupDefaultErrorHandlers(socket, identifier);
  }

  /** Sends it, and gives the one reply that ends it; replies of 400 and more are thrown, as `FTPError`. Undefined: only waits. */
  ask(command: string | undefined): Promise<FTPResponse> {
    return this.handle(command, (reply, task) => {
      if (reply instanceof Error) task.reject(reply);
      else if (reply.code >= 200) task.resolve(reply);
    });
  }

  /** From now on encrypted: on the connection that there is. Nothing that came before counts any more. */
  async encrypt(options: ConnectionOptions): Promise<void> {
    const encrypted = connectTls({ ...options, socket: this.socket, rejectUnauthorized: false });
    await proven(encrypted, options.host ?? "");
    this.#begun = "";
    this.socket = encrypted;
    this.tlsOptions = options;
  }

  /** Encrypted from the first byte. */
  async connectEncrypted(host: string, port: number, options: ConnectionOptions): Promise<void> {
    const encrypted = connectTls({ ...options, host, port, rejectUnauthorized: false });
    encrypted.setNoDelay(true);
    this.socket = encrypted;
    // Before the greeting can come: one that nobody waits for is lost.
    const greeting = this.ask(undefined);
    greeting.catch(() => undefined);
    await proven(encrypted, options.host ?? "");
    // Data connections are made with these, and are refused by Node itself where they prove nothing.
    this.tlsOptions = options;
    await greeting;
  }
}

/** What the server shows is not what it should be. */
export class NotProven extends Error {}

/** Judged here and not by Node, which would close it before its issuer could be named; nothing has been sent yet. */
async function proven(socket: TLSSocket, name: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", resolve).once("error", reject);
    socket.once("close", () => reject(new Error("the connection was closed while TLS was agreed on")));
  });
  if (socket.authorized) return;
  const certificate = socket.getPeerCertificate();
  const code = String(socket.authorizationError);
  const reason =
    code === "ERR_TLS_CERT_ALTNAME_INVALID" ? checkServerIdentity(name, certificate)?.message : code;
  socket.destroy();
  throw new NotProven(
    `its certificate is not trusted (${reason}); it was issued by "${issuerOf(certificate)}"`,
  );
}

function issuerOf({ issuer }: Partial<PeerCertificate>): string {
  const names = [issuer?.CN, issuer?.O].flat().filter((name) => name !== undefined);
  return names[0] ?? "nobody who is named";
}
