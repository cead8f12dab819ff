/** `tributary-agent run`: every room, wired together, until it is told to stop. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Redactor } from "@tributary/shared/redactor.ts";
import { EXIT } from "@tributary/shared/terminal.ts";
import { type Centre, isPaused, openCentre } from "./centre.ts";
import { type AgentSettings, isCertified, loadAgentSettings } from "./config.ts";
import type { Report } from "./facts.ts";
import { lowerPriority, staySmall } from "./footprint.ts";
import { ReceiverClock } from "./identity/clock.ts";
import { type Identity, identityChanges, requireIdentity, storeStanding } from "./identity/identity.ts";
import { readAuthority, trustByDefault } from "./identity/trust.ts";
import { takeOver } from "./lease/handover.ts";
import { Leases } from "./lease/lease.ts";
import { Sharing, type SharingParts } from "./lease/sharing.ts";
import { unowned } from "./owner.ts";
import { bandwidthOf, rateAt, streamsAt } from "./pace/bandwidth.ts";
import { lockDataFolder } from "./queue/lock.ts";
import { openWhenRoom } from "./queue/opening.ts";
import type { Parcel } from "./queue/queue.ts";
import { openQueue, type SqliteQueue } from "./queue/sqlite.ts";
import { watchSettings } from "./reload.ts";
import { Heartbeat } from "./report/heartbeat.ts";
import { liveWriter } from "./report/live.ts";
import type { Log } from "./report/log.ts";
import { EMPTY_TALLY, tallied } from "./report/tally.ts";
import { Today, Traffic } from "./report/traffic.ts";
import { FreshBytes } from "./seal/fresh.ts";
import { PartHasher } from "./seal/part-hasher.ts";
import { Spool } from "./seal/spool.ts";
import { openSecrets } from "./secret/secrets.ts";
import { keepWatchdog } from "./service/watchdog.ts";
import { Sources } from "./sources.ts";
import { Bundles } from "./upload/bundles.ts";
import { contentOpener, smallReader } from "./upload/content.ts";
import { type Carry, courier } from "./upload/courier.ts";
import { Dispatcher } from "./upload/dispatch.ts";
import { placeOf } from "./upload/ends.ts";
import { type Bearing, HttpReceiver } from "./upload/http.ts";
import { placeHeaders } from "./upload/place-headers.ts";
import { reachOf } from "./upload/retry.ts";
import { ridesUpTo } from "./upload/ride.ts";
import { Slots } from "./upload/slots.ts";
import { RING_BYTES } from "./upload/stream.ts";
import { InTurn } from "./upload/turns.ts";
import { VERSION } from "./version.ts";

export interface RunOptions {
  readonly data: string;
  /** agent.yaml. */
  readonly config: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** Aborted: stop, letting what is on its way finish. */
  readonly stop: AbortSignal;
  /** What was read as a secret is never said. */
  readonly redactor: Redactor;
}

/** What is on its way when the agent is told to stop may finish for this long. */
const GRACE_MS = 10_000;
const LIVE_MS = 3_000;
const FIRST_BEAT_MS = 5_000;
const NOTHING: AgentSettings["limits"] = { bandwidth: 0, schedule: [], spool: 0, parallel: 1 };
const SKEW_MS = 5_000;
/** Parts whose bytes leave at once. */
const RINGS = 4;
/** Parts begun and not answered: most of them wait for the receiver's disk. */
const UNDERWAY = 16;
/** Small files of a bundle that count as one parcel on its way, and bytes of each of these shares. */
const SHARES = 128;
const SHARE_BYTES = 4096;
/** Bound of `limits.parallel`, and some for the heartbeat. */
const CONNECTIONS = 68;

