/** Files on an FTP or FTPS server. */

import { type FtpSettings, ftpSettings } from "./ftp/settings.ts";
import type { Kind } from "./kind.ts";

export const ftp: Kind<FtpSettings> = {
  name: "ftp",
  settings: ftpSettings,
  paths: ["ca"],
  where: (settings) => {
    const { host, port } = addressOf(settings);
    const name = host.includes(":") ? `[${host}]` : host;
    const scheme = settings.tls === "none" ? "ftp" : "ftps";
    const path = settings.path === undefined ? "" : `/${settings.path.replace(/^\//, "")}`;
    return `${scheme}://${name}:${port}${path}`;
  },
  address: (settings) => addressOf(settings),
  certified: ({ tls, ca }) => tls !== "none" && ca === undefined,
  root: ({ path }) => path ?? "",
  async connect(settings, tools) {
    const { host, port } = addressOf(settings);
    if (settings.tls === "none")
      tools.warn(
        `the password and the files of ${host}:${port} travel in the clear, and nothing proves that it is that server: let its administrator switch on TLS, and take away "tls: none"`,
      );
    const { ftpRemote } = await import("./ftp/ftp-remote.ts");
    return ftpRemote({ ...settings, port }, tools);
  },
};

function addressOf({ host, port, tls }: FtpSettings): { readonly host: string; readonly port: number } {
  return { host, port: port ?? (tls === "implicit" ? 990 : 21) };
}
