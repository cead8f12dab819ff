/** An object that is being read: exactly the content that was listed, counted, since the SDK does not count. */
import type { Readable } from "node:stream";
import { RemoteError, type RemoteFile } from "../remote.ts";
import type { Bucket } from "./bucket.ts";
import { answerOf, shown } from "./failure.ts";
import { gone, head } from "./head.ts";
import { GetObjectCommand, type GetObjectCommandOutput } from "./library.ts";
import { type Known, quoted } from "./state.ts";

export function openObject(bucket: Bucket, key: string, { state, tag }: Known): RemoteFile {
  const versioned = tag.versionId !== undefined;
  let reading: AbortController | undefined;

  async function get(from: number, signal: AbortSignal): Promise<GetObjectCommandOutput | undefined> {
    const command = new GetObjectCommand({
      ...bucket.at(key),
      ...(versioned ? { VersionId: tag.versionId } : {}),
      // A version never changes; the one without an id does.
      ...(versioned && tag.versionId !== "null" ? {} : { IfMatch: quoted(tag) }),
      ...(from === 0 ? {} : { Range: `bytes=${from}-` }),
    });
    try {
      return await bucket.ask({ doing: "read", key }, (client) =>
        client.send(command, { abortSignal: signal }),
      );
    } catch (error) {
      if (error instanceof RemoteError && error.failure === "absent") throw await gone(bucket, key);
      const outOfRange = error instanceof RemoteError && answerOf(error.cause).status === 416;
      if (outOfRange && from === state.size) return undefined;
      throw error;
    }
  }

  async function* bytes(from: number): AsyncGenerator<Buffer> {
    reading?.abort();
    const stop = new AbortController();
    reading = stop;
    const answer = await get(from, stop.signal);
    if (answer === undefined) return;
    const body = answer.Body as Readable;
    try {
      let skip = skipped(answer, from, state.size, key);
      let at = from;
      for await (const piece of piecesOf(body, key)) {
        const kept = piece.subarray(Math.min(skip, piece.length));
        skip -= piece.length - kept.length;
        at += kept.length;
        if (kept.length > 0) yield kept;
      }
      if (at !== state.size) throw lies(key, `ended at byte ${at} of ${state.size}`);
    } finally {
      // What is not read would hold its connection.
      body.destroy();
      stop.abort();
    }
  }

  return {
    state,
    bytes,
    async again() {
      const now = await head(bucket, key, versioned, tag.versionId);
      if (now === undefined) await gone(bucket, key);
      return now?.state;
    },
    async [Symbol.asyncDispose]() {
      reading?.abort();
    },
  };
}

/** How many of the bytes that come are not wanted: a server without ranges begins at the beginning. */
function skipped(answer: GetObjectCommandOutput, from: number, size: number, key: string): number {
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.ContentRange ?? "");
  const begins = range === null ? 0 : Number(range[1]);
  const whole = range === null || range[2] === "*" ? size : Number(range[2]);
  const coming = answer.ContentLength ?? size - begins;
  if (whole !== size || begins + coming !== size)
    throw lies(key, `has ${begins + coming} bytes, and was listed with ${size}`);
  if (begins !== from && begins !== 0) throw lies(key, `begins at byte ${begins} instead of ${from}`);
  return from - begins;
}

async function* piecesOf(body: Readable, key: string): AsyncGenerator<Buffer> {
  try {
    for await (const piece of body) yield piece as Buffer;
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") throw error;
    const why = answerOf(error).code || (error as Error).message;
    throw new RemoteError("failed", `the reading of ${shown(key)} was cut off (${why})`, { cause: error });
  }
}

const lies = (key: string, how: string): RemoteError =>
  new RemoteError("failed", `the object ${shown(key)} ${how}: what came is not used`);
