/** Names of blobs: text on the wire, bytes here. */
import { pathForUrl } from "@tributary/shared/path.ts";
import { RemoteError } from "../remote.ts";

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Undefined: no blob can be called so. */
export function textOf(name: Buffer): string | undefined {
  try {
    return UTF8.decode(name);
  } catch {
    return undefined;
  }
}

/** The library's own way from a name to a URL turns a backslash into a slash: another blob. */
export function urlOf(container: string, name: Buffer, query: string): string {
  return `${container}/${pathForUrl(name)}${query === "" ? "" : `?${query}`}`;
}

/** Listings say an ETag without quotes, answers to requests with them. */
export function bareTag(etag: string): string {
  return etag.replace(/^"(.*)"$/, "$1");
}

export interface WrittenNames {
  readonly blobs: readonly string[];
  readonly prefixes: readonly string[];
}

/** Only in front of a name, so that metadata called Name is none. */
const WRITTEN = /<(Blob|BlobPrefix)>\s*<Name(?:\s+Encoded="(true|false)")?(?:\/>|>([^<]*)<\/Name>)/g;

/**
 * Names as they stand in a page of a listing, in its order. The library's own reading leaves `&#xD;` as it is, so that a
 * name with a carriage return would become that of another blob. Names that XML cannot hold are percent-encoded ("List
 * Blobs", 2021-02-12). Throws `failed`.
 */
export function namesWritten(xml: string): WrittenNames {
  const names: { blobs: string[]; prefixes: string[] } = { blobs: [], prefixes: [] };
  for (const [, kind, encoded, text = ""] of xml.matchAll(WRITTEN)) {
    const name = unescapeXml(text);
    names[kind === "Blob" ? "blobs" : "prefixes"].push(encoded === "true" ? decoded(name) : name);
  }
  return names;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch (cause) {
    throw new RemoteError("failed", `a listing has a name that cannot be read: ${name}`, { cause });
  }
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(
    /&(?:#x([0-9a-f]+)|#(\d+)|(lt|gt|amp|quot|apos));/gi,
    (_, hex?: string, decimal?: string, name?: string) =>
      name === undefined
        ? String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16))
        : (ENTITIES[name.toLowerCase()] as string),
  );
}
