/** Paths as people read them. Which file it is, says `pathEncoded` alone: the receiver's codec wrote it. */

const reader = new TextDecoder("utf-8", { ignoreBOM: true });
const writer = new TextEncoder();

/** Bytes that are no UTF-8 become U+FFFD. */
export function displayOf(pathEncoded: string): string {
  if (!pathEncoded.includes("%")) return pathEncoded;
  const bytes: number[] = [];
  for (let at = 0; at < pathEncoded.length; ) {
    const percent = pathEncoded.indexOf("%", at);
    const end = percent === -1 ? pathEncoded.length : percent;
    bytes.push(...writer.encode(pathEncoded.slice(at, end)));
    if (percent === -1) break;
    bytes.push(Number.parseInt(pathEncoded.slice(percent + 1, percent + 3), 16));
    at = percent + 3;
  }
  return reader.decode(Uint8Array.from(bytes));
}

export const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** "" of what is right in the source. */
export const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));

/** Each folder on the way, and the path itself: `a`, `a/b`. */
export function stepsOf(pathEncoded: string): readonly string[] {
  if (pathEncoded === "") return [];
  const parts = pathEncoded.split("/");
  return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
}

/** Where a file is told of: whose it is, and which. */
export interface FileId {
  readonly client: string;
  readonly source: string;
  readonly pathEncoded: string;
}

/** One text for an address: neither clients nor sources have a slash. */
export const fileText = ({ client, source, pathEncoded }: FileId): string =>
  `${client}/${source}/${pathEncoded}`;

export function fileOf(text: string): FileId | undefined {
  const [, client, source, pathEncoded] = /^([^/]+)\/([^/]+)\/(.+)$/s.exec(text) ?? [];
  if (client === undefined || source === undefined || pathEncoded === undefined) return undefined;
  return { client, source, pathEncoded };
}

/** The page of a client's files, with this one open. */
export function filesHref(file: FileId, versionId?: string): string {
  const query = new URLSearchParams({ source: file.source });
  const folder = folderOf(file.pathEncoded);
  if (folder !== "") query.set("folder", folder);
  query.set("file", fileText(file));
  if (versionId !== undefined) query.set("version", versionId);
  return `/clients/${file.client}/files?${query}`;
}
