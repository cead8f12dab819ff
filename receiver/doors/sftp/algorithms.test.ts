import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { ALGORITHMS } from "./algorithms.ts";
import { loadSsh2 } from "./library.ts";

test("nothing of yesterday is offered", () => {
  const all = Object.values(ALGORITHMS).flat().join(" ");
  expect(all).not.toMatch(/sha1|cbc|3des|arcfour|md5|ssh-rsa|ssh-dss|group1-|group-exchange|zlib/);
});

test("a server takes the lists, and a client that knows only one of each gets in", async () => {
  const { ssh2 } = await loadSsh2("/unused/in/a/checkout");
  const { privateKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "sec1", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  const server = new ssh2.Server({ hostKeys: [privateKey], algorithms: ALGORITHMS }, (client) => {
    client.on("authentication", (context) => context.accept());
    client.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const choices = [
    ...ALGORITHMS.kex.map((kex) => ({ kex: [kex] })),
    ...ALGORITHMS.cipher.map((cipher) => ({ cipher: [cipher] })),
    ...ALGORITHMS.hmac.map((hmac) => ({ hmac: [hmac], cipher: ["aes128-ctr" as const] })),
  ];
  try {
    for (const algorithms of choices) {
      const client = new ssh2.Client();
      client.connect({ host: "127.0.0.1", port, username: "u", password: "p", algorithms });
      await once(client, "ready");
      client.end();
      await once(client, "close");
    }
  } finally {
    server.close();
  }
});
