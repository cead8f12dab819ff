/** A receiver for tests of the agent: real HTTPS on loopback, tokens verified, receipts signed, what it took kept in memory. */
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { formatCode } from "@tributary/shared/code.ts";
import { parseDigest } from "@tributary/shared/digest.ts";
import { displayPath, encodePath, percentDecode } from "@tributary/shared/path.ts";
import { ProblemError, problemBody } from "@tributary/shared/problems.ts";
import {
  type DeliveryAnswer,
  type EnrollAnswer,
  type EnrollRequest,
  HEADER,
  type HeartbeatAnswer,
  type HeartbeatRequest,
  type Jwks,
  MOST_HEADER_BYTES,
  PAX,
  type RemovalRequest,
  type UploadRequest,
  type UploadState,
} from "@tributary/shared/protocol.ts";
import { keyThumbprint, type ReceiptClaims, signReceipt } from "@tributary/shared/receipt.ts";
import { BLOCK, padding, readHeader, readPax } from "@tributary/shared/tar.ts";
import { verifyToken } from "@tributary/shared/token.ts";

export interface Taken {
  readonly answer: DeliveryAnswer;
  readonly bytes: Buffer;
  readonly headers: IncomingMessage["headers"];
}

/** Answers itself and returns true, or leaves the request to the fake. */
export type Intercept = (request: IncomingMessage, response: ServerResponse, path: string) => boolean;

interface Upload {
  readonly id: string;
  readonly request: UploadRequest;
  readonly client: string;
  readonly parts: Map<number, Buffer>;
}

const TINY_PART = 8 * 2 ** 20;

export class FakeReceiver {
  readonly site = randomUUID();
  readonly agentId = randomUUID();
  readonly taken: Taken[] = [];
  readonly requests: string[] = [];
  readonly secrets = new Map<string, string | undefined>();
  readonly beats: HeartbeatRequest[] = [];
  readonly uploads = new Map<string, Upload>();
  /** Of each bundle the captures that it brought, in their order. */
  readonly bundles: string[][] = [];
  readonly #byCapture = new Map<string, DeliveryAnswer>();
  /** A line of a bundle's answer on its way: another one, any text, or none. */
  line: (line: Record<string, unknown>) => unknown = (line) => line;
  intercept: Intercept = () => false;
  claims: (claims: ReceiptClaims) => ReceiptClaims = (claims) => claims;
  beat: (answer: HeartbeatAnswer) => HeartbeatAnswer = (answer) => answer;
  /** What its clock shows minus what it is, ms. */
  clockAheadMs = 0;
  agentKey: KeyObject | undefined;
  readonly #authority: string;
  #receiptKey = generateKeyPairSync("ed25519");
  readonly #server: Server;

