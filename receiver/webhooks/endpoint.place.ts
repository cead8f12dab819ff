/** For tests: an endpoint on loopback that behaves as it is told, and remembers what came. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { onTestFinished } from "vitest";

export interface Got {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The body's entry. */
  readonly path: string;
}

export interface Endpoint {
  readonly port: number;
  readonly url: string;
  readonly got: Got[];
  /** Answers from now on. */
  answer: (response: ServerResponse, got: Got) => void;
  connections(): number;
  close(): Promise<void>;
}

export const status =
  (code: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse): void =>
    void response.writeHead(code, headers).end();

/** Closed when the test has finished. */
export async function startEndpoint(
  tls?: { readonly cert: string; readonly key: string },
  onPort = 0,
): Promise<Endpoint> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = tls ? createTlsServer(tls) : createServer();
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = Buffer.concat(await request.toArray()).toString();
    const data = (JSON.parse(body || "{}") as { data?: { path?: string } }).data;
    const got = { headers: request.headers, body, path: data?.path ?? "" };
    endpoint.got.push(got);
    endpoint.answer(response, got);
  };
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    take(request, response).catch(() => response.destroy());
  });
  server.on("connection", (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((listening) => server.listen(onPort, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  const endpoint: Endpoint = {
    port,
    url: `${tls ? "https" : "http"}://127.0.0.1:${port}/hook`,
    got: [],
    answer: status(204),
    connections: () => connections,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
  onTestFinished(endpoint.close);
  return endpoint;
}
