/**
 * A request's bytes, straight from Node's stream. Reading never destroys the connection, so that a refusal can still
 * be answered; `100 Continue` is sent at the first read, so what is refused before costs the sender nothing.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { ProblemError } from "@tributary/shared/problems.ts";
import { z } from "zod";
import { gatherBlocks } from "./blocks.ts";
import type { DoorContext } from "./door.ts";

/** How slow a sender may be. Only time spent waiting for the sender counts, never our own. */
export interface Pace {
  /** Longest silence in ms. */
  readonly idle: number;
  /** Bytes per second over `window` ms of waiting. */
  readonly minRate: number;
  readonly window: number;
}

/** One body being read. `fail` ends it with this problem, also while it waits. */
export interface Reading {
  /** A chunk is valid until the next one is asked for. */
  readonly bytes: AsyncIterable<Uint8Array>;
  readonly size: number | undefined;
  fail(problem: ProblemError): void;
}

const LOOK_EVERY_MS = 500;

/**
 * `eager`: whatever is there is wanted at once, in pieces of any size. Throws `request-invalid` for a transfer coding
 * that nobody would take off.
 */
export function readBody(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  pace: Pace,
  eager = false,
): Reading {
  requireChunked(incoming.headers["transfer-encoding"]);
  let failure: ProblemError | undefined;
  let wake = (): void => {};
  let begun = false;
  const fail = (problem: ProblemError): void => {
    failure ??= problem;
    wake();
  };
  async function* bytes(): AsyncGenerator<Uint8Array> {
    if (begun) throw new TypeError("a body is read once");
    begun = true;
    if (failure) throw failure;
    if (waitsForContinue(incoming) && !outgoing.headersSent) outgoing.writeContinue();
    const watch = watchPace(pace, fail);
    const blocks = gatherBlocks(declaredSize(incoming));
    const onWake = (): void => wake();
    const onData = (piece: Buffer): void => {
      watch.arrived(piece.length);
      blocks.add(piece);
      if (blocks.overflows) incoming.pause();
      if (blocks.ready || eager) wake();
    };
    const onCut = (): void => {
      if (incoming.readableEnded) return;
      fail(
        new ProblemError("length-mismatch", "the connection ended before the body did; nothing was recorded"),
      );
    };
    incoming.on("data", onData).on("end", onWake).on("error", onCut).on("close", onCut);
    try {
      for (;;) {
        if (failure) throw failure;
        const block = blocks.next(incoming.readableEnded || eager);
        if (incoming.isPaused()) incoming.resume();
        if (block !== undefined) {
          yield block;
        } else if (incoming.readableEnded) {
          requireAsker(incoming);
          return;
        } else if (incoming.destroyed) {
          onCut();
        } else {
          watch.waits();
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          watch.goesOn();
        }
      }
    } finally {
      watch.stop();
      incoming.off("data", onData).off("end", onWake).off("close", onCut);
      incoming.pause();
      blocks.end();
      // An `error` listener stays: a connection that is reset while we answer must not end the process.
    }
  }
  return { bytes: bytes(), size: declaredSize(incoming), fail };
}

/**
 * What came behind the body was no request (it was longer than its length), or the sender is gone: either way nobody
 * can be told what became of this file, so it is not taken.
 */
function requireAsker(incoming: IncomingMessage): void {
  if (incoming.socket.writable) return;
  throw new ProblemError(
    "length-mismatch",
    "the connection broke right behind the body, or the body went beyond its length; nothing was recorded",
  );
}

/** RFC 9110, 15.5.16: nothing is unpacked on the way. */
export function requirePlain(encoding: string | undefined): void {
  if (encoding === undefined || encoding.toLowerCase() === "identity") return;
  throw new ProblemError(
    "content-encoding-refused",
    `send the body as it is, not with Content-Encoding: ${encoding.slice(0, 50)}`,
  );
}

/** RFC 9112, 6.1: Node takes off `chunked` alone; what lies below would be stored as if it were the file. */
function requireChunked(coding: string | undefined): void {
  if (coding === undefined || coding.trim().toLowerCase() === "chunked") return;
  throw new ProblemError(
    "request-invalid",
    `Transfer-Encoding: ${coding.slice(0, 50)} is not taken; send the bytes as they are, with a Content-Length or chunked`,
  );
}

/** RFC 9110, 10.1.1: a sender of HTTP/1.0 knows no interim answers and would take one for the answer. */
function waitsForContinue({ httpVersion, headers }: IncomingMessage): boolean {
  return httpVersion !== "1.0" && headers.expect?.toLowerCase() === "100-continue";
}

/** Undefined for chunked bodies; no length and no chunks is an empty body (RFC 9112, 6.3). */
export function declaredSize(incoming: IncomingMessage): number | undefined {
  if (incoming.headers["transfer-encoding"] !== undefined) return undefined;
  return Number(incoming.headers["content-length"] ?? 0);
}

function watchPace(pace: Pace, fail: (problem: ProblemError) => void) {
  let waitingSince: number | undefined;
  let waited = 0;
  let bytes = 0;
  const tooSlow = (what: string): void =>
    fail(new ProblemError("body-too-slow", `${what}; nothing was recorded`, { retryAfter: 5 }));
  const look = (): void => {
    const now = performance.now();
    const silent = waitingSince === undefined ? 0 : now - waitingSince;
    if (silent > pace.idle) {
      tooSlow(`no byte came for ${Math.round(pace.idle / 1000)} s`);
      return;
    }
    if (waited + silent < pace.window) return;
    if ((bytes * 1000) / (waited + silent) < pace.minRate) {
      tooSlow(`the body came at less than ${pace.minRate} bytes a second`);
      return;
    }
    waited = -silent;
    bytes = 0;
  };
  const timer = setInterval(look, Math.min(LOOK_EVERY_MS, pace.idle / 2, pace.window / 2));
  return {
    arrived: (count: number): void => {
      bytes += count;
    },
    waits: (): void => {
      waitingSince = performance.now();
    },
    goesOn: (): void => {
      waited += performance.now() - (waitingSince ?? performance.now());
      waitingSince = undefined;
    },
    stop: (): void => clearInterval(timer),
  };
}

const JSON_BYTES = 2 ** 20;
const JSON_PACE: Pace = { idle: 15_000, minRate: 1024, window: 15_000 };

/**
 * A JSON body of at most 1 MiB, or `most` bytes, checked. Throws `json-invalid`, `request-invalid`, `body-too-large`,
 * `content-encoding-refused`.
 */
export async function readJson<T extends z.ZodType>(
  c: DoorContext,
  schema: T,
  most = JSON_BYTES,
): Promise<z.output<T>> {
  const body = await readWhole(c, most, "a JSON body");
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch (cause) {
    throw new ProblemError("json-invalid", "the body is not valid JSON", { cause });
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new ProblemError("request-invalid", z.prettifyError(parsed.error));
  return parsed.data;
}

/** A small body, in memory. Throws `body-too-large`, `content-encoding-refused`. */
export async function readWhole(c: DoorContext, most: number, what: string): Promise<Buffer> {
  const { incoming, outgoing } = c.env;
  requirePlain(incoming.headers["content-encoding"]);
  const chunks: Uint8Array[] = [];
  let total = 0;
  const tooLarge = (): ProblemError =>
    new ProblemError("body-too-large", `${what} may have ${most} bytes at most here`);
  if ((declaredSize(incoming) ?? 0) > most) throw tooLarge();
  for await (const chunk of readBody(incoming, outgoing, JSON_PACE).bytes) {
    total += chunk.byteLength;
    if (total > most) throw tooLarge();
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}
