/**
 * Samba, as this host has mounted it, for root: no permission binds the account. (The client that mounts it here shows a
 * name that it was refused to change as changed.)
 */
import { join } from "node:path";
import { type Mount, type Samba, startSamba } from "../servers/samba.ts";
import { onDisk } from "./disk.ts";
import type { Yard } from "./yard.ts";

export interface ShareYard extends Yard {
  readonly samba: Samba;
  readonly mount: Mount;
  readonly root: string;
}

export async function shareYard(): Promise<ShareYard> {
  const samba = await startSamba();
  const mount = await samba.mount();
  return {
    kind: "share",
    anyBytes: false,
    lineBreaks: false,
    samba,
    mount,
    root: samba.root,
    // A settle of its own is long, for what copies to shares do; here nothing is written in pieces.
    source: (folder) => ({ kind: "share", path: join(mount.folder, folder), settle: "2s" }),
    ...(await onDisk(samba.root)),
    async away() {
      await samba.halt();
      return () => samba.resume();
    },
    login: undefined,
    received: () => undefined,
    stop: () => samba.stop(),
  };
}
