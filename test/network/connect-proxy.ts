import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

export interface ConnectProxy {
  readonly port: number;
  /** What it was asked to connect to, `host:port`. */
  readonly targets: readonly string[];
  stop(): void;
}

/** An HTTP proxy on 127.0.0.1 that only knows CONNECT. With `authorization` it lets nobody else through. */
export async function startConnectProxy(authorization?: string): Promise<ConnectProxy> {
  const targets: string[] = [];
  const server = createServer();
  server.on("connect", (request, socket: Socket) => {
    targets.push(String(request.url));
    if (authorization !== undefined && request.headers["proxy-authorization"] !== authorization) {
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
      return;
    }
    const { hostname, port } = new URL(`http://${request.url}`);
    const onward = connect(Number(port), hostname, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.pipe(socket).pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    targets,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
