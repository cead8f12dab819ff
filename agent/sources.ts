/** The captures that run, kept equal to the configuration: added, changed and removed without a restart. */
import { setTimeout as sleep } from "node:timers/promises";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { SourceState } from "@tributary/shared/protocol.ts";
import { type Capture, startCapture } from "./capture/capture.ts";
import { captureRules } from "./capture/rules.ts";
import type { AgentSettings, SourceSettings } from "./config.ts";
import { isNear } from "./config.ts";
import type { Report } from "./facts.ts";
import type { Sharing, SharingParts } from "./lease/sharing.ts";
import { type OpenSource, openSource } from "./open-source.ts";
import { askedOnce, owned, type RealPath } from "./owner.ts";
import type { Ended } from "./queue/outbox.ts";
import type { Intake, SourceBook } from "./queue/queue.ts";
import type { Shared } from "./queue/shared.ts";
import type { QueueStatus } from "./queue/status.ts";
import type { RemoteTools } from "./remote/kind.ts";
import type { Fetches } from "./seal/fetches.ts";
import type { FreshBytes } from "./seal/fresh.ts";
import type { PartHasher } from "./seal/part-hasher.ts";
import type { Spool } from "./seal/spool.ts";
import { type Disk, realDisk } from "./source/disk.ts";
import type { Source } from "./source/source.ts";

export interface SourcesParts {
  readonly queue: {
    intake(client: string, source: string): Intake;
    book(client: string, source: string): SourceBook;
    fetches(client: string, source: string): Fetches;
    onEnd(listener: (ends: readonly Ended[]) => void): () => void;
    readonly shared: Shared;
    readonly status: Pick<QueueStatus, "sources">;
  };
  readonly spool: Spool;
  readonly fresh: FreshBytes;
  readonly partHasher: PartHasher;
  readonly report: Report;
  /** ms of the receiver's clock. */
  readonly corrected: () => number;
  /** The agent's own folder: never captured. */
  readonly data: string;
  readonly secrets: RemoteTools["secrets"];
  /** Of sources that several agents share. */
  readonly share: (events: Pick<SharingParts, "begin" | "end">) => Sharing;
  readonly disk?: Disk;
  /** How long a source that found no room waits. */
  readonly againMs?: number;
}

/** A source that agent.yaml names, of a client that this agent acts for. */
interface Wanted {
  readonly client: string;
  readonly source: SourceSettings;
  /** Other agents may have it, too. */
  readonly shared: boolean;
}

interface Running {
  readonly client: string;
  readonly name: string;
  /** The settings as text: another text is another capture. */
  readonly settings: string;
  readonly kind: string;
  readonly source: Source;
  readonly capture: Capture;
  readonly opened: OpenSource;
}

/** A source that could not be begun: without room on the disk nothing can be remembered of it. */
interface Unbegun {
  readonly client: string;
  readonly name: string;
  readonly kind: string;
  readonly reason: string;
}

/** A changed configuration waits for what is being captured no longer than this: a share that hangs may do so for days. */
const GRACE_MS = 10_000;
const AGAIN_MS = 10_000;
/** Somebody waits for what becomes of a scan: of a large source it goes on behind this. */
const SCAN_MS = 20_000;

