/** What the service answers, in our words. Its own hold the URL that was asked, with the signature in it: they are never passed on. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { RemoteError } from "../remote.ts";
import { untrusted } from "../untrusted.ts";
import type { SasFacts } from "./signature.ts";

/** By what right something was asked. */
export type Credential =
  | { readonly kind: "key" }
  | { readonly kind: "sas"; readonly facts: SasFacts }
  | { readonly kind: "identity" };

/** What was asked, as in `listing "in/"`. */
export interface Asked {
  readonly what: string;
  /** The letter that a SAS needs for it. */
  readonly right: "l" | "r" | "w" | "d";
}

export interface Answer {
  readonly status: number | undefined;
  /** `x-ms-error-code`, or what the system calls it where nothing was answered. */
  readonly code: string;
  readonly retryAfter: number | undefined;
  /** The service's clock. */
  readonly date: Date | undefined;
}

/** Of anything that the library throws; an answer to HEAD has no body, and its code in a header alone. */
export function answerOf(error: unknown, now: number): Answer {
  const { statusCode, code, response } = error as {
    statusCode?: number;
    code?: unknown;
    response?: { headers?: { get(name: string): string | undefined } };
  };
  const header = (name: string): string | undefined => response?.headers?.get(name);
  const date = new Date(header("date") ?? "");
  return {
    status: statusCode,
    code: header("x-ms-error-code") ?? (typeof code === "string" ? code : ""),
    retryAfter: secondsOf(header("retry-after"), now),
    date: Number.isNaN(date.getTime()) ? undefined : date,
  };
}

/** RFC 9110, 10.2.3: seconds, or a date. */
function secondsOf(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - now) / 1000));
}

export const ARCHIVED = "it is archived: rehydrate it, and it is captured";

interface Context {
  /** `azure-blob://…` */
  readonly where: string;
  readonly host: string;
  readonly container: string;
  readonly asked: Asked;
  /** Undefined: it could not be read. */
  readonly credential: Credential | undefined;
  readonly now: number;
}

/** Whatever was thrown as what it means. */
export function failureOf(error: unknown, context: Context): RemoteError {
  if (error instanceof RemoteError) return error;
  const { where, asked } = context;
  // Of our own making, with the words for it: a secret that is not set.
  if (error instanceof ProblemError) return new RemoteError("away", `${where}: ${error.message}`);
  const answer = answerOf(error, context.now);
  if (answer.status === undefined) return unreachable(answer.code, context);
  const { status, code, retryAfter } = answer;
  const said = `${status}${code === "" ? "" : ` ${code}`}`;
  const failed = (why: string): RemoteError => new RemoteError("failed", `${asked.what}: ${why}`);
  switch (code) {
    case "ContainerNotFound":
    case "ContainerBeingDeleted":
    case "ContainerDisabled":
      return new RemoteError(
        "away",
        `${where}: the container ${context.container} is not there: renamed, or deleted?`,
      );
    case "BlobArchived":
      return failed(ARCHIVED);
    case "BlobBeingRehydrated":
      return failed("it is being rehydrated, and is captured when that is done");
    case "SnapshotsPresent":
      return failed("it has snapshots, which would go with it: delete them first, or keep the blob");
    case "LeaseIdMissing":
    case "LeaseIdMismatchWithBlobOperation":
      return failed("another program holds a lease on it: it may be removed when that ends");
    case "BlobImmutableDueToPolicy":
    case "BlobImmutableDueToLegalHold":
      return new RemoteError("denied", `${asked.what}: a policy of the container keeps it as it is`);
    case "InvalidRange":
      return failed("the blob is shorter than was said of it");
    case "AccountIsDisabled":
      return new RemoteError("away", `${where}: the storage account is disabled`);
  }
  if (status === 404) return new RemoteError("absent", `${asked.what}: it is not there`);
  if (status === 412) return new RemoteError("changed", `${asked.what}: it was changed`);
  if (status === 401 || status === 403 || code === "KeyBasedAuthenticationNotPermitted")
    return refused(answer, context);
  if (status === 429 || status >= 500)
    return new RemoteError("away", `${where}: the service is busy or out of order (${said})`, {
      ...(retryAfter === undefined ? {} : { retryAfter }),
    });
  return failed(`the service answered ${said}`);
}

