/** One container, by whichever credential is valid now. Everything that is asked of it goes through here. */
import type { RemoteTools } from "../kind.ts";
import { RemoteError } from "../remote.ts";
import { type Asked, type Credential, failureOf, isRefusal } from "./failure.ts";
import type * as Azure from "./library.ts";
import { listText, type Permit } from "./list-request.ts";
import { type IdentityCredential, managedIdentity } from "./managed-identity.ts";
import { urlOf } from "./names.ts";
import { type AzureBlobSettings, endpointOf, whereIs } from "./settings.ts";
import { readSas } from "./signature.ts";

/** The container, as one credential reaches it. */
export interface Place {
  /** A page of "List Blobs", as it was written. */
  list(query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<string>;
  /** By its whole name. */
  blob(name: Buffer): Azure.BlobClient;
  /** The same, which asks once: what must not be done twice. */
  once(name: Buffer): Azure.BlobClient;
}

export interface Access {
  /** For people. */
  readonly where: string;
  /** Throws `RemoteError`, or the reason of `signal`. A refused credential is read anew, once. */
  ask<T>(
    asked: Asked,
    work: (place: Place, signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T>;
}

export interface Patience {
  /** ms for one question with all its tries, up to the first byte of an answer. */
  readonly answer: number;
  /** ms before the third try; the second comes at once, the fourth after three of them. */
  readonly pause: number;
}

export const PATIENCE: Patience = { answer: 30_000, pause: 1_000 };

const SCOPE = "https://storage.azure.com/.default";

interface Held extends Place {
  readonly credential: Credential;
  /** What was read; undefined for an identity, which has no secret. */
  readonly secret: string | undefined;
}

export function openAccess(
  sdk: typeof Azure,
  settings: AzureBlobSettings,
  tools: Pick<RemoteTools, "secrets">,
  patience: Patience = PATIENCE,
  identity: IdentityCredential = managedIdentity(
    typeof settings.managedIdentity === "object" ? settings.managedIdentity : {},
  ),
): Access {
  const where = whereIs(settings);
  const { host } = new URL(endpointOf(settings));
  const url = `${endpointOf(settings)}/${settings.container}`;
  let current: Held | undefined;

  async function read(): Promise<string | undefined> {
    const reference = settings.accountKey ?? settings.sas;
    return reference === undefined ? undefined : (await tools.secrets.read(reference)).trim();
  }

  function held(secret: string | undefined): Held {
    const facts = settings.sas === undefined ? undefined : readSas(secret ?? "");
    const key =
      settings.accountKey === undefined
        ? undefined
        : new sdk.StorageSharedKeyCredential(settings.account, secret ?? "");
    const given = facts === undefined ? (key ?? identity) : new sdk.AnonymousCredential();
    const permit = ((): Permit => {
      if (facts !== undefined) return { kind: "sas", query: facts.query };
      if (key === undefined)
        return { kind: "token", token: async () => (await identity.getToken(SCOPE)).token };
      return { kind: "key", account: settings.account, sign: (text) => key.computeHMACSHA256(text) };
    })();
    const retryOptions = { maxTries: 4, retryDelayInMs: patience.pause, maxRetryDelayInMs: 10_000 };
    const userAgentOptions = { userAgentPrefix: "tributary-agent" };
    const patient = sdk.newPipeline(given, { retryOptions, userAgentOptions });
    const hasty = sdk.newPipeline(given, { retryOptions: { maxTries: 1 }, userAgentOptions });
    const query = facts?.query ?? "";
    return {
      list: (asked, signal) => listText(url, asked, permit, patience.pause, signal),
      blob: (name) => new sdk.BlobClient(urlOf(url, name, query), patient),
      once: (name) => new sdk.BlobClient(urlOf(url, name, query), hasty),
      credential:
        facts !== undefined
          ? { kind: "sas", facts }
          : { kind: settings.accountKey === undefined ? "identity" : "key" },
      secret,
    };
  }

  /** Whether there is another one by now. */
  async function renewed(refused: Held): Promise<boolean> {
    if (current !== refused) return current !== undefined;
    if (refused.credential.kind === "identity") identity.forget();
    const secret = await read();
    if (secret === refused.secret && secret !== undefined) return false;
    current = held(secret);
    return true;
  }

  return {
    where,
    async ask(asked, work, signal) {
      for (let tries = 1; ; tries += 1) {
        let place: Held | undefined;
        try {
          place = current ??= held(await read());
          return await inTime(work, place, signal);
        } catch (error) {
          if (signal?.aborted) throw signal.reason;
          const context = { where, host, container: settings.container, asked, now: Date.now() };
          const failure = failureOf(error, { ...context, credential: place?.credential });
          if (place === undefined || tries > 1 || !isRefusal(error, place.credential)) throw failure;
          // What is wrong with the secret's place says less than what the service said of it.
          if (!(await renewed(place).catch(() => false))) throw failure;
        }
      }
    },
  };

  async function inTime<T>(
    work: (place: Place, signal: AbortSignal) => Promise<T>,
    place: Place,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), patience.answer);
    try {
      return await work(place, signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]));
    } catch (error) {
      if (!late.signal.aborted) throw error;
      throw new RemoteError("away", `${where}: no answer within ${patience.answer / 1000} s`);
    } finally {
      clearTimeout(timer);
    }
  }
}
