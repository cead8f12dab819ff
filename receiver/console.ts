/** The console wired: its listener, what its handlers are given, and what is told to open pages. */
import { addressOf, consoleUrl, type ReceiverSettings } from "./config.ts";
import { type Asked, createConsole, mayGoOn } from "./console/console.ts";
import { accessHandlers } from "./console/handlers/access.ts";
import { agentHandlers } from "./console/handlers/agents.ts";
import { clientHandlers } from "./console/handlers/clients.ts";
import { fileHandlers } from "./console/handlers/files.ts";
import { operationHandlers } from "./console/handlers/operations.ts";
import { overviewHandlers } from "./console/handlers/overview.ts";
import type { HandlerParts } from "./console/handlers/parts.ts";
import { peopleHandlers } from "./console/handlers/people.ts";
import { siteHandlers } from "./console/handlers/site.ts";
import { Live } from "./console/live.ts";
import { marksOf } from "./console/marks.ts";
import { openPages } from "./console/pages.ts";
import { peerOf } from "./doors/peer.ts";
import type { ReportProblem } from "./doors/problem.ts";
import { Streams } from "./doors/streams.ts";
import { FleetView } from "./fleet/view.ts";
import type { SiteKeys } from "./identity/keys.ts";
import type { Committer } from "./ingest/committer.ts";
import { discardFrom } from "./ingest/discard.ts";
import { releaseFrom } from "./ingest/release.ts";
import type { AnyLake } from "./lake/lake.ts";
import type { LedgerDatabase } from "./ledger/database.ts";
import type { History } from "./ledger/ledger.ts";
import { createOverview, type Overview } from "./overview/overview.ts";
import type { People } from "./people/auth.ts";
import type { Told } from "./people/facts.ts";
import { forgetEnded } from "./people/sessions.ts";
import { previewsInProcess } from "./preview/process.ts";
import { catchUpSearch, searchPosition } from "./search/follow.ts";
import { withSearch } from "./search/schema.ts";
import { type App, type Listening, type ListenOptions, listen } from "./serve.ts";
import type { Chore } from "./sftp.ts";
import { openTrees } from "./tree/open.ts";
import { preparedTrees } from "./tree/prepared.ts";
import { VERSION } from "./version.ts";

/** What `main.ts` chooses for it. */
export interface ConsoleCarrier
  extends Pick<HandlerParts, "install" | "closer" | "refusalOf" | "lines" | "diagnose"> {
  /** The site's UUID. */
  readonly site: string;
  /** The files of the pages by their names. */
  readonly pages: ReadonlyMap<string, string>;
  readonly people: (origin: string, told: Told) => Promise<People>;
}

export interface ConsoleWiring {
  readonly settings: ReceiverSettings;
  readonly database: LedgerDatabase;
  readonly lake: AnyLake;
  readonly committer: Committer;
  readonly history: History;
  readonly keys: Pick<SiteKeys, "certificate" | "onCertificate" | "codeTrust" | "jwks">;
  readonly carrier: ConsoleCarrier;
  /** Of the ingest listener, with the port that was really taken. */
  readonly ingestUrl: string;
  readonly stopping: AbortSignal;
  readonly reportProblem: ReportProblem;
  readonly unread: ListenOptions["report"];
  /** What happens at the login. */
  readonly hear: Told;
}

/** Open pages of all people together; each costs a look at its session every few seconds. */
const MOST_STREAMS = 200;
const PACE_WINDOW_MS = 30_000;

export interface ListeningConsole extends Listening {
  /** What is to be done again and again. */
  chores(): readonly Chore[];
}

/** Of the search, every ten seconds: nobody who delivers shall wait for it, and yet it has to get through a long history. */
const SEARCH_MS = { usual: 150, farBehind: 2000 } as const;
const FAR_BEHIND = 20_000;

