/** A source as agent.yaml names it, opened: for `run`, which captures it, and for what only looks. */

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { SourceSettings } from "./config.ts";
import { isNear } from "./config.ts";
import { ignoredBy, type RealPath } from "./owner.ts";
import { bandwidthOf } from "./pace/bandwidth.ts";
import type { RemoteTools } from "./remote/kind.ts";
import { kindNamed } from "./remote/kinds.ts";
import { remoteSource } from "./remote/remote-source.ts";
import { type AfterRule, afterRule, remoteAfterRule } from "./source/after.ts";
import type { Disk } from "./source/disk.ts";
import { folderSource } from "./source/folder.ts";
import { movedBelow } from "./source/moved.ts";
import { paced } from "./source/paced.ts";
import type { Source } from "./source/source.ts";

export interface OpenTools {
  /** The agent's own folder: never captured. */
  readonly data: string;
  readonly secrets: RemoteTools["secrets"];
  readonly warn: (source: string, text: string) => void;
  readonly disk?: Disk;
  readonly realPath?: RealPath;
}

export interface OpenSource {
  readonly source: Source;
  /** What is done with its files after a receipt, on whole paths of the place. */
  readonly after: AfterRule | undefined;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Where a source lies, in words: a folder, an address. */
export function whereOf(settings: SourceSettings): string {
  return isNear(settings) ? settings.path : (kindNamed(settings.kind)?.where(settings) ?? settings.kind);
}

/** Loads what its kind needs; asks nothing of the place yet. */
export async function openSource(settings: SourceSettings, tools: OpenTools): Promise<OpenSource> {
  const { source, after } = isNear(settings)
    ? await openNear(settings, tools)
    : await openRemote(settings, tools);
  const ended = new AbortController();
  const rate = settings.bandwidth;
  return {
    source: rate === undefined ? source : paced(source, paceOf(rate), ended.signal),
    after,
    async [Symbol.asyncDispose]() {
      ended.abort(new Error("the source is closed"));
      await source.close?.();
    },
  };
}

async function openNear(
  settings: SourceSettings & { readonly kind: "folder" | "share" },
  { data, disk, realPath }: OpenTools,
): Promise<Pick<OpenSource, "source" | "after">> {
  const { name, path, include, exclude, crossMounts } = settings;
  const after = afterRule(settings.after, path);
  const own = [data, ...(after?.kind === "move" ? [after.to] : [])];
  const ignored = await ignoredBy(path, own, realPath);
  const share = settings.kind === "share" || settings.share;
  return { source: folderSource({ name, path, include, exclude, share, crossMounts, ignored }, disk), after };
}

async function openRemote(
  settings: Exclude<SourceSettings, { readonly kind: "folder" | "share" }>,
  { data, secrets, warn }: OpenTools,
): Promise<Pick<OpenSource, "source" | "after">> {
  const { name, include, exclude, parallel } = settings;
  const kind = kindNamed(settings.kind);
  if (kind === undefined) throw new Error(`${settings.kind} is no kind of source`);
  const root = kind.root(settings);
  const after = remoteAfterRule(settings.after, root);
  const remote = await kind.connect(settings, { secrets, parallel, warn: (text) => warn(name, text) });
  const folder = join(data, "listings");
  const ignored = after?.kind === "move" ? movedBelow(root, after.to) : [];
  return { source: remoteSource({ name, remote, root, include, exclude, ignored, folder }), after };
}

function paceOf(rate: number): ReturnType<typeof bandwidthOf> {
  return bandwidthOf(() => ({ bandwidth: rate, schedule: [] }), {
    now: () => performance.now(),
    wall: () => new Date(),
    sleep: async (ms) => await sleep(ms, undefined, { ref: false }),
  });
}
