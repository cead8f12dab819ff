import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { openLine, secureContext } from "./line.ts";

test.for([
  ["me:100%", "me:100%"],
  ["me:a%40b%", "me:a@b%"],
  ["me:%C3%A4%zz", "me:ä%zz"],
])("the password of a proxy may hold a bare %%: %s", async ([typed, sent]) => {
  let seen: string | undefined;
  const proxy = createServer();
  proxy.on("connect", (request, socket) => {
    seen = request.headers["proxy-authorization"];
    socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
  });
  const port = await new Promise<number>((resolve) =>
    proxy.listen(0, "127.0.0.1", () => resolve((proxy.address() as AddressInfo).port)),
  );
  try {
    const way = {
      url: new URL("https://receiver.example.com"),
      proxy: new URL(`http://${typed}@127.0.0.1:${port}`),
    };
    await expect(openLine(way, secureContext([]))).rejects.toThrow(/the proxy answered 407/);
    expect(Buffer.from(seen?.slice("Basic ".length) ?? "", "base64").toString()).toBe(sent);
  } finally {
    proxy.close();
  }
});