/** Listens; undefined: it is off. */
export async function listenConsole(wiring: ConsoleWiring): Promise<ListeningConsole | undefined> {
  const { settings, keys, stopping } = wiring;
  const at = settings.listen.console;
  if (at === "off") return undefined;
  const { host, port } = at;
  // Its origin has the port, which is known once it listens; pages that are open still ask at once.
  const { promise: app, resolve: open, reject: fail } = Promise.withResolvers<App>();
  app.catch(() => {});
  const listening = await listen({
    app: { fetch: async (request, env) => await (await app).fetch(request, env) },
    ...{ host, port, what: "console", tls: await keys.certificate(), stopping, report: wiring.unread },
  });
  const forget = keys.onCertificate((credentials) => listening.server.setSecureContext(credentials));
  listening.server.once("close", forget);
  const taken = { host, port: Number(new URL(listening.url).port) };
  const origin = consoleUrl({ ...settings, listen: { ...settings.listen, console: taken } }) as string;
  const overview = createOverview(wiring.database.db);
  await appOf(wiring, origin, overview).then(open, async (error: unknown) => {
    fail(error);
    await listening.stop(0);
    throw error;
  });
  return { ...listening, url: origin, chores: () => choresOf(wiring, overview) };
}

async function appOf(wiring: ConsoleWiring, origin: string, overview: Overview) {
  const { settings, database, lake, committer, history, carrier, stopping } = wiring;
  const { db } = database;
  const people = await carrier.people(origin, wiring.hear);
  const fleet = new FleetView(db, settings.heartbeat);
  // A page that is open and does nothing does not keep its session.
  const allowed = async ({ incoming }: Pick<Asked, "incoming">): Promise<boolean> => {
    const headers = new Headers({ cookie: String(incoming.headers.cookie ?? "") });
    return mayGoOn(await people.session(headers, "unused"));
  };
  const live = new Live({
    seq: async () => (await history.position()).seq,
    marks: () => marksOf(db),
    allowed,
    streams: new Streams(MOST_STREAMS),
    stopping,
  });
  const parts: HandlerParts = {
    ...{ database, fleet, live, allowed, people, origin, lake, history, install: carrier.install },
    overview,
    trees: preparedTrees(openTrees(db)),
    previews: previewsInProcess(),
    signer: () => ({ site: carrier.site, jwks: wiring.keys.jwks() }),
    ...{ lines: carrier.lines, diagnose: carrier.diagnose },
    site: {
      site: new URL(settings.publicUrl ?? origin).hostname,
      version: VERSION,
      receiverUrl: receiverUrlOf(settings, wiring.ingestUrl),
      sftp: settings.listen.sftp ?? null,
    },
    codeTrust: wiring.keys.codeTrust,
    closer: carrier.closer,
    refusalOf: carrier.refusalOf,
    release: (id, release) => releaseFrom({ database, lake, committer }, id, release),
    discard: (id, discard) => discardFrom(database, lake, id, discard),
  };
  return createConsole({
    people,
    handlers: {
      ...siteHandlers(parts),
      ...clientHandlers(parts),
      ...agentHandlers(parts),
      ...accessHandlers(parts),
      ...peopleHandlers(parts),
      ...overviewHandlers(parts),
      ...fileHandlers(parts),
      ...operationHandlers(parts),
    },
    pages: openPages(carrier.pages),
    origin,
    originIsSaid: settings.console.url !== undefined,
    pace: {
      idle: settings.limits.idle,
      minRate: settings.limits.minRate,
      window: PACE_WINDOW_MS,
    },
    stopping,
    addressOf: (incoming) => peerOf(incoming, settings.trustProxy),
    reportProblem: wiring.reportProblem,
  });
}

/** What invitations carry. A port that the system chose is known only now. */
function receiverUrlOf(settings: ReceiverSettings, taken: string): string {
  return settings.listen.ingest.port === 0 ? (settings.publicUrl ?? taken) : addressOf(settings);
}

function choresOf({ database: { db }, stopping }: ConsoleWiring, overview: Overview): readonly Chore[] {
  return [
    {
      ms: 3_600_000,
      what: "forgetting sessions that have ended",
      work: () => forgetEnded(db),
      atOnce: true,
    },
    {
      ms: 10_000,
      what: "following the ledger for the search",
      work: async () => {
        const { last, at } = await searchPosition(withSearch(db));
        const withinMs = last - at > FAR_BEHIND ? SEARCH_MS.farBehind : SEARCH_MS.usual;
        await catchUpSearch(db, { stopping, withinMs });
      },
      atOnce: true,
    },
    // The first look reads weeks: nobody who opens the overview shall wait for it.
    {
      ms: 60_000,
      what: "following the ledger for the overview",
      work: () => overview.catchUp(Date.now()),
      atOnce: true,
    },
  ];
}
