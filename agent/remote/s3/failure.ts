/** What an S3 server refused, in words: what it means for whoever asked, and who has to do what. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { RemoteError, type RemoteFailure } from "../remote.ts";
import { untrusted } from "../untrusted.ts";

/** What was asked, and of what: a key, or the bucket itself. */
export interface About {
  readonly bucket: string;
  readonly key?: string;
  readonly doing: "list" | "read" | "remove" | "copy";
}

/** What is read of an error of the SDK. */
export interface Answer {
  /** 0: there was no answer. */
  readonly status: number;
  /** Empty: the server did not say, as always to a HEAD. */
  readonly code: string;
  readonly message: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly region: string | undefined;
  readonly storageClass: string | undefined;
}

/** Seconds, where a server is overloaded and does not say how long. */
const PATIENCE = 30;

const CREDENTIALS: Readonly<Record<string, string>> = {
  InvalidAccessKeyId: "it does not know this key (InvalidAccessKeyId): check `accessKeyId`",
  InvalidToken: "it does not take this session token (InvalidToken): check `sessionToken`",
  SignatureDoesNotMatch:
    "the key's secret is not the right one (SignatureDoesNotMatch): check `secretAccessKey`",
  ExpiredToken: "the keys were lent for a time, and it is over (ExpiredToken): renew `sessionToken`",
  ExpiredTokenException: "the keys were lent for a time, and it is over: renew them",
  TokenRefreshRequired: "the keys have to be renewed (TokenRefreshRequired)",
};
const OVERLOAD = ["SlowDown", "ServiceUnavailable", "RequestLimitExceeded", "TooManyRequests", "Throttling"];
const ELSEWHERE = ["PermanentRedirect", "AuthorizationHeaderMalformed", "TemporaryRedirect"];

/** What other credentials may help against. */
export const refusesCredentials = ({ code }: Answer): boolean => Object.hasOwn(CREDENTIALS, code);
/** A HEAD that is refused does not say why. */
export const refusesSilently = ({ status, code }: Answer): boolean =>
  code === "" && [301, 307, 400, 401, 403].includes(status);

export function answerOf(error: unknown): Answer {
  const one = error as {
    name?: string;
    code?: string;
    Code?: string;
    message?: string;
    Region?: string;
    StorageClass?: string;
    $metadata?: { httpStatusCode?: number };
    $response?: { headers?: Record<string, string> };
  };
  const name = one.Code ?? one.code ?? one.name ?? "";
  const headers = one.$response?.headers ?? {};
  return {
    status: one.$metadata?.httpStatusCode ?? 0,
    code: ["Unknown", "UnknownError", "NotFound", "Error"].includes(name) ? "" : name,
    message: one.message ?? "",
    headers,
    region: one.Region ?? headers["x-amz-bucket-region"],
    storageClass: one.StorageClass,
  };
}

/** `hide`: takes out of a text what nobody may read. */
export function remoteError(error: unknown, about: About, hide: (text: string) => string): RemoteError {
  if (error instanceof RemoteError) return error;
  const answer = answerOf(error);
  const { failure, reason, retryAfter } = meaningOf(error, answer, about);
  return new RemoteError(failure, hide(reason), {
    cause: error,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}

interface Meaning {
  readonly failure: RemoteFailure;
  readonly reason: string;
  readonly retryAfter?: number;
}

function meaningOf(error: unknown, answer: Answer, { bucket, key, doing }: About): Meaning {
  const { status, code, message } = answer;
  const place = `the bucket ${bucket}`;
  const what = key === undefined ? place : `the object ${shown(key)}`;
  const away = (reason: string): Meaning => ({ failure: "away", reason });
  if (error instanceof ProblemError) return away(`${place} is not asked: ${message}`);
  const wrongKeys = Object.hasOwn(CREDENTIALS, code) ? CREDENTIALS[code] : undefined;
  if (wrongKeys !== undefined) return away(`${place} refuses the credentials: ${wrongKeys}`);
  if (code === "CredentialsProviderError" || /^Could not load credentials/.test(message))
    return away(
      `${place} cannot be asked: no keys in the environment, in ~/.aws or from the machine's role; name \`accessKeyId\` and \`secretAccessKey\``,
    );
  if (code === "RequestTimeTooSkewed")
    return away(`${place} refuses this host's clock (RequestTimeTooSkewed): set it right`);
  if (code === "NoSuchBucket")
    return away(`${place} is not there (NoSuchBucket): was it renamed or removed? check \`bucket\``);
  if (ELSEWHERE.includes(code) || status === 301 || status === 307)
    return away(
      `${place} lies in another region${answer.region === undefined ? "" : `: set \`region: ${answer.region}\``} (${code || status})`,
    );
  if (OVERLOAD.some((one) => code.startsWith(one)) || [429, 502, 503, 504].includes(status)) {
    const said = Number(answer.headers["retry-after"]);
    const retryAfter = said > 0 ? said : PATIENCE;
    return { ...away(`${place} is overloaded (${code || status}): later`), retryAfter };
  }
  if (status === 0) {
    const why = untrusted(code, "its server");
    if (why !== undefined) return away(`${place} is not asked: ${why}`);
    return away(`${place} cannot be reached (${inShort(code, message)}): check \`endpoint\` and the network`);
  }
  if (code === "InvalidObjectState")
    return { failure: "failed", reason: thaw(answer.storageClass ?? "archive") };
  if (key !== undefined && status === 404) return { failure: "absent", reason: `${what} is not there` };
  if (status === 412 || code === "ConditionalRequestConflict")
    return { failure: "changed", reason: `${what} is not what it was any more` };
  if (status === 403 || status === 401) {
    const right = { list: "s3:ListBucket", read: "s3:GetObject", remove: "s3:DeleteObject", copy: "" }[doing];
    return {
      failure: key === undefined ? "away" : "denied",
      reason: `the credentials may not ${doing} ${what}${right && `: they need ${right}`} (${code || status})`,
    };
  }
  return {
    failure: key === undefined ? "away" : "failed",
    reason: `${place}, asked to ${doing} ${what}, answered ${status} ${inShort(code, message)}`,
  };
}

/** What is said of an object that has to be fetched out of an archive first. */
export const thaw = (storageClass: string): string =>
  `it is archived (${storageClass}): restore it, and it is captured`;

/** For people: what cannot be printed is not. */
export const shown = (key: string): string => JSON.stringify(key.slice(0, 300));

function inShort(code: string, message: string): string {
  const words = message.split("\n")[0]?.slice(0, 200) ?? "";
  return code === "" || words.includes(code) ? words || "no reason given" : `${code}: ${words}`;
}
