/** The programs that Tributary is measured against, each as its own real process on loopback, with files in a folder of ours. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startProxy } from "@tributary/test/network/proxy.ts";
import { freePort, until } from "@tributary/test/site/process.ts";

export interface Peers {
  /** Each way to bring a file or a folder to the other side; rejects when the program fails. */
  readonly ways: Readonly<
    Record<
      "rsync" | "rsync --fsync" | "rclone webdav" | "rclone sftp" | "curl",
      (from: string, to: string) => Promise<void>
    >
  >;
  /** The private key that the user of sshd has. */
  readonly key: string;
  readonly sshd: { readonly port: number; readonly user: string; readonly arrived: string };
  /** OpenSSH's sftp with these commands, as that user. Rejects at the first that fails. */
  sftp(at: { readonly port: number; readonly user: string }, commands: readonly string[]): Promise<void>;
  /** The same over ssh alone, every byte so many ms on its way in each direction. */
  far(latency: number): Promise<{
    readonly ways: Pick<Peers["ways"], "rsync" | "rsync --fsync" | "rclone sftp">;
    stop(): Promise<void>;
  }>;
  stop(): void;
}

function execute(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, ...env } });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.once("error", reject);
    child.once("close", (code) =>
      code === 0 ? resolve() : reject(new Error(`${file} ${args.join(" ")}: ${code}\n${said.slice(-2000)}`)),
    );
  });
}

/** Starts sshd and nginx (WebDAV over TLS) below `dir`; what arrives lies in `dir`/arrived. */
export async function startPeers(dir: string): Promise<Peers> {
  const arrived = join(dir, "arrived");
  mkdirSync(arrived, { recursive: true });
  const key = join(dir, "user-key");
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(dir, "host-key")]);
  const ssh = await freePort();
  writeFileSync(
    join(dir, "sshd_config"),
    `Port ${ssh}\nListenAddress 127.0.0.1\nHostKey ${dir}/host-key\nAuthorizedKeysFile ${key}.pub\nStrictModes no\nUsePAM no\nPidFile none\nSubsystem sftp internal-sftp\n`,
  );
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true });
  const sshd = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", join(dir, "sshd_config")], { stdio: "ignore" });

  const web = await freePort();
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "2",
      "-subj",
      "/CN=localhost",
      "-addext",
      "subjectAltName=IP:127.0.0.1",
      "-keyout",
      join(dir, "web.key"),
      "-out",
      join(dir, "web.crt"),
    ],
    { stdio: "ignore" },
  );
  const extended = "/usr/lib/nginx/modules/ngx_http_dav_ext_module.so";
  writeFileSync(
    join(dir, "nginx.conf"),
    `${existsSync(extended) ? `load_module ${extended};` : ""}
user ${process.getuid?.() === 0 ? "root" : "nobody"}; worker_processes 2; daemon off; pid ${dir}/nginx.pid; error_log ${dir}/nginx.log;
events { worker_connections 256; }
http { access_log off; client_body_temp_path ${arrived}/.body; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s; client_max_body_size 0;
  server { listen 127.0.0.1:${web} ssl; ssl_certificate ${dir}/web.crt; ssl_certificate_key ${dir}/web.key; root ${arrived};
    location / { dav_methods PUT DELETE MKCOL COPY MOVE; dav_ext_methods PROPFIND OPTIONS; create_full_put_path on; dav_access user:rw; } } }
`,
  );
  const nginx = spawn(
    "/usr/sbin/nginx",
    ["-c", join(dir, "nginx.conf"), "-p", dir, "-e", join(dir, "nginx.log")],
    { stdio: "ignore" },
  );
  const sshAt = (port: number): string =>
    `ssh -p ${port} -i ${key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR`;
  const sshOptions = sshAt(ssh);
  const user = process.env.USER ?? "root";
  await until("sshd and nginx answer", async () => {
    try {
      await execute("ssh", [...sshOptions.split(" ").slice(1), `${user}@127.0.0.1`, "true"]);
      await execute("curl", ["-sk", "-o", "/dev/null", `https://127.0.0.1:${web}/`]);
      return true;
    } catch {
      return false;
    }
  });
  const rclone = async (args: readonly string[]): Promise<void> =>
    await execute("rclone", ["--config", "/dev/null", "--transfers", "16", "--checkers", "16", ...args]);
  const isFile = (path: string): boolean => !path.endsWith("/");
  const overSsh = (port: number) => {
    const rsync =
      (...more: readonly string[]) =>
      async (from: string, to: string): Promise<void> =>
        await execute("rsync", [
          ...["-a", ...more, "-e", sshAt(port), from],
          `${user}@127.0.0.1:${join(arrived, to)}`,
        ]);
    return {
      rsync: rsync(),
      "rsync --fsync": rsync("--fsync"),
      "rclone sftp": async (from: string, to: string): Promise<void> =>
        await rclone([
          ...["--sftp-host", "127.0.0.1", "--sftp-port", String(port), "--sftp-user", user],
          ...["--sftp-key-file", key, "copy", from, `:sftp:${join(arrived, to)}`],
        ]),
    };
  };
  return {
    key,
    sshd: { port: ssh, user, arrived },
    sftp: async (at, commands) => {
      const batch = join(dir, "batch");
      writeFileSync(batch, `${commands.join("\n")}\n`);
      const options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-q"];
      const where = ["-P", String(at.port), "-i", key, ...options, "-b", batch, `${at.user}@127.0.0.1`];
      await execute("sh", ["-c", 'exec sftp "$@" > /dev/null', "sftp", ...where]);
    },
    far: async (latency) => {
      const proxy = await startProxy({ target: { host: "127.0.0.1", port: ssh }, faults: { latency } });
      return { ways: overSsh(proxy.port), stop: () => proxy.stop() };
    },
    ways: {
      ...overSsh(ssh),
      "rclone webdav": async (from, to) =>
        await rclone([
          "--no-check-certificate",
          "--webdav-url",
          `https://127.0.0.1:${web}/`,
          "copy",
          from,
          `:webdav:${to}`,
        ]),
      curl: async (from, to) => {
        if (isFile(from)) await execute("curl", ["-sfk", "-T", from, `https://127.0.0.1:${web}/${to}/`]);
        else
          await execute("sh", [
            "-c",
            `cd "$0" && ls | sed 's|.*|url = "https://127.0.0.1:${web}/${to}/&"\\nupload-file = "&"|' | curl -sfk --parallel --parallel-max 16 -K -`,
            from,
          ]);
      },
    },
    stop: () => {
      sshd.kill("SIGTERM");
      nginx.kill("SIGTERM");
    },
  };
}
