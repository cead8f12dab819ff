/** The way to a bucket from inside a company: its proxy, and an authority of its own. */
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { rootCertificates, setDefaultCACertificates } from "node:tls";
import { makeTestAuthority, type TestAuthority } from "@tributary/test/network/authority.ts";
import { startConnectProxy } from "@tributary/test/network/connect-proxy.ts";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { trustByDefault } from "../../identity/trust.ts";
import type { Remote } from "../remote.ts";
import { s3 } from "../s3.ts";
import { connectS3 } from "./remote.ts";

const EMPTY = `<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`;

let authority: TestAuthority;
let server: Server;
const opened: Remote[] = [];

beforeEach(async () => {
  authority = await makeTestAuthority("The company's own authority");
  server = createServer(await authority.issue(["localhost"]), (_request, response) => response.end(EMPTY));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(async () => {
  for (const remote of opened.splice(0)) await remote[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
  vi.unstubAllEnvs();
  setDefaultCACertificates([...rootCertificates]);
});

function bucket(): Remote {
  const { port } = server.address() as AddressInfo;
  const settings = s3.settings.parse({
    ...{ name: "cloud", kind: "s3", bucket: "b", versions: false, endpoint: `https://localhost:${port}` },
    ...{ accessKeyId: "id", secretAccessKey: { env: "SECRET" } },
  });
  const tools = { secrets: { read: async () => "secret" }, parallel: 1, warn: () => undefined };
  const remote = connectS3(settings, tools);
  opened.push(remote);
  return remote;
}

test("a server of the company's own authority is trusted where tls.ca names it, and nowhere else", async () => {
  trustByDefault(undefined);
  await expect(bucket().identity()).rejects.toMatchObject({
    failure: "away",
    message: expect.stringMatching(
      /certificate of its server is not trusted \([A-Z_]+\).*tls: \{ ca: FILE \}/,
    ),
  });
  trustByDefault(authority.cert);
  expect(await bucket().identity()).toMatch(/^s3:\/\/localhost:\d+\/b\//);
});

test("through the proxy of the environment, unless NO_PROXY names the server", async () => {
  trustByDefault(authority.cert);
  const proxy = await startConnectProxy();
  try {
    vi.stubEnv("HTTPS_PROXY", `http://127.0.0.1:${proxy.port}`);
    await bucket().identity();
    expect(proxy.targets).toEqual([`localhost:${(server.address() as AddressInfo).port}`]);
    vi.stubEnv("NO_PROXY", "localhost");
    await bucket().identity();
    expect(proxy.targets).toHaveLength(1);
  } finally {
    proxy.stop();
  }
});
