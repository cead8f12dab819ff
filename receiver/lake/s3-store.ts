/** One bucket and prefix, its calls, and what their failures mean. Everything that knows the SDK's manners is here. */
import { createReadStream } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { LakeOwner } from "./claim.ts";
import { lakeFault } from "./disk.ts";

const SILENCE_MS = 120_000;

export interface S3LakeOptions extends LakeOwner {
  readonly bucket: string;
  /** Before every key, ending with `/`; empty for none. At most 24 bytes, since S3 takes keys of 1,024. */
  readonly prefix?: string;
  readonly region?: string;
  readonly endpoint?: string;
  readonly forcePathStyle?: boolean;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  /** Local folder for bodies on their way. */
  readonly spool: string;
  /** Most bytes of sent parts kept in the spool until they are hashed in order; beyond it the object is read back. */
  readonly keep?: number;
  /** How long they are kept, in ms, when no further part of their upload comes. */
  readonly keepMs?: number;
  /** How long a store may say nothing, in ms, before it counts as gone. */
  readonly silenceMs?: number;
}

export interface Store {
  readonly client: S3Client;
  readonly bucket: string;
  readonly prefix: string;
  readonly at: (key: string) => { readonly Bucket: string; readonly Key: string };
  /** Runs a call; its failure is a `lake-unavailable` that says what could not be done. */
  readonly call: <T>(what: string, run: () => Promise<T>) => Promise<T>;
}

/** Throws for a prefix that cannot be one. The SDK is told not to add checksums of its own: many stores refuse its streaming trailer, or ignore them. */
export function openStore(options: Omit<S3LakeOptions, keyof LakeOwner>): Store {
  const { bucket, prefix = "", accessKeyId, secretAccessKey } = options;
  if (Buffer.byteLength(prefix) > 24 || (prefix !== "" && !/^[^/].*\/$/.test(prefix))) {
    throw new ProblemError(
      "lake-unavailable",
      `lake.prefix "${prefix}" must end with "/", not begin with it, and have at most 24 bytes`,
    );
  }
  const config: S3ClientConfig = {
    region: options.region ?? "us-east-1",
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    maxAttempts: 4,
    // Without them a connection that died unheard would hold its request, and the places behind it, for ever.
    requestHandler: { connectionTimeout: 10_000, socketTimeout: options.silenceMs ?? SILENCE_MS },
    // It would write to the console; what matters comes as an error.
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.forcePathStyle === undefined ? {} : { forcePathStyle: options.forcePathStyle }),
    ...(accessKeyId === undefined || secretAccessKey === undefined
      ? {}
      : { credentials: { accessKeyId, secretAccessKey } }),
  };
  return {
    client: new S3Client(config),
    bucket,
    prefix,
    at: (key) => ({ Bucket: bucket, Key: prefix + key }),
    call: async (what, run) => {
      try {
        return await run();
      } catch (error) {
        throw storeFault(error, what, bucket);
      }
    },
  };
}

/** HTTP status and code of what the SDK threw. */
export function failure(error: unknown): { readonly status: number; readonly code: string } {
  const { $metadata, name, code } = error as {
    $metadata?: { httpStatusCode?: number };
    name?: string;
    code?: string;
  };
  return { status: $metadata?.httpStatusCode ?? 0, code: code ?? name ?? "" };
}

/** The store's failure as a problem that says who has to do what. */
function storeFault(error: unknown, what: string, bucket: string): Error {
  if (error instanceof ProblemError || error instanceof TypeError || error instanceof ReferenceError)
    return error;
  const { status, code } = failure(error);
  const reason =
    code === "InvalidAccessKeyId" || code === "SignatureDoesNotMatch"
      ? `the store does not accept the credentials (${code}): check lake.accessKeyId and lake.secretAccessKey`
      : code === "NoSuchBucket"
        ? `there is no bucket ${bucket}: make it, or correct lake.bucket`
        : code === "AccessDenied" || status === 403
          ? `the credentials may not do this in bucket ${bucket} (${code || status})`
          : status === 0
            ? `the store cannot be reached (${code}: ${(error as Error).message}): check lake.endpoint and the network`
            : `the store answered ${status} ${code}: ${(error as Error).message}`;
  return new ProblemError("lake-unavailable", `S3 could not ${what}: ${reason}`, { cause: error });
}

/** The hash that we took is signed instead of one taken again, so a store that checks, checks ours. */
export function withContentHash<C extends { middlewareStack: S3Client["middlewareStack"] | object }>(
  command: C,
  sha256: string,
): C {
  const stack = command.middlewareStack as unknown as S3Client["middlewareStack"];
  stack.add(
    (next) => async (args) => {
      (args.request as { headers: Record<string, string> }).headers["x-amz-content-sha256"] = sha256;
      return next(args);
    },
    { step: "build", name: "tributaryContentHash" },
  );
  return command;
}

/** The SDK cannot repeat a body that is a stream; this makes a new one for each try. */
export async function retryingFile<T>(
  file: string,
  send: (body: ReturnType<typeof createReadStream>) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const body = createReadStream(file, { highWaterMark: 256 * 1024 });
    // The SDK pipes, and a pipe does not pass errors on: it would wait for ever.
    const unreadable = new Promise<never>((_, reject) => {
      body.once("error", (error) => reject(lakeFault(error, file)));
    });
    unreadable.catch(() => {});
    try {
      return await Promise.race([send(body), unreadable]);
    } catch (error) {
      if (error instanceof ProblemError) throw error;
      const { status, code } = failure(error);
      const transient = status === 0 || status === 429 || status >= 500 || code === "RequestTimeout";
      if (!transient || attempt === 4) throw error;
      await sleep(Math.random() * 200 * 2 ** attempt);
    } finally {
      body.destroy();
    }
  }
}

/** Metadata travels in headers: ASCII only. */
export function asMetadata(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [name.toLowerCase(), encodeURI(value)]),
  );
}

/**
 * A key out of a listing that was asked for with `EncodingType: url` (XML cannot carry every character). Ceph encodes
 * lists of uploads without saying so: every key of ours has a `=`, and an encoded one has none.
 */
export function listedKey(store: Store, text: string, encoding: string | undefined): string {
  const encoded = encoding === "url" || (text.includes("%3D") && !text.includes("="));
  return (encoded ? decodeURIComponent(text.replaceAll("+", " ")) : text).slice(store.prefix.length);
}
