/** Containers of Azure Blob Storage. Blobs appear whole, and an ETag tells each change. */
import { pathFault } from "@tributary/shared/path.ts";
import { type Access, openAccess } from "./azure-blob/access.ts";
import { exactlyFor } from "./azure-blob/acting.ts";
import { Etags } from "./azure-blob/etags.ts";
import { entryOf, isFolder, listFolder, pageOf, stateOf } from "./azure-blob/listing.ts";
import { textOf } from "./azure-blob/names.ts";
import type { BlobFacts } from "./azure-blob/page.ts";
import { openBlob } from "./azure-blob/reading.ts";
import { type AzureBlobSettings, azureBlobSettings, endpointOf, whereIs } from "./azure-blob/settings.ts";
import type { Kind, RemoteTools } from "./kind.ts";
import { type Entry, type Remote, RemoteError } from "./remote.ts";

export const azureBlob: Kind<AzureBlobSettings> = {
  name: "azure-blob",
  settings: azureBlobSettings,
  where: whereIs,
  address(settings) {
    const { hostname, port, protocol } = new URL(endpointOf(settings));
    return { host: hostname, port: Number(port || (protocol === "https:" ? 443 : 80)) };
  },
  root: ({ prefix }) => prefix.replace(/\/$/, ""),
  async connect(settings, tools) {
    tellOnce(settings, tools);
    return remoteOf(openAccess(await import("@azure/storage-blob"), settings, tools), settings.prefix);
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

/** What is the same whatever lets us in. */
export function remoteOf(access: Access, prefix: string): Remote {
  const etags = new Etags();
  const whole = (path: Buffer): Buffer => Buffer.concat([Buffer.from(prefix), path]);

  /** Undefined: nothing is called so. */
  async function properties(path: Buffer): Promise<BlobFacts | undefined> {
    if (pathFault(path) !== undefined || textOf(path) === undefined) return undefined;
    const what = `looking at ${JSON.stringify(String(whole(path)))}`;
    const facts: BlobFacts | undefined = await access
      .ask({ what, right: "r" }, (place, abortSignal) =>
        place.blob(whole(path)).getProperties({ abortSignal }),
      )
      .catch((error: unknown) => {
        if (error instanceof RemoteError && error.failure === "absent") return undefined;
        throw error;
      });
    if (facts?.etag !== undefined) etags.keep(facts.etag);
    return facts;
  }

  async function again(path: Buffer) {
    const facts = await properties(path);
    return facts === undefined || isFolder(facts) ? undefined : stateOf(facts);
  }

  async function isThere(folder: string): Promise<boolean> {
    const what = `listing ${JSON.stringify(folder)}`;
    // Answers may be empty, and say that there is more.
    for (let token: string | undefined, first = true; first || token !== undefined; first = false) {
      const from = token;
      const page = await access.ask({ what, right: "l" }, (place, signal) =>
        pageOf(place, folder, 1, from, signal),
      );
      if (page.blobs.length + page.prefixes.length > 0) return true;
      token = page.token;
    }
    return false;
  }

  async function look(path: Buffer): Promise<Entry | undefined> {
    const name = path.subarray(path.lastIndexOf("/") + 1);
    if (path.length === 0) {
      await isThere(prefix);
      return { kind: "folder", name };
    }
    const facts = await properties(path);
    if (facts !== undefined) return isFolder(facts) ? { kind: "folder", name } : entryOf(name, facts);
    const text = textOf(path);
    if (text === undefined || pathFault(path) !== undefined) return undefined;
    return (await isThere(`${prefix}${text}/`)) ? { kind: "folder", name } : undefined;
  }

  return {
    tells: { hostTimes: false, coarseMs: 0, contentIds: true },
    // A folder `a` stands among names as `a/`, so after `a-b`.
    ordered: false,
    list: (folder, signal) => listFolder(access, prefix, folder, etags, signal),
    look,
    async open(path, state) {
      const known = etags.of(state.fileId);
      const now = known === undefined ? await look(path) : { kind: "file" as const, state };
      if (now?.kind === "refused")
        throw new RemoteError("failed", `reading ${JSON.stringify(String(path))}: ${now.reason}`);
      const etag = now?.kind === "file" ? etags.of(now.state.fileId) : undefined;
      if (now?.kind !== "file" || etag === undefined)
        throw new RemoteError("absent", `reading ${JSON.stringify(String(path))}: it is not there`);
      return openBlob(access, whole(path), now.state, etag, () => again(path));
    },
    async identity() {
      await isThere(prefix);
      return access.where;
    },
    exactly: exactlyFor(access, prefix, etags),
    async [Symbol.asyncDispose]() {},
  };
}
