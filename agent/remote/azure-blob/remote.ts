/** A container as a remote. Everything of this kind that takes a library begins here. */
import { pathFault } from "@tributary/shared/path.ts";
import type { RemoteTools } from "../kind.ts";
import { type Entry, type Remote, RemoteError } from "../remote.ts";
import { type Access, openAccess } from "./access.ts";
import { exactlyFor } from "./acting.ts";
import { Etags } from "./etags.ts";
import * as sdk from "./library.ts";
import { entryOf, isFolder, listFolder, pageOf, stateOf } from "./listing.ts";
import { textOf } from "./names.ts";
import type { BlobFacts } from "./page.ts";
import { openBlob } from "./reading.ts";
import type { AzureBlobSettings } from "./settings.ts";

export function connectAzureBlob(settings: AzureBlobSettings, tools: Pick<RemoteTools, "secrets">): Remote {
  return remoteOf(openAccess(sdk, settings, tools), settings.prefix);
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
    tells: { hostTimes: false, coarseMs: 0, staleMs: 0, contentIds: true },
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
