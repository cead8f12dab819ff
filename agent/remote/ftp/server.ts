/** What this server can do: it says so in FEAT (RFC 2389), and by what it refuses. */

import type { Control } from "./control.ts";
import { FTPError } from "./library.ts";

export interface Features {
  readonly mlsd: boolean;
  /** Facts that are needed are there, but not told unless asked for. */
  readonly factsAsked: boolean;
  readonly utf8: boolean;
  readonly mdtm: boolean;
}

/** Shared by all connections: what one of them learnt the others need not try. */
export interface Server extends Features {
  learn(features: Features): void;
  /** Undefined: nobody has logged in yet. */
  readonly known: boolean;
  mdtm: boolean;
  /** SIZE: older servers have it only in their listings. */
  size: boolean;
  rest: boolean;
  epsv: boolean;
  /** It is known to understand `LIST -a`, which shows names that begin with a dot, too. */
  all: boolean;
}

export function newServer(): Server {
  return {
    known: false,
    mlsd: false,
    factsAsked: false,
    utf8: false,
    mdtm: true,
    size: true,
    rest: true,
    epsv: true,
    all: false,
    learn(features) {
      // What it says of itself may be refused later, which is remembered: it is only asked once.
      if (this.known) Object.assign(this, features, { mdtm: this.mdtm && features.mdtm });
      else Object.assign(this, features, { known: true });
    },
  };
}

export async function featuresOf(control: Control): Promise<Features> {
  try {
    return readFeatures((await control.ask("FEAT")).message);
  } catch (error) {
    if (!(error instanceof FTPError) || error.code === 421) throw error;
    // Servers from before RFC 2389: MDTM is older, and shows when it is tried.
    return { mlsd: false, factsAsked: false, utf8: false, mdtm: true };
  }
}

const NEEDED = ["type", "size", "modify"];

export function readFeatures(reply: string): Features {
  const lines = reply
    .split("\n")
    .slice(1, -1)
    .map((line) => line.trim());
  const has = (name: string): boolean => lines.some((line) => line.toUpperCase().split(" ")[0] === name);
  const facts = (lines.find((line) => /^MLST /i.test(line)) ?? "").slice(5).toLowerCase().split(";");
  const told = (fact: string): boolean => facts.includes(`${fact}*`);
  return {
    mlsd: NEEDED.every((fact) => told(fact) || facts.includes(fact)),
    factsAsked: !NEEDED.every(told),
    utf8: has("UTF8"),
    mdtm: has("MDTM"),
  };
}
