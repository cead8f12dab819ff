/** For tests: a whole receiver in this process, on port 0, over a real SQLite file and a lake in memory. */
import { mkdtempSync, rmSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Hono } from "hono";
import { type Logger, pino } from "pino";
import { type ReceiverSettings, receiverSettings } from "./config.ts";
import type { ConsoleCarrier } from "./console.ts";
import type { DoorEnv } from "./doors/door.ts";
import { openKeys, type SiteKeys } from "./identity/keys.ts";
import type { Act, Gate, Principal } from "./identity/principal.ts";
import type { Inspector } from "./inspection/inspection.ts";
import type { AnyLake } from "./lake/lake.ts";
import { type MemoryLake, memoryLake } from "./lake/memory.ts";
import { addClient } from "./ledger/clients.ts";
import type { LedgerDatabase } from "./ledger/database.ts";
import { openSqlite } from "./ledger/sqlite.ts";
import type { Counts } from "./limits/counts.ts";
import { memoryCounts } from "./limits/memory.ts";
import { conform } from "./openapi/conform.ts";
import { type RunningReceiver, runReceiver } from "./run.ts";
import type { SftpCarrier } from "./sftp.ts";
import { ownerOf, type Send } from "./webhooks/webhook.ts";

/** A gate whose bearer texts are names; whoever is not named is nobody. */
export interface NamedGate extends Gate {
  add(name: string, principal: Partial<Principal>): void;
  revoke(name: string): void;
  /** Requests of this principal that are watched now. */
  watched(name: string): number;
}

