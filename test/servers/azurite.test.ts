import { expect, onTestFinished, test } from "vitest";
import { type AzureRequest, accountSas, azure } from "./azure-requests.ts";
import { type AzuriteOptions, startAzurite } from "./azurite.ts";
import { makeAzureToken, startImds } from "./imds.ts";

const resource = "https://storage.azure.com/";
const blob = { path: "/box/a%20b/%C3%BC" } as const;

test("a real blob service takes the account's key and a SAS, and keeps what it has over a restart", async () => {
  const azurite = await withBlob();
  const sas = accountSas(azurite, "rl", new Date(Date.now() + 3_600_000));
  expect(await azure(azurite, { ...blob, as: { sas } })).toMatchObject({ status: 200, body: "bytes" });
  const put = await azure(azurite, { ...blob, method: "DELETE", as: { sas } });
  expect(put.body).toContain("AuthorizationPermissionMismatch");
  const old = accountSas(azurite, "rl", new Date(Date.now() - 3_600_000));
  expect((await azure(azurite, { ...blob, as: { sas: old } })).status).toBe(403);
  expect((await azure({ ...azurite, key: "AAAA" }, blob)).status).toBe(403);
  const list = await azure(azurite, { path: "/box", query: { restype: "container", comp: "list" } });
  expect(list.body).toContain("<Name>a b/ü</Name>");
  await azurite.halt();
  await expect(azure(azurite, blob)).rejects.toThrow("ECONNREFUSED");
  await azurite.resume();
  expect((await azure(azurite, blob)).body).toBe("bytes");
});

test("a real blob service takes the tokens of a managed identity, over TLS, until they expire", async () => {
  const azurite = await withBlob({ tls: true });
  const imds = await startImds();
  onTestFinished(imds.stop);
  const path = `/metadata/identity/oauth2/token?api-version=2018-02-01&resource=${encodeURIComponent(resource)}`;
  expect((await fetch(`${imds.endpoint}${path}`)).status).toBe(400);
  const answer = await fetch(`${imds.endpoint}${path}`, { headers: { Metadata: "true" } });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  expect(await azure(azurite, { ...blob, as: { token } })).toMatchObject({ status: 200, body: "bytes" });
  const expired = makeAzureToken(resource, Math.floor(Date.now() / 1000) - 60);
  expect((await azure(azurite, { ...blob, as: { token: expired } })).body).toContain("expired");
  imds.refuse = 429;
  expect((await fetch(`${imds.endpoint}${path}`, { headers: { Metadata: "true" } })).status).toBe(429);
  await expect(azure({ ...azurite, authority: undefined }, blob)).rejects.toThrow("certificate");
});

async function withBlob(options?: AzuriteOptions) {
  const azurite = await startAzurite(options);
  onTestFinished(azurite.stop);
  const box: AzureRequest = { path: "/box", method: "PUT", query: { restype: "container" } };
  expect((await azure(azurite, box)).status).toBe(201);
  const headers = { "x-ms-blob-type": "BlockBlob" };
  expect((await azure(azurite, { ...blob, method: "PUT", headers, body: "bytes" })).status).toBe(201);
  return azurite;
}
