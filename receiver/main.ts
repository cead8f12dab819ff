/** `tributary-receiver`: the only place that chooses technologies. Commands get what they need handed in. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import { EXIT, fail, say } from "@tributary/shared/terminal.ts";
import { createProgram } from "./commands/program.ts";
import type { DiscardHeld, ReleaseHeld } from "./commands/quarantine.ts";
import type { Sweep } from "./commands/sweep.ts";
import { type ReceiverSettings, readSite, receiverSettings, type Site, type SiteOptions } from "./config.ts";
import { readPages } from "./console/pages.ts";
import type { ConsoleCarrier } from "./console.ts";
import { makeDiagnostics } from "./diagnostics/diagnostics.ts";
import { hostParts, programPart } from "./diagnostics/host.ts";
import { ledgerParts } from "./diagnostics/ledger.ts";
import { listenerParts } from "./diagnostics/listeners.ts";
import { withoutSecrets } from "./diagnostics/settings.ts";
import { diagnosticsDoor } from "./doors/diagnostics.ts";
import { enrollDoor } from "./doors/enroll.ts";
import { heartbeatDoor } from "./doors/heartbeat.ts";
import { installDoor } from "./doors/install.ts";
import { leasesDoor } from "./doors/leases.ts";
import { takeDiagnosticsOf } from "./fleet/diagnostics.ts";
import { enrolOf } from "./fleet/enrol.ts";
import { heartbeatOf } from "./fleet/heartbeat.ts";
import { takeLeasesOf } from "./fleet/leases.ts";
import { openGate } from "./identity/gate.ts";
import { hostsOf, openKeys } from "./identity/keys.ts";
import { requireSecretsKey } from "./identity/rotation.ts";
import { closeSecret } from "./identity/secretskey.ts";
import { openSftpLogin } from "./identity/sftp-login.ts";
import { Committer } from "./ingest/committer.ts";
import { discardFrom } from "./ingest/discard.ts";
import { releaseFrom } from "./ingest/release.ts";
import { sweep } from "./ingest/sweep.ts";
import { UploadRows } from "./ingest/upload-rows.ts";
import { clamd } from "./inspection/clamd.ts";
import type { Inspector } from "./inspection/inspection.ts";
import { openInstall } from "./install/install.ts";
import type { LakeOwner } from "./lake/claim.ts";
import type { OwnLake } from "./lake/lake.ts";
import { createLedger } from "./ledger/commit.ts";
import type { LedgerDatabase } from "./ledger/database.ts";
import { createHistory } from "./ledger/history.ts";
import { openLakeOf } from "./ledger/lake.ts";
import { createQuarantine } from "./ledger/quarantine.ts";
import { createCoverage, createSegments } from "./ledger/segments.ts";
import { Guesses } from "./limits/guesses.ts";
import { memoryCounts } from "./limits/memory.ts";
import { postgresCounts } from "./limits/postgres.ts";
import { LineMemory } from "./lines/memory.ts";
import { createLog } from "./log.ts";
import { openPeople, secretOf } from "./people/auth.ts";
import { firstAdminLink } from "./people/invitations.ts";
import { type RunningReceiver, runReceiver } from "./run.ts";
import type { SftpCarrier } from "./sftp.ts";
import type { OpenSite, SiteLedger } from "./site.ts";
import { ManifestTail, unwrittenSegmentsOf } from "./tail/manifest.ts";
import { allowedOf } from "./webhooks/address.ts";
import { refusalOf } from "./webhooks/lookup.ts";
import { ownerOf, type Send } from "./webhooks/webhook.ts";

const NAME = "tributary-receiver";
/** Different wrong passwords of one address in a minute, whoever they are for. */
const MOST_GUESSES_OF_A_PLACE = 100;
/** After `stopWithin`, for closing what is open. */
const CLOSE_MS = 5000;

