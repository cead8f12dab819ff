/** The SFTP door of a running receiver, put together: what it needs of the other rooms, what it does now and then, how it ends. */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Logger } from "pino";
import type { ReceiverSettings } from "./config.ts";
import { Places } from "./doors/places.ts";
import { sftpDoor } from "./doors/sftp/door.ts";
import type { SftpFact } from "./doors/sftp/facts.ts";
import type { SshListening } from "./doors/sftp/ssh.ts";
import { temporaryNames } from "./doors/sftp/temporary.ts";
import type { Visitor } from "./doors/sftp/visitor.ts";
import { UploadPlaces } from "./doors/upload-places.ts";
import type { Gate } from "./identity/principal.ts";
import { listAccounts } from "./identity/sftp-accounts.ts";
import type { Files } from "./ingest/files.ts";
import type { Inspecting } from "./ingest/inspecting.ts";
import type { Room } from "./ingest/room.ts";
import { UnfinishedUploads } from "./ingest/unfinished.ts";
import type { AnyLake } from "./lake/lake.ts";
import type { LedgerDatabase } from "./ledger/database.ts";
import type { History } from "./ledger/ledger.ts";
import type { RequestLimits } from "./limits/requests.ts";
import type { UploadLimits } from "./limits/uploads.ts";
import { logSftp } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { Refused } from "./refusals/tally.ts";
import { openTrees } from "./tree/open.ts";
import type { Trees } from "./tree/tree.ts";

/** What carries SFTP: takes connections, and calls the door for each login. */
export interface SftpCarrier {
  listen(enter: (visitor: Visitor) => () => void, report: (fact: SftpFact) => void): Promise<SshListening>;
}

export interface SftpParts {
  /** Undefined: nobody is to come by SFTP. */
  readonly carrier: SftpCarrier | undefined;
  readonly settings: ReceiverSettings;
  readonly database: LedgerDatabase;
  readonly lake: AnyLake;
  readonly gate: Gate;
  readonly ingest: Files;
  readonly history: History;
  readonly room: Room;
  readonly inspecting: Inspecting;
  readonly requests: RequestLimits;
  readonly uploadLimits: UploadLimits;
  readonly stopping: AbortSignal;
  readonly metrics: Pick<Metrics, "sftp" | "limited" | "problem">;
  /** Hears what an account was refused. */
  readonly refused: (refused: Refused) => void;
  readonly log: Logger;
}

/** What is to be done again and again. */
export interface Chore {
  readonly ms: number;
  readonly what: string;
  readonly work: () => Promise<unknown>;
  readonly atOnce: boolean;
}

const TREES_EVERY_MS = 30_000;

export function openSftp(parts: SftpParts) {
  const { settings, database, lake, gate, ingest, history, room, inspecting, metrics, log, stopping } = parts;
  const unfinished = new UnfinishedUploads({
    ...{ lake, room, inspecting, files: ingest, now: Date.now },
    abandonedAfter: settings.sweep.uploads,
    most: settings.sftp.waiting,
  });
  const trees = openTrees(database.db);
  // Of their own: files that stay open for long must not take the places of requests that are short.
  const places = new Places(settings.limits.concurrent);
  const defaults = settings.limits;
  let listening: SshListening | undefined;
  const report = (fact: SftpFact): void => {
    metrics.sftp(fact);
    logSftp(log, fact);
    if (fact.kind === "SftpProblem" && fact.error instanceof ProblemError)
      parts.refused({
        ...{ client: fact.client, bearer: fact.account, bearerKind: "account" },
        ...{ code: fact.error.code, detail: fact.error.message, path: `SFTP ${fact.request}` },
        requestId: null,
      });
  };
  return {
    /** Goes on with what earlier processes left, also where nobody comes any more: it is taken away one day. Then listens. */
    async listen(): Promise<void> {
      const waiting = await unfinished.goOn();
      if (waiting > 0) log.info({ files: waiting }, "files of SFTP senders wait to be gone on with");
      const enter = sftpDoor({
        ...{ gate, requests: parts.requests, defaults, stopping, report },
        rooms: {
          ...{ ingest, unfinished, history, lake, trees, now: Date.now },
          isTemporary: temporaryNames(settings.sftp.temporary),
        },
        places: new UploadPlaces({
          ...{ places, uploads: parts.uploadLimits, defaults, report: metrics.limited },
        }),
        mostUploads: settings.sftp.uploads,
        mostFolders: settings.sftp.folders,
        mostHandles: settings.sftp.handles,
        idle: settings.sftp.idle,
        reportLimited: metrics.limited,
        reportProblem: metrics.problem,
      });
      listening = await parts.carrier?.listen(enter, report);
    },
    port: (): number | undefined => listening?.port,
    /** Files that are open to write. */
    taken: (): number => places.taken,
    chores: (): readonly Chore[] => [
      {
        ms: settings.sweep.every,
        what: "sweeping what SFTP senders left",
        work: () => unfinished.sweep(),
        atOnce: false,
      },
      // The first look at a long history takes minutes: nobody who lists a folder shall wait for it.
      ...(listening === undefined
        ? []
        : [
            {
              ms: TREES_EVERY_MS,
              what: "following the ledger for SFTP",
              work: () => catchUpTrees(database, trees, stopping),
              atOnce: true,
            },
          ]),
    ],
    stop: async (withinMs: number): Promise<void> => await listening?.stop(withinMs),
    /** What is under way outlives the process. */
    keep: async (): Promise<void> => await unfinished.keepAll(),
  };
}

/** Of all clients that have somebody who may come by SFTP. */
async function catchUpTrees(
  database: LedgerDatabase,
  trees: Pick<Trees, "catchUp">,
  stopping: AbortSignal,
): Promise<void> {
  const accounts = await listAccounts(database.db);
  const clients = new Set(accounts.flatMap(({ client, revokedAt }) => (revokedAt === null ? [client] : [])));
  for (const client of clients) {
    if (stopping.aborted) return;
    await trees.catchUp(client, stopping);
  }
}
