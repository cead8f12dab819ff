/**
 * A receiver once its technologies are chosen: ingest, tail, doors and listener wired together, and the order in
 * which they start and stop. `main.ts` and tests hand in a lake, a ledger, keys and a gate.
 */
import { ProblemError } from "@tributary/shared/problems.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import type { Hono } from "hono";
import type { Logger } from "pino";
import { recordLogin } from "./administration/login.ts";
import { createApp } from "./app.ts";
import type { Address, ReceiverSettings } from "./config.ts";
import { type ConsoleCarrier, listenConsole } from "./console.ts";
import { LimitedAdmission } from "./doors/admission.ts";
import type { DoorEnv } from "./doors/door.ts";
import { Places } from "./doors/places.ts";
import type { ReportProblem } from "./doors/problem.ts";
import { Streams } from "./doors/streams.ts";
import { UploadPlaces } from "./doors/upload-places.ts";
import { fleetStanding, silentAfter } from "./fleet/standing.ts";
import { validUntil } from "./identity/certificate.ts";
import type { SiteKeys } from "./identity/keys.ts";
import type { Gate } from "./identity/principal.ts";
import { Committer } from "./ingest/committer.ts";
import type { Fact } from "./ingest/facts.ts";
import { Files } from "./ingest/files.ts";
import { inspecting, uninspected } from "./ingest/inspecting.ts";
import { type Allowance, type AllowanceOf, Room } from "./ingest/room.ts";
import { type Swept, sweep } from "./ingest/sweep.ts";
import { UploadRows } from "./ingest/upload-rows.ts";
import { PartUploads } from "./ingest/uploads.ts";
import type { Inspector } from "./inspection/inspection.ts";
import type { AnyLake } from "./lake/lake.ts";
import { clientState } from "./ledger/clients.ts";
import { createLedger } from "./ledger/commit.ts";
import { checkLedger, type LedgerDatabase, ledgerClock } from "./ledger/database.ts";
import { createHistory } from "./ledger/history.ts";
import { type BearerState, bearerStates, NO_LIMITS } from "./ledger/limits.ts";
import { createQuarantine, heldSum } from "./ledger/quarantine.ts";
import { createCoverage, createSegments } from "./ledger/segments.ts";
import { manifestStanding } from "./ledger/standing.ts";
import type { Counts } from "./limits/counts.ts";
import { Guesses } from "./limits/guesses.ts";
import { RequestLimits } from "./limits/requests.ts";
import { UploadLimits } from "./limits/uploads.ts";
import { logFact, logPeople, logProblem, logUnread } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import { RefusalTally } from "./refusals/tally.ts";
import { type Listening, listen, type RefusedUnread } from "./serve.ts";
import { openSftp, type SftpCarrier } from "./sftp.ts";
import { requireNewestCovered } from "./tail/coverage.ts";
import { ManifestTail, unwrittenSegmentsOf } from "./tail/manifest.ts";
import { Tail } from "./tail/tail.ts";
import { VERSION } from "./version.ts";
import type { WebhookFact } from "./webhooks/facts.ts";
import { WebhookRows } from "./webhooks/rows.ts";
import { listWebhooks } from "./webhooks/standing.ts";
import type { Send } from "./webhooks/webhook.ts";
import { Webhooks, type WebhooksParts } from "./webhooks/webhooks.ts";

export interface ReceiverParts {
  readonly settings: ReceiverSettings;
  readonly database: LedgerDatabase;
  readonly lake: AnyLake;
  readonly keys: Pick<SiteKeys, "signReceipt" | "jwks" | "certificate" | "onCertificate" | "codeTrust">;
  readonly gate: Gate;
  /** Where requests and uploads of all receivers of the site are counted. */
  readonly counts: Counts;
  /** Who looks into files before they are published; undefined: nobody. */
  readonly inspector?: Inspector | undefined;
  /** Enroll, heartbeat and the packages. */
  readonly doors: readonly Hono<DoorEnv>[];
  /** What carries SFTP, where it is listened for. */
  readonly sftp?: SftpCarrier | undefined;
  /** What carries webhooks, and what opens their secrets. */
  readonly webhooks: { readonly send: Send } & Pick<WebhooksParts, "openSecret">;
  /** The pages of the central team, where they are to be had. */
  readonly console?: ConsoleCarrier | undefined;
  readonly log: Logger;
}

