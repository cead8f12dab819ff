/** A blob that is read, as it was when its ETag was this one. */
import type { Readable } from "node:stream";
import type { FileState } from "../../source/state.ts";
import { RemoteError, type RemoteFile } from "../remote.ts";
import type { Access } from "./access.ts";
import { bareTag } from "./names.ts";

/** ms without a byte after which a connection counts as dead. */
const SILENCE_MS = 60_000;

export function openBlob(
  access: Access,
  /** Whole, below the container. */
  name: Buffer,
  state: FileState,
  etag: string,
  again: RemoteFile["again"],
  silenceMs: number = SILENCE_MS,
): RemoteFile {
  let stop = new AbortController();
  const asked = { what: `reading ${JSON.stringify(String(name))}`, right: "r" } as const;
  const failed = (why: string): RemoteError => new RemoteError("failed", `${asked.what}: ${why}`);

  async function start(from: number, signal: AbortSignal): Promise<Readable> {
    const answer = await access
      .ask(
        asked,
        (place, late) =>
          place.blob(name).download(from, undefined, {
            conditions: { ifMatch: etag },
            // What breaks off is gone on with by whoever reads, who knows how far he came.
            maxRetryRequests: 0,
            abortSignal: late,
          }),
        signal,
      )
      .catch(async (error: unknown) => {
        // RFC 9110, 13.1.1: nothing matches where there is nothing. Not every service says so.
        const changed = error instanceof RemoteError && error.failure === "changed";
        if (changed && (await again()) === undefined)
          throw new RemoteError("absent", `${asked.what}: it is not there`);
        throw error;
      });
    const body = answer.readableStreamBody as Readable | undefined;
    const wrong = ((): RemoteError | undefined => {
      if (body === undefined) return failed("the service sends nothing");
      if (answer.etag !== undefined && bareTag(answer.etag) !== bareTag(etag))
        return new RemoteError("changed", `${asked.what}: it was changed`);
      if (answer.contentLength !== state.size - from)
        return failed(`the service sends ${answer.contentLength} bytes of ${state.size - from}`);
      return undefined;
    })();
    if (wrong === undefined) return body as Readable;
    body?.on("error", () => {}).destroy();
    throw wrong;
  }

  return {
    state,
    again,
    async *bytes(from) {
      stop.abort();
      stop = new AbortController();
      const { signal } = stop;
      if (from >= state.size) return;
      const body = await start(from, signal);
      let at = from;
      let silent = false;
      const listen = (): NodeJS.Timeout =>
        setTimeout(() => {
          silent = true;
          body.destroy(new Error("silence"));
        }, silenceMs);
      // Whoever takes his time over what he has is not the connection's silence.
      let timer = listen();
      try {
        for await (const piece of body as AsyncIterable<Buffer>) {
          clearTimeout(timer);
          at += piece.length;
          yield piece;
          timer = listen();
        }
      } catch (error) {
        if (error instanceof RemoteError) throw error;
        const why = silent ? `nothing came for ${silenceMs / 1000} s` : "the connection broke off";
        throw failed(`${why}, after ${at} of ${state.size} bytes`);
      } finally {
        clearTimeout(timer);
        body.on("error", () => {}).destroy();
      }
      if (at !== state.size) throw failed(`it ended after ${at} of ${state.size} bytes`);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
    },
  };
}
