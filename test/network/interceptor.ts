import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { makeTestAuthority } from "./authority.ts";

export interface Interceptor {
  readonly port: number;
  /** Request paths, in the order in which they came. */
  readonly asked: readonly string[];
  /** What it makes of an answer's body; nothing is changed without. */
  change: (path: string, body: Buffer) => Buffer;
  stop(): Promise<void>;
}

/** Stands between with a certificate of its own, reads everything and answers what it likes. */
export async function startInterceptor(target: { readonly port: number }): Promise<Interceptor> {
  const authority = await makeTestAuthority("somebody in between");
  const asked: string[] = [];
  const pass = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const path = incoming.url ?? "/";
    asked.push(path);
    try {
      const sent = request({
        host: "127.0.0.1",
        port: target.port,
        path,
        method: incoming.method,
        rejectUnauthorized: false,
      });
      sent.end(await buffer(incoming));
      const [answer] = await once(sent, "response");
      const body = interceptor.change(path, await buffer(answer));
      outgoing.writeHead(answer.statusCode, { "content-length": body.length }).end(body);
    } catch {
      outgoing.destroy();
    }
  };
  const server = createServer(await authority.issue(["127.0.0.1"]), (incoming, outgoing) => {
    void pass(incoming, outgoing);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const interceptor: Interceptor = {
    port: (server.address() as AddressInfo).port,
    asked,
    change: (_path, body) => body,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
  return interceptor;
}
