import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startImds } from "@tributary/test/servers/imds.ts";
import { expect, onTestFinished, test } from "vitest";
import { managedIdentity } from "./managed-identity.ts";

const SCOPE = "https://storage.azure.com/.default";

async function imdsFor() {
  const imds = await startImds();
  onTestFinished(imds.stop);
  return imds;
}

/** The URL of a server that answers as it is told. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
}
const give = (response: ServerResponse, body: object, status = 200, headers = {}): void => {
  response.writeHead(status, headers).end(JSON.stringify(body));
};

test("a token is kept until it is near its end, and asked for once however many wait", async () => {
  const imds = await imdsFor();
  const identity = managedIdentity({ env: {}, imds: imds.endpoint });
  const [one, two] = await Promise.all([identity.getToken(SCOPE), identity.getToken(SCOPE)]);
  expect(one.token).toBe(two.token);
  expect(one.expiresOnTimestamp).toBeGreaterThan(Date.now() + 86_000_000);
  expect(imds.given).toBe(1);
  identity.forget();
  imds.lifetime = 1;
  await identity.getToken(SCOPE);
  await expect
    .poll(async () => {
      await identity.getToken(SCOPE);
      return imds.given;
    })
    .toBeGreaterThan(2);
});

test("no identity, an unknown one, and a service that is out of order are told apart", async () => {
  const imds = await imdsFor();
  const ask = (clientId?: string) =>
    managedIdentity({ env: {}, imds: imds.endpoint, clientId, pause: 1 }).getToken(SCOPE);
  imds.refuse = 400;
  await expect(ask()).rejects.toThrow(/no managed identity \(400: Identity not found\).*clientId/);
  await expect(ask("abc")).rejects.toThrow("no managed identity with the client id abc");
  imds.refuse = 429;
  await expect(ask()).rejects.toMatchObject({ failure: "away", message: expect.stringContaining("429") });
  await imds.stop();
  await expect(ask()).rejects.toThrow(/does not answer: is this a machine of Azure/);
});

test("what passes by itself is tried again", async () => {
  let times = 0;
  const endpoint = await serve((_, response) => {
    times += 1;
    if (times < 3) give(response, {}, 410);
    else give(response, { access_token: "t", expires_on: `${Math.floor(Date.now() / 1000) + 60}` });
  });
  const env = { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: "h" };
  expect(await managedIdentity({ env, pause: 1 }).getToken(SCOPE)).toMatchObject({ token: "t" });
});

test("App Service asks for its header, and names the identity by its client id", async () => {
  let asked: IncomingMessage | undefined;
  const endpoint = await serve((request, response) => {
    asked = request;
    give(response, { access_token: "t", expires_on: `${Math.floor(Date.now() / 1000) + 3600}` });
  });
  const env = { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: "sesame" };
  await managedIdentity({ env, clientId: "abc" }).getToken(SCOPE);
  expect(asked?.headers["x-identity-header"]).toBe("sesame");
  const { searchParams } = new URL(asked?.url ?? "", endpoint);
  expect(Object.fromEntries(searchParams)).toEqual({
    "api-version": "2019-08-01",
    resource: "https://storage.azure.com/",
    client_id: "abc",
  });
});

test("Azure Arc gives a token to who can read its key, and no other file is read for anybody", async () => {
  const arcKeys = await mkdtemp(join(tmpdir(), "arc-"));
  onTestFinished(() => rm(arcKeys, { recursive: true }));
  await writeFile(join(arcKeys, "1.key"), "proof");
  await writeFile(join(arcKeys, "long.key"), "x".repeat(5000));
  let realm = join(arcKeys, "1.key");
  const sent: (string | undefined)[] = [];
  const endpoint = await serve((request, response) => {
    sent.push(request.headers.authorization);
    if (request.headers.metadata !== "true") return give(response, {}, 400);
    if (request.headers.authorization === "Basic proof")
      return give(response, { access_token: "t", expires_in: "3600" });
    return give(response, {}, 401, { "www-authenticate": `Basic realm=${realm}` });
  });
  const env = { IDENTITY_ENDPOINT: endpoint, IMDS_ENDPOINT: "http://127.0.0.1:1" };
  const ask = (clientId?: string) => managedIdentity({ env, arcKeys, clientId }).getToken(SCOPE);
  expect(await ask()).toMatchObject({ token: "t" });
  for (const [file, says] of [
    ["/etc/shadow", "it is not read"],
    [`${arcKeys}/../1.key`, "it is not read"],
    [join(arcKeys, "1.txt"), "it is not read"],
    [join(arcKeys, "none.key"), "group himds"],
    [join(arcKeys, "long.key"), "too long"],
  ] as const) {
    realm = file;
    await expect(ask()).rejects.toThrow(says);
  }
  expect(sent.filter((one) => one !== undefined)).toEqual(["Basic proof"]);
  await expect(ask("abc")).rejects.toThrow("leave out managedIdentity.clientId");
});
