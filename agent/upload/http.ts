/**
 * Calls to the receiver: a bounded pool of verified keep-alive lines, a token signed for each method and path, the
 * clock corrected by every answer, and every failure a named problem. All calls of the wire may be repeated, so a
 * line that broke under a request costs one quick repetition and nothing else.
 */
import type { KeyObject } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { SecureContext } from "node:tls";
import { ProblemError } from "@tributary/shared/problems.ts";
import { signToken } from "@tributary/shared/token.ts";
import { type buildConnector, type Dispatcher, Pool } from "undici";
import { type Answer, header, parse, readAnswer } from "../identity/answer.ts";
import type { ReceiverClock } from "../identity/clock.ts";
import { openLine, secureContext } from "../identity/line.ts";
import { proxyFor } from "../identity/proxy.ts";
import type { Body, Call, Receiver } from "../identity/receiver.ts";
import { authoritiesOf, type Trust } from "../identity/trust.ts";
import { RoundTrip } from "./ride.ts";

/** What a call needs to know of this agent and its host; read anew for each line, so changes count at once. */
export interface Bearing {
  readonly agentId: string;
  readonly site: string;
  readonly url: string;
  readonly key: KeyObject;
  readonly trust: Trust;
  /** `proxy:` of agent.yaml. */
  readonly proxy: string | undefined;
  /** Content (PEM) of the file that `tls.ca` names. */
  readonly ca: string | undefined;
}

export interface HttpOptions {
  readonly bearing: () => Bearing;
  readonly clock: ReceiverClock;
  readonly connections: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How long a line may stay silent before it counts as dead. */
  readonly silenceMs?: number;
}

/** Characters of a line of an answer: longest paths, escaped, several times over. */
const LONGEST_LINE = 2 ** 20;

/** Receiver over undici. */
export class HttpReceiver implements Receiver {
  readonly #options: HttpOptions;
  #pool: Pool | undefined;
  #origin = "";
  readonly #roundTrip = new RoundTrip();
  #context: { readonly of: string; readonly context: SecureContext } | undefined;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  async call(call: Call): Promise<Answer> {
    let quick = true;
    let resigned = false;
    while (true) {
      try {
        return await this.#once(call);
      } catch (cause) {
        if (call.signal?.aborted) throw call.signal.reason;
        // The clock is corrected by now: the refusal carried a Date.
        if (!resigned && cause instanceof ProblemError && cause.code === "token-expired") resigned = true;
        else if (quick && brokeMidway(cause)) {
          quick = false;
          await sleep(50);
        } else throw cause;
      }
    }
  }

  /** As measured with the last calls; undefined before the first answer. */
  get roundTripMs(): number | undefined {
    return this.#roundTrip.ms;
  }

  /** Ends the lines; calls under way fail. New calls open new lines: also the way to take up another proxy at once. */
  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.destroy();
  }

  async lines(call: Call, take: (line: unknown) => void): Promise<void> {
    await this.#ask(call, async ({ statusCode, headers, body }) => {
      if (statusCode !== 200) {
        readAnswer(statusCode, headers, await body.text(), this.#options.clock.now());
        throw new ProblemError(
          "receiver-unreachable",
          `${call.path} was answered with ${statusCode} and no lines`,
        );
      }
      let rest = "";
      body.setEncoding("utf8");
      for await (const chunk of body) {
        const lines = (rest + (chunk as string)).split("\n");
        rest = lines.pop() as string;
        for (const line of lines) if (line !== "") take(parse(line));
        if (rest.length > LONGEST_LINE)
          throw new ProblemError("receipt-invalid", `a line of the answer to ${call.path} has no end`);
      }
    });
  }

  async #once(call: Call): Promise<Answer> {
    return await this.#ask(call, async ({ statusCode, headers, body }) =>
      readAnswer(statusCode, headers, await body.text(), this.#options.clock.now()),
    );
  }

  async #ask<T>(call: Call, read: (response: Dispatcher.ResponseData) => Promise<T>): Promise<T> {
    const { clock, bearing, silenceMs = 45_000 } = this.#options;
    const { agentId, site, key, url } = bearing();
    const { origin, pathname } = new URL(url);
    const path = pathname.replace(/\/$/, "") + call.path;
    const { method } = call;
    const signed = { agentId, site, method, path: path.split("?", 1)[0] as string, now: clock.now() };
    const token = signToken(signed, key);
    const mark = clock.mark();
    try {
      const response = await this.#poolFor(origin).request({
        method,
        path,
        headers: { ...call.headers, authorization: `Bearer ${token}` },
        body: bodyFor(call.body),
        signal: call.signal ?? null,
        headersTimeout: call.answerMs ?? silenceMs,
        bodyTimeout: silenceMs,
      });
      clock.heard(header(response.headers, "date"), mark);
      // A stream is answered when there is something to say.
      if (typeof call.body !== "function") this.#roundTrip.heard(clock.mark() - mark);
      return await read(response);
    } catch (cause) {
      if (cause instanceof ProblemError || call.signal?.aborted) throw cause;
      // What the body's own reading threw is not the line's fault.
      if (!(cause as NodeJS.ErrnoException).code) throw cause;
      throw new ProblemError(
        "receiver-unreachable",
        `the line to ${origin} broke during ${method} ${call.path.slice(0, 200)}: ${(cause as Error).message}`,
        { cause },
      );
    }
  }

  #poolFor(origin: string): Pool {
    if (this.#pool !== undefined && this.#origin === origin) return this.#pool;
    void this.#pool?.close();
    this.#origin = origin;
    this.#pool = new Pool(origin, {
      connections: this.#options.connections,
      connect: (_options, done) => this.#connect(done),
      pipelining: 1,
      keepAliveTimeout: 30_000,
    });
    return this.#pool;
  }

  #connect(done: buildConnector.Callback): void {
    const { url, proxy, trust, ca } = this.#options.bearing();
    const open = async () => {
      const at = new URL(url);
      return await openLine(
        { url: at, proxy: proxyFor(at, proxy, this.#options.env), ca },
        this.#trusted(trust, ca),
      );
    };
    open().then(
      (socket) => done(null, socket),
      (cause: Error) => done(cause, null),
    );
  }

  /** Parsing a system's authorities takes milliseconds: once for each trust, not for each line. */
  #trusted(trust: Trust, ca: string | undefined): SecureContext {
    const authorities = authoritiesOf(trust, ca);
    const of = authorities.join("\n");
    if (this.#context?.of !== of) this.#context = { of, context: secureContext(authorities) };
    return this.#context.context;
  }
}

/** The client takes an async iterable as it is; its types do not say so. A Readable around it would read ahead of the line. */
function bodyFor(body: Body | undefined): string | Buffer | null {
  return typeof body === "function" ? (body() as AsyncIterable<Uint8Array> & Buffer) : (body ?? null);
}

/** The peer closed a kept line just as it was used again: no sign that anything is wrong. */
function brokeMidway(cause: unknown): boolean {
  const code = String(((cause as Error).cause as NodeJS.ErrnoException | undefined)?.code);
  return (
    (cause as ProblemError).code === "receiver-unreachable" &&
    /^(UND_ERR_SOCKET|ECONNRESET|EPIPE)$/.test(code)
  );
}
