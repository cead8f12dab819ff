import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { makeTestAuthority } from "@tributary/test/network/authority.ts";
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

test("an https:// proxy is verified: by the system's authorities, or by the one that tls.ca names", async () => {
  const company = await makeTestAuthority("Company");
  const asked: (string | undefined)[] = [];
  const proxy = createSecureServer({ ...(await company.issue(["127.0.0.1"])) });
  proxy.on("connect", (request, socket) => {
    asked.push(request.url);
    socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
  });
  const port = await new Promise<number>((resolve) =>
    proxy.listen(0, "127.0.0.1", () => resolve((proxy.address() as AddressInfo).port)),
  );
  const way = (ca: string | undefined) => ({
    url: new URL("https://receiver.example.com"),
    proxy: new URL(`https://127.0.0.1:${port}`),
    ca,
  });
  try {
    await expect(openLine(way(undefined), secureContext([]))).rejects.toMatchObject({
      code: "receiver-untrusted",
      message: expect.stringMatching(
        /certificate of the proxy 127.0.0.1:\d+ is not trusted here.*tls: { ca: FILE }/,
      ),
    });
    expect(asked).toEqual([]);
    await expect(openLine(way(company.cert), secureContext([]))).rejects.toThrow(/the proxy answered 407/);
    expect(asked).toEqual(["receiver.example.com:443"]);
  } finally {
    proxy.close();
  }
});
