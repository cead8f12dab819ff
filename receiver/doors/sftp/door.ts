/** The SFTP door: who has logged in visits, and each of his sessions is served until he leaves or may not stay. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { formatDuration } from "@tributary/shared/units.ts";
import type { Account } from "../../identity/account.ts";
import { clientOf, type Gate } from "../../identity/principal.ts";
import { bearerOf } from "../../ingest/answer.ts";
import type { Limits } from "../../ledger/limits.ts";
import { type RequestLimits, refusalOf } from "../../limits/requests.ts";
import { subjectsOf } from "../../limits/subject.ts";
import type { ReportLimited } from "../admission.ts";
import type { UploadPlaces } from "../upload-places.ts";
import type { SftpFact } from "./facts.ts";
import { RefusedFiles } from "./refused.ts";
import { IdleSession, runSession } from "./session.ts";
import type { SftpChannel, Visitor } from "./ssh.ts";
import type { SftpRooms, Visit } from "./visit.ts";
import { MalformedPacket } from "./wire.ts";

export interface SftpDoor {
  readonly gate: Pick<Gate, "watch">;
  readonly rooms: Omit<SftpRooms, "hold" | "refused">;
  readonly places: UploadPlaces;
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

/** What `listenSsh` calls for each login. */
export function sftpDoor(door: SftpDoor): (visitor: Visitor) => () => void {
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
    const unwatch = door.gate.watch(account.principal, [client], cut);
    const stop = (): void =>
      cut(new ProblemError("stopping", "this receiver is stopping; come again", { retryAfter: 5 }));
    door.stopping.addEventListener("abort", stop, { once: true });
    const rooms: SftpRooms = { ...door.rooms, refused, hold: (who, of, work) => hold(door, who, of, work) };
    const visit: Visit = {
      rooms,
      account,
      client,
      view: {
        client,
        ...(account.principal.source === undefined ? {} : { source: account.principal.source }),
        bearer: bearerOf(account.principal),
      },
      stillAllowed: () => {
        if (fallen !== undefined) throw fallen;
      },
    };
    visitor.onSession(async (session) => {
      tells.add(session.tell);
      await serve(door, visitor, visit, session).finally(() => tells.delete(session.tell));
    });
    return () => {
      unwatch();
      door.stopping.removeEventListener("abort", stop);
    };
  };
}

async function serve(
  door: SftpDoor,
  visitor: Visitor,
  visit: Visit,
  { channel, tell }: SftpChannel,
): Promise<void> {
  const { report, mostHandles, idle } = door;
  try {
    await runSession({
      ...{ visit, channel, tell, mostHandles, idle },
      reportRequest: (request, status, ms) => report({ kind: "SftpAnswered", request, status, ms }),
      reportFailure: (request, error) => {
        if (error instanceof ProblemError) door.reportProblem(error.code);
        report({ kind: "SftpProblem", user: visit.account.user, client: visit.client, request, error });
      },
    });
  } catch (error) {
    if (error instanceof IdleSession) {
      tell(`nothing came for ${formatDuration(idle)}; connect again`);
      visitor.cut("it was silent for too long");
    } else if (error instanceof MalformedPacket) visitor.cut(`what came is not SFTP: ${error.message}`);
    else throw error;
  }
}

/** An upload counts as a request, and among the uploads that are under way, as at the other doors. */
async function hold<T>(
  door: SftpDoor,
  { principal }: Account,
  client: string,
  work: () => Promise<T>,
): Promise<T> {
  const subjects = subjectsOf("requests", principal, client, door.defaults);
  if (subjects.length > 0) {
    const limits = await door.requests.take(subjects);
    const refusal = refusalOf(limits);
    if (refusal !== undefined) {
      door.reportLimited("requests", limits.at(-1)?.subject.kind ?? "client");
      throw refusal;
    }
  }
  return await door.places.hold(principal, client, work);
}
