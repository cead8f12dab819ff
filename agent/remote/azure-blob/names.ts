/** Names of blobs: text on the wire, bytes here. */
import { pathForUrl } from "@tributary/shared/path.ts";

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
