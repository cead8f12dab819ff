/** A container on Azurite, behind a line that counts. */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathForUrl } from "@tributary/shared/path.ts";
import { startProxy } from "../network/proxy.ts";
import { type AzureAnswer, type AzureRequest, accountSas, azure } from "../servers/azure-requests.ts";
import { startAzurite } from "../servers/azurite.ts";
import type { Yard } from "./yard.ts";

const CONTAINER = "box";

/** `own`: a folder of the host, for what its administrator puts into files. */
export async function azureYard(own: string): Promise<Yard> {
  const azurite = await startAzurite();
  const line = await startProxy({ target: { host: "127.0.0.1", port: azurite.port } });
  const [file, sas] = [join(own, "azure-key"), join(own, "azure-sas")];
  await writeFile(file, azurite.key, { mode: 0o600 });
  const at = (path: string | Buffer): string => `/${CONTAINER}/${pathForUrl(Buffer.from(path))}`;
  async function ask(request: AzureRequest): Promise<AzureAnswer> {
    const answer = await azure(azurite, request);
    if (answer.status >= 300) throw new Error(`${request.path}: ${answer.status} ${answer.body}`);
    return answer;
  }
  const tier = (path: string, name: "Archive" | "Hot"): Promise<AzureAnswer> =>
    ask({ path: at(path), method: "PUT", query: { comp: "tier" }, headers: { "x-ms-access-tier": name } });
  const permit = async (letters: string): Promise<void> =>
    await writeFile(sas, accountSas(azurite, letters, new Date(Date.now() + 3_600_000)), { mode: 0o600 });
  await ask({ path: `/${CONTAINER}`, method: "PUT", query: { restype: "container" } });

  const yard: Yard = {
    kind: "azure-blob",
    anyBytes: false,
    lineBreaks: false,
    source: (folder, credential = { file }) => ({
      kind: "azure-blob",
      account: azurite.account,
      container: CONTAINER,
      prefix: `${folder}/`,
      endpoint: `http://127.0.0.1:${line.port}/${azurite.account}`,
      accountKey: credential,
    }),
    async write(path, body) {
      await ask({ path: at(path), method: "PUT", headers: { "x-ms-blob-type": "BlockBlob" }, body });
    },
    async rename(from, to) {
      const source = `${azurite.endpoint}${at(from)}`;
      await ask({ path: at(to), method: "PUT", headers: { "x-ms-copy-source": source } });
      await yard.remove(from);
    },
    remove: async (path) => void (await ask({ path: at(path), method: "DELETE" })),
    async paths(folder) {
      const query = { restype: "container", comp: "list", prefix: `${folder}/` };
      const { body } = await ask({ path: `/${CONTAINER}`, query });
      const names = [...body.matchAll(/<Name>([^<]*)<\/Name>/g)].map(([, name]) => name as string);
      return names.map((name) => name.slice(folder.length + 1)).toSorted();
    },
    modified: async (path) =>
      Date.parse((await ask({ path: at(path), method: "HEAD" })).headers["last-modified"] as string),
    async away() {
      line.set({ refuse: true });
      line.dropAll();
      return async () => line.set({});
    },
    // No permission of a container is for one blob; but one that is archived gives no bytes.
    async deny(path) {
      await tier(path, "Archive");
      return async () => void (await tier(path, "Hot"));
    },
    async closed() {
      await permit("rl");
      return { settings: { accountKey: undefined, sas: { file: sas } }, open: () => permit("rld") };
    },
    login: {
      secret: () => azurite.key,
      async change() {
        await azurite.setKey(randomBytes(64).toString("base64"));
        await writeFile(file, azurite.key, { mode: 0o600 });
      },
    },
    received: () => line.bytes.down,
    async stop() {
      await line.stop();
      await azurite.stop();
    },
  };
  return yard;
}
