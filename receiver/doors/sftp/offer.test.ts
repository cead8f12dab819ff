import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { ALGORITHMS } from "./algorithms.ts";
import { loadSsh2 } from "./library.ts";
import { offerGcmToOpenSsh } from "./offer.ts";

const { privateKey } = generateKeyPairSync("ec", {
  namedCurve: "P-256",
  privateKeyEncoding: { type: "sec1", format: "pem" },
  publicKeyEncoding: { type: "spki", format: "pem" },
});

test.for([
  ["OpenSSH_9.2p1", "aes128-gcm@openssh.com"],
  ["WinSCP_release_6.5", "aes128-ctr"],
])("%s, which prefers AES-CTR, gets %s", async ([software = "", expected]) => {
  const { ssh2 } = await loadSsh2("/unused/in/a/checkout");
  const server = new ssh2.Server({ hostKeys: [privateKey], algorithms: ALGORITHMS }, (client, info) => {
    offerGcmToOpenSsh(client, info.header.versions.software);
    client.on("authentication", (context) => context.accept());
    client.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = new ssh2.Client();
  try {
    const { port } = server.address() as AddressInfo;
    const algorithms = { cipher: ["aes128-ctr" as const, "aes128-gcm@openssh.com" as const] };
    client.connect({ host: "127.0.0.1", port, username: "u", password: "p", ident: software, algorithms });
    const [{ cs, sc }] = await once(client, "handshake");
    expect([cs.cipher, sc.cipher]).toEqual([expected, expected]);
    // What is offered again when keys are renewed.
    await once(client, "ready");
    const renewed = once(client, "handshake");
    (client as unknown as { _protocol: { rekey(): void } })._protocol.rekey();
    expect((await renewed)[0].cs.cipher).toBe(expected);
  } finally {
    client.end();
    server.close();
  }
});