export class Sources {
  readonly #parts: SourcesParts;
  readonly #realPath: RealPath;
  #running = new Map<string, Running>();
  #unbegun = new Map<string, Unbegun>();
  /** To be ended, all of them in the next turn: where a server hangs each takes a while. */
  #ending = new Set<string>();
  /** Being stopped: they hear no more of their parcels. */
  readonly #stopping = new Set<Capture>();
  #wanted = new Map<string, Wanted>();
  readonly #sharing: Sharing;
  #again: { readonly settings: AgentSettings; readonly clients: readonly string[] } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  /** One change after the other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(parts: SourcesParts) {
    this.#parts = parts;
    this.#realPath = askedOnce((parts.disk ?? realDisk).realPath);
    this.#sharing = parts.share({
      begin: ({ client, source }) => this.#inTurn(() => this.#beginShared(client, source)),
      end: ({ client, source }) => {
        this.#ending.add(identityOf(client, source));
        return this.#inTurn(() => this.#endAll());
      },
    });
    // A capture frees the copies of its own parcels; of those whose source is gone nobody else would.
    parts.queue.onEnd((ends) => {
      for (const { parcel, end } of ends)
        if (parcel.kind === "version" && parcel.spooled !== undefined && end.kind !== "aside")
          if (!this.#isCapturing(identityOf(parcel.client, parcel.source)))
            void parts.spool.release(parcel.spooled);
    });
  }

  /** Where the bytes of an in-place parcel are; undefined while the source is not configured. */
  find(client: string, name: string): Source | undefined {
    const running = this.#running.get(identityOf(client, name));
    return running && { ...running.source, health: () => running.capture.health() };
  }

  /**
   * Starts what is new, stops what is gone, restarts what changed. `clients`: whom this agent acts for. For what finds no
   * room on the disk it is tried again, later.
   */
  take(settings: AgentSettings, clients: readonly string[]): Promise<void> {
    return this.#inTurn(() => this.#take(settings, clients));
  }

  /** Under which something of a source may leave; undefined: no other agent has it. Throws `lease-lost`. */
  termOf(client: string, source: string): number | undefined {
    const wanted = this.#wanted.get(identityOf(client, source));
    if (wanted?.shared === true) return this.#sharing.termOf({ client, source });
    if (wanted === undefined && this.#parts.queue.shared.has(client, source))
      throw new ProblemError(
        "lease-lost",
        "this agent does not look through it any more, and others may have brought what is newer: what waits of it leaves when it is in agent.yaml again",
        { retryAfter: AGAIN_MS / 1000 },
      );
    return undefined;
  }

  /** The receiver answered `lease-lost` to what went under this term. */
  leaseLost(client: string, source: string, term: number): void {
    this.#sharing.refused({ client, source }, term);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    // What fails is the caller's to hear; the next change has its own turn.
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  states(): SourceState[] {
    const unbegun = [...this.#unbegun.values()].map((one): SourceState => {
      return { ...one, reachable: false, files: 0, settling: 0, problems: 0 };
    });
    const running = [...this.#running.values()].map(({ client, name, kind, capture }) => {
      const { reachable, reason, files, settling, lastScanAt, nextScanAt, problems } = capture.state();
      return {
        name,
        client,
        kind,
        reachable,
        files,
        settling,
        problems,
        ...(reason === undefined ? {} : { reason }),
        ...(lastScanAt === undefined ? {} : { lastScanAt: new Date(lastScanAt).toISOString() }),
        ...(nextScanAt === undefined ? {} : { nextScanAt: new Date(nextScanAt).toISOString() }),
      } satisfies SourceState;
    });
    const elsewhere = [...this.#wanted].flatMap(([identity, { client, source, shared }]): SourceState[] => {
      if (!shared || this.#running.has(identity) || this.#unbegun.has(identity)) return [];
      const { name, kind } = source;
      const reason = this.#sharing.why({ client, source: name });
      // It is reached by whoever has it; here nothing says otherwise.
      return [{ name, client, kind, reachable: true, reason, files: 0, settling: 0, problems: 0 }];
    });
    return [...running, ...unbegun, ...elsewhere];
  }

  /** Files that are being sealed, of each source that has any, as "client/source". */
  sealing(): ReadonlyMap<string, number> {
    return new Map([...this.#running].map(([identity, { capture }]) => [identity, capture.state().sealing]));
  }

  /**
   * Looks through this source, or all of them, at once. What became of it, after 20 s at the latest. Throws `not-found`
   * and `source-unreachable`.
   */
  async scan(source: string | undefined): Promise<string> {
    const chosen = [...this.#running.values()].filter(({ name }) => source === undefined || name === source);
    if (chosen.length === 0) throw new ProblemError("not-found", this.#whyNone(source));
    const going = new Set(chosen);
    const all = Promise.all(
      chosen.map(async (one) => {
        await one.capture.scanNow();
        going.delete(one);
      }),
    );
    await Promise.race([all, sleep(SCAN_MS, undefined, { ref: false })]);
    all.catch(() => undefined);
    const away = chosen.flatMap(({ name, capture }) => {
      const { reachable, reason } = capture.state();
      return reachable ? [] : [`${name}: ${reason ?? "it cannot be reached"}`];
    });
    const done = chosen.filter((one) => !going.has(one) && one.capture.state().reachable);
    const said = [
      ...(done.length === 0 ? [] : [`looked through ${done.map(filesOf).join(", ")}`]),
      ...(going.size === 0 ? [] : [`still looking through ${[...going].map(({ name }) => name).join(", ")}`]),
      ...away,
    ].join("; ");
    if (away.length === chosen.length) throw new ProblemError("source-unreachable", said);
    return said;
  }

  #whyNone(source: string | undefined): string {
    if (source === undefined) return "this agent looks through no source now";
    const one = this.states().find(({ name }) => name === source);
    if (one === undefined) return `this agent has no source "${source}"`;
    return `${source} is not looked through here now: ${one.reason ?? "it is about to begin"}`;
  }

  /** Once nothing leaves any more: other agents may have what they share. */
  async giveBack(): Promise<void> {
    await this.#sharing.stop();
  }

  /** Names of the sources that hang: a call of theirs is on its way in the system and keeps its thread. What is on its way may leave under its lease. */
  async stop(graceMs: number): Promise<readonly string[]> {
    this.#stopped = true;
    await this.#turn;
    clearTimeout(this.#timer);
    const all = [...this.#running.values()];
    this.#running.clear();
    const ended = await Promise.all(all.map(({ capture }) => capture.stop(graceMs)));
    for (const { opened } of all) letGo(opened);
    return all.filter((_, i) => !ended[i]).map(({ name }) => name);
  }

  async #take(settings: AgentSettings, clients: readonly string[]): Promise<void> {
    const wanted = new Map<string, Wanted>();
    for (const { source, client } of await owned(
      settings.sources,
      clients,
      this.#parts.data,
      this.#realPath,
    )) {
      if (client === undefined) continue;
      const shared = !isNear(source) && (source.lease ?? clients.length > 1);
      wanted.set(identityOf(client, source.name), { client, source, shared });
    }
    const over = [...this.#running].filter(([identity, { settings }]) => {
      const next = wanted.get(identity);
      return next === undefined || textOf(next) !== settings;
    });
    const ended = new Set(over.map(([identity]) => identity));
    const fresh = [...wanted].filter(
      ([identity, one]) =>
        (ended.has(identity) || !this.#running.has(identity)) && (!one.shared || this.#isHere(one)),
    );
    const opened = await Promise.all(fresh.map(([, { source }]) => this.#open(source)));
    await Promise.all(over.map(([, running]) => this.#end(running)));
    if (this.#stopped) return;
    // From here on nothing is waited for: what is on its way finds a source that changed, and not one that is gone.
    for (const [identity] of over) this.#running.delete(identity);
    for (const identity of this.#unbegun.keys()) if (!wanted.has(identity)) this.#unbegun.delete(identity);
    for (const [i, [identity, one]] of fresh.entries()) this.#begin(identity, one, opened[i] as OpenSource);
    this.#wanted = wanted;
    for (const { client, source, shared } of wanted.values())
      this.#parts.queue.shared.set(client, source.name, shared);
    this.#sharing.want(
      [...wanted.values()].flatMap(({ client, source, shared }) =>
        shared ? [{ client, source: source.name }] : [],
      ),
    );
    this.#again = { settings, clients };
    this.#beginAgain();
    this.#forgetProblems();
  }

  /** What is wrong in a source that is none any more concerns nobody; what was sealed of it still leaves. */
  #forgetProblems(): void {
    const { queue } = this.#parts;
    for (const { client, source } of queue.status.sources()) {
      if (this.#wanted.has(identityOf(client, source))) continue;
      const book = queue.book(client, source);
      for (const { path } of [...book.problems()]) book.recovered(path);
    }
  }

  /** What found no room is tried again, later. */
  #beginAgain(): void {
    clearTimeout(this.#timer);
    const again = this.#again;
    if (this.#unbegun.size === 0 || again === undefined || this.#stopped) return;
    this.#timer = setTimeout(
      () => void this.take(again.settings, again.clients),
      this.#parts.againMs ?? AGAIN_MS,
    );
  }

  #isHere({ client, source }: Wanted): boolean {
    return this.#sharing.isHere({ client, source: source.name });
  }

  async #beginShared(client: string, name: string): Promise<void> {
    const identity = identityOf(client, name);
    const wanted = this.#wanted.get(identity);
    if (wanted === undefined || this.#stopped || this.#running.has(identity) || !this.#isHere(wanted)) return;
    this.#begin(identity, wanted, await this.#open(wanted.source));
    this.#beginAgain();
  }

  /** Those that are here again by now were ended before: what is begun is begun in a later turn. */
  async #endAll(): Promise<void> {
    const ending = [...this.#ending];
    this.#ending.clear();
    await Promise.all(
      ending.map(async (identity) => {
        const running = this.#running.get(identity);
        if (running !== undefined) await this.#end(running);
        this.#running.delete(identity);
        this.#unbegun.delete(identity);
      }),
    );
  }

  async #end({ capture, opened }: Running): Promise<void> {
    this.#stopping.add(capture);
    await capture.stop(GRACE_MS);
    this.#stopping.delete(capture);
    letGo(opened);
  }

  #isCapturing(identity: string): boolean {
    const running = this.#running.get(identity);
    return running !== undefined && !this.#stopping.has(running.capture);
  }

  /** One that finds no room says so, and keeps none of the others from its work. */
  #begin(identity: string, wanted: Wanted, opened: OpenSource): void {
    const { report } = this.#parts;
    const { client, source } = wanted;
    const { name, kind } = source;
    try {
      this.#running.set(identity, this.#start(wanted, opened));
      if (this.#unbegun.delete(identity))
        report({ kind: "SourceHealthChanged", source: name, healthy: true, reason: "" });
    } catch (cause) {
      if (!(cause instanceof ProblemError) || cause.code !== "disk-full") throw cause;
      const reason = `${cause.message} (${cause.code}); it is tried again`;
      if (!this.#unbegun.has(identity))
        report({ kind: "SourceHealthChanged", source: name, healthy: false, reason });
      this.#unbegun.set(identity, { client, name, kind, reason });
      letGo(opened);
    }
  }

  async #open(settings: SourceSettings): Promise<OpenSource> {
    const { data, disk, secrets, report } = this.#parts;
    const warn = (source: string, detail: string): void => report({ kind: "SourceWarned", source, detail });
    const realPath = this.#realPath;
    return await openSource(settings, {
      data,
      secrets,
      warn,
      realPath,
      ...(disk === undefined ? {} : { disk }),
    });
  }

  #start(wanted: Wanted, opened: OpenSource): Running {
    const { queue, spool, fresh, partHasher, report, corrected } = this.#parts;
    const { client, source: settings } = wanted;
    const { name, kind } = settings;
    const { source, after } = opened;
    const capture = startCapture({
      source,
      rules: captureRules(settings, after),
      intake: queue.intake(client, name),
      book: queue.book(client, name),
      fetches: queue.fetches(client, name),
      onEnd: queue.onEnd,
      ...{ spool, fresh, partHasher, report, corrected },
    });
    return { client, name, kind, settings: textOf(wanted), source, capture, opened };
  }
}

/** Nobody waits for it: a server that hangs may take its time. */
function letGo(opened: OpenSource): void {
  void opened[Symbol.asyncDispose]().catch(() => undefined);
}

const filesOf = ({ name, capture }: Running): string => `${name} (${capture.state().files} files)`;
const textOf = ({ source, shared }: Wanted): string => JSON.stringify([source, shared]);
const identityOf = (client: string, name: string): string => `${client}/${name}`;
