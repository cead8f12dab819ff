/** The SFTP door: who has logged in visits, and each of his sessions is served until he leaves or may not stay. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { MalformedPacket } from "@tributary/shared/sftp/fields.ts";
import type { Account } from "../../identity/account.ts";
import { clientOf, type Gate, type Principal } from "../../identity/principal.ts";
import { bearerOf } from "../../ingest/answer.ts";
import type { Limits } from "../../ledger/limits.ts";
import { type RequestLimits, refusalOf } from "../../limits/requests.ts";
import { subjectsOf } from "../../limits/subject.ts";
import type { ReportLimited } from "../admission.ts";
import type { UploadPlaces } from "../upload-places.ts";
import type { SftpFact } from "./facts.ts";
import { OpenAtOnce } from "./open-at-once.ts";
import { RefusedFiles } from "./refused.ts";
import { runSession, SessionOver } from "./session.ts";
import type { SftpRooms, Visit } from "./visit.ts";
import type { SftpChannel, Visitor } from "./visitor.ts";

export interface SftpDoor {
  readonly gate: Pick<Gate, "watch">;
  readonly rooms: Omit<SftpRooms, "hold" | "refused" | "folders">;
  readonly places: UploadPlaces;
  /** Files that one account may have open to write at once. */
  readonly mostUploads: number;
  /** Folders that one account may have open to list at once. */
  readonly mostFolders: number;
  readonly requests: RequestLimits;
  /** For clients that have no limits of their own. */
  readonly defaults: Limits;
  readonly mostHandles: number;
  /** Longest silence of a session in ms. */
  readonly idle: number;
  readonly stopping: AbortSignal;
  readonly report: (fact: SftpFact) => void;
  readonly reportLimited: ReportLimited;
  readonly reportProblem: (code: ProblemError["code"]) => void;
}

const STOPPING = "stopping: this receiver is stopping; come again";

/** What `listenSsh` calls for each login. */
export function sftpDoor(door: SftpDoor): (visitor: Visitor) => () => void {
  const uploads = new OpenAtOnce(door.mostUploads, "files open to write");
  const folders = new OpenAtOnce(door.mostFolders, "folders open to list");
  const refused = new RefusedFiles();
  return (visitor) => {
    const { account } = visitor;
    const client = clientOf(account.principal, undefined);
    let fallen: ProblemError | undefined;
    const tells = new Set<(words: string) => void>();
    const cut = (reason: ProblemError): void => {
      fallen ??= reason;
      const words = `${reason.code}: ${reason.message}`;
      for (const tell of tells) tell(words);
      visitor.cut(words);
    };
    let { principal } = account;
    const unwatch = door.gate.watch(principal, [client], cut, (now) => {
      principal = now;
    });
    // A session that is served ends by itself; a connection without one would keep the receiver from stopping.
    const leave = (): void => {
      if (door.stopping.aborted && tells.size === 0) visitor.cut(STOPPING);
    };
    door.stopping.addEventListener("abort", leave, { once: true });
    const visit = (): Visit => ({
      // Its limits may have been changed since it came.
      rooms: {
        ...{ ...door.rooms, refused, folders },
        hold: (who, of, work) => hold(door, uploads, { ...who, principal }, of, work),
      },
      account,
      client,
      view: {
        client,
        ...(account.principal.source === undefined ? {} : { source: account.principal.source }),
        bearer: bearerOf(account.principal, undefined),
      },
      stillAllowed: () => {
        if (fallen !== undefined) throw fallen;
      },
    });
    visitor.onSession(async (session) => {
      tells.add(session.tell);
      await serve(door, visitor, visit(), session).finally(() => {
        tells.delete(session.tell);
        leave();
      });
    });
    leave();
    return () => {
      unwatch();
      door.stopping.removeEventListener("abort", leave);
    };
  };
}

async function serve(
  door: SftpDoor,
  visitor: Visitor,
  visit: Visit,
  { channel, tell, hold: holdBytes, gone }: SftpChannel,
): Promise<void> {
  const { report, mostHandles, idle, stopping } = door;
  try {
    await runSession({
      ...{ visit, channel, tell, mostHandles, idle, stopping, gone },
      hold: holdBytes,
      reportRequest: (request, status, ms) => report({ kind: "SftpAnswered", request, status, ms }),
      reportFailure: (request, error) => {
        if (error instanceof ProblemError) door.reportProblem(error.code);
        report({
          ...{ kind: "SftpProblem", user: visit.account.user, account: visit.account.principal.id },
          ...{ client: visit.client, request, error },
        });
      },
    });
  } catch (error) {
    if (error instanceof SessionOver) {
      tell(error.message);
      visitor.cut(error.message);
    } else if (error instanceof MalformedPacket) visitor.drop(`what came is not SFTP: ${error.message}`);
    else throw error;
  }
}

/** An upload counts as a request, and among the uploads that are under way, as at the other doors. */
async function hold<T>(
  door: SftpDoor,
  uploads: OpenAtOnce,
  account: Account,
  client: string,
  work: () => Promise<T>,
): Promise<T> {
  const { principal } = account;
  const release = taken(door, uploads, account);
  try {
    await countRequest(door, principal, client);
    return await door.places.hold(principal, client, work);
  } finally {
    release();
  }
}

function taken(door: SftpDoor, uploads: OpenAtOnce, account: Account): () => void {
  try {
    return uploads.take(account);
  } catch (error) {
    door.reportLimited("uploads", "account");
    throw error;
  }
}

async function countRequest(door: SftpDoor, principal: Principal, client: string): Promise<void> {
  const subjects = subjectsOf("requests", principal, client, door.defaults);
  if (subjects.length === 0) return;
  const limits = await door.requests.take(subjects);
  const refusal = refusalOf(limits);
  if (refusal === undefined) return;
  door.reportLimited("requests", limits.at(-1)?.subject.kind ?? "client");
  throw refusal;
}
