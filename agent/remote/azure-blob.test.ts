import { expect, onTestFinished, test } from "vitest";
import { accountSas, azure } from "@tributary/test/servers/azure-requests.ts";
import { type Azurite, startAzurite } from "@tributary/test/servers/azurite.ts";
import { startProxy } from "@tributary/test/network/proxy.ts";
import { pathForUrl } from "@tributary/shared/path.ts";
import { azureBlob } from "./azure-blob.ts";
import type { Entry, Remote } from "./remote.ts";
import { remoteContract, type Yard } from "./remote.contract.ts";

const hour = (): Date => new Date(Date.now() + 3_600_000);

async function put(azurite: Azurite, path: string, body: Buffer, headers = {}): Promise<void> {
  const { status, body: said } = await azure(azurite, {
    path,
    method: "PUT",
    headers: { "x-ms-blob-type": "BlockBlob", ...headers },
    body,
  });
  if (status !== 201) throw new Error(`${path}: ${status} ${said}`);
}

async function box(azurite: Azurite, name = "box"): Promise<void> {
  const made = await azure(azurite, { path: `/${name}`, method: "PUT", query: { restype: "container" } });
  expect(made.status).toBe(201);
}

function connect(azurite: Azurite, port: number, settings: object, secret: () => string): Promise<Remote> {
  return azureBlob.connect(
    azureBlob.settings.parse({
      name: "clouds",
      kind: "azure-blob",
      account: azurite.account,
      container: "box",
      endpoint: `http://127.0.0.1:${port}/${azurite.account}`,
      ...settings,
    }),
    { secrets: { read: async () => secret() }, parallel: 4, warn: () => {} },
  );
}

async function yardOf(settings: object, secret: (azurite: Azurite) => string, prefix: string): Promise<Yard> {
  const azurite = await startAzurite();
  await box(azurite);
  const target = { host: "127.0.0.1", port: azurite.port };
  const proxy = await startProxy({ target });
  const at = (path: Buffer): string => `/box/${pathForUrl(Buffer.concat([Buffer.from(prefix), path]))}`;
  return {
    connect: () => connect(azurite, proxy.port, { ...settings, prefix }, () => secret(azurite)),
    root: prefix.replace(/\/$/, ""),
    write: (path, bytes) => put(azurite, at(path), bytes),
    async remove(path) {
      expect((await azure(azurite, { path: at(path), method: "DELETE" })).status).toBe(202);
    },
    async paths() {
      const query = { restype: "container", comp: "list" };
      const { body } = await azure(azurite, { path: "/box", query });
      const names = [...body.matchAll(/<Name>([^<]*)<\/Name>/g)].map(([, name]) => name as string);
      return names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
    },
    async away() {
      proxy.set({ refuse: true });
      proxy.dropAll();
      return async () => proxy.set({});
    },
    async cut() {
      proxy.dropAll();
    },
    folders: false,
    anyBytes: false,
    backslashes: false,
    async close() {
      await proxy.stop();
      await azurite.stop();
    },
  };
}

remoteContract("a container of Azure, with the account's key", () =>
  yardOf({ accountKey: { secret: "key" } }, ({ key }) => key, ""),
);
remoteContract("a container of Azure, with a SAS, below a prefix", () =>
  yardOf({ sas: { env: "SAS" } }, (azurite) => `?${accountSas(azurite, "rlwdc", hour())}`, "to/us/"),
);