/** Opens configuration, ledger, keys and lake; at a site's first start, makes them. */
async function open(options: SiteOptions): Promise<OpenSite> {
  const site = await openLedger(options);
  const { settings, database } = site;
  try {
    const reached = [settings.listen.ingest.host, settings.publicUrl && new URL(settings.publicUrl).hostname];
    const siteKeys = await openKeys({
      db: database.db,
      folder: site.keys,
      tls: settings.tls && {
        cert: resolve(site.data, settings.tls.cert),
        key: resolve(site.data, settings.tls.key),
      },
      hosts: hostsOf(reached, hostname()),
      onProblem: (message) => process.stderr.write(`${NAME}: ${message}\n`),
    });
    try {
      const lake = await openLakeOf(database.db, (known) =>
        openLake(site, settings.lake, { site: siteKeys.site, ...known }),
      );
      const close = async (): Promise<void> => {
        siteKeys.close();
        await database.close();
      };
      return { ...site, siteKeys, lake, close };
    } catch (error) {
      siteKeys.close();
      throw error;
    }
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Opens configuration and ledger alone. */
async function openLedger(options: SiteOptions): Promise<SiteLedger> {
  const site = readSite(options);
  const database = await openDatabase(site, site.settings.ledger);
  return { ...site, database, close: () => database.close() };
}

/** Only what is chosen is loaded: the S3 client alone is 60 MB and a third of a second. */
async function openDatabase(site: Site, ledger: ReceiverSettings["ledger"]): Promise<LedgerDatabase> {
  switch (ledger.kind) {
    case "sqlite": {
      const { openSqlite } = await import("./ledger/sqlite.ts");
      return await openSqlite(resolve(site.data, ledger.path ?? "ledger.sqlite"));
    }
    case "postgres": {
      const { openPostgres } = await import("./ledger/postgres.ts");
      return await openPostgres(ledger.url);
    }
  }
}

async function openLake(site: Site, lake: ReceiverSettings["lake"], owner: LakeOwner): Promise<OwnLake> {
  switch (lake.kind) {
    case "directory": {
      const { openDirectoryLake } = await import("./lake/directory.ts");
      const root = resolve(site.data, lake.path ?? "lake");
      return await openDirectoryLake({ root, receiver: resolve(site.data), ...owner });
    }
    case "s3": {
      const { endpoint, accessKeyId, secretAccessKey, bucket, prefix, region, forcePathStyle } = lake;
      const { openS3Lake } = await import("./lake/s3.ts");
      return await openS3Lake({
        ...owner,
        bucket,
        prefix,
        region,
        forcePathStyle,
        spool: join(site.data, "spool"),
        ...(endpoint === undefined ? {} : { endpoint }),
        ...(accessKeyId === undefined ? {} : { accessKeyId }),
        ...(secretAccessKey === undefined ? {} : { secretAccessKey }),
      });
    }
  }
}

/** `serve`: the receiver, until SIGTERM or SIGINT. Gives the exit code when it has stopped. */
async function serve(options: SiteOptions): Promise<number> {
  const asked = stopAsked();
  const site = await open(options);
  try {
    // A rebuild must not run beside us; if the lock is lost for good, we must not run on.
    const held = await site.database.siteLock.share((why) => asked.stop(why));
    try {
      for (const line of await site.lake.probe()) say(`lake: ${line}`);
      const gate = openGate({ db: site.database.db, site: site.siteKeys.site });
      const receiver = await start(site, gate);
      say(`ingest: ${receiver.url}`);
      if (receiver.consoleUrl !== undefined) await sayConsole(site, receiver.consoleUrl);
      if (receiver.sftpPort !== undefined)
        say(`sftp: ${site.settings.listen.sftp?.host}:${receiver.sftpPort}`);
      if (site.settings.listen.portal) say("portal: this version does not have it; nothing listens there");
      say("ready");
      const why = await asked.happened;
      say(why instanceof Error ? `stopping: ${why.message}` : "stopping");
      // A database that hangs also hangs when it is closed; to be cut off loses nothing.
      setTimeout(() => process.exit(EXIT.failed), site.settings.stopWithin + CLOSE_MS).unref();
      await receiver.stop();
      gate.close();
      return why instanceof Error ? EXIT.failed : EXIT.done;
    } finally {
      await held.release();
    }
  } finally {
    await site.close();
  }
}

/** Nobody can sign in before there is somebody: whoever starts the receiver is the one who may begin. */
async function sayConsole({ database: { db } }: OpenSite, url: string): Promise<void> {
  say(`console: ${url}`);
  const secret = await firstAdminLink(db);
  if (secret !== undefined)
    say(`console: nobody can sign in yet; the first administrator: ${url}/welcome#${secret}`);
}

/** What the console takes; its cookies are signed with a key that is made of the site's own, and of nothing in the ledger. */
function consoleOf(site: OpenSite, lines: LineMemory): ConsoleCarrier {
  const { database, siteKeys, settings, keys, install } = site;
  const { db } = database;
  const { allow, proxy } = settings.webhooks;
  return {
    ...{ site: siteKeys.site, install: openInstall(install), pages: readPages(), lines },
    diagnose: async () => {
      const { settings: shown, secrets } = withoutSecrets(receiverSettings, settings);
      const parts = {
        ...programPart(),
        settings: async () => shown,
        ...hostParts(site),
        ...listenerParts(settings),
        ...ledgerParts({ database, kind: settings.ledger.kind, heartbeat: settings.heartbeat }),
        lines: async () => lines.recent({ limit: 1000 }),
      };
      return await makeDiagnostics(parts, { secrets });
    },
    people: async (origin, told) => {
      const secret = secretOf(await requireSecretsKey(db, keys));
      const { oidc, sessions: idleMs, secondFactor } = settings.console;
      return openPeople({
        db,
        origin,
        oidc,
        idleMs,
        secondFactor,
        told,
        secret,
      });
    },
    closer: async () => {
      const key = await requireSecretsKey(db, keys);
      return (secret, webhook) => closeSecret(key, secret, ownerOf(webhook));
    },
    refusalOf: (url) => refusalOf(url, allowedOf(allow), proxy !== undefined),
  };
}

/** It may come later than we: until then files wait. */
async function openInspector(inspect: ReceiverSettings["inspect"]): Promise<Inspector | undefined> {
  if (inspect === undefined) return undefined;
  const { clamd: address, largest, sessions, within: withinMs } = inspect;
  const inspector = clamd({ address, largest, sessions, withinMs });
  say(
    await inspector.check().then(
      (who) => `inspection: ${who}`,
      (error: Error) => `inspection: ${error.message}`,
    ),
  );
  return inspector;
}

async function start(site: OpenSite, gate: ReturnType<typeof openGate>): Promise<RunningReceiver> {
  const { settings, database, siteKeys, lake } = site;
  const { concurrent, idle } = settings.limits;
  const lines = new LineMemory();
  const fleet = { db: database.db, keys: siteKeys, heartbeatSeconds: settings.heartbeat / 1000 };
  return await runReceiver({
    settings,
    database,
    lake,
    keys: siteKeys,
    gate,
    counts: settings.ledger.kind === "postgres" ? postgresCounts(database) : memoryCounts(),
    inspector: await openInspector(settings.inspect),
    doors: [
      enrollDoor(enrolOf(fleet)),
      heartbeatDoor(gate, heartbeatOf(fleet)),
      leasesDoor(gate, takeLeasesOf(database)),
      diagnosticsDoor(gate, takeDiagnosticsOf(database.db)),
      installDoor({ install: openInstall(site.install), atOnce: concurrent, idle }),
    ],
    webhooks: {
      send: openSend(site),
      openSecret: ({ id, secret }) => siteKeys.openSecret(secret, ownerOf(id)),
    },
    console: consoleOf(site, lines),
    sftp: await openSsh(site),
    log: createLog(settings.log, lines),
  });
}

/** The SSH library is loaded where somebody is to come by SFTP. */
async function openSsh({
  data,
  settings,
  database: { db },
  siteKeys,
}: OpenSite): Promise<SftpCarrier | undefined> {
  const { listen, sftp } = settings;
  const at = listen.sftp;
  if (at === undefined) return undefined;
  const { loadSsh2 } = await import("./doors/sftp/library.ts");
  const { listenSsh } = await import("./doors/sftp/ssh.ts");
  const { ssh2: library, slow } = await loadSsh2(data);
  if (slow !== undefined) say(`sftp: ${slow}`);
  const hostKeys = (await siteKeys.sftpHostKeys()).map((key) => key.text);
  const login = openSftpLogin({
    db,
    perUser: new Guesses(),
    perPlace: new Guesses(undefined, MOST_GUESSES_OF_A_PLACE),
  });
  return {
    listen: (enter, report) =>
      listenSsh(
        {
          ...{ library, hostKeys, login, enter, report },
          ident: "Tributary",
          connections: { most: sftp.connections, perAddress: sftp.perAddress },
          loginWithin: sftp.login,
          sessions: sftp.sessions,
        },
        at.host,
        at.port,
      ),
  };
}

/** The HTTP client is loaded for the first event that is sent: it takes 10 MiB, and many sites have no webhook. */
function openSend({ data, settings }: Site): Send {
  const { allow, ca: file, proxy } = settings.webhooks;
  const ca = file === undefined ? undefined : readCertificates(resolve(data, file));
  let sender: Promise<Send> | undefined;
  return async (request, signal) => {
    sender ??= import("./webhooks/https.ts").then(
      ({ createSender }) => createSender({ allowed: allowedOf(allow), ca, proxy }).send,
    );
    return await (await sender)(request, signal);
  };
}

function readCertificates(file: string): string {
  try {
    const pem = readFileSync(file, "utf8");
    new X509Certificate(pem);
    return pem;
  } catch (cause) {
    throw new ProblemError(
      "config-invalid",
      `webhooks.ca: ${file} cannot be used: ${(cause as Error).message}; expected certificates in PEM`,
      { cause },
    );
  }
}

/** The first signal asks to stop, the second one does not wait. */
function stopAsked(): { readonly happened: Promise<Error | undefined>; stop(why: Error | undefined): void } {
  const { promise, resolve } = Promise.withResolvers<Error | undefined>();
  let signals = 0;
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      signals += 1;
      if (signals > 1) process.exit(EXIT.failed);
      resolve(undefined);
    });
  }
  // For whoever starts us as a child and may be killed: the end of the input is its end.
  if (process.env.TRIBUTARY_STOP_ON_STDIN_EOF === "1")
    process.stdin.resume().once("end", () => resolve(undefined));
  return { happened: promise, stop: resolve };
}

