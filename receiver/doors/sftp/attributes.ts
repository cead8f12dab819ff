/** How files and folders look to an SFTP client, which expects those of a Unix system. */
import type { Attributes } from "@tributary/shared/sftp/attributes.ts";
import type { Name } from "./wire.ts";

const FOLDER = 0o040000;
const FILE = 0o100000;
const KINDS = 0o170000;

export interface Look {
  readonly kind: "folder" | "file";
  readonly size: number;
  /** ms since 1970. */
  readonly modified: number;
  /** Whether it can be read, and written to. */
  readonly readable: boolean;
  readonly writable: boolean;
}

export function attributesOf({ kind, size, modified, readable, writable }: Look): Attributes {
  const seconds = Math.min(Math.max(0, Math.floor(modified / 1000)), 0xffffffff);
  const bits =
    kind === "folder" ? (writable ? 0o770 : 0o550) : (readable ? 0o440 : 0) | (writable ? 0o220 : 0);
  return {
    size,
    uid: 0,
    gid: 0,
    permissions: (kind === "folder" ? FOLDER : FILE) | bits,
    accessed: seconds,
    modified: seconds,
  };
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;
const HALF_A_YEAR_MS = 183 * 86_400_000;

/** With the line that `ls -l` prints. */
export function nameOf(name: Buffer, look: Look, owner: string, now: number): Name {
  const attributes = attributesOf(look);
  const who = `${owner.padEnd(8)} ${owner.padEnd(8)}`;
  const size = String(look.size).padStart(8);
  const line = `${modeText(attributes.permissions ?? 0)}    1 ${who} ${size} ${dateText(look.modified, now)} `;
  return { name, line, attributes };
}

const MODES = new Map<number, string>();

/** There are few, and very many that have them. */
function modeText(mode: number): string {
  const known = MODES.get(mode);
  if (known !== undefined) return known;
  const bits = ["r", "w", "x"];
  const text = Array.from({ length: 9 }, (_, i) => ((mode >> (8 - i)) & 1 ? bits[i % 3] : "-")).join("");
  const whole = `${(mode & KINDS) === FOLDER ? "d" : "-"}${text}`;
  MODES.set(mode, whole);
  return whole;
}

function dateText(ms: number, now: number): string {
  const date = new Date(ms);
  const day = `${MONTHS[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2)}`;
  const two = (value: number): string => String(value).padStart(2, "0");
  return Math.abs(now - ms) > HALF_A_YEAR_MS
    ? `${day}  ${date.getUTCFullYear()}`
    : `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
}

/** RFC 3339 of the seconds since 1970 that a client tells. */
export const timeOf = (seconds: number): string => new Date(seconds * 1000).toISOString();
