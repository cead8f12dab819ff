import { createHmac } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request as plain } from "node:http";
import { request as secure } from "node:https";
import { text } from "node:stream/consumers";
import type { Azurite } from "./azurite.ts";

export interface AzureRequest {
  /** `/container/blob`, percent-encoded. */
  readonly path: string;
  readonly method?: "GET" | "PUT" | "DELETE" | "HEAD";
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** The account's key without; a bearer token or the query of a SAS instead. */
  readonly as?: { readonly token: string } | { readonly sas: string };
}

export interface AzureAnswer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

const version = "2021-12-02";

/** One request to the blob service, by hand: what tests put, change and delete does not come from the code under test. */
export async function azure(azurite: Azurite, wanted: AzureRequest): Promise<AzureAnswer> {
  const { path, method = "GET", query = {}, body = "", as } = wanted;
  const url = new URL(`${azurite.endpoint}${path}`);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const headers: Record<string, string> = {
    "x-ms-version": version,
    "x-ms-date": new Date().toUTCString(),
    ...(method === "PUT" ? { "content-length": `${Buffer.byteLength(body)}` } : {}),
    ...wanted.headers,
  };
  if (as === undefined) headers.authorization = sharedKey(azurite, method, url, headers);
  else if ("token" in as) headers.authorization = `Bearer ${as.token}`;
  else for (const [name, value] of new URLSearchParams(as.sas)) url.searchParams.set(name, value);
  const options = { method, headers, agent: false, ca: azurite.authority } as const;
  const sent = url.protocol === "https:" ? secure(url, options) : plain(url, options);
  sent.end(body);
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: await text(answer) };
}

/** The query of an account SAS for blobs: `permissions` as in `rl`; expired when `expires` is past. */
export function accountSas(azurite: Azurite, permissions: string, expires: Date): string {
  const se = `${expires.toISOString().slice(0, 19)}Z`;
  const fields = { sv: "2020-10-02", ss: "b", srt: "sco", sp: permissions, se, spr: "https,http" };
  const { sv, ss, srt, sp, spr } = fields;
  // "Create an account SAS", version 2020-10-02 and before; no start, no range of addresses.
  const sig = sign(azurite, `${[azurite.account, sp, ss, srt, "", se, "", spr, sv].join("\n")}\n`);
  return `${new URLSearchParams({ ...fields, sig })}`;
}

/** "Authorize with Shared Key", version 2015-02-21 and later. */
function sharedKey(
  azurite: Azurite,
  method: string,
  url: URL,
  headers: Readonly<Record<string, string>>,
): string {
  const length = headers["content-length"] === "0" ? "" : headers["content-length"];
  const standard = ["content-encoding", "content-language", "", "content-md5", "content-type", "date"];
  const more = ["if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"];
  const lines = [...standard, ...more].map((name) => (name === "" ? (length ?? "") : (headers[name] ?? "")));
  const own = Object.keys(headers).filter((name) => name.startsWith("x-ms-"));
  const names = own.toSorted().map((name) => `${name}:${headers[name]}`);
  const query = [...url.searchParams].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const resource = [
    `/${azurite.account}${url.pathname}`,
    ...query.map(([name, value]) => `${name}:${value}`),
  ];
  return `SharedKey ${azurite.account}:${sign(azurite, [method, ...lines, ...names, ...resource].join("\n"))}`;
}

function sign(azurite: Azurite, words: string): string {
  return createHmac("sha256", Buffer.from(azurite.key, "base64")).update(words).digest("base64");
}
