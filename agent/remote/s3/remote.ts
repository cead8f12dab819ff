/** A bucket as a remote. Every look lists everything: what is written late, with whatever time, is found. */

import { lastSegment } from "../../source/bytes.ts";
import type { RemoteTools } from "../kind.ts";
import { type Remote, RemoteError } from "../remote.ts";
import { openBucket, type S3Options } from "./bucket.ts";
import { exactlyIn } from "./exactly.ts";
import { openObject } from "./file.ts";
import { gone, head } from "./head.ts";
import { GetBucketVersioningCommand } from "./library.ts";
import { keyOf, namelessOnce } from "./names.ts";
import { inNameOrder } from "./order.ts";
import { objectPages } from "./pages.ts";
import type { S3Settings } from "./settings.ts";
import { openTags } from "./state.ts";
import { anyVersion, chainOf, entryOf, versionPages } from "./versions.ts";

/** `settings.prefix` is empty or ends with a slash. Nothing is asked yet. */
export function connectS3(
  settings: S3Settings,
  tools: RemoteTools,
  options: S3Options & { readonly pieces?: { readonly single: number; readonly piece: number } } = {},
): Remote {
  const bucket = openBucket(settings, tools, options);
  const tags = openTags();
  warnOfPlainText(settings, tools);
  let asked: Promise<boolean> | undefined;

  async function askVersions(): Promise<boolean> {
    if (settings.versions !== undefined) return settings.versions;
    // Google's S3 interface says that it keeps versions, and cannot list them.
    if (settings.endpoint !== undefined && /(^|\.)googleapis\.com$/.test(new URL(settings.endpoint).hostname))
      return false;
    try {
      const { Status } = await bucket.ask({ doing: "list" }, (client) =>
        client.send(new GetBucketVersioningCommand({ Bucket: bucket.name })),
      );
      // Suspended: what was kept until then is kept.
      return Status === "Enabled" || Status === "Suspended";
    } catch (error) {
      // Whatever is wrong with the whole place is told in the words of a listing.
      await bucket.any(bucket.prefix);
      if (!(error instanceof RemoteError) || error.retryAfter !== undefined) throw error;
      tools.warn(
        `whether the bucket ${bucket.name} keeps versions is not told (it needs s3:GetBucketVersioning): only the newest of each object is captured; say \`versions: true\` or \`versions: false\``,
      );
      return false;
    }
  }

  function versioned(): Promise<boolean> {
    if (asked !== undefined) return asked;
    const asking = askVersions();
    asked = asking;
    asking.catch(() => {
      if (asked === asking) asked = undefined;
    });
    return asking;
  }

  return {
    tells: { hostTimes: false, coarseMs: 0, staleMs: 0, contentIds: true },
    ordered: true,

    async *list(folder, signal) {
      const base = keyOf(bucket.prefix, folder);
      if (base === undefined) return;
      const below = folder.length === 0 ? base : `${base}/`;
      const all = await versioned();
      const pages = all
        ? versionPages(bucket, below, tags, signal)
        : objectPages(bucket, below, tags, signal);
      const hasFolder = async (name: Buffer): Promise<boolean> => {
        const prefix = keyOf(below, name);
        if (prefix === undefined) return false;
        return all ? await anyVersion(bucket, `${prefix}/`, signal) : await bucket.any(`${prefix}/`, signal);
      };
      yield* inNameOrder(namelessOnce(pages), hasFolder);
    },

    async look(path) {
      const key = keyOf(bucket.prefix, path);
      const name = lastSegment(path);
      if (key === undefined) return undefined;
      const all = await versioned();
      if (path.length === 0) {
        await bucket.any(key);
        return { kind: "folder", name };
      }
      if (all) {
        const chain = await chainOf(bucket, key);
        // At its end, too: what was before it is brought on without a listing of all.
        if (chain.some(({ end }) => !end)) return entryOf(name, chain, bucket, tags);
      } else {
        const now = await head(bucket, key, false);
        const held = now?.archived;
        if (now !== undefined)
          return { kind: "file", name, state: tags.keep(now), ...(held === undefined ? {} : { held }) };
      }
      return (await bucket.any(`${key}/`)) ? { kind: "folder", name } : undefined;
    },

    async open(path, state) {
      const key = keyOf(bucket.prefix, path);
      if (key === undefined) throw new RemoteError("absent", "no object has a name that is not UTF-8");
      const tag = tags.of(state);
      if (tag !== undefined) return openObject(bucket, key, { state, tag });
      if (!(await versioned())) {
        const now = await head(bucket, key, false);
        if (now === undefined) throw await gone(bucket, key);
        return openObject(bucket, key, now);
      }
      const chain = await chainOf(bucket, key);
      const found =
        state.fileId === undefined
          ? chain[0]
          : chain.find((one) => !one.end && one.state.fileId === state.fileId);
      if (found?.end === false) return openObject(bucket, key, found);
      if (chain[0]?.end !== false) throw await gone(bucket, key);
      throw new RemoteError("changed", "the bucket does not keep this version any more");
    },

    async identity() {
      await bucket.any(bucket.prefix);
      return bucket.identity;
    },

    exactly: exactlyIn(bucket, versioned, options.pieces),

    async [Symbol.asyncDispose]() {
      bucket.close();
    },
  };
}

function warnOfPlainText({ endpoint, bucket }: S3Settings, { warn }: RemoteTools): void {
  if (endpoint === undefined) return;
  const { protocol, hostname } = new URL(endpoint);
  if (protocol !== "http:" || /^(127\.|localhost$|\[::1\]$)/.test(hostname)) return;
  warn(
    `the bucket ${bucket} is read without encryption (${protocol}//${hostname}): everybody on the way can read its files, and change them; use https`,
  );
}
