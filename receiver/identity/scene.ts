/** For tests: a real SQLite ledger in a temporary folder, two clients, a clock that stands still until it is moved. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseCode } from "@tributary/shared/code.ts";
import type { EnrollRequest, HeartbeatRequest } from "@tributary/shared/protocol.ts";
import { addClient } from "../ledger/clients.ts";
import type { LedgerDatabase } from "../ledger/database.ts";
import type { Database } from "../ledger/schema.ts";
import { openSqlite } from "../ledger/sqlite.ts";
import { invite } from "./invitations.ts";

export interface Scene {
  readonly db: Database;
  readonly database: LedgerDatabase;
  readonly folder: string;
  /** ms since 1970; tests move it. */
  readonly clock: { now: number };
  /** Invites for these clients; the code's secret. */
  readonly secret: (
    clients: readonly string[],
    more?: { replaces?: string; name?: string },
  ) => Promise<string>;
}

export const RECEIVER = { url: "https://receiver.test:8443", trust: "system" };

/** Clients `bakery` and `mill`. `finished` is vitest's `onTestFinished`: everything is removed when the test ends. */
export async function openScene(finished: (clean: () => Promise<void>) => void): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), "tributary-identity-"));
  const database = await openSqlite(join(folder, "ledger.sqlite"));
  const { db } = database;
  finished(async () => {
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const clock = { now: Date.now() };
  await addClient(db, "bakery");
  await addClient(db, "mill");
  return {
    db,
    database,
    folder,
    clock,
    secret: async (clients, more = {}) =>
      parseCode((await invite(db, { clients, expiresMs: 3_600_000, ...more }, RECEIVER, clock.now)).code)
        .secret,
  };
}

/** A host with a key pair of its own. */
export interface TestHost {
  readonly privateKey: KeyObject;
  readonly x: string;
  readonly enrolment: (secret: string) => EnrollRequest;
}

export function testHost(name = "till-1"): TestHost {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const x = (publicKey.export({ format: "jwk" }) as { x: string }).x;
  return {
    privateKey,
    x,
    enrolment: (secret) => ({
      secret,
      publicKey: { kty: "OKP", crv: "Ed25519", x },
      ...{ host: name, platform: "linux-x64", version: "1.0.0" },
    }),
  };
}

/** A heartbeat of an idle agent. */
export function idleHeartbeat(nonce: string, host = "till-1"): HeartbeatRequest {
  return {
    ...{ nonce, host, version: "1.0.1", clock: new Date().toISOString(), skewMs: 12 },
    queue: { depth: 3, bytes: 4096, aside: 0 },
    ...{ sources: [], problems: [], configurationRevision: 0 },
  };
}
