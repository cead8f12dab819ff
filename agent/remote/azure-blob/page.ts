/**
 * A page of "List Blobs", read for the little that is needed. The SDK makes fifty fields of each blob, at ten times the time
 * and five times the memory, and reads a carriage return in a name as `&#xD;`: another blob's name.
 */

/** What listings and answers say of a blob, each in its own way. */
export interface BlobFacts {
  readonly contentLength?: number | undefined;
  readonly lastModified?: Date | undefined;
  readonly etag?: string | undefined;
  readonly accessTier?: string | undefined;
  readonly archiveStatus?: string | undefined;
  readonly copyStatus?: string | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

export interface Page {
  readonly blobs: readonly { readonly name: string; readonly facts: BlobFacts }[];
  readonly prefixes: readonly string[];
  /** Undefined: it is the last one. */
  readonly token: string | undefined;
}

/** Text between tags never holds a `<`, so that no name and no metadata can be taken for a tag. */
const ITEM = /<(Blob|BlobPrefix)>\s*(<Name.*?)<\/\1>/gs;
const NAME = /^<Name(?:\s+Encoded="(true|false)")?(?:\s*\/>|>([^<]*)<\/Name>)/;
const FOLDER = /<hdi_isfolder>\s*true\s*<\/hdi_isfolder>/i;

/** Undefined: it is none, or not whole. */
export function pageIn(xml: string): Page | undefined {
  if (!/<\/EnumerationResults>\s*$/.test(xml)) return undefined;
  const blobs: { name: string; facts: BlobFacts }[] = [];
  const prefixes: string[] = [];
  for (const [, kind, item = ""] of xml.matchAll(ITEM)) {
    const [, encoded, text = ""] = NAME.exec(item) ?? [];
    const written = unescapeXml(text);
    const name = encoded === "true" ? decoded(written) : written;
    if (kind === "BlobPrefix") prefixes.push(name);
    else blobs.push({ name, facts: factsIn(item) });
  }
  const token = /<NextMarker>([^<]+)<\/NextMarker>/.exec(xml)?.[1];
  return { blobs, prefixes, token: token === undefined ? undefined : unescapeXml(token) };
}

function factsIn(item: string): BlobFacts {
  const properties = item.slice(item.indexOf("<Properties>"), item.indexOf("</Properties>"));
  const text = (tag: string): string | undefined => {
    const at = properties.indexOf(`<${tag}>`);
    if (at < 0) return undefined;
    const from = at + tag.length + 2;
    return unescapeXml(properties.slice(from, properties.indexOf("<", from))) || undefined;
  };
  const length = text("Content-Length");
  const modified = Date.parse(text("Last-Modified") ?? "");
  return {
    contentLength: length === undefined || !/^\d+$/.test(length) ? undefined : Number(length),
    lastModified: Number.isNaN(modified) ? undefined : new Date(modified),
    etag: text("Etag"),
    accessTier: text("AccessTier"),
    archiveStatus: text("ArchiveStatus"),
    copyStatus: text("CopyStatus"),
    metadata: FOLDER.test(item.slice(item.indexOf("</Properties>"))) ? { hdi_isfolder: "true" } : undefined,
  };
}

/** Names that XML cannot hold are percent-encoded, from version 2021-02-12 on. One that cannot be decoded stays as it is: it is no blob's, and says so. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(
    /&(?:#x([0-9a-f]+)|#(\d+)|(lt|gt|amp|quot|apos));/gi,
    (_, hex?: string, decimal?: string, name?: string) =>
      name === undefined
        ? String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16))
        : (ENTITIES[name.toLowerCase()] as string),
  );
}
