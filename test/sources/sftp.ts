/** OpenSSH, behind a line that counts. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startProxy } from "../network/proxy.ts";
import { startSshd } from "../servers/sshd.ts";
import { NOBODY, onDisk } from "./disk.ts";
import type { Yard } from "./yard.ts";

/** `own`: a folder of the host, for what its administrator puts into files. */
export async function sftpYard(own: string): Promise<Yard & { readonly root: string }> {
  const sshd = await startSshd({ uid: NOBODY });
  const line = await startProxy({ target: { host: "127.0.0.1", port: sshd.port } });
  const hostKey = (await sshd.hostKeys()).map((key) => key.fingerprint);
  const file = join(own, "sftp-password");
  let password = sshd.password as string;
  await writeFile(file, password, { mode: 0o600 });
  return {
    kind: "sftp",
    anyBytes: true,
    lineBreaks: true,
    root: sshd.root,
    source: (folder, credential = { file }) => ({
      kind: "sftp",
      host: "127.0.0.1",
      port: line.port,
      user: sshd.username,
      password: credential,
      hostKey,
      path: join(sshd.seen, folder),
    }),
    ...(await onDisk(sshd.root)),
    async away() {
      await sshd.halt();
      return () => sshd.resume();
    },
    login: {
      secret: () => password,
      async change() {
        password = crypto.randomUUID();
        await sshd.setPassword(password);
        await sshd.dropConnections();
        await writeFile(file, password, { mode: 0o600 });
      },
    },
    received: () => line.bytes.down,
    async stop() {
      await line.stop();
      await sshd.stop();
    },
  };
}
