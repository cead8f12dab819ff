/** The receiver as this agent calls it: who asks, under which token and over which line, is the adapter's. */
import type { Answer } from "./answer.ts";

/** A text or bytes, or what makes the stream, anew for each try. */
export type Body = string | Buffer | (() => AsyncIterable<Uint8Array>);

export interface Call {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** As in the request line, without the address. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body;
  readonly signal?: AbortSignal;
  /** How long the receiver may think after the last byte; 60 s. */
  readonly answerMs?: number;
}

/** Why a port: what is sent and when is decided apart from how it travels. */
export interface Receiver {
  /** Throws ProblemError; an aborted `signal` throws its reason. */
  call(call: Call): Promise<Answer>;
  /**
   * An answer that comes line by line, each a JSON value (undefined: it is none), while the body still leaves. Throws like `call`, and repeats
   * nothing: what was answered was answered.
   */
  lines(call: Call, take: (line: unknown) => void): Promise<void>;
}
