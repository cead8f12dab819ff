/**
 * Files that come in pieces, in a folder of this receiver: `<id>` and beside it `<id>.json` with its note. What is
 * small and comes in order stays in memory; what comes in order is hashed on its way. What was not kept outlives its
 * process only within this boot of the host, and only where there are no gaps: of anything else nobody knows which bytes
 * are there.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type Disk, lakeFault, syncFolder } from "./disk.ts";
import type { KeptFile, NoteOf, UnfinishedFile, UnfinishedLake } from "./lake.ts";
import type { Staging } from "./stage.ts";
import { type Place, Unfinished } from "./unfinished-file.ts";

/** What stands in `<id>.json`. `gapless`: all bytes of the file were written. `synced`: these are on the disk for good. */
const sidecar = z.object({
  note: z.string(),
  boot: z.string(),
  gapless: z.boolean(),
  synced: z.object({ size: z.int(), ranges: z.array(z.object({ start: z.int(), end: z.int() })) }).nullable(),
});

const NAME = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(\.json)?$/;

/** `mayMake` throws where nothing may be made now. */
export function openUnfinished(
  folder: string,
  staging: Staging,
  disk: Disk,
  mayMake: () => Promise<void> = async () => {},
): UnfinishedLake {
  const boot = bootOf();
  let made: Promise<unknown> | undefined;
  const ready = async (): Promise<void> => {
    made ??= mayMake().then(() => disk.mkdir(folder, { recursive: true }));
    try {
      await made;
    } catch (error) {
      made = undefined;
      throw lakeFault(error, folder);
    }
  };
  const placeOf = (id: string, noteOf: NoteOf): Place => ({
    file: join(folder, id),
    async open(flags) {
      await ready();
      return await disk.open(join(folder, id), flags);
    },
    async remove() {
      await disk.rm(join(folder, id), { force: true });
      await disk.rm(join(folder, `${id}.json`), { force: true });
    },
    async forget() {
      await disk.rm(join(folder, `${id}.json`), { force: true });
    },
    async write({ gapless, synced }, whole, durably) {
      const note = noteOf(whole);
      if (note === undefined) {
        await disk.rm(join(folder, `${id}.json`), { force: true });
        return;
      }
      const text = JSON.stringify({ note, boot, gapless, synced });
      const temporary = join(folder, `.${id}.json`);
      const handle = await disk.open(temporary, "w");
      try {
        await handle.writeFile(text);
        if (durably) await handle.sync();
      } finally {
        await handle.close();
      }
      await disk.rename(temporary, join(folder, `${id}.json`));
      if (durably) await syncFolder(disk, folder);
    },
  });
  const goOn = async (id: string): Promise<KeptFile | undefined> => {
    const path = join(folder, id);
    const read = sidecar.safeParse(await readJson(disk, `${path}.json`));
    const found = await disk.lstat(path).catch(() => undefined);
    if (!read.success || found === undefined) return undefined;
    const { note, gapless, synced } = read.data;
    const all = { size: found.size, ranges: [{ start: 0, end: found.size }] };
    const sure = gapless && boot !== "" && read.data.boot === boot ? all : (synced ?? undefined);
    if (sure === undefined || found.size < sure.size) return undefined;
    if (found.size > sure.size) await cut(disk, path, sure.size);
    const there = { ...sure, noted: { gapless, synced } };
    return {
      note,
      touchedAt: found.mtimeMs,
      open: (again) => new Unfinished(placeOf(id, again), staging, there),
    };
  };
  return {
    unfinished: (note): UnfinishedFile => new Unfinished(placeOf(randomUUID(), note), staging),
    async *kept() {
      const names = await disk.readdir(folder).catch(() => []);
      const ids = new Set(names.map((name) => NAME.exec(name)?.[1]));
      for (const name of names)
        if (!NAME.test(name)) await disk.rm(join(folder, name), { recursive: true, force: true });
      for (const id of ids) {
        if (id === undefined) continue;
        const kept = await goOn(id);
        if (kept !== undefined) yield kept;
        else await placeOf(id, () => undefined).remove();
      }
    },
  };
}

async function readJson(disk: Disk, file: string): Promise<unknown> {
  try {
    return JSON.parse(await disk.readFile(file, "utf8"));
  } catch {
    return undefined;
  }
}

async function cut(disk: Disk, file: string, size: number): Promise<void> {
  const handle = await disk.open(file, "r+");
  try {
    await handle.truncate(size);
  } finally {
    await handle.close();
  }
}

/** Empty where the system does not say: then nothing counts as of this boot. */
function bootOf(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  } catch {
    return "";
  }
}