/** One sweep as a command: what `serve` does from time to time. */
const sweepSite: Sweep = async ({ lake, database, settings }, skipped) => {
  const held = await database.siteLock.beside();
  try {
    return await sweep({
      lake,
      history: createHistory(database.db),
      quarantine: createQuarantine(database.db),
      coverage: createCoverage(database.db),
      rows: new UploadRows(database),
      now: Date.now,
      report: (fact) => {
        if (fact.kind === "SweepSkipped") skipped(fact.what, fact.error);
      },
      uploadsAfter: settings.sweep.uploads,
      spareAfter: settings.sweep.spare,
    });
  } finally {
    await held.release();
  }
};

/** A release is an entry like any other: made durable, and followed, as those of `serve` are. */
const releaseHeld: ReleaseHeld = async ({ lake, database, siteKeys, settings }, id, release) => {
  const held = await database.siteLock.beside();
  try {
    const { db } = database;
    const manifest = new ManifestTail(lake, createSegments(database), unwrittenSegmentsOf(db));
    const ledger = createLedger(database, settings.quota);
    const committer = new Committer(ledger, manifest, siteKeys.signReceipt, () => {});
    return await releaseFrom({ database, lake, committer }, id, release);
  } finally {
    await held.release();
  }
};

const discardHeld: DiscardHeld = async ({ lake, database }, id, discard) => {
  const held = await database.siteLock.beside();
  try {
    return await discardFrom(database, lake, id, discard);
  } finally {
    await held.release();
  }
};

export async function main(): Promise<void> {
  // `… | head` closes the pipe early: that is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) =>
    process.exit(error.code === "EPIPE" ? EXIT.done : EXIT.failed),
  );
  // Clients' files are nobody else's on this host; the group may be given the right to read the lake.
  process.umask(0o027);
  try {
    const quarantine = { release: releaseHeld, discard: discardHeld };
    await createProgram({ open, openLedger, serve, sweep: sweepSite, ...quarantine }).parseAsync();
  } catch (error) {
    process.exitCode = fail(NAME, error);
  }
  // Nothing that is left over, such as an idle connection, may keep a finished command alive.
  process.stdout.write("", () => process.exit());
}