export interface RunningReceiver {
  /** The ingest listener's address, with the port that was really taken. */
  readonly url: string;
  /** Where people open the console; undefined: it is off. */
  readonly consoleUrl: string | undefined;
  /** The port of the SFTP listener, where there is one. */
  readonly sftpPort: number | undefined;
  sweep(): Promise<Swept>;
  /** Not ready at once, nothing new taken; what has begun may finish within `stopWithin`. */
  stop(): Promise<void>;
}

const CATCH_UP_EVERY_MS = 10_000;
const LEFT_BEHIND_MS = 30_000;
const PACE_WINDOW_MS = 30_000;
const STREAM_HEARTBEAT_MS = 15_000;
const STREAM_PATIENCE_MS = 60_000;
/** What is left for the last commits where connections took all the time there was. */
const LEAST_MS = 1000;

/** Refuses a ledger that knows less than the lake, writes what a crash left unwritten, then listens. */
export async function runReceiver(parts: ReceiverParts): Promise<RunningReceiver> {
  const { settings, database, lake, keys, gate, inspector, log } = parts;
  const stopping = new AbortController();
  const history = createHistory(database.db);
  const ledger = createLedger(database, settings.quota);
  const manifest = new ManifestTail(lake, createSegments(database), unwrittenSegmentsOf(database.db));
  const tail = new Tail(history);
  const checks = {
    ledger: () => checkLedger(database.db),
    lake: () => checkLake(lake),
    ...(inspector === undefined ? {} : { inspection: async () => void (await inspector.check()) }),
  };
  const metrics = createMetrics({
    inFlight: () => places.taken + sftp.taken(),
    webhooks: () => listWebhooks(database.db),
    quarantine: () => heldSum(database.db),
    site: {
      fleet: () => fleetStanding(database.db, Date.now() - silentAfter(settings.heartbeat)),
      manifest: () => manifestStanding(database.db),
      free: { lake: () => lake.free(), ledger: () => database.free() },
      reserve: settings.reserve,
      checks,
      certificateEnds: async () => validUntil((await keys.certificate()).cert),
      clock: () => ledgerClock(database),
    },
  });
  const report = (fact: Fact | WebhookFact): void => {
    metrics.count(fact);
    logFact(log, fact);
    if (fact.kind === "Committed") tail.poke();
  };
  const refusals = new RefusalTally({
    db: database.db,
    failed: (error) => log.warn({ err: error }, "what was refused is not remembered now; it is tried again"),
  });
  const committer = new Committer(ledger, manifest, keys.signReceipt, report);
  const rows = new UploadRows(database);
  const disks = { bodies: () => lake.free(), ledger: () => database.free(), relieve: () => lake.relieve() };
  const room = new Room(disks, allowanceOf(database, rows, settings.quota), settings.reserve);
  const quarantine = createQuarantine(database.db);
  const common = {
    ...{ lake, ledger, committer, room, uuid: uuidv7, now: Date.now, report },
    inspecting:
      inspector === undefined
        ? uninspected
        : inspecting(inspector, settings.inspect?.larger ?? "quarantine", report),
  };
  const ingest = new Files(common);
  const uploads = new PartUploads({
    ...common,
    ...{ history, quarantine, rows, abandonedAfter: settings.sweep.uploads },
  });
  const places = new Places(settings.limits.concurrent);
  const { idle, minRate } = settings.limits;
  const limited = { defaults: settings.limits, report: metrics.limited };
  const uploadLimits = new UploadLimits(parts.counts);
  const uploadPlaces = new UploadPlaces({ ...limited, places, uploads: uploadLimits });
  const requests = new RequestLimits(parts.counts);
  const admission = new LimitedAdmission({
    ...limited,
    requests,
    guesses: new Guesses(),
    trustProxy: settings.trustProxy,
  });

  const sftp = openSftp({
    ...{ settings, database, lake, gate, ingest, history, room, log, requests, uploadLimits, metrics },
    refused: (one) => refusals.add(one),
    inspecting: common.inspecting,
    carrier: parts.sftp,
    stopping: stopping.signal,
  });

  if (database.oneReceiver) await rows.reopen();
  const coverage = createCoverage(database.db);
  await requireNewestCovered({ lake, coverage }, Date.now());
  const left = await manifest.catchUp(0);
  if (left > 0) log.info({ segments: left }, "wrote manifest segments that were left unwritten");

  const reportProblem: ReportProblem = (failure) => {
    const { problem, path, requestId, refused } = failure;
    metrics.problem(problem.code);
    logProblem(log, failure);
    // That we stop is nobody's trouble.
    if (refused === undefined || problem.code === "stopping") return;
    refusals.add({ ...refused, code: problem.code, detail: problem.message, path, requestId });
  };
  const app = createApp({
    gate,
    ingest,
    uploads,
    admission,
    places: uploadPlaces,
    pace: { idle, minRate, window: PACE_WINDOW_MS },
    bundle: settings.limits.bundle,
    history,
    lake,
    tail,
    stopping: stopping.signal,
    streams: new Streams(settings.limits.streams),
    heartbeat: STREAM_HEARTBEAT_MS,
    patience: STREAM_PATIENCE_MS,
    jwks: keys.jwks,
    publicUrl: settings.publicUrl,
    more: parts.doors,
    holdsLease: ledger.holds,
    suspended: async (clients) => await suspendedAmong(database, clients),
    checks: Object.values(checks),
    metrics: metrics.render,
    metricsFrom: settings.metricsFrom,
    trustProxy: settings.trustProxy,
    reportProblem,
    reportRequest: metrics.request,
  });
  await sftp.listen();
  const unread = (refused: RefusedUnread): void => {
    metrics.problem(refused.problem.code);
    logUnread(log, refused);
  };
  const listening = await listenOn(app, settings.listen.ingest, keys, stopping.signal, unread);
  const console =
    parts.console &&
    (await listenConsole({
      ...{ settings, database, lake, committer, history, keys, reportProblem, unread },
      carrier: parts.console,
      ingestUrl: listening.url,
      hear: async (fact, db) => {
        logPeople(log, fact);
        await recordLogin(db, fact).catch((error: unknown) => {
          log.error({ err: error, fact }, "the audit log did not take what happened at the login");
          throw error;
        });
      },
      stopping: stopping.signal,
    }));
  const doSweep = async (): Promise<Swept> =>
    await sweep({
      lake,
      history,
      quarantine,
      coverage,
      rows,
      now: Date.now,
      report,
      uploadsAfter: settings.sweep.uploads,
      spareAfter: settings.sweep.spare,
      stopping: stopping.signal,
    });
  const webhooks = new Webhooks({
    ...parts.webhooks,
    history,
    tail,
    rows: new WebhookRows(database),
    durable: (versionIds) => manifest.settled(versionIds),
    report,
    now: Date.now,
    random: Math.random,
    owner: uuidv7(),
    userAgent: `Tributary/${VERSION}`,
    lookMs: 1000,
  });
  webhooks.start();
  const loops = [
    every(CATCH_UP_EVERY_MS, log, "writing manifest segments", () =>
      manifest.catchUp(LEFT_BEHIND_MS, stopping.signal),
    ),
    every(settings.sweep.every, log, "sweeping", doSweep),
    ...[...sftp.chores(), ...(console?.chores() ?? [])].map(({ ms, what, work, atOnce }) =>
      every(ms, log, what, work, atOnce),
    ),
  ];
  return {
    url: listening.url,
    consoleUrl: console?.url,
    sftpPort: sftp.port(),
    sweep: doSweep,
    async stop() {
      const until = performance.now() + settings.stopWithin;
      stopping.abort();
      for (const loop of loops) loop.end();
      const webhooksEnd = webhooks.stop();
      await Promise.all(
        [listening, console, sftp].map(async (listener) => await listener?.stop(settings.stopWithin)),
      );
      const finish = async (): Promise<void> => {
        await webhooksEnd;
        await Promise.all(loops.map((loop) => loop.idle()));
        await uploadLimits.close();
        await sftp.keep();
        await committer.idle();
        await refusals.flush();
        await manifest.flush();
      };
      if (!(await endsWithin(Math.max(LEAST_MS, until - performance.now()), finish())))
        log.warn("the lake or the ledger does not answer; stopped without them, which loses nothing");
    },
  };
}

