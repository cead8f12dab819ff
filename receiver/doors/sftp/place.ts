/**
 * Where a path of an SFTP client leads. `/` holds the sources as folders; for an account that is bound to one source it
 * is that source, which may be called by its name, too. `.` and `..` are steps there, as every SFTP server takes them,
 * and no way out of it; below a source a path is what its bytes are.
 */
import { encodePath, MAX_PATH_BYTES, pathFault } from "@tributary/shared/path.ts";
import { slug } from "@tributary/shared/protocol.ts";

/** What is beside the sources, for accounts that may see it: no source can have such a name, and no listing shows it. */
export const AREAS = { history: ".history", receipts: ".receipts" } as const;
export type Area = keyof typeof AREAS;

export type Place =
  | { readonly kind: "root" }
  /** A name right in `/`: a source, or a file of the default source. */
  | { readonly kind: "top"; readonly name: Buffer }
  | { readonly kind: "inside"; readonly source: string; readonly path: Buffer }
  | { readonly kind: "area"; readonly area: Area; readonly segments: readonly Buffer[] };

const SLASH = 0x2f;

/** Without empty segments, `.` and `..`; undefined for what is longer than any path. */
function segmentsOf(path: Buffer): Buffer[] | undefined {
  if (path.length > MAX_PATH_BYTES + 512) return undefined;
  const segments: Buffer[] = [];
  for (let at = 0; at <= path.length; ) {
    const slash = path.indexOf(SLASH, at);
    const end = slash === -1 ? path.length : slash;
    const segment = path.subarray(at, end);
    const text = segment.length <= 2 ? segment.toString("latin1") : "";
    if (text === "..") segments.pop();
    else if (segment.length > 0 && text !== ".") segments.push(segment);
    at = end + 1;
  }
  return segments;
}

/** Undefined: nothing can be there, and nothing can be put there. `bound`: the account's only source. */
export function placeOf(path: Buffer, bound?: string): Place | undefined {
  const segments = segmentsOf(path);
  const first = segments?.[0];
  if (segments === undefined) return undefined;
  if (first === undefined) return { kind: "root" };
  const name = first.toString("latin1");
  for (const area of ["history", "receipts"] as const)
    if (name === AREAS[area]) return { kind: "area", area, segments: segments.slice(1) };
  if (bound !== undefined) {
    const inside = name === bound ? segments.slice(1) : segments;
    return inside.length === 0 ? { kind: "root" } : { kind: "inside", source: bound, path: joined(inside) };
  }
  // The packet that it came in is used again.
  if (segments.length === 1) return { kind: "top", name: Buffer.from(first) };
  const source = slug.safeParse(first.toString("utf8"));
  if (!source.success) return undefined;
  return { kind: "inside", source: source.data, path: joined(segments.slice(1)) };
}

/** As clients see a path: absolute. */
export function absolute(path: Buffer): Buffer | undefined {
  const segments = segmentsOf(path);
  return segments && Buffer.concat([Buffer.from("/"), joined(segments)]);
}

export function joined(segments: readonly Buffer[]): Buffer {
  return Buffer.concat(segments.flatMap((segment, i) => (i === 0 ? [segment] : [Buffer.from("/"), segment])));
}

/** Undefined: it is no path inside a source, so nothing is there. */
export function encodedOf(path: Buffer): string | undefined {
  return pathFault(path) === undefined ? encodePath(path) : undefined;
}

export function lastSegment(path: Buffer): Buffer {
  return path.subarray(path.lastIndexOf(SLASH) + 1);
}
