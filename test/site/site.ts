/** A whole site for a journey: a receiver and agents in a temporary folder, set up with the same commands that users run. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Entry } from "@tributary/shared/protocol.ts";
import { stringify } from "yaml";
import { folderLake, type LakeReader } from "./lake.ts";
import { freePort, launch, ok, type Running, run } from "./process.ts";

export interface SiteOptions {
  /** Merged into receiver.yaml: `lake`, `ledger`, `limits`, … */
  readonly receiver?: Readonly<Record<string, unknown>>;
  /** The address that invitations carry, when a proxy stands in between. */
  readonly publicUrl?: string;
  readonly port?: number;
  /** With the SFTP door, on a port of its own. */
  readonly sftp?: boolean;
  /** With the console, on a port of its own, or on this one. */
  readonly console?: boolean | number;
  /** Where `receiver` names another lake than the folder. */
  readonly lake?: LakeReader;
}

export interface Site {
  readonly dir: string;
  readonly port: number;
  /** 0 where there is no SFTP. */
  readonly sftpPort: number;
  /** Where browsers reach the console; undefined where there is none. */
  readonly consoleUrl: string | undefined;
  readonly url: string;
  /** `--data DIR --config FILE` of the receiver. */
  readonly at: readonly string[];
  readonly ca: string;
  readonly lake: LakeReader;
  serve(options?: Parameters<typeof launch>[2]): Promise<Running>;
  /** `--data DIR --config FILE` of a receiver with the same keys and other settings (another ledger on the same lake, …). */
  variant(name: string, settings: Readonly<Record<string, unknown>>): readonly string[];
  /** A further receiver of the same site on a port of its own: same keys, same lake, same ledger. */
  another(): Promise<{
    readonly at: readonly string[];
    readonly port: number;
    readonly sftpPort: number;
    serve(): Promise<Running>;
  }>;
  /** A receiver command that must succeed; its stdout. */
  command(...args: string[]): Promise<string>;
  history(...args: string[]): Promise<Entry[]>;
  agent(name: string, options: AgentOptions): Promise<Agent>;
  remove(): void;
}

export interface AgentOptions {
  readonly clients: readonly string[];
  /** Written as agent.yaml. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly env?: NodeJS.ProcessEnv;
}

export interface Agent {
  readonly data: string;
  run(options?: Parameters<typeof launch>[2]): Promise<Running>;
  command(...args: string[]): Promise<string>;
  configure(settings: Readonly<Record<string, unknown>>): void;
}

export async function makeSite(options: SiteOptions = {}): Promise<Site> {
  const dir = mkdtempSync(join(tmpdir(), "tributary-site-"));
  const port = options.port ?? (await freePort());
  const url = options.publicUrl ?? `https://127.0.0.1:${port}`;
  const sftpPortOf = async (): Promise<number> => (options.sftp === true ? await freePort() : 0);
  const sftpPort = await sftpPortOf();
  const consolePort = options.console === true ? await freePort() : Number(options.console ?? 0);
  const place = (
    name: string,
    [listen, sftp]: readonly [number, number],
    settings: Readonly<Record<string, unknown>> = {},
  ): readonly string[] => {
    const data = join(dir, name);
    mkdirSync(data, { recursive: true });
    const config = join(dir, `${name}.yaml`);
    writeFileSync(
      config,
      stringify({
        listen: {
          ingest: `127.0.0.1:${listen}`,
          console: consolePort !== 0 && name === "receiver" ? `127.0.0.1:${consolePort}` : "off",
          ...(sftp === 0 ? {} : { sftp: `127.0.0.1:${sftp}` }),
        },
        publicUrl: url,
        keys: join(dir, "keys"),
        reserve: "64MiB",
        ...options.receiver,
        ...settings,
      }),
    );
    return ["--data", data, "--config", config];
  };
  const serveAt = async (at: readonly string[], given: Parameters<typeof launch>[2]): Promise<Running> => {
    const receiver = launch("receiver", ["serve", ...at], given);
    await receiver.said(/ready/, 60_000);
    return receiver;
  };
  const at = place("receiver", [port, sftpPort]);
  return {
    dir,
    port,
    sftpPort,
    consoleUrl: consolePort === 0 ? undefined : `https://localhost:${consolePort}`,
    url,
    at,
    ca: join(dir, "keys", "ca.pem"),
    lake: options.lake ?? folderLake(join(dir, "receiver", "lake")),
    serve: async (given = {}) => await serveAt(at, given),
    variant: (name, settings) => place(name, [port, sftpPort], settings),
    another: async () => {
      const [otherPort, otherSftp] = [await freePort(), await sftpPortOf()];
      const other = place(`receiver-${otherPort}`, [otherPort, otherSftp]);
      return {
        ...{ at: other, port: otherPort, sftpPort: otherSftp },
        serve: async () => await serveAt(other, {}),
      };
    },
    command: async (...args) => await ok("receiver", [...args, ...at]),
    history: remembering(join(dir, "receiver", "ledger.sqlite"), async (...args) =>
      parseLines(await ok("receiver", ["history", "--json", ...args, ...at])),
    ),
    agent: async (name, agentOptions) => {
      const data = join(dir, `agent-${name}`);
      mkdirSync(data, { recursive: true });
      const configure = (settings: Readonly<Record<string, unknown>>): void =>
        writeFileSync(join(data, "agent.yaml"), stringify(settings));
      configure(agentOptions.settings);
      const code = await ok("receiver", [
        "agent",
        "invite",
        "--client",
        agentOptions.clients.join(","),
        "--name",
        name,
        ...at,
      ]);
      await ok("agent", ["enroll", "-", "--data", data], {
        stdin: code,
        ...(agentOptions.env ? { env: agentOptions.env } : {}),
      });
      return {
        data,
        configure,
        command: async (...args) => await ok("agent", [...args, "--data", data]),
        run: async (given = {}) => {
          const agent = launch("agent", ["run", "--data", data], {
            ...given,
            env: { ...agentOptions.env, ...given.env },
          });
          await new Promise((resolve) => setTimeout(resolve, 0));
          return agent;
        },
      };
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/**
 * The answer of before while nothing was written to the ledger: who waits for an entry asks twice a second, and each
 * command costs as much as many deliveries. A ledger in PostgreSQL is asked each time.
 */
function remembering(ledger: string, ask: Site["history"]): Site["history"] {
  const written = (file: string): string | undefined => {
    const found = statSync(file, { bigint: true, throwIfNoEntry: false });
    return found && `${found.mtimeNs} ${found.size}`;
  };
  const before = new Map<string, { readonly state: string; readonly entries: Entry[] }>();
  return async (...args) => {
    if (written(ledger) === undefined) return await ask(...args);
    // Before it is asked: what is written meanwhile asks again.
    const state = `${written(ledger)} ${written(`${ledger}-wal`)}`;
    const question = JSON.stringify(args);
    const known = before.get(question);
    if (known?.state === state) return known.entries;
    const entries = await ask(...args);
    before.set(question, { state, entries });
    return entries;
  };
}

function parseLines(text: string): Entry[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Entry);
}

/** `get` of one version, byte for byte. */
export async function get(site: Site, versionId: string): Promise<Buffer> {
  const ran = await run("receiver", ["get", versionId, ...site.at]);
  if (ran.code !== 0) throw new Error(ran.stderr);
  return ran.stdoutBytes;
}

/** Peak resident memory of a process in bytes (VmHWM). */
export function peakMemory(pid: number): number {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1] ?? 0) * 1024;
}
