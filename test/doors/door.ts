/**
 * A door as the conformance suite sees it: a way to bring files, told apart from the others by what it can express and
 * by nothing else. An adapter is one file with one `Door`; docs/doors.md says how to write it.
 */
import type { ProblemCode } from "@tributary/shared/problems.ts";
import type { Site } from "../site/site.ts";
import { SINS, type Sin } from "./sins.ts";

/** What a case may need, and not every door can say. */
export const ABILITIES = {
  captures: "names its captures itself",
  digests: "declares a digest",
  sizes: "declares a size apart from the bytes",
  removals: "tells that a file is gone",
  clients: "names the client that it writes for",
  rights: "can be given fewer rights",
  repeats: "sends again bytes that it has a receipt for",
} as const;
export type Ability = keyof typeof ABILITIES;

export interface Door {
  readonly name: string;
  /** What the ledger may call the way by which a file of so many bytes came. */
  channels(size: number): readonly string[];
  /** What this door cannot express, with the reason: cases that need it are listed with it and not run. */
  readonly cannot: Readonly<Partial<Record<Ability, string>>>;
  /** Why this door cannot say this path, or undefined when it can. */
  unspeakable(path: Buffer): string | undefined;
  /** Where a sin has another name at this door than at all others: declared, with the reason, so that nobody finds it by chance. */
  readonly otherwise: Readonly<
    Partial<Record<Sin, { readonly code: ProblemCode; readonly because: string }>>
  >;
  /** Whether what the network broke is tried again by the program itself: then no outcome is `lost`. */
  readonly perseveres: boolean;
  /** What is revoked here: it decides how that is called. */
  readonly bearer: "key" | "agent" | "account";
  /** Of loopback, where this door is. */
  portOf(site: Site): number;
  /** Comes in with credentials of its own. */
  enter(at: Threshold): Promise<Sender>;
}

/** Where somebody comes in, and as whom. */
export interface Threshold {
  readonly site: Site;
  /** Of loopback: the receiver's own, or a bad network's in front of it. */
  readonly port: number;
  readonly client: string;
  readonly source: string;
  /** Less than everything, where the door has such credentials. */
  readonly rights?: { readonly acts: string } | { readonly source: string };
}

/** Somebody at a door. */
export interface Sender {
  /** Who that is in entries and receipts. */
  readonly bearer: string;
  /** Sends all of them, each once, and tells what came of each, in their order. What a program repeats by itself counts as once. */
  send(files: readonly Sending[]): Promise<readonly Outcome[]>;
  /** Tells that the file is gone. Only where the door `removals`. */
  remove(path: Buffer): Promise<Outcome>;
  /** The Authorization header with which these credentials ask the HTTP API; undefined: they are good for this door alone. */
  authorization(method: string, path: string): string | undefined;
  /** The command with which an operator takes these credentials back. */
  readonly revocation: readonly string[];
  close(): Promise<void>;
}

export interface Sending {
  readonly path: Buffer;
  readonly bytes: Buffer;
  readonly captureId?: string;
  /** Another client than the sender's own. */
  readonly client?: string;
  /** What is declared, when that is not the truth. */
  readonly declared?: { readonly size?: number; readonly sha256?: string };
}

/** `lost`: the connection ended without an answer, so nobody was promised anything. */
export type Outcome =
  | { readonly kind: "receipt"; readonly receipt: string }
  | { readonly kind: "problem"; readonly code: string; readonly detail?: string }
  | { readonly kind: "lost"; readonly why: string };

/** What this door calls the sin. */
export function codeOf(door: Door, sin: Sin): ProblemCode {
  return door.otherwise[sin]?.code ?? SINS[sin];
}
