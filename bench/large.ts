/** One file of 1 GiB over TLS in parts, hashed at both ends, durable. */
import { cpSync, linkSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Bench } from "./context.ts";
import { makeLargeFile, touchMemory } from "./files.ts";
import { inTurn, report, timed } from "./measure.ts";
import { memoryLine, startTributary } from "./tributary.ts";

const GIB = 2 ** 30;

export async function large({ dir, peers, rounds }: Bench): Promise<string> {
  // Each round's file stays; two more are written meanwhile.
  touchMemory(dir, (rounds + 3) * GIB);
  const tributary = await startTributary();
  const prepare = (name: string): { folder: string; file: string } => {
    const folder = join(tributary.site.dir, `prepared-${name}`);
    mkdirSync(folder);
    makeLargeFile(join(folder, "large.bin"), GIB);
    return { folder, file: join(folder, "large.bin") };
  };
  let current = "";
  const keep = join(dir, "large");
  mkdirSync(keep);
  const file = join(keep, "large.bin");
  const results = await inTurn(
    [
      {
        name: "tributary",
        run: async (round) => {
          const prepared = prepare(`large-${round}`);
          rmSync(file, { force: true });
          try {
            linkSync(prepared.file, file);
          } catch {
            cpSync(prepared.file, file);
          }
          current = `large-${round}`;
          const taken = await tributary.deliver(prepared.folder, current, 1);
          tributary.empty();
          return taken;
        },
      },
      ...(["rsync", "rsync --fsync", "rclone webdav", "rclone sftp", "curl"] as const).map((way) => ({
        name: way,
        run: async () => {
          const taken = await timed(
            async () => await peers.ways[way](file, `${way.replaceAll(" ", "-")}-${current}`),
          );
          rmSync(join(dir, "arrived", `${way.replaceAll(" ", "-")}-${current}`), {
            recursive: true,
            force: true,
          });
          return taken;
        },
      })),
    ],
    rounds,
  );
  const memory = memoryLine(tributary);
  await tributary.stop();
  return report("1 GiB in one file", results) + memory;
}
