/** ProFTPD with TLS. Its data connections have ports of their own, so nothing is counted. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startProftpd } from "../servers/proftpd.ts";
import { NOBODY, onDisk } from "./disk.ts";
import type { Yard } from "./yard.ts";

/** `own`: a folder of the host, for what its administrator puts into files. */
export async function ftpYard(own: string): Promise<Yard & { readonly root: string }> {
  const ftp = await startProftpd({ tls: "required", uid: NOBODY });
  const [file, ca] = [join(own, "ftp-password"), join(own, "ftp-authority.pem")];
  let { password } = ftp;
  await writeFile(file, password, { mode: 0o600 });
  await writeFile(ca, ftp.authority);
  return {
    kind: "ftp",
    anyBytes: true,
    lineBreaks: false,
    root: ftp.root,
    source: (folder, credential = { file }) => ({
      kind: "ftp",
      host: "127.0.0.1",
      port: ftp.port,
      user: ftp.username,
      password: credential,
      ca,
      path: `/${folder}`,
    }),
    ...(await onDisk(ftp.root)),
    async away() {
      await ftp.halt();
      return () => ftp.resume();
    },
    login: {
      secret: () => password,
      async change() {
        password = crypto.randomUUID();
        await ftp.setPassword(password);
        await ftp.dropConnections();
        await writeFile(file, password, { mode: 0o600 });
      },
    },
    received: () => undefined,
    stop: () => ftp.stop(),
  };
}
