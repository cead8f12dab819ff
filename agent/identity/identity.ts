/**
 * Who this agent is, in the data folder. Format and invariants:
 *  - `key`: Ed25519 private key, PEM, 0600, made on this host, never sent;
 *  - `key.new`: the key of an enrolment that has no stored answer yet; kept, so that repeating it gives the same answer;
 *  - `identity.json`: what the enrolment answered; written last, so it is the moment at which an enrolment counts.
 *    It names its public key: after a crash between the two renames `key.new` is recognised as the key;
 *  - `standing.json`: what heartbeats changed since (nonce, trust, keys, the wish to pause); counts only for the same public key, so
 *    a running agent and an enrolment beside it never overwrite each other.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { existsSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeDurably } from "@tributary/shared/durable.ts";
import { makeFolder, syncFolder } from "@tributary/shared/folder.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { jwks, slug, uuid } from "@tributary/shared/protocol.ts";
import { z } from "zod";
import { readOwn } from "../own-file.ts";
import { trust } from "./trust.ts";

const standing = z.object({
  publicKey: z.string(),
  clients: z.array(slug),
  trust,
  jwks,
  nonce: z.string(),
  heartbeatSeconds: z.number().positive(),
  /** The centre wishes that nothing leaves: also while it cannot be asked. */
  pause: z.object({ since: z.string(), by: z.string() }).optional(),
});
export type Standing = z.infer<typeof standing>;

const enrolled = standing.extend({
  agentId: uuid,
  name: z.string(),
  site: uuid,
  url: z.url(),
  /** SHA-256 of the code that brought it: the same command again finds itself done. */
  codeSha256: z.string(),
});
export type Enrolled = z.infer<typeof enrolled>;

export interface Identity extends Enrolled {
  readonly key: KeyObject;
}

/** The identity of this data folder; undefined when it never enrolled. Throws `config-invalid` when its files are damaged. */
export function loadIdentity(data: string): Identity | undefined {
  const stored = readJson(
    join(data, "identity.json"),
    enrolled,
    "restore it from a backup, or remove it and have this agent invited anew with --replaces",
  );
  if (stored === undefined) return undefined;
  const since = readJson(
    join(data, "standing.json"),
    standing,
    "restore it from a backup, or have this agent invited anew with --replaces and remove it",
  );
  const current = since?.publicKey === stored.publicKey ? { ...stored, ...since } : stored;
  return { ...current, key: loadKey(data, stored.publicKey) };
}

/** As `loadIdentity`; throws `usage` when this folder never enrolled. */
export function requireIdentity(data: string): Identity {
  const identity = loadIdentity(data);
  if (identity === undefined)
    throw new ProblemError(
      "usage",
      `${data} is not enrolled; ask the receiver's operator for a code and run: tributary-agent enroll CODE`,
    );
  return identity;
}

/**
 * Tells of an enrolment beside a running agent: the identity at the first look, and when its file was written since.
 * Asked every few seconds for ever, so nothing is read while nothing changed. What cannot be read now is looked at again.
 */
export function identityChanges(data: string): () => Identity | undefined {
  const file = join(data, "identity.json");
  let known: string | undefined;
  return () => {
    try {
      const found = statSync(file, { bigint: true });
      const mark = `${found.mtimeNs} ${found.size} ${found.ino}`;
      if (mark === known) return undefined;
      const stored = requireIdentity(data);
      known = mark;
      return stored;
    } catch {
      return undefined;
    }
  };
}

/** Stores what a heartbeat changed, durably, before it is used. */
export function storeStanding(data: string, fresh: Standing): void {
  writeDurably(join(data, "standing.json"), JSON.stringify(standing.parse(fresh), undefined, 2));
}

/** The key for an enrolment under way: the one of an earlier try whose answer was lost, or a new one. */
export function pendingKey(data: string): KeyObject {
  const file = join(data, "key.new");
  const known = readKey(file);
  if (known !== undefined) return known;
  const { privateKey } = generateKeyPairSync("ed25519");
  makeFolder(data, { mode: 0o700, fresh: false });
  writeDurably(file, privateKey.export({ type: "pkcs8", format: "pem" }).toString(), 0o600);
  return privateKey;
}

/** The enrolment counts from here on: answer first, then the key takes its name. */
export function storeEnrolment(data: string, fresh: Enrolled): void {
  writeDurably(join(data, "identity.json"), JSON.stringify(enrolled.parse(fresh), undefined, 2));
  adoptPending(data);
}

/** `x` of the public key as JWK, base64url. */
export function publicX(key: KeyObject): string {
  return createPublicKey(key).export({ format: "jwk" }).x as string;
}

function loadKey(data: string, publicKey: string): KeyObject {
  const key = readKey(join(data, "key"));
  if (key !== undefined && publicX(key) === publicKey) return key;
  const pending = readKey(join(data, "key.new"));
  if (pending !== undefined && publicX(pending) === publicKey) {
    adoptPending(data);
    return pending;
  }
  throw new ProblemError(
    "config-invalid",
    `${join(data, "key")} is not the key of this agent's identity; restore it, or have the agent invited anew with --replaces`,
  );
}

function adoptPending(data: string): void {
  const pending = join(data, "key.new");
  if (!existsSync(pending)) return;
  renameSync(pending, join(data, "key"));
  syncFolder(data);
}

function readKey(file: string): KeyObject | undefined {
  const pem = readOwn(file);
  if (pem === undefined) return undefined;
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new ProblemError(
      "config-invalid",
      `${file} is damaged: it holds no private key; restore it from a backup, or remove it and have this agent invited anew with --replaces`,
      { cause },
    );
  }
}

/** `remedy`: what to do when the file was changed or cut. Undefined when there is none. */
function readJson<T extends z.ZodType>(file: string, schema: T, remedy: string): z.output<T> | undefined {
  const text = readOwn(file);
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const what =
      cause instanceof z.ZodError
        ? `"${cause.issues[0]?.path.join(".")}" is missing or wrong`
        : "it is no whole JSON";
    throw new ProblemError("config-invalid", `${file} is damaged (${what}); ${remedy}`, { cause });
  }
}
