/** Containers of Azure Blob Storage. Blobs appear whole, and an ETag tells each change. */
import { type AzureBlobSettings, azureBlobSettings, endpointOf, whereIs } from "./azure-blob/settings.ts";
import type { Kind, RemoteTools } from "./kind.ts";

export const azureBlob: Kind<AzureBlobSettings> = {
  name: "azure-blob",
  settings: azureBlobSettings,
  where: whereIs,
  address(settings) {
    const { hostname, port, protocol } = new URL(endpointOf(settings));
    return { host: hostname, port: Number(port || (protocol === "https:" ? 443 : 80)) };
  },
  certified: (settings) => !endpointOf(settings).startsWith("http:"),
  root: ({ prefix }) => prefix.replace(/\/$/, ""),
  async connect(settings, tools) {
    tellOnce(settings, tools);
    const { connectAzureBlob } = await import("./azure-blob/remote.ts");
    return connectAzureBlob(settings, tools);
  },
};

function tellOnce(settings: AzureBlobSettings, { warn }: Pick<RemoteTools, "warn">): void {
  const { protocol, hostname } = new URL(endpointOf(settings));
  if (protocol === "http:" && !["127.0.0.1", "localhost", "[::1]"].includes(hostname))
    warn(`${whereIs(settings)} is reached without encryption: give an endpoint that begins with https://`);
  if (settings.sas !== undefined && settings.after.startsWith("move:"))
    warn(
      `${whereIs(settings)}: a blob that was moved with a SAS says in its properties where it was copied from, the SAS included: use accountKey or managedIdentity where others read the container`,
    );
}