function namedGate(): NamedGate {
  const principals = new Map<string, Principal>();
  const watchers = new Map<string, Set<(reason: ProblemError) => void>>();
  return {
    add(name, principal) {
      const acts = new Set<Act>(["write", "remove"]);
      principals.set(name, {
        kind: "agent",
        id: name,
        clients: ["acme"],
        source: undefined,
        acts,
        ...principal,
      });
    },
    revoke(name) {
      principals.delete(name);
      for (const revoked of watchers.get(name) ?? [])
        revoked(new ProblemError("agent-revoked", "it was revoked"));
    },
    watched: (name) => watchers.get(name)?.size ?? 0,
    async identify({ authorization }) {
      const found = principals.get(authorization?.replace("Bearer ", "") ?? "");
      if (found) return found;
      throw new ProblemError("unauthenticated", "nobody of that name");
    },
    watch(principal, _clients, revoked) {
      const set = watchers.get(principal.id) ?? new Set();
      watchers.set(principal.id, set.add(revoked));
      return () => set.delete(revoked);
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body as JSON. */
  readonly json: Record<string, unknown>;
}

export interface Rig {
  readonly receiver: RunningReceiver;
  readonly database: LedgerDatabase;
  readonly lake: MemoryLake;
  readonly gate: NamedGate;
  readonly keys: SiteKeys;
  readonly folder: string;
  /** The receiver's own authority, PEM. */
  readonly ca: string;
  /** One request; `path` goes out as it is, byte for byte. Fails when the answer is not as the document says. */
  ask(
    method: string,
    path: string,
    headers?: Record<string, string>,
    body?: Uint8Array | string | AsyncIterable<Uint8Array>,
  ): Promise<Answer>;
  entries(): Promise<number>;
  stop(): Promise<void>;
}

export interface RigOptions {
  readonly settings?: Record<string, unknown>;
  /** Another ledger than the SQLite file; the rig closes it. */
  readonly database?: LedgerDatabase;
  /** Other counts of limits than those in memory. */
  readonly counts?: Counts;
  /** A second receiver of that one's site. */
  readonly keysOf?: Rig;
  /** Where the log goes; nowhere unless given. */
  readonly log?: Logger;
  readonly inspector?: Inspector;
  /** Wraps the lake that the receiver gets, to play its failures. */
  readonly wrap?: (lake: MemoryLake) => AnyLake;
  /** What `main.ts` hands in besides ingest's own; made from the rig's own parts where it needs them. */
  readonly doors?:
    | readonly Hono<DoorEnv>[]
    | ((made: Pick<Rig, "database" | "keys" | "gate">) => readonly Hono<DoorEnv>[]);
  /** What carries webhooks. */
  readonly send?: Send;
  /** Opens the console; see `console/scene.ts`. */
  readonly console?: (
    made: Pick<Rig, "database" | "keys"> & { readonly keysFolder: string },
  ) => ConsoleCarrier;
  /** Opens the SFTP door; see `doors/sftp/scene.ts`. */
  readonly sftp?: SftpCarrier;
}

export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), "tributary-receiver-"));
  const database = options.database ?? (await openSqlite(join(folder, "ledger.sqlite")));
  const settings: ReceiverSettings = receiverSettings.parse({
    listen: { ingest: "127.0.0.1:0" },
    ...options.settings,
  });
  const keysFolder = join(options.keysOf?.folder ?? folder, "keys");
  const keys = await openKeys({
    db: database.db,
    folder: keysFolder,
    hosts: ["localhost", "127.0.0.1"],
  });
  const lake = memoryLake();
  const gate = namedGate();
  gate.add("agent", {});
  gate.add("key", { kind: "key", acts: new Set<Act>(["write"]) });
  gate.add("reader", { kind: "key", acts: new Set<Act>(["write", "read", "remove"]) });
  if (options.keysOf === undefined)
    for (const client of ["acme", "other"]) await addClient(database.db, client);
  const receiver = await runReceiver({
    settings,
    database,
    lake: options.wrap?.(lake) ?? lake,
    keys,
    gate,
    counts: options.counts ?? memoryCounts(),
    inspector: options.inspector,
    doors:
      typeof options.doors === "function" ? options.doors({ database, keys, gate }) : (options.doors ?? []),
    sftp: options.sftp,
    console: options.console?.({ database, keys, keysFolder }),
    webhooks: {
      send: options.send ?? (async () => ({ kind: "failed", why: "this rig sends nothing" })),
      openSecret: ({ id, secret }) => keys.openSecret(secret, ownerOf(id)),
    },
    log: options.log ?? pino({ level: "silent" }),
  });
  const ca = keys.trust().authorities.join("\n");
  const agent = new Agent({ keepAlive: true, ca, maxSockets: 50 });
  return {
    receiver,
    database,
    lake,
    gate,
    keys,
    folder,
    ca,
    async ask(method, path, headers = {}, body) {
      const answer = await send(agent, receiver.url, method, path, headers, body);
      const { status, headers: got, body: bytes } = answer;
      const wrong = conform({ method, path, status, headers: got, body: bytes });
      if (wrong.length > 0) throw new Error(`not as /openapi.json says:\n${wrong.join("\n")}`);
      return answer;
    },
    async entries() {
      const row = await database.db
        .selectFrom("entries")
        .select((eb) => eb.fn.countAll<number>().as("count"))
        .executeTakeFirstOrThrow();
      return row.count;
    },
    async stop() {
      agent.destroy();
      await receiver.stop();
      keys.close();
      await database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One request over TLS; `path` goes out as it is. */
export async function send(
  agent: Agent,
  url: string,
  method: string,
  path: string,
  headers: Record<string, string>,
  body: Uint8Array | string | AsyncIterable<Uint8Array> | undefined,
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return await new Promise<Answer>((resolve, reject) => {
    const sent = request({ agent, hostname, port, method, path, headers }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", reject);
      incoming.on("end", () => {
        const whole = Buffer.concat(chunks);
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          body: whole,
          get json() {
            return JSON.parse(whole.toString("utf8")) as Record<string, unknown>;
          },
        });
      });
    });
    sent.on("error", reject);
    if (body === undefined || typeof body === "string" || body instanceof Uint8Array) {
      sent.end(body);
      return;
    }
    void (async () => {
      try {
        for await (const chunk of body)
          if (!sent.write(chunk)) await new Promise((go) => sent.once("drain", go));
        sent.end();
      } catch (error) {
        sent.destroy(error as Error);
      }
    })();
  });
}