/** Whether another key, signature or token may help. Another token of the same identity has the same rights. */
export function isRefusal(error: unknown, { kind }: Credential): boolean {
  const { status, code } = answerOf(error, 0);
  if (kind === "identity" && code === "AuthorizationPermissionMismatch") return false;
  return status === 401 || status === 403 || code === "KeyBasedAuthenticationNotPermitted";
}

function unreachable(code: string, { where, host }: Context): RemoteError {
  const why = ((): string => {
    switch (code) {
      case "ENOTFOUND":
        return `${host} has no address: is the name of the account right, and does this host resolve names?`;
      case "EAI_AGAIN":
        return `${host} cannot be resolved now: does this host reach its name server?`;
      case "ECONNREFUSED":
        return `${host} refuses connections: is the endpoint right, and does the firewall let this host out?`;
      default:
        return (
          untrusted(code, host) ??
          `${host} cannot be reached${code === "" ? "" : ` (${code})`}: does the firewall let this host out to it?`
        );
    }
  })();
  return new RemoteError("away", `${where}: ${why}`);
}

const CLOCK_MS = 300_000;

function refused(answer: Answer, context: Context): RemoteError {
  const { where, asked, credential } = context;
  const { code } = answer;
  const away = (why: string): RemoteError => new RemoteError("away", `${where}: ${why}`);
  if (code === "KeyBasedAuthenticationNotPermitted")
    return away(
      "the account takes neither keys nor signatures made with them: use managedIdentity, or a SAS made by a user",
    );
  if (code === "AuthorizationPermissionMismatch" || code === "InsufficientAccountPermissions") {
    const why = lacking(context);
    return asked.right === "l" ? away(why) : new RemoteError("denied", `${asked.what}: ${why}`);
  }
  const apart = answer.date === undefined ? 0 : context.now - answer.date.getTime();
  const clock =
    Math.abs(apart) > CLOCK_MS
      ? `; this host's clock is ${Math.round(Math.abs(apart) / 60_000)} minutes ${apart > 0 ? "ahead" : "behind"}: set it`
      : "";
  const firewall =
    code === "AuthorizationFailure" ? "; or the account's firewall does not let this host in" : "";
  if (credential?.kind === "sas") {
    const { starts, expires } = credential.facts;
    const now = (answer.date ?? new Date(context.now)).getTime();
    if (expires !== undefined && expires.getTime() <= now)
      return away(`the SAS expired at ${expires.toISOString()}: make a new one, and put it in its place`);
    if (starts !== undefined && starts.getTime() > now)
      return away(`the SAS is valid from ${starts.toISOString()} on, and not yet${clock}`);
    return away(
      `the SAS is not accepted (${answer.status} ${code}): the key it was made with was changed, its policy is gone, it is of another account, or it was cut when copied${firewall}${clock}`,
    );
  }
  if (credential?.kind === "identity")
    return away(
      `the managed identity is not accepted (${answer.status} ${code}): is it of the account's own tenant?${firewall}${clock}`,
    );
  return away(
    `the account key is not accepted (${answer.status} ${code}): it was changed, or is of another account${firewall}${clock}`,
  );
}

const VERBS = { l: "list", r: "read", w: "write", d: "delete" } as const;

function lacking({ asked: { right }, credential }: Context): string {
  if (credential?.kind === "identity")
    return `the managed identity may not ${VERBS[right]}: give it the role ${right === "l" || right === "r" ? "Storage Blob Data Reader" : "Storage Blob Data Contributor, which after: needs,"} on the container`;
  const letters = credential?.kind === "sas" ? credential.facts.permissions : undefined;
  if (letters !== undefined && !letters.includes(right))
    return `the SAS may not ${VERBS[right]}: its sp=${letters} has no ${right}; make one with sp=${lettersFor(right)}`;
  return `it may not ${VERBS[right]}: a SAS needs sp=${lettersFor(right)}, of a container (sr=c) or with srt=co`;
}

const lettersFor = (right: Asked["right"]): string => (right === "l" || right === "r" ? "rl" : "rwdl");
