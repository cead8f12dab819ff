/**
 * A listener: Node's HTTPS server with limits on everything that a stranger controls, Hono behind it. Stopping is
 * graceful: what has begun may finish within a limit, what comes new is told to come again.
 */
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { ProblemError } from "@tributary/shared/problems.ts";
import { MOST_HEADER_BYTES } from "@tributary/shared/protocol.ts";
import { declaredSize } from "./doors/body.ts";
import type { DoorEnv } from "./doors/door.ts";
import { lingerAfterRefusal } from "./doors/linger.ts";
import { problemAnswer } from "./doors/problem.ts";
import { parseTarget } from "./doors/target.ts";

/** Routes of a listener. */
export interface App {
  fetch(request: Request, env: DoorEnv["Bindings"]): Response | Promise<Response>;
}

export interface ListenOptions {
  readonly app: App;
  /** Its name in receiver.yaml, for errors. */
  readonly what?: "ingest" | "console";
  readonly host: string;
  readonly port: number;
  readonly tls: { readonly cert: string; readonly key: string };
  readonly stopping: AbortSignal;
  /** Hears of what was refused before any door: what a sender is told of it leads to its log line, too. */
  readonly report: (refused: RefusedUnread) => void;
}

/** Nothing of it could be read, or not enough to call a door. */
export interface RefusedUnread {
  readonly requestId: string;
  readonly problem: ProblemError;
  readonly address: string;
}

export interface Listening {
  readonly server: Server;
  /** As it can be reached, with the port that was really taken. */
  readonly url: string;
  /** Ends when all connections have ended, which are cut after `withinMs`. */
  stop(withinMs: number): Promise<void>;
}

export async function listen(options: ListenOptions): Promise<Listening> {
  const { app, host, port, tls, stopping, report, what = "ingest" } = options;
  const answer = getRequestListener(
    (request, env) => {
      const { incoming, outgoing } = env as unknown as Omit<DoorEnv["Bindings"], "target">;
      const target = targets.get(incoming) ?? { path: "/", query: "" };
      return app.fetch(request, { incoming, outgoing, target });
    },
    { autoCleanupIncoming: false, overrideGlobalObjects: false, errorHandler: answerUnreadable(report) },
  );
  const server = createServer({
    ...tls,
    maxHeaderSize: MOST_HEADER_BYTES,
    headersTimeout: 15_000,
    // A large body may take hours; `doors/body.ts` sees to it that it keeps moving.
    requestTimeout: 0,
    keepAliveTimeout: 75_000,
    handshakeTimeout: 15_000,
    connectionsCheckingInterval: 2000,
    noDelay: true,
    // Its refusal has no body; ours is a problem.
    requireHostHeader: false,
  });
  const refuse = (outgoing: ServerResponse, problem: ProblemError): void => {
    const requestId = randomUUID();
    sendProblem(outgoing, problem, requestId);
    report({ requestId, problem, address: outgoing.socket?.remoteAddress ?? "" });
  };
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    incoming.on("error", () => {});
    outgoing.on("error", () => {});
    remember(incoming.socket, outgoing);
    lingerAfterRefusal(incoming, outgoing);
    if (stopping.aborted) outgoing.shouldKeepAlive = false;
    const target = parseTarget(incoming.url ?? "");
    if (target === undefined) {
      refuse(outgoing, new ProblemError("request-invalid", "the request target is not a path"));
      return;
    }
    // RFC 9112, 3.2.
    if (incoming.headers.host === undefined && incoming.httpVersion !== "1.0") {
      refuse(outgoing, new ProblemError("request-invalid", "the request has no Host header"));
      return;
    }
    targets.set(incoming, target);
    // The adapter would resolve or refuse spellings; the doors read the target instead.
    incoming.url = "/";
    void answer(incoming, outgoing);
  };
  server.on("request", onRequest);
  // Without a listener Node would say "100 Continue" before anybody has looked at the headers.
  server.on("checkContinue", onRequest);
  // Any other expectation is passed over, as RFC 9110, 10.1.1 allows; Node's own 417 is no problem that a program can read.
  server.on("checkExpectation", onRequest);
  server.on("clientError", answerClientError(report));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  }).catch((cause: NodeJS.ErrnoException) => {
    const advice = ADVICE[String(cause.code)]?.(what);
    throw new ProblemError(
      "config-invalid",
      `cannot listen on ${host}:${port}: ${cause.message}${advice === undefined ? "" : `; ${advice}`}`,
      { cause },
    );
  });
  const taken = (server.address() as AddressInfo).port;
  return {
    server,
    url: `https://${host.includes(":") ? `[${host}]` : host}:${taken}`,
    stop: (withinMs) => stop(server, withinMs),
  };
}

