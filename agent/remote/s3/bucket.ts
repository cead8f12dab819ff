/** One bucket and the client that asks it. Credentials are read when they are needed, and once more when they are refused. */

import type { RemoteTools } from "../kind.ts";
import { RemoteError } from "../remote.ts";
import { type About, answerOf, refusesCredentials, refusesSilently, remoteError } from "./failure.ts";
import {
  ListObjectsV2Command,
  type ListObjectsV2CommandInput,
  S3Client,
  type S3ClientConfig,
} from "./library.ts";
import type { S3Settings } from "./settings.ts";

/** ms without a byte, after which a server counts as gone; slow readers are slower than this only below 1 KB/s. */
const SILENCE_MS = 120_000;

/** What tests need otherwise than it is. */
export interface S3Options {
  readonly silenceMs?: number;
  /** Amazon itself, where archives have their names and listings say what was restored. */
  readonly amazon?: boolean;
}

export interface Bucket {
  readonly name: string;
  readonly prefix: string;
  readonly amazon: boolean;
  /** The same for as long as it is the same place. */
  readonly identity: string;
  at(key: string): { readonly Bucket: string; readonly Key: string };
  /** Throws `RemoteError`; what the caller aborted stays an `AbortError`. */
  ask<T>(about: Omit<About, "bucket">, send: (client: S3Client) => Promise<T>): Promise<T>;
  /** One key below this prefix, to see whether the bucket is there and may be listed. */
  any(prefix: string, signal?: AbortSignal): Promise<boolean>;
  close(): void;
}

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}
interface Session {
  readonly client: S3Client;
  readonly keys: Keys | undefined;
}

export function openBucket(settings: S3Settings, tools: RemoteTools, options: S3Options): Bucket {
  const { bucket: name, prefix, endpoint } = settings;
  const host = endpoint === undefined ? "amazonaws.com" : new URL(endpoint).host;
  let session: Promise<Session> | undefined;
  let first: S3Client | undefined;
  let keys: Keys | undefined;

  const hide = (text: string): string =>
    [keys?.secretAccessKey, keys?.sessionToken].reduce<string>(
      (so, secret) => (secret === undefined || secret.length < 8 ? so : so.replaceAll(secret, "***")),
      text,
    );

  async function begin(): Promise<Session> {
    keys = await readKeys(settings, tools);
    // What is on its way with the former keys is not cut: connections are the same ones.
    const requestHandler = first?.config.requestHandler;
    const client = new S3Client({
      ...configuration(settings, tools.parallel, options.silenceMs ?? SILENCE_MS),
      ...(requestHandler === undefined ? {} : { requestHandler }),
      ...(keys === undefined ? {} : { credentials: keys }),
    });
    first ??= client;
    return { client, keys };
  }

  /** Begins anew, unless another one did so since; one that failed is not kept. */
  function current(refused?: Promise<Session>): Promise<Session> {
    if (session !== undefined && session !== refused) return session;
    const next = begin();
    session = next;
    next.catch(() => {
      if (session === next) session = undefined;
    });
    return next;
  }

  /** A HEAD does not say why it is refused: then only other keys are worth another try. */
  async function haveChanged(): Promise<boolean> {
    const now = await readKeys(settings, tools).catch(() => undefined);
    return now !== undefined && JSON.stringify(now) !== JSON.stringify(keys);
  }

  async function ask<T>(about: Omit<About, "bucket">, send: (client: S3Client) => Promise<T>): Promise<T> {
    let used: Promise<Session> | undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        used = current(attempt === 1 ? undefined : used);
        return await send((await used).client);
      } catch (error) {
        if (error instanceof Error && error.name === "AbortError") throw error;
        const answer = answerOf(error);
        const again =
          attempt === 1 && (refusesCredentials(answer) || (refusesSilently(answer) && (await haveChanged())));
        if (again) continue;
        // The SDK has learned the server's time by this refusal.
        if (attempt === 1 && answer.code === "RequestTimeTooSkewed") {
          used = undefined;
          continue;
        }
        throw remoteError(error, { ...about, bucket: name }, hide);
      }
    }
  }

  return {
    name,
    prefix,
    amazon: options.amazon ?? /(^|\.)amazonaws\.com(\.cn)?(:\d+)?$/.test(host),
    identity: `s3://${host}/${name}/${prefix}`,
    at: (Key) => ({ Bucket: name, Key }),
    ask,

    async any(below, signal) {
      const input: ListObjectsV2CommandInput = {
        ...{ Bucket: name, Prefix: below, MaxKeys: 1, EncodingType: "url" },
      };
      const page = await ask({ doing: "list" }, (client) =>
        client.send(new ListObjectsV2Command(input), signal === undefined ? {} : { abortSignal: signal }),
      );
      requireListing(page, name);
      return (page.Contents?.length ?? 0) > 0;
    },

    close() {
      first?.destroy();
    },
  };
}

/** A page of whoever stands between, a login for instance, must not pass for a bucket without objects. */
export function requireListing(page: { IsTruncated?: boolean | undefined }, bucket: string): void {
  if (page.IsTruncated !== undefined) return;
  throw new RemoteError(
    "away",
    `what answers for the bucket ${bucket} is not S3: check \`endpoint\`, and who stands between`,
  );
}

async function readKeys(settings: S3Settings, { secrets }: RemoteTools): Promise<Keys | undefined> {
  const { accessKeyId, secretAccessKey, sessionToken } = settings;
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  const id = typeof accessKeyId === "string" ? accessKeyId : await secrets.read(accessKeyId);
  const secret = await secrets.read(secretAccessKey);
  const keys = { accessKeyId: id.trim(), secretAccessKey: secret.trim() };
  if (sessionToken === undefined) return keys;
  return { ...keys, sessionToken: (await secrets.read(sessionToken)).trim() };
}

function configuration(settings: S3Settings, parallel: number, silenceMs: number): S3ClientConfig {
  const { region, endpoint, forcePathStyle } = settings;
  // Through a proxy where the environment names one, as other programs; NO_PROXY leaves out the servers in the house.
  const agent = { keepAlive: true, maxSockets: parallel + 2, proxyEnv: process.env };
  return {
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    forcePathStyle: forcePathStyle ?? endpoint !== undefined,
    // Many servers refuse what it would add by itself, or ignore it.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    maxAttempts: 3,
    requestHandler: {
      connectionTimeout: 10_000,
      socketTimeout: silenceMs,
      httpAgent: agent,
      httpsAgent: agent,
    },
    // It would write to the console; what matters comes as an error.
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  };
}
