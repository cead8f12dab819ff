/**
 * Where things lie in the lake. A contract with everybody who reads it:
 * `raw/client=<client>/source=<source>/date=<UTC day>/<versionId>/<pathEncoded>`, write-once, name and extension
 * last. `=` is escaped in names, so nobody can forge a partition. A segment of over 200 encoded bytes becomes
 * head~hash~tail.ext, and a key of over 1,000 bytes likewise in its middle; the whole path stands in the manifest.
 * What inspection has not let through lies in the same way below `quarantine/`, which is nobody's to read.
 */
import { createHash } from "node:crypto";
import { isUuidv7 } from "@tributary/shared/uuid.ts";

const SEGMENT_BYTES = 200;
const KEY_BYTES = 1000;

/** `quarantine`: not to be seen below `raw/`, yet or for now. */
export type Area = "raw" | "quarantine";

export function objectKey(
  o: { client: string; source: string; date: string; versionId: string; pathEncoded: string },
  area: Area = "raw",
): string {
  const head = `${area}/client=${o.client}/source=${o.source}/date=${o.date}/${o.versionId}/`;
  const path = o.pathEncoded
    .split("/")
    .map((segment) => shorten(segment, SEGMENT_BYTES))
    .join("/");
  if (Buffer.byteLength(head + path) <= KEY_BYTES) return head + path;
  // Whole folders go from the middle; the first and the name stay readable.
  const segments = path.split("/");
  const name = segments.at(-1) as string;
  const hash = digestOf(o.pathEncoded);
  let front = "";
  for (const segment of segments.slice(0, -1)) {
    const longer = `${front}${segment}/`;
    if (Buffer.byteLength(`${head}${longer}~${hash}~/${name}`) > KEY_BYTES) break;
    front = longer;
  }
  return `${head}${front}~${hash}~/${name}`;
}

export function isInQuarantine(key: string): boolean {
  return key.startsWith("quarantine/");
}

/** Where an object goes that leaves quarantine: under the day on which its bytes came. */
export function releasedKey(key: string): string {
  return key.replace(/^quarantine\//, "raw/");
}

/** The version of an object's key, also in quarantine; undefined for what is not one of ours. */
export function versionIdOf(key: string): string | undefined {
  const [, versionId] =
    /^(?:raw|quarantine)\/client=[^/]+\/source=[^/]+\/date=[^/]+\/([^/]+)\//.exec(key) ?? [];
  return versionId !== undefined && isUuidv7(versionId) ? versionId : undefined;
}

export function segmentKey(segment: { date: string; id: string }): string {
  return `manifest/date=${segment.date}/${segment.id}.jsonl`;
}

/** UTC day of a time in ms. */
export function utcDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

function shorten(segment: string, most: number): string {
  if (Buffer.byteLength(segment) <= most) return segment;
  const dot = segment.lastIndexOf(".");
  const extension = dot > 0 && Buffer.byteLength(segment.slice(dot)) <= 20 ? segment.slice(dot) : "";
  const stem = segment.slice(0, segment.length - extension.length);
  const hash = digestOf(segment);
  const room = most - Buffer.byteLength(extension) - hash.length - 2;
  const tailBytes = Math.floor(room / 4);
  return `${takeHead(stem, room - tailBytes)}~${hash}~${takeTail(stem, tailBytes)}${extension}`;
}

/** At most `most` bytes from the front, cutting neither a character nor a %XX. */
function takeHead(text: string, most: number): string {
  let out = "";
  let bytes = 0;
  for (const [unit] of text.matchAll(/%[0-9A-F]{2}|./gsu)) {
    bytes += Buffer.byteLength(unit);
    if (bytes > most) break;
    out += unit;
  }
  return out;
}

function takeTail(text: string, most: number): string {
  const units = [...text.matchAll(/%[0-9A-F]{2}|./gsu)].map(([unit]) => unit);
  let bytes = 0;
  let from = units.length;
  while (from > 0 && bytes + Buffer.byteLength(units[from - 1] as string) <= most) {
    from -= 1;
    bytes += Buffer.byteLength(units[from] as string);
  }
  return units.slice(from).join("");
}