const noAddress = (what: string) =>
  `this host has no such address; correct listen: { ${what}: HOST:PORT } in receiver.yaml`;
const ADVICE: Readonly<Record<string, (what: string) => string>> = {
  EADDRINUSE: (what) =>
    `stop what uses this port, or name another one in receiver.yaml: listen: { ${what}: HOST:PORT }`,
  EADDRNOTAVAIL: noAddress,
  ENOTFOUND: noAddress,
  EACCES: (what) =>
    `this account may not use this port; name one from 1024 on: listen: { ${what}: HOST:PORT }`,
};

const targets = new WeakMap<IncomingMessage, NonNullable<ReturnType<typeof parseTarget>>>();

/** The answers that are not done on a connection, several where requests came one behind the other. */
const answering = new WeakMap<Socket, Set<ServerResponse>>();

function remember(socket: Socket, outgoing: ServerResponse): void {
  const open = answering.get(socket) ?? new Set();
  answering.set(socket, open.add(outgoing));
  outgoing.once("close", () => open.delete(outgoing));
}

/** What is written now would be read as a piece of that answer. */
function isHalfAnswered(socket: Socket): boolean {
  const open = [...(answering.get(socket) ?? [])];
  return open.some(({ headersSent, writableFinished }) => headersSent && !writableFinished);
}

async function stop(server: Server, withinMs: number): Promise<void> {
  const ended = new Promise<void>((resolve) => server.close(() => resolve()));
  const cut = setTimeout(() => server.closeAllConnections(), withinMs);
  // Connections that fall idle only now are closed as they do.
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  await ended;
  clearTimeout(cut);
  clearInterval(idle);
}

function sendProblem(outgoing: ServerResponse, problem: ProblemError, requestId: string): void {
  const { status, headers, body } = problemAnswer(problem, requestId);
  outgoing.shouldKeepAlive = false;
  outgoing.writeHead(status, headers);
  outgoing.end(body);
}

/** What even the adapter could not read, such as an impossible Host. */
function answerUnreadable(report: ListenOptions["report"]) {
  return (error: unknown): Response => {
    const detail = error instanceof Error ? error.message : "unreadable";
    const problem = new ProblemError("request-invalid", `the request cannot be read: ${detail}`);
    const requestId = randomUUID();
    report({ requestId, problem, address: "" });
    const { status, headers, body } = problemAnswer(problem, requestId);
    return new Response(body, { status, headers });
  };
}

/** Below HTTP there is no response object: the answer is written by hand. */
const answerClientError =
  (report: ListenOptions["report"]) => (error: NodeJS.ErrnoException, socket: Socket) => {
    if (error.code === "ECONNRESET" || !socket.writable || isHalfAnswered(socket)) {
      socket.destroy();
      return;
    }
    const problem = isLengthUntrue(error, socket) ? lengthProblem(error) : clientProblem(error);
    const requestId = randomUUID();
    report({ requestId, problem, address: socket.remoteAddress ?? "" });
    const { status, headers, body } = problemAnswer(problem, requestId);
    const lines = Object.entries({
      ...headers,
      "content-length": String(Buffer.byteLength(body)),
      connection: "close",
    }).map(([name, value]) => `${name}: ${value}`);
    socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join("\r\n")}\r\n\r\n${body}`);
    // What is still coming is thrown away for a moment, or the sender would see a reset instead of the answer.
    socket.resume();
    setTimeout(() => socket.destroy(), 1000).unref();
  };

/** The end came inside a body, or what is no request behind one that is not answered yet: either way its length was not true. */
function isLengthUntrue({ code }: NodeJS.ErrnoException, socket: Socket): boolean {
  return [...(answering.get(socket) ?? [])].some(
    ({ req, headersSent }) =>
      !headersSent && declaredSize(req) !== 0 && (req.complete || code === "HPE_INVALID_EOF_STATE"),
  );
}

/** Whether the file is recorded is not known here, where its request may be answered still. */
function lengthProblem(cause: Error): ProblemError {
  return new ProblemError(
    "length-mismatch",
    "the body ended before its declared length, or went beyond it; send the whole again, under the same Idempotency-Key",
    { cause },
  );
}

function clientProblem(error: NodeJS.ErrnoException): ProblemError {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return new ProblemError(
        "headers-too-large",
        `request line and headers may have ${MOST_HEADER_BYTES} bytes together`,
      );
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return new ProblemError("body-too-slow", "the headers did not come in time");
    default:
      return new ProblemError("request-invalid", `this is not HTTP that can be read: ${error.message}`);
  }
}
