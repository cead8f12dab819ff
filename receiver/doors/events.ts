/** `GET /v1/events`: the tail of the ledger, in pages or as server-sent events (WHATWG HTML, 9.2). */
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { EventPage } from "@tributary/shared/protocol.ts";
import { entry, HEADER, ROUTE } from "@tributary/shared/protocol.ts";
import { Hono } from "hono";
import type { Gate } from "../identity/principal.ts";
import type { History, Scope } from "../ledger/ledger.ts";
import { formatCursor, parseCursor } from "../tail/cursor.ts";
import type { Tail } from "../tail/tail.ts";
import { type DoorContext, type DoorEnv, header } from "./door.ts";
import { identify, whileAllowed } from "./identify.ts";
import { scopeOf } from "./scope.ts";
import type { Streams } from "./streams.ts";
import { queryText } from "./target.ts";
import { limitOf } from "./versions.ts";

export interface EventsDoor {
  readonly gate: Gate;
  readonly history: History;
  readonly tail: Pick<Tail, "next">;
  /** Ends all streams when the receiver stops. */
  readonly stopping: AbortSignal;
  readonly streams: Streams;
  /** Between comments that keep proxies from closing a silent stream, ms. */
  readonly heartbeat: number;
  /** A reader that takes nothing for so long loses its connection, ms: what waits for it is in memory. */
  readonly patience: number;
}

interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** Entries in memory for a stream. */
const SCAN = 100;
/** A reader that does not read holds its connection no longer than this once its stream has ended. */
const CUT_AFTER_MS = 1000;
const STREAM = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  "x-accel-buffering": "no",
};

export function eventsDoor(door: EventsDoor): Hono<DoorEnv> {
  return new Hono<DoorEnv>().get(ROUTE.events, async (c) => {
    const principal = await identify(door.gate, c);
    const { query } = c.env.target;
    const client = queryText(query, "client") ?? header(c, HEADER.client);
    const scope = scopeOf(principal, client, queryText(query, "source"));
    const now = await door.history.position();
    // Empty is what a reader sends that has seen no event yet.
    const cursor = header(c, "last-event-id") || queryText(query, "cursor");
    const after = cursor === undefined ? 0 : parseCursor(cursor, now);
    const accept = header(c, "accept") ?? "";
    if (!accept.includes("text/event-stream"))
      return c.json(await page(door.history, scope, after, now, limitOf(query)));
    // A stream of nothing would never end.
    if (c.env.incoming.method === "HEAD") return c.body(null, 200, STREAM);
    const end = new AbortController();
    await door.streams.hold(principal, () =>
      whileAllowed(
        door.gate,
        principal,
        scope.clients === "all" ? principal.clients : scope.clients,
        () => end.abort(),
        () => stream(door, c, scope, { epoch: now.epoch, seq: after }, end),
      ),
    );
    return RESPONSE_ALREADY_SENT;
  });
}

/** `position` was read before: what it covers was committed, so the cursor may pass over entries of others up to there. */
async function page(
  history: Pick<History, "since">,
  scope: Scope,
  after: number,
  position: Position,
  limit: number,
): Promise<EventPage> {
  const lines = await history.since(after, limit, scope);
  const last = lines.at(-1)?.seq ?? after;
  const seq = lines.length < limit ? Math.max(last, position.seq) : last;
  return { events: lines.map((line) => entry.parse(line)), cursor: formatCursor({ ...position, seq }) };
}

async function stream(
  { tail, stopping, heartbeat, patience }: EventsDoor,
  c: DoorContext,
  scope: Scope,
  from: Position,
  end: AbortController,
): Promise<void> {
  const { outgoing } = c.env;
  const signal = AbortSignal.any([end.signal, stopping]);
  outgoing.on("close", () => end.abort());
  // It may have gone while we looked who it is: `close` comes once.
  if (outgoing.destroyed) return;
  signal.addEventListener("abort", () => {
    outgoing.end();
    setTimeout(() => outgoing.destroy(), CUT_AFTER_MS).unref();
  });
  outgoing.writeHead(200, { ...STREAM, [HEADER.requestId]: c.get("requestId") });
  outgoing.write(": tributary\n\n");
  const beat = setInterval(() => outgoing.write(": still here\n\n"), heartbeat);
  try {
    let { seq } = from;
    while (!signal.aborted) {
      for (const line of await tail.next(seq, SCAN, scope, signal)) {
        seq = line.seq;
        if (signal.aborted) return;
        const id = formatCursor({ ...from, seq });
        const more = outgoing.write(
          `id: ${id}\nevent: ${line.kind}\ndata: ${JSON.stringify(entry.parse(line))}\n\n`,
        );
        if (!more) await drained(outgoing, signal, patience);
      }
    }
  } finally {
    clearInterval(beat);
    if (!outgoing.writableEnded) outgoing.end();
  }
}

async function drained(
  outgoing: DoorContext["env"]["outgoing"],
  signal: AbortSignal,
  patience: number,
): Promise<void> {
  await new Promise<void>((resolve) => {
    const late = setTimeout(() => outgoing.destroy(), patience);
    const done = (): void => {
      clearTimeout(late);
      outgoing.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    outgoing.on("drain", done);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
