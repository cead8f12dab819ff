/**
 * Whether file events really arrive in this folder: it makes a probe and waits for the event. The probe is an empty
 * folder: the agent captures files only, so a probe never leaves this host.
 */
import { randomUUID } from "node:crypto";
import { watch } from "node:fs";
import { mkdir, rmdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { formatDuration } from "@tributary/shared/units.ts";
import { type Finding, ok, reasonOf, warn } from "./finding.ts";

/** Waits for an event that names `name`, or for the end of its patience. Ready to hear when it resolves. */
export type Listen = (
  folder: string,
  name: string,
) => Promise<{ readonly heard: (withinMs: number) => Promise<boolean>; readonly close: () => void }>;

/** f_type of file systems whose files other hosts change without an event here: NFS, SMB, SMB2, CIFS, 9P, FUSE (statfs(2)). */
const REMOTE = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xfe534d42, "SMB"],
  [0xff534d42, "SMB"],
  [0x01021997, "9P"],
  [0x65735546, "FUSE"],
]);

export interface Watched {
  readonly name: string;
  readonly path: string;
  /** ms. */
  readonly rescan: number;
  /** agent.yaml says that it lies on a share. */
  readonly share: boolean;
}

export async function checkEvents(
  source: Watched,
  listen: Listen = systemListen,
  remote: (path: string) => Promise<string | undefined> = remoteKind,
  withinMs = 3000,
): Promise<Finding> {
  const check = `events ${source.name}`;
  const rescans = `rescans every ${formatDuration(source.rescan)} find the files`;
  const kind = source.share ? "a share" : await remote(source.path);
  if (kind !== undefined && !source.share)
    return warn(
      check,
      `${source.path} lies on ${kind}, and agent.yaml does not say so: file ids there are no sign of a change, and what other hosts write gives no event here; ${rescans}`,
      "add share: true to this source in agent.yaml; lower its rescan: if files must leave sooner",
    );
  if (kind !== undefined)
    return warn(
      check,
      `${source.path} lies on ${kind}: what other hosts write there gives no event here; ${rescans}`,
      "lower rescan: of this source if files must leave sooner",
    );
  const name = `.tributary-probe-${randomUUID()}`;
  let ear: Awaited<ReturnType<Listen>>;
  try {
    ear = await listen(source.path, name);
  } catch (error) {
    return warn(
      check,
      `${source.path} cannot be watched: ${reasonOf(error)}; ${rescans}`,
      "see the check of inotify limits; lower rescan: of this source if files must leave sooner",
    );
  }
  try {
    await mkdir(join(source.path, name));
  } catch (error) {
    ear.close();
    return ok(
      check,
      `not tried, this account may not write into ${source.path} (${(error as NodeJS.ErrnoException).code}), which is fine; if events should not arrive, ${rescans}`,
    );
  }
  try {
    if (await ear.heard(withinMs)) return ok(check, `file events arrive from ${source.path}`);
    return warn(
      check,
      `no file event arrived from ${source.path} within ${formatDuration(withinMs)}; ${rescans}`,
      "lower rescan: of this source if files must leave sooner",
    );
  } finally {
    ear.close();
    await rmdir(join(source.path, name)).catch(() => {});
  }
}

const systemListen: Listen = async (folder, name) => {
  let came = false;
  let wake = (): void => {};
  const watcher = watch(folder, (_event, about) => {
    if (about !== name) return;
    came = true;
    wake();
  });
  watcher.on("error", () => wake());
  return {
    close: () => watcher.close(),
    heard: async (withinMs) => {
      if (!came)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, withinMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      return came;
    },
  };
};

async function remoteKind(path: string): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  try {
    return REMOTE.get((await statfs(path)).type >>> 0);
  } catch {
    return undefined;
  }
}