async function listenOn(
  app: Hono<DoorEnv>,
  { host, port }: Address,
  keys: ReceiverParts["keys"],
  stopping: AbortSignal,
  report: (refused: RefusedUnread) => void,
): Promise<Listening> {
  const listening = await listen({ app, host, port, tls: await keys.certificate(), stopping, report });
  const forget = keys.onCertificate((credentials) => listening.server.setSecureContext(credentials));
  listening.server.once("close", forget);
  return listening;
}

const NOTHING_BROUGHT: BearerState = { limits: NO_LIMITS, dayBytes: 0 };

function allowanceOf(
  database: LedgerDatabase,
  rows: Pick<UploadRows, "arrivedBytes">,
  defaults: ReceiverSettings["quota"],
): AllowanceOf {
  const bound = (own: number | null | undefined, usual: number | null): number | undefined =>
    own ?? usual ?? undefined;
  return async ({ kind, name }): Promise<Allowance> => {
    if (kind !== "client") {
      const { limits, dayBytes } = (await bearerStates(database.db, [name])).get(name) ?? NOTHING_BROUGHT;
      const arrived = limits.day === null ? 0 : await rows.arrivedBytes("bearer", name);
      return {
        ...{ file: limits.file ?? undefined, day: limits.day ?? undefined, stored: undefined },
        ...{ usedToday: dayBytes + arrived, usedStored: 0 },
      };
    }
    const state = await clientState(database.db, name);
    const [file, day, stored] = (["file", "day", "stored"] as const).map((key) =>
      bound(state?.quotas[key], defaults[key]),
    );
    // Or a client could fill the disk with uploads that it never completes.
    const arrived = day === undefined && stored === undefined ? 0 : await rows.arrivedBytes("client", name);
    return {
      ...{ file, day, stored },
      usedToday: (state?.dayBytes ?? 0) + arrived,
      usedStored: (state?.storedBytes ?? 0) + arrived,
    };
  };
}

