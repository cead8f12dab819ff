import type { ChildProcess } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { makeTestAuthority } from "../network/authority.ts";
import { endSessions, freeze, halted, thaw } from "./processes.ts";
import { createSandbox, freePorts, type Sandbox, untilReady } from "./sandbox.ts";

/** Where Debian puts it, which is not in everybody's PATH. */
export const PROFTPD = "/usr/sbin/proftpd";

export interface ProftpdOptions {
  /** FTP commands that are refused and, as far as ProFTPD can, not offered: `MLSD` leaves LIST alone. */
  readonly deny?: readonly string[];
  /** `offered` by default: plain and AUTH TLS at `port`. */
  readonly tls?: "offered" | "required";
  /** A data connection must resume the TLS session of its control connection, which is ProFTPD's own default. */
  readonly sessionReuse?: "free" | "required";
  /** LIST tells local time of this zone instead of UTC. */
  readonly zone?: string;
  /** The account's user, for what permissions deny; without, who runs the tests. */
  readonly uid?: number;
  /** Lines of proftpd.conf, for either port. */
  readonly settings?: readonly string[];
}

export interface Proftpd {
  /** Plain FTP, and FTPS by AUTH TLS. */
  readonly port: number;
  /** FTPS from the first byte. */
  readonly implicitPort: number;
  readonly username: string;
  readonly password: string;
  /** The authority that vouches for 127.0.0.1 and localhost, PEM. */
  readonly authority: string;
  /** The folder that is served as `/`, on this machine. */
  readonly root: string;
  /** The only password from the next login on. */
  setPassword(next: string): Promise<void>;
  /** Ends the connections that there are, and takes new ones. */
  dropConnections(): Promise<void>;
  /** It hangs: what is open stays open, what is new is accepted, and nothing is answered until `thaw`. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** The listener and every connection end. */
  halt(): Promise<void>;
  /** Listens at the same ports again. */
  resume(): Promise<void>;
  stop(): Promise<void>;
}

/** A real FTP and FTPS server on loopback, with one account of its own. Only root can run it. */
export async function startProftpd(options: ProftpdOptions = {}, attempts = 3): Promise<Proftpd> {
  const sandbox = await createSandbox("proftpd");
  try {
    return await boot(sandbox, options);
  } catch (error) {
    const words = await sandbox.lastWords("proftpd");
    await sandbox.stop();
    // A port that was free may be taken by the time that it is used.
    if (attempts > 1 && /in use|EADDRINUSE/i.test(`${error}\n${words}`))
      return startProftpd(options, attempts - 1);
    throw new Error(`ProFTPD did not start: ${error}\n${words}`, { cause: error });
  }
}

async function boot(sandbox: Sandbox, options: ProftpdOptions): Promise<Proftpd> {
  const folder = sandbox.folder;
  const root = join(folder, "root");
  const [port, implicitPort] = (await freePorts(2)) as [number, number];
  const authority = await makeTestAuthority("who vouches for FTPS");
  const { cert, key } = await authority.issue(["127.0.0.1", "localhost"]);
  const config = join(folder, "proftpd.conf");
  // Another user passes through, to what is served.
  await chmod(folder, 0o711);
  await mkdir(root);
  await writeFile(join(folder, "cert.pem"), cert);
  await writeFile(join(folder, "key.pem"), key, { mode: 0o600 });
  await writeFile(config, configuration(folder, port, implicitPort, options));

  let running: ChildProcess | undefined;
  const proftpd: Proftpd = {
    port,
    implicitPort,
    username: "partner",
    password: crypto.randomUUID(),
    authority: authority.cert,
    root,
    async setPassword(next) {
      const hash = (await sandbox.run("openssl", ["passwd", "-6", next])).trim();
      const { uid, gid } = options.uid === undefined ? userInfo() : { uid: options.uid, gid: options.uid };
      const line = `${proftpd.username}:${hash}:${uid}:${gid}::${root}:/bin/false\n`;
      await writeFile(join(folder, "passwd"), line, { mode: 0o600 });
    },
    dropConnections: () => endSessions(running),
    freeze: () => freeze(running),
    thaw: () => thaw(running),
    halt: () => halted(running),
    async resume() {
      await proftpd.halt();
      const env = { TZ: options.zone ?? "UTC", LC_ALL: "C" };
      running = sandbox.start("proftpd", PROFTPD, ["--nodaemon", "--config", config], { env });
      await untilReady([running], async () => (await greets(port)) && (await accepts(implicitPort)), 20);
    },
    async stop() {
      await proftpd.halt();
      await sandbox.stop();
    },
  };
  await proftpd.setPassword(proftpd.password);
  await proftpd.resume();
  return proftpd;
}

function configuration(folder: string, port: number, implicitPort: number, options: ProftpdOptions): string {
  const { deny = [], tls = "offered", sessionReuse = "free", zone, settings = [] } = options;
  const server = (at: number, tlsOptions: readonly string[]) => [
    `Port ${at}`,
    "AuthOrder mod_auth_file.c",
    `AuthUserFile ${folder}/passwd`,
    "RequireValidShell off",
    "RootLogin on",
    "DefaultRoot ~",
    "AllowOverwrite on",
    "AllowStoreRestart on",
    `AllowRetrieveRestart ${deny.includes("REST") ? "off" : "on"}`,
    `FactsAdvertise ${deny.includes("MLSD") ? "off" : "on"}`,
    `TimesGMT ${zone === undefined ? "on" : "off"}`,
    "TLSEngine on",
    `TLSRequired ${tls === "required" ? "on" : "off"}`,
    "TLSProtocol TLSv1.2 TLSv1.3",
    `TLSECCertificateFile ${folder}/cert.pem`,
    `TLSECCertificateKeyFile ${folder}/key.pem`,
    `TLSLog ${folder}/tls.log`,
    ...(tlsOptions.length === 0 ? [] : [`TLSOptions ${tlsOptions.join(" ")}`]),
    ...deny.flatMap((command) => [`<Limit ${command}>`, "DenyAll", "</Limit>"]),
    ...settings,
  ];
  const reuse = sessionReuse === "free" ? ["NoSessionReuseRequired"] : [];
  return [
    "LoadModule mod_tls.c",
    "ServerType standalone",
    "DefaultAddress 127.0.0.1",
    "SocketBindTight on",
    "UseReverseDNS off",
    "UseIPv6 off",
    "User root",
    "Group root",
    "MaxInstances 200",
    "DelayEngine off",
    "WtmpLog off",
    "TransferLog none",
    `SystemLog ${folder}/system.log`,
    `PidFile ${folder}/pid`,
    `ScoreboardFile ${folder}/scoreboard`,
    ...server(port, reuse),
    "<VirtualHost 127.0.0.1>",
    ...server(implicitPort, ["UseImplicitSSL", ...reuse]),
    "</VirtualHost>",
    "",
  ].join("\n");
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("data", (said) => {
      socket.destroy();
      resolve(String(said).startsWith("220"));
    });
    socket.once("error", () => resolve(false)).once("close", () => resolve(false));
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
