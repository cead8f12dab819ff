/**
 * `GET /install/` and `/install/{file}`: the agent's packages and the scripts that install them. For everybody: a
 * host that shall become an agent has no identity yet, and nothing in them is a secret.
 */
import { pipeline } from "node:stream/promises";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { formatDigest } from "@tributary/shared/digest.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { HEADER, ROUTE } from "@tributary/shared/protocol.ts";
import { Hono } from "hono";
import type { Handout, Install } from "../install/install.ts";
import { type Wanted, wantedOf } from "./content.ts";
import type { DoorContext, DoorEnv } from "./door.ts";
import { Places } from "./places.ts";

export interface InstallDoor {
  readonly install: Install;
  /** How many strangers may fetch at once. Places of their own: they take none from those who bring files. */
  readonly atOnce: number;
  /** The longest silence of a reader, ms. */
  readonly idle: number;
}

export function installDoor({ install, atOnce, idle }: InstallDoor): Hono<DoorEnv> {
  const places = new Places(atOnce, "hands out");
  return new Hono<DoorEnv>()
    .get(`${ROUTE.install}/`, async (c) => {
      // As sha256sum writes it, and reads it with --check.
      const lines = [...(await install.list())].map(([name, sha256]) => `${sha256}  ${name}\n`);
      return c.text(lines.join(""), 200, { "cache-control": "no-cache" });
    })
    .get(`${ROUTE.install}/:file`, async (c) => {
      const name = c.req.param("file");
      const file = await install.open(name);
      if (file === undefined)
        throw new ProblemError(
          "not-found",
          `there is no package "${name.slice(0, 100)}"; those that are there: ${ROUTE.install}/`,
        );
      return await handOut(c, file, places, idle);
    });
}

async function handOut(c: DoorContext, file: Handout, places: Places, idle: number): Promise<Response> {
  let sending = false;
  try {
    const wanted = wantedOf(c, { size: file.size, etag: `"${file.sha256}"` });
    const headers: Record<string, string> = {
      "cache-control": "no-cache",
      "content-type": file.type,
      "repr-digest": formatDigest(file.sha256),
      "x-content-type-options": "nosniff",
      ...wanted.headers,
      [HEADER.requestId]: c.get("requestId"),
    };
    if (wanted.status === 304) return new Response(null, { status: 304, headers });
    if (c.env.incoming.method === "HEAD") {
      c.env.outgoing.writeHead(wanted.status, headers).end();
      return RESPONSE_ALREADY_SENT;
    }
    await places.hold(async () => {
      sending = true;
      c.env.outgoing.writeHead(wanted.status, headers);
      await send(c, file, wanted, idle);
    });
    return RESPONSE_ALREADY_SENT;
  } finally {
    if (!sending) await file.close();
  }
}

/** A failure midway can only be shown by cutting the connection: the status has left already. */
async function send(c: DoorContext, file: Handout, wanted: Wanted, idle: number): Promise<void> {
  const { outgoing } = c.env;
  // Whoever reads nothing would hold its place for ever.
  outgoing.setTimeout(idle, () => outgoing.destroy());
  await pipeline(file.read(wanted.range), wholeOf(wanted.length), outgoing).catch(() => outgoing.destroy());
}

/** A file that was cut short while it was read must not look whole, nor its reader wait for the rest. */
function wholeOf(length: number) {
  return async function* (bytes: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    let sent = 0;
    for await (const chunk of bytes) {
      sent += chunk.length;
      yield chunk;
    }
    if (sent !== length) throw new Error(`${sent} bytes instead of ${length}`);
  };
}