async function suspendedAmong(
  database: LedgerDatabase,
  clients: readonly string[],
): Promise<ReadonlySet<string>> {
  if (clients.length === 0) return new Set();
  const rows = await database.db
    .selectFrom("clients")
    .select("name")
    .where("name", "in", clients)
    .where("suspended_at", "is not", null)
    .execute();
  return new Set(rows.map((row) => row.name));
}

async function checkLake(lake: AnyLake): Promise<void> {
  try {
    await lake.check();
  } catch (cause) {
    if (cause instanceof ProblemError) throw cause;
    throw new ProblemError("lake-unavailable", "the lake does not answer", { cause, retryAfter: 5 });
  }
}

/** False when it has not ended by then; it goes on alone, and its failure is nobody's any more. */
async function endsWithin(ms: number, work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Does the work again and again, never twice at once; a failure is logged and tried again the next time. */
function every(ms: number, log: Logger, what: string, work: () => Promise<unknown>, atOnce = false) {
  let running: Promise<void> | undefined;
  const run = (): void => {
    running ??= work()
      .then(
        () => {},
        (error: unknown) => log.warn({ err: error }, `${what} failed; it is tried again`),
      )
      .finally(() => {
        running = undefined;
      });
  };
  const timer = setInterval(run, Math.min(ms, 2 ** 31 - 1));
  timer.unref();
  if (atOnce) run();
  return { end: () => clearInterval(timer), idle: async () => await running };
}
