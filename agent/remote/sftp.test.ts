/** Against OpenSSH's own server. */
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { startSshd } from "@tributary/test/servers/sshd.ts";
import { join, parent } from "../source/bytes.ts";
import type { RemoteTools } from "./kind.ts";
import { remoteContract, type Yard } from "./remote.contract.ts";
import { sftp } from "./sftp.ts";

function tools(values: Readonly<Record<string, string>>): RemoteTools {
  return {
    secrets: {
      read: (reference) => Promise.resolve(values["secret" in reference ? reference.secret : ""] ?? ""),
    },
    parallel: 4,
    warn: () => undefined,
  };
}

async function yard(): Promise<Yard> {
  const sshd = await startSshd();
  const [first] = await sshd.hostKeys();
  const settings = sftp.settings.parse({
    name: "s",
    kind: "sftp",
    host: "127.0.0.1",
    port: sshd.port,
    user: sshd.username,
    privateKey: { secret: "key" },
    hostKey: first?.fingerprint,
    path: sshd.seen,
  });
  const at = (path: Buffer): Buffer => join(Buffer.from(sshd.root), path);
  return {
    connect: () => sftp.connect(settings, tools({ key: sshd.privateKey })),
    root: sshd.seen,
    async write(path, bytes) {
      await mkdir(parent(at(path)), { recursive: true });
      await writeFile(at(path), bytes);
    },
    remove: (path) => rm(at(path)),
    async paths() {
      const found = await readdir(sshd.root, { recursive: true, withFileTypes: true });
      return found
        .filter((one) => one.isFile())
        .map((one) => `${one.parentPath}/${one.name}`.slice(sshd.root.length + 1));
    },
    async away() {
      await sshd.halt();
      return () => sshd.resume();
    },
    cut: () => sshd.dropConnections(),
    folders: true,
    anyBytes: true,
    close: () => sshd.stop(),
  };
}

remoteContract("sftp", yard);