  constructor(credentials: { readonly cert: string; readonly key: string }, authority: string) {
    this.#authority = authority;
    this.#server = createServer(
      { ...credentials, maxHeaderSize: MOST_HEADER_BYTES, keepAliveTimeout: 5_000 },
      (request, response) => {
        response.setHeader("date", new Date(this.now()).toUTCString());
        this.requests.push(`${request.method} ${request.url}`);
        if (this.intercept(request, response, request.url ?? "")) return;
        this.#handle(request, response).then(
          ({ status, body }) => {
            if (!response.headersSent) send(response, status, body);
          },
          (cause: unknown) => {
            if (response.headersSent) {
              response.destroy();
              return;
            }
            const problem =
              cause instanceof ProblemError
                ? cause
                : new ProblemError("internal", `${(cause as Error).stack}`);
            if (problem.retryAfter !== undefined)
              response.setHeader("retry-after", String(problem.retryAfter));
            send(response, problem.status, problemBody(problem));
          },
        );
      },
    );
  }

  async start(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  now(): number {
    return Date.now() + this.clockAheadMs;
  }

  invite(trust: string, url = this.url): string {
    const secret = randomUUID();
    this.secrets.set(secret, undefined);
    return formatCode({ url, secret, trust });
  }

  jwks(): Jwks {
    const { x } = this.#receiptKey.publicKey.export({ format: "jwk" });
    return {
      keys: [
        {
          kty: "OKP",
          crv: "Ed25519",
          x: x as string,
          kid: keyThumbprint(x as string),
          alg: "EdDSA",
          use: "sig",
        },
      ],
    };
  }

  rotateReceiptKey(): void {
    this.#receiptKey = generateKeyPairSync("ed25519");
  }

  trust(): { authorities: string[]; system: boolean } {
    return { authorities: [this.#authority], system: false };
  }

  async #handle(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<{ status: number; body: unknown }> {
    const path = (request.url ?? "").split("?", 1)[0] as string;
    const method = request.method ?? "";
    if (path === "/v1/enroll")
      return { status: 200, body: this.#enroll(JSON.parse(String(await read(request)))) };
    if (path === "/.well-known/jwks.json") return { status: 200, body: this.jwks() };
    await this.#verify(request, method, path);
    const client = String(request.headers[HEADER.client]);
    if (path === "/v1/heartbeat")
      return { status: 200, body: this.#beat(JSON.parse(String(await read(request)))) };
    if (path === "/v1/removals") {
      const removal = JSON.parse(String(await read(request))) as RemovalRequest;
      return this.#deliver(
        client,
        removal.source,
        removal.pathEncoded,
        removal.captureId,
        undefined,
        request.headers,
      );
    }
    const file = /^\/v1\/files\/([^/]+)\/(.+)$/.exec(path);
    if (file) {
      const bytes = await read(request);
      requireDigest(bytes, request.headers[HEADER.reprDigest]);
      const encoded = encodePath(percentDecode(file[2] as string));
      return this.#deliver(
        client,
        file[1] as string,
        encoded,
        String(request.headers[HEADER.idempotencyKey]),
        bytes,
        request.headers,
      );
    }
    const bundle = /^\/v1\/bundles\/([^/]+)$/.exec(path);
    if (bundle) {
      await this.#bundle(request, response, client, bundle[1] as string);
      return { status: 200, body: undefined };
    }
    return await this.#upload(request, method, path, client);
  }

  /** Each entry is answered as soon as it is here. */
  async #bundle(
    request: IncomingMessage,
    response: ServerResponse,
    client: string,
    source: string,
  ): Promise<void> {
    const captures: string[] = [];
    this.bundles.push(captures);
    const say = (line: Record<string, unknown>): void => {
      const told = this.line(line);
      if (told !== undefined) response.write(typeof told === "string" ? told : `${JSON.stringify(told)}\n`);
    };
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    response.flushHeaders();
    for await (const { path, records, bytes } of entriesOf(request.iterator({ destroyOnReturn: false }))) {
      const captureId = String(records.get(PAX.captureId));
      const entry = captures.push(captureId);
      if (sha256(bytes) !== String(records.get(PAX.sha256))) throw new Error("other bytes");
      const { body } = this.#deliver(client, source, encodePath(path), captureId, bytes, request.headers);
      say({ entry, ...body });
    }
    say({ end: true, complete: true, delivered: captures.length, refused: 0 });
    response.end();
  }

  #enroll(body: EnrollRequest): EnrollAnswer {
    if (!this.secrets.has(body.secret)) throw new ProblemError("code-unknown", "this code is not known here");
    const user = this.secrets.get(body.secret);
    if (user !== undefined && user !== body.publicKey.x)
      throw new ProblemError("code-used", "this code was used");
    this.secrets.set(body.secret, body.publicKey.x);
    this.agentKey = createPublicKey({ key: { ...body.publicKey }, format: "jwk" });
    return {
      agentId: this.agentId,
      name: "till",
      site: this.site,
      clients: ["acme"],
      jwks: this.jwks(),
      trust: this.trust(),
      nonce: "nonce-0",
      heartbeatSeconds: 10,
    };
  }

  #beat(body: HeartbeatRequest): HeartbeatAnswer {
    this.beats.push(body);
    return this.beat({
      nonce: `nonce-${this.beats.length}`,
      heartbeatSeconds: 10,
      configurationRevision: 0,
      clients: ["acme"],
      trust: this.trust(),
      jwks: this.jwks(),
      commands: [],
    });
  }

  async #verify(request: IncomingMessage, method: string, path: string): Promise<void> {
    const token = request.headers.authorization?.replace(/^Bearer /, "") ?? "";
    if (this.agentKey === undefined) throw new ProblemError("unauthenticated", "nobody enrolled");
    const expected = { agentId: this.agentId, site: this.site, method, path, now: this.now() };
    await verifyToken(token, expected, this.agentKey);
  }

  async #upload(
    request: IncomingMessage,
    method: string,
    path: string,
    client: string,
  ): Promise<{ status: number; body: unknown }> {
    if (path === "/v1/uploads") {
      const body = JSON.parse(String(await read(request))) as UploadRequest;
      const known = this.#byCapture.get(body.captureId);
      if (known) return { status: 200, body: known };
      const open = [...this.uploads.values()].find((one) => one.request.captureId === body.captureId);
      const upload = open ?? { id: randomUUID(), request: body, client, parts: new Map() };
      this.uploads.set(upload.id, upload);
      return { status: 201, body: stateOf(upload) };
    }
    const [, id = "", rest = ""] = /^\/v1\/uploads\/([^/]+)(?:\/(.*))?$/.exec(path) ?? [];
    const upload = this.uploads.get(id);
    if (upload === undefined) throw new ProblemError("upload-unknown", "no such upload");
    if (method === "DELETE") {
      this.uploads.delete(id);
      return { status: 204, body: undefined };
    }
    if (method === "GET") return { status: 200, body: stateOf(upload) };
    if (rest === "complete") {
      const bytes = Buffer.concat([...upload.parts].sort(([a], [b]) => a - b).map(([, part]) => part));
      if (bytes.length !== upload.request.size) throw new ProblemError("parts-missing", "parts are missing");
      if (sha256(bytes) !== upload.request.sha256) throw new ProblemError("digest-mismatch", "other bytes");
      this.uploads.delete(id);
      const { source, pathEncoded, captureId } = upload.request;
      return this.#deliver(client, source, pathEncoded, captureId, bytes, request.headers);
    }
    const number = Number(rest.replace("parts/", ""));
    const bytes = await read(request);
    requireDigest(bytes, request.headers[HEADER.contentDigest]);
    upload.parts.set(number, bytes);
    return { status: 200, body: { number, size: bytes.length, sha256: sha256(bytes) } };
  }

  #deliver(
    client: string,
    source: string,
    pathEncoded: string,
    captureId: string,
    bytes: Buffer | undefined,
    headers: IncomingMessage["headers"],
  ): { status: number; body: DeliveryAnswer } {
    const known = this.#byCapture.get(captureId);
    if (known) return { status: 200, body: known };
    const claims = this.claims({
      iss: this.site,
      client,
      source,
      pathEncoded,
      versionId: randomUUID(),
      captureId,
      size: bytes?.length ?? null,
      sha256: bytes === undefined ? null : sha256(bytes),
      status: bytes === undefined ? "removed" : "created",
      receivedAt: new Date(this.now()).toISOString(),
      channel: "push",
      agentId: this.agentId,
    });
    const kid = this.jwks().keys[0]?.kid as string;
    const { iss: _iss, channel: _channel, agentId: _agentId, ...shared } = claims;
    const receipt = signReceipt(claims, this.#receiptKey.privateKey, kid);
    const answer = { ...shared, path: displayPath(percentDecode(pathEncoded)), receipt };
    this.#byCapture.set(captureId, answer);
    this.taken.push({ answer, bytes: bytes ?? Buffer.alloc(0), headers });
    return { status: 201, body: answer };
  }
}

