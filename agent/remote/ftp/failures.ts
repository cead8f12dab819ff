/** What a server's refusal means. Its words are all there is: "550" stands for everything, and every server has words of its own. */
import { RemoteError, type RemoteFailure } from "../remote.ts";
import { readable } from "./spelling.ts";

/** A reply of 400 and more. */
export interface Refusal {
  readonly code: number;
  readonly message: string;
}

/** ProFTPD, Pure-FTPd and all that say what the system says; IIS ("cannot find"); FileZilla and others ("not found"). */
const ABSENT =
  /no such|not found|cannot find|can't find|cannot locate|does ?n[o']t exist|not exist|no file|unknown file/i;
const DENIED =
  /denied|not permitted|not allowed|forbidden|not authori[sz]ed|insufficient|no permission|no access/i;

/** "unknown": it does not say whether the path is there ("550 Failed to open file", vsftpd). */
export function meaning(refusal: Refusal, path: string): "absent" | "denied" | "busy" | "unknown" {
  const { code } = refusal;
  if (code === 425 || code === 426 || code === 451) return "busy";
  const words = withoutName(refusal.message.slice(4), path);
  if (ABSENT.test(words)) return "absent";
  if (DENIED.test(words)) return "denied";
  return code < 500 ? "busy" : "unknown";
}

/** A file may be called "not found"; and one that is called "a" is not every "a". */
function withoutName(words: string, path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return [path, name].reduce(
    (text, one) => text.replaceAll(new RegExp(`(?<!\\w)${RegExp.escape(one)}(?!\\w)`, "g"), " "),
    words,
  );
}

/** Full, for this user or for all: more connections are not to be had, and those that are open go on. */
export function crowded({ code, message }: Refusal): boolean {
  return (code === 421 || code === 530) && /too many|maximum|\bmax\b|limit|already connected/i.test(message);
}

/** `retryAfter` tells it from a place that cannot be had at all. */
export function tooMany({ message }: Refusal, where: string): RemoteError {
  return new RemoteError(
    "away",
    `${where} takes no more connections now, or ends: "${readable(message)}". If it allows this user but a few, set \`parallel\` lower`,
    { retryAfter: 60 },
  );
}

/** Refusals that are not about a path: the server takes nobody now, or not this one. */
export function aboutAll({ code, message }: Refusal, where: string): RemoteError | undefined {
  if (code === 421 || crowded({ code, message })) return tooMany({ code, message }, where);
  if (code === 530 || code === 532 || code === 534)
    return new RemoteError(
      "away",
      `${where} does not let this user in: "${readable(message)}". Check user and password, and whether the account is still allowed`,
    );
  return undefined;
}

const FAILURE: Readonly<Record<ReturnType<typeof meaning>, RemoteFailure>> = {
  absent: "absent",
  denied: "denied",
  busy: "failed",
  unknown: "failed",
};

/** `what`: as in "read /in/a.csv". */
export function refused(refusal: Refusal, path: string, what: string, where: string): RemoteError {
  return (
    aboutAll(refusal, where) ??
    new RemoteError(
      FAILURE[meaning(refusal, path)],
      `${where} does not ${what} ${readable(path)}: "${readable(refusal.message)}"`,
      { cause: refusal },
    )
  );
}

/** The words of an error of the connection. */
export function reasonOf(error: unknown): string {
  // Several addresses of one name were tried: the words are in the parts.
  if (error instanceof AggregateError && error.message === "") return error.errors.map(reasonOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}
