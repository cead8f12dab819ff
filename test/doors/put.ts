/** `PUT /v1/files/{source}/{path}`, as `curl -T` does. */
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { connect } from "node:tls";
import { formatDigest } from "@tributary/shared/digest.ts";
import { pathForUrl } from "@tributary/shared/path.ts";
import { HEADER, ROUTE } from "@tributary/shared/protocol.ts";
import type { Door, Outcome, Sending, Threshold } from "./door.ts";
import { clientHeader, holdKey, type KeyHolder, lost, OF_PROGRAMS, outcomeIn, outcomeOf } from "./keyed.ts";

export const put: Door = {
  ...OF_PROGRAMS,
  name: "put",
  channels: () => ["api"],
  cannot: {},
  otherwise: {},
  async enter(at) {
    const holder = await holdKey(at);
    const one = async (file: Sending): Promise<Outcome> =>
      file.declared?.size === undefined
        ? await outcomeOf(holder.api.put(at.source, pathForUrl(file.path), file.bytes, headersOf(file)))
        : await lied(at, holder, file, file.declared.size);
    return { ...holder, send: async (files) => await Promise.all(files.map(one)) };
  },
};

function headersOf({ captureId, declared, client }: Sending): Record<string, string> {
  return {
    ...clientHeader(client === undefined ? {} : { client }),
    ...(captureId === undefined ? {} : { [HEADER.idempotencyKey]: captureId }),
    ...(declared?.sha256 === undefined ? {} : { [HEADER.reprDigest]: formatDigest(declared.sha256) }),
  };
}

/** A Content-Length that is not true: no HTTP client would send it. Everything leaves at once, then the sender's end is closed. */
async function lied(
  { site, port, source }: Threshold,
  { key }: KeyHolder,
  file: Sending,
  size: number,
): Promise<Outcome> {
  const head = [
    `PUT ${ROUTE.files}/${source}/${pathForUrl(file.path)} HTTP/1.1`,
    "Host: receiver",
    `Authorization: Bearer ${key}`,
    `Content-Length: ${size}`,
    ...Object.entries(headersOf(file)).map(([name, value]) => `${name}: ${value}`),
  ];
  const socket = connect({ port, host: "127.0.0.1", ca: readFileSync(site.ca) });
  socket.end(Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), file.bytes]));
  try {
    const answer = await text(socket);
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
    const body = answer.slice(answer.indexOf("{"), answer.lastIndexOf("}") + 1);
    return status > 0
      ? outcomeIn({ status, body: JSON.parse(body) })
      : { kind: "lost", why: "the connection was closed" };
  } catch (cause) {
    return lost(cause);
  }
}
