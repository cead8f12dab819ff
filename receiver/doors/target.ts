/** The request target as it was sent (RFC 9112, 3.2), cut into path and query, nothing decoded or resolved. */
import { percentDecode } from "@tributary/shared/path.ts";
import { ProblemError } from "@tributary/shared/problems.ts";

export interface Target {
  /** Begins with `/`. What a token's `htu` is compared with. */
  readonly path: string;
  /** Without the `?`; empty when there is none. */
  readonly query: string;
}

/** Origin form, or absolute form (proxies may send it). Undefined for anything else. */
export function parseTarget(url: string): Target | undefined {
  const origin = url.startsWith("/") ? url : /^https?:\/\/[^/?#]*(\/.*)$/i.exec(url)?.[1];
  if (origin === undefined) return undefined;
  const mark = origin.indexOf("?");
  return mark === -1
    ? { path: origin, query: "" }
    : { path: origin.slice(0, mark), query: origin.slice(mark + 1) };
}

/** Bytes of a percent-encoded piece of a target. Raw bytes above ASCII reach us from Node as latin1 characters. */
export function targetBytes(piece: string): Buffer {
  const ascii = piece.replace(/[\u0080-\u00ff]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return percentDecode(ascii);
}

/** The bytes of a query parameter, `+` being a space as forms write it; undefined when it is not there. */
export function queryBytes(query: string, name: string): Buffer | undefined {
  for (const pair of query.split("&")) {
    const equals = pair.indexOf("=");
    if (equals === -1 || pair.slice(0, equals) !== name) continue;
    try {
      return targetBytes(pair.slice(equals + 1).replaceAll("+", " "));
    } catch (cause) {
      throw new ProblemError("request-invalid", `the query parameter ${name} is not percent-encoded text`, {
        cause,
      });
    }
  }
  return undefined;
}

/** As `queryBytes`, as text. An empty value counts as absent. */
export function queryText(query: string, name: string): string | undefined {
  return queryBytes(query, name)?.toString("utf8") || undefined;
}
