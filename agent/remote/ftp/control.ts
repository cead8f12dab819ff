/** The library's control connection, with whole lines, whole replies, and a certificate that can be explained. */
import {
  type ConnectionOptions,
  connect as connectTls,
  type PeerCertificate,
  type TLSSocket,
} from "node:tls";
import { FTPContext, type FTPResponse } from "basic-ftp";

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
    await proven(encrypted);
    this.#begun = "";
    this.socket = encrypted;
    this.tlsOptions = options;
  }

  /** Encrypted from the first byte. */
  async connectEncrypted(host: string, port: number, options: ConnectionOptions): Promise<void> {
    const encrypted = connectTls({ ...options, host, port, rejectUnauthorized: false });
    this.socket = encrypted;
    // Before the greeting can come: one that nobody waits for is lost.
    const greeting = this.ask(undefined);
    greeting.catch(() => undefined);
    await proven(encrypted);
    // Data connections are made with these, and are refused by Node itself where they prove nothing.
    this.tlsOptions = options;
    await greeting;
  }
}

/** What the server shows is not what it should be. */
export class NotProven extends Error {}

/** Judged here and not by Node, which would close it before its issuer could be named; nothing has been sent yet. */
async function proven(socket: TLSSocket): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", resolve).once("error", reject);
    socket.once("close", () => reject(new Error("the connection was closed while TLS was agreed on")));
  });
  if (socket.authorized) return;
  const reason = socket.authorizationError as Error | string | undefined;
  const issuer = issuerOf(socket.getPeerCertificate());
  socket.destroy();
  throw new NotProven(
    `its certificate is not trusted (${reason instanceof Error ? reason.message : reason}); it was issued by "${issuer}"`,
  );
}

function issuerOf({ issuer }: Partial<PeerCertificate>): string {
  const names = [issuer?.CN, issuer?.O].flat().filter((name) => name !== undefined);
  return names[0] ?? "nobody who is named";
}
