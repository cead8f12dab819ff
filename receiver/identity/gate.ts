/**
 * The gate: who sends a request, and who may no longer go on. What it knows of somebody is at most one second old;
 * a refusal is always decided by a fresh look, so that nobody is turned away for what was true a moment ago.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { ProblemError } from "@tributary/shared/problems.ts";
import { tokenIssuer, verifyToken } from "@tributary/shared/token.ts";
import { isUuidv7 } from "@tributary/shared/uuid.ts";
import type { Database } from "../ledger/schema.ts";
import { parseApiKey } from "./apikeys.ts";
import type { Gate, Principal } from "./principal.ts";
import { secretMatches } from "./secret.ts";
import { principalOf } from "./standing.ts";
import { type AgentStanding, agentStandings, keyStandings } from "./standing-rows.ts";
import { Watchers } from "./watchers.ts";

export interface GateSettings {
  readonly db: Database;
  /** The site's UUID: `aud` of every token. */
  readonly site: string;
  readonly now?: () => number;
  /** How long a standing may be used again. */
  readonly cacheMs?: number;
  /** How often open uploads and streams are looked after. */
  readonly pollMs?: number;
}

const MOST_CACHED = 10_000;

/** The gate over the ledger. `close` stops its timer. */
export function openGate(settings: GateSettings): Gate & { close(): void } {
  const { db, site, now = Date.now, cacheMs = 1000, pollMs = 1000 } = settings;
  const watchers = new Watchers(db, pollMs);
  const agents = cached(cacheMs, (id: string) => agentStandings(db, [id]).then((found) => found.get(id)));
  const keys = cached(cacheMs, (id: string) => keyStandings(db, [id]).then((found) => found.get(id)));
  // An unknown agent's token is verified too, against a key that nobody has: the answer does not tell who exists.
  const nobody = generateKeyPairSync("ed25519").publicKey;

  async function agent(token: string, method: string, path: string): Promise<Principal> {
    const id = tokenIssuer(token);
    const known = id !== undefined && isUuidv7(id);
    return await agents.decide(known ? id : "", async (standing) => {
      const expected = { agentId: id ?? "", site, method, path, now: now() };
      await verifyToken(token, expected, standing ? publicKeyOf(standing) : nobody);
      return principalOf(expected.agentId, standing as AgentStanding);
    });
  }

  async function key(text: string): Promise<Principal> {
    const { id, secret } = parseApiKey(text) ?? { id: "", secret: "" };
    return await keys.decide(id, async (standing) => {
      if (!secretMatches(secret, standing?.secretHash) || !standing)
        throw new ProblemError("unauthenticated", "this is not an API key of this receiver");
      return principalOf(id, standing);
    });
  }

  return {
    async identify({ method, path, authorization }) {
      const [, credentials] = /^Bearer +([\x21-\x7e]+) *$/i.exec(authorization ?? "") ?? [];
      if (credentials === undefined)
        throw new ProblemError(
          "unauthenticated",
          "the Authorization header must carry `Bearer` and an agent's token or an API key (trbk_…)",
        );
      if (credentials.startsWith("trbk_")) return await key(credentials);
      return await agent(credentials, method, path.split("?", 1)[0] as string);
    },
    watch: (principal, clients, revoked, seen) => watchers.add(principal, clients, revoked, seen),
    close: () => watchers.close(),
  };
}

const publicKeys = new WeakMap<AgentStanding, KeyObject>();

/** Made once for each standing, which serves many requests: making it takes as long as verifying with it. */
function publicKeyOf(standing: AgentStanding): KeyObject {
  const made =
    publicKeys.get(standing) ??
    createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: standing.publicKey }, format: "jwk" });
  publicKeys.set(standing, made);
  return made;
}

/** Remembers what was found (never that nothing was) for `forMs`, and asks again before it refuses. */
function cached<S>(forMs: number, look: (id: string) => Promise<S | undefined>) {
  const seen = new Map<string, { readonly at: number; readonly standing: S }>();
  async function fresh(id: string): Promise<S | undefined> {
    if (id === "") return undefined;
    const at = performance.now();
    const standing = await look(id);
    if (seen.size >= MOST_CACHED) seen.clear();
    if (standing === undefined) seen.delete(id);
    else seen.set(id, { at, standing });
    return standing;
  }
  return {
    async decide<T>(id: string, by: (standing: S | undefined) => Promise<T>): Promise<T> {
      const known = seen.get(id);
      if (known && performance.now() - known.at < forMs) {
        try {
          return await by(known.standing);
        } catch {
          // decided below, by how it stands now
        }
      }
      return await by(await fresh(id));
    },
  };
}
