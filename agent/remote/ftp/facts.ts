/** Lines of MLSD and MLST (RFC 3659, 7): exact, the same on every server, times in UTC. */
import type { Entry } from "../remote.ts";
import { unsayable } from "./spelling.ts";

export interface Facts {
  /** In lower case, as RFC 3659 lets servers write them as they like. */
  readonly facts: ReadonlyMap<string, string>;
  readonly name: string;
}

/** Undefined: it is not such a line. */
export function readFacts(line: string): Facts | undefined {
  const space = line.indexOf(" ");
  const before = line.slice(0, Math.max(0, space));
  if (space < 0 || !/^(?:[^=; ]+=[^;]*;)*$/.test(before)) return undefined;
  const facts = new Map<string, string>();
  for (const fact of before.split(";")) {
    const equals = fact.indexOf("=");
    if (equals > 0) facts.set(fact.slice(0, equals).toLowerCase(), fact.slice(equals + 1));
  }
  return { facts, name: line.slice(space + 1) };
}

/** "skip": the folder itself, and the one above. */
export function entryOfFacts({ facts, name }: Facts): Entry | "skip" | undefined {
  const type = facts.get("type")?.toLowerCase();
  if (type === "cdir" || type === "pdir" || name === "." || name === "..") return "skip";
  if (type === undefined || name === "") return undefined;
  const bytes = Buffer.from(name, "latin1");
  const reason = unsayable(name) ?? notOneName(name);
  if (reason !== undefined) return { kind: "refused", name: bytes, reason };
  if (type === "dir") return { kind: "folder", name: bytes };
  if (type !== "file")
    return {
      kind: "other",
      name: bytes,
      what: /s(ym)?link/.test(type) ? "a link: links are not followed" : type,
    };
  const size = sizeOf(facts.get("size"));
  const mtimeNs = instant(facts.get("modify") ?? "");
  if (size === undefined || mtimeNs === undefined)
    return { kind: "refused", name: bytes, reason: "the server tells no size or no time of this file" };
  return { kind: "file", name: bytes, state: { size, mtimeNs, ctimeNs: 0n, fileId: undefined } };
}

export function notOneName(name: string): string | undefined {
  return name.includes("/") ? "the server names a path where a name belongs" : undefined;
}

export function sizeOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
  const size = Number(text);
  return Number.isSafeInteger(size) ? size : undefined;
}

/** ns since 1970 of `YYYYMMDDHHMMSS[.sss]`, UTC (RFC 3659, 2.3). */
export function instant(text: string): bigint | undefined {
  const found = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{1,9})\d*)?$/.exec(text.trim());
  if (found === null) return undefined;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  return BigInt(ms) * 1_000_000n + BigInt((found[7] ?? "").padEnd(9, "0"));
}