/** Runs until `stop`; the answer is the exit code. Throws what keeps it from starting. */
export async function run(options: RunOptions): Promise<number> {
  const { data, config, log } = options;
  const identity = requireIdentity(data);
  const settings = loadAgentSettings(config);
  staySmall();
  keepWatchdog(options.env, (why) => log.say(`systemd's watchdog is not told that all is well: ${why}`));
  const lock = lockDataFolder(data);
  try {
    lowerPriority(log);
    const queue = await openWhenRoom(
      () => openQueue(join(data, "queue.sqlite"), { words: options.redactor.redact }),
      ({ message }) => log.say(`nothing can be captured yet, it is tried again: ${message} (disk-full)`),
      options.stop,
    );
    if (queue === undefined) return EXIT.done;
    try {
      await live(options, queue, identity, settings);
    } finally {
      queue.close();
    }
    log.say("stopped");
    return EXIT.done;
  } finally {
    lock.release();
  }
}

async function live(
  options: RunOptions,
  queue: SqliteQueue,
  enrolled: Identity,
  first: AgentSettings,
): Promise<void> {
  const { data, config, env, log, stop } = options;
  let identity = enrolled;
  let settings = first;
  let ca = readAuthority(first.tls.ca);
  if (first.sources.some(isCertified)) trustByDefault(ca);
  let tally = EMPTY_TALLY;
  const startedAt = new Date().toISOString();
  const origin = Date.now() - performance.now();
  const now = (): number => Math.round(origin + performance.now());
  const report: Report = (fact) => {
    tally = tallied(tally, fact, new Date());
    log.report(fact);
    if (fact.kind === "RootTaken" || (fact.kind === "SourceHealthChanged" && fact.healthy))
      dispatcher.sourceBack(fact.source);
  };
  const faultIn = (where: string) => (cause: unknown) => {
    const detail = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    report({ kind: "FaultFound", where, detail });
  };
  log.level(settings.log);

  const clock = new ReceiverClock();
  const bearing = (): Bearing => ({ ...identity, proxy: settings.proxy, ca });
  const receiver = new HttpReceiver({ bearing, clock, connections: CONNECTIONS, env });
  const spool = new Spool(
    join(data, "spool"),
    settings.limits.spool,
    queue.status.spooled(),
    queue.status.begun(),
  );
  const partHasher = new PartHasher();
  const fresh = new FreshBytes();
  const sharing: Omit<SharingParts, "begin" | "end"> = {
    openLeases: (events) =>
      new Leases({
        ...events,
        receiver,
        clocks: { steady: () => performance.now(), wall: Date.now },
        fault: faultIn("the leases"),
        random: Math.random,
      }),
    takeOver: async ({ client, source }, term, signal) =>
      await takeOver({
        receiver,
        place: { client, source },
        term,
        agentId: identity.agentId,
        outbox: queue.outbox,
        takeover: queue.takeover(client, source),
        now,
        signal,
      }),
    waits: ({ client, source }) => queue.waits(client, source),
    say: ({ client, source }, detail) => {
      report({ kind: "SourceShared", client, source, detail });
      dispatcher.sourceBack(source);
    },
    warn: (text) => log.say(text),
    fault: faultIn("the leases"),
  };
  const secrets = openSecrets({
    ...{ data, config, env, redactor: options.redactor },
    warn: (text) => log.say(text),
  });
  const sources: Sources = new Sources({
    queue,
    spool,
    fresh,
    partHasher,
    report,
    data,
    corrected: () => clock.now(),
    share: (events) => new Sharing({ ...events, ...sharing }),
    secrets,
  });
  const paused = (): boolean => isPaused(identity, settings);
  // What is on its way rests too, as outside the schedule.
  const limits = () => (paused() ? NOTHING : settings.limits);
  const rate = (): number | undefined => rateAt(limits(), new Date());
  const rides = (): number => ridesUpTo(receiver.roundTripMs);
  const sourceOf = (client: string, name: string) => sources.find(client, name);
  const turns = new InTurn({ receiver, random: Math.random, now });
  const headersOf = placeHeaders((client, source) => sources.termOf(client, source));
  const traffic = new Traffic(() => performance.now());
  const today = new Today(Date.now, (at) => queue.status.deliveredSince(at));
  const bandwidth = bandwidthOf(limits, {
    now: () => performance.now(),
    wall: () => new Date(),
    sleep: async (ms) => await sleep(ms, undefined, { ref: false }),
  });
  const carryLeased = courier({
    receiver: turns,
    headersOf,
    open: contentOpener(spool.folder, sourceOf),
    readSmall: smallReader(sourceOf),
    ridesUpTo: rides,
    site: () => identity.site,
    jwks: () => identity.jwks,
    bundles: new Bundles({ receiver: turns, now }),
    fresh,
    bandwidth,
    left: traffic.left,
    underway: new Slots(UNDERWAY, () => undefined),
    rings: new Slots(
      RINGS,
      () => Buffer.allocUnsafeSlow(RING_BYTES),
      () => streamsAt(rate()),
    ),
    random: Math.random,
  });
  const carry: Carry = async (waiting, signal) => {
    const { client, source } = waiting.parcel;
    const term = sources.termOf(client, source);
    traffic.begins(waiting.parcel);
    try {
      return await carryLeased(waiting, signal);
    } catch (cause) {
      if (cause instanceof ProblemError && cause.code === "lease-lost" && term !== undefined)
        sources.leaseLost(client, source, term);
      throw cause;
    } finally {
      traffic.ends(waiting.parcel);
    }
  };
  const dispatcher = new Dispatcher({
    outbox: queue.outbox,
    carry,
    probe: () => heartbeat.beat(),
    parallel: () => Math.min(settings.limits.parallel, streamsAt(rate())),
    share: (parcel) => shareOf(parcel, rides()),
    open: () => rate() !== 0,
    report,
    random: Math.random,
    now,
  });
  const begun = Promise.withResolvers<void>();
  const centre: Centre = openCentre({
    ...{ data, env, secrets, redactor: options.redactor, log, report, receiver, clock, stop, now },
    ...{ queue: queue.status, sources, dispatcher, turns, traffic, today, bandwidth, rate, startedAt },
    identity: () => identity,
    settings: () => settings,
    tally: () => tally,
    tell: () => void heartbeat.tell(),
    begun: begun.promise,
  });
  centre.tellPause();
  const heartbeat: Heartbeat = new Heartbeat({
    receiver,
    clock,
    standing: () => identity,
    take: (standing) => {
      const { publicKey, clients, trust, jwks, nonce, heartbeatSeconds, pause } = standing;
      const changed = clients.join() !== identity.clients.join();
      const fresh = { publicKey, clients, trust, jwks, nonce, heartbeatSeconds, pause };
      storeStanding(data, fresh);
      if (publicKey !== identity.publicKey) return;
      identity = { ...identity, ...fresh };
      centre.tellPause();
      if (changed) changeSources();
    },
    queue: queue.status,
    sources: () => sources.states(),
    pipes: centre.pipes,
    version: VERSION,
    orders: centre.orders,
    denies: () => (["diagnostics", "pause"] as const).filter((one) => !settings.allow[one]),
    paused,
    heard: () => {
      reportSkew();
      dispatcher.heard();
    },
    refused: (problem) => {
      if (reachOf(problem.code) === "aside")
        log.say(`the heartbeat was refused: ${problem.message} (${problem.code})`);
      dispatcher.refused(problem);
    },
    fault: faultIn("the heartbeat"),
    words: options.redactor.redact,
    random: Math.random,
  });

  let told = 0;
  const reportSkew = (): void => {
    const skewMs = clock.skewMs();
    if (Math.abs(skewMs) > SKEW_MS && Math.abs(skewMs - told) > SKEW_MS)
      report({ kind: "ClockSkewed", skewMs });
    told = Math.abs(skewMs) > SKEW_MS ? skewMs : 0;
  };

  const takeSources = async (): Promise<void> => {
    const wrong = await unowned(settings.sources, identity.clients, data);
    if (stop.aborted) return;
    if (wrong.length > 0) report({ kind: "ConfigurationRefused", detail: wrong.join("; ") });
    await sources.take(settings, identity.clients);
    for (const { name } of settings.sources) dispatcher.sourceBack(name);
  };
  const changeSources = (): void => void takeSources().catch(faultIn("the sources"));
  const takeSettings = (fresh: AgentSettings): void => {
    const newCa = readAuthority(fresh.tls.ca);
    const newWay = fresh.proxy !== settings.proxy || newCa !== ca;
    settings = fresh;
    ca = newCa;
    if (fresh.sources.some(isCertified)) trustByDefault(ca);
    log.level(fresh.log);
    spool.bound(fresh.limits.spool);
    report({ kind: "ConfigurationTaken", sources: fresh.sources.map((source) => source.name) });
    centre.tellPause();
    // Lines that are open go on over the old way otherwise.
    if (newWay) void receiver.close();
    changeSources();
  };
  const refuse = (detail: string): void => report({ kind: "ConfigurationRefused", detail });
  const watching = watchSettings(
    config,
    (fresh) => {
      try {
        takeSettings(fresh);
      } catch (cause) {
        if (!(cause instanceof ProblemError)) throw cause;
        refuse(cause.message);
      }
    },
    refuse,
  );
  /** Asked for by `retry`, beside the running agent or before it. What holds the queue's file meanwhile, a backup for one, lets it go again. */
  const retake = (): void => {
    try {
      if (queue.outbox.retake() > 0) dispatcher.wake();
    } catch (cause) {
      faultIn("taking back what was set aside")(cause);
    }
  };
  const enrolment = identityChanges(data);
  const tellLive = liveWriter(data, options.redactor.redact);
  const tick = setInterval(() => {
    retake();
    const stored = enrolment();
    // Beside the running agent it got a new key, as after a fork.
    if (stored?.agentId === identity.agentId && stored.publicKey !== identity.publicKey) {
      identity = stored;
      void receiver.close();
      dispatcher.heard();
    }
    tellLive({
      pid: process.pid,
      startedAt,
      trouble: tally.trouble,
      refused: tally.refused,
      held: dispatcher.held(),
      slowed: turns.slowed(),
      sources: sources
        .states()
        .flatMap(({ client, name, reason }) => (reason === undefined ? [] : [{ client, name, reason }])),
      skewMs: clock.skewMs(),
      delivered: tally.delivered,
      bytes: tally.bytes,
    });
  }, LIVE_MS);

  log.say(
    `tributary-agent ${VERSION}: ${identity.name} (${identity.agentId}) for ${identity.clients.join(", ")}, receiver ${identity.url}`,
  );
  report({ kind: "ConfigurationTaken", sources: settings.sources.map((source) => source.name) });
  queue.onPut(() => dispatcher.wake());
  queue.onEnd((ends) => {
    const overtaken = ends.filter(({ end }) => end.kind === "overtaken").map(({ parcel }) => parcel);
    for (const parcel of overtaken) report({ kind: "ParcelOvertaken", ...placeOf(parcel) });
    for (const { parcel, end } of ends) if (end.kind === "delivered") today.delivered(parcel);
    dispatcher.ended(overtaken.map(({ captureId }) => captureId));
  });
  const stopped = aborted(stop);
  // What is sealed carries the receiver's time, so the receiver is heard first, if it is there.
  await Promise.race([heartbeat.start(), sleep(FIRST_BEAT_MS, undefined, { ref: false }), stopped]);
  // Nothing leaves before its source is there: it would seem to be taken out of agent.yaml.
  await takeSources();
  begun.resolve();
  dispatcher.start();
  await stopped;

  log.say("stopping: what is on its way may finish");
  clearInterval(tick);
  watching.stop();
  const [hanging] = await Promise.all([sources.stop(GRACE_MS), dispatcher.stop(GRACE_MS)]);
  for (const name of hanging) log.say(`source ${name} does not answer, and is left as it is`);
  await sources.giveBack();
  await heartbeat.stop();
  await receiver.close();
}

/** Of what rides along, so many and so many bytes count as one. A power of two: sums of shares stay exact. */
function shareOf(parcel: Parcel, ridesUpTo: number): number {
  if (parcel.kind !== "version" || parcel.state.size > ridesUpTo) return 1;
  return Math.max(1, Math.ceil(parcel.state.size / SHARE_BYTES)) / SHARES;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