function stateOf(upload: Upload): UploadState {
  const parts = [...upload.parts].map(([number, bytes]) => ({
    number,
    size: bytes.length,
    sha256: sha256(bytes),
  }));
  const partCount = Math.ceil(upload.request.size / TINY_PART);
  return { uploadId: upload.id, partSize: TINY_PART, partCount, parts, expiresAt: new Date().toISOString() };
}

interface Entry {
  readonly path: Buffer;
  readonly records: ReadonlyMap<string, Buffer>;
  readonly bytes: Buffer;
}

/** What the agent writes: pax headers and files, and at the end two blocks of zeros. */
async function* entriesOf(body: AsyncIterable<Buffer>): AsyncGenerator<Entry> {
  let rest = Buffer.alloc(0);
  let records = new Map<string, Buffer>();
  for await (const piece of body) {
    rest = Buffer.concat([rest, piece]);
    while (rest.length >= BLOCK) {
      const header = readHeader(rest.subarray(0, BLOCK));
      if (header === "end") return;
      if (header === "invalid") throw new Error("no header of a tar");
      const end = BLOCK + header.size + padding(header.size);
      if (rest.length < end) break;
      const bytes = Buffer.from(rest.subarray(BLOCK, BLOCK + header.size));
      rest = rest.subarray(end);
      if (header.type === "x") records = readPax(bytes) ?? new Map();
      else {
        yield { path: records.get("path") ?? header.name, records, bytes };
        records = new Map();
      }
    }
  }
  throw new Error("the tar was cut");
}

function requireDigest(bytes: Buffer, field: string | string[] | undefined): void {
  if (parseDigest(String(field)) !== sha256(bytes)) throw new ProblemError("digest-mismatch", "other bytes");
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

async function read(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const type = status >= 400 ? "application/problem+json" : "application/json";
  response.writeHead(status, { "content-type": type });
  response.end(body === undefined ? undefined : JSON.stringify(body));
}
