/** For tests: a disk whose writes to files under way take a while, so that others come in between. */
import { setTimeout as pause } from "node:timers/promises";
import { type Disk, realDisk } from "./disk.ts";

export function slowlyWriting(ms: () => number): Disk {
  return {
    ...realDisk,
    async open(...args) {
      const handle = await realDisk.open(...args);
      if (!/\/unfinished\/[0-9a-f]+\/[0-9a-f-]+$/.test(String(args[0]))) return handle;
      const write = handle.write.bind(handle) as (...given: unknown[]) => Promise<unknown>;
      return Object.assign(handle, {
        write: async (...given: unknown[]) => {
          await pause(ms());
          return await write(...given);
        },
      });
    },
  };
}
