/**
 * What an operator is woken for: agents, their queues, the manifest, room, certificate, clocks. Asked when a scrape asks,
 * a bounded piece of work each, and told of the whole site by every receiver. No label is a client, an agent or a source:
 * a thousand of them would be thousands of series, and who it is the console says, where the alert leads to.
 */
import type { Registry } from "prom-client";
import type { FleetStanding } from "../fleet/standing.ts";
import type { ManifestStanding } from "../ledger/standing.ts";
import { type Look, type LookBounds, lookOf } from "./look.ts";
import { ageSeconds, labelledGauge, plainGauges } from "./plain.ts";

/** What can be looked at; each may fail, or hang. */
export interface SiteLooks {
  readonly fleet: () => Promise<FleetStanding>;
  readonly manifest: () => Promise<ManifestStanding>;
  /** Bytes free; undefined: not ours to guard. */
  readonly free: Readonly<Record<"lake" | "ledger", () => Promise<number | undefined>>>;
  readonly reserve: number;
  /** Name -> throws when it does not answer. */
  readonly checks: Readonly<Record<string, () => Promise<void>>>;
  /** ms since 1970 at which the certificate of the ingest listener ends. */
  readonly certificateEnds: () => Promise<number>;
  /** The ledger's own time, ms since 1970. */
  readonly clock: () => Promise<number>;
  readonly now?: () => number;
}

export function siteGauges(
  looks: SiteLooks,
  registers: Registry[],
  bounds: LookBounds = {},
): () => Promise<void> {
  const { now = Date.now, reserve } = looks;
  const { turn: _, ...apart } = bounds;
  const look = <T>(work: () => Promise<T>): Look<T> => lookOf(work, apart);
  const ofLedger = <T>(work: () => Promise<T>): Look<T> => lookOf(work, bounds);
  const parts = [
    fleetGauges(ofLedger(looks.fleet), now, registers),
    manifestGauges(ofLedger(looks.manifest), now, registers),
    roomGauges({ lake: look(looks.free.lake), ledger: look(looks.free.ledger) }, reserve, registers),
    readyGauges(
      Object.entries(looks.checks).map(([name, check]) => [
        name,
        look(() => check().then(() => true as const)),
      ]),
      registers,
    ),
    clockGauges(
      look(looks.certificateEnds),
      ofLedger(async () => {
        const before = now();
        const ledger = await looks.clock();
        return ledger - (before + now()) / 2;
      }),
      registers,
    ),
  ];
  return async () => void (await Promise.all(parts.map((tell) => tell())));
}

function fleetGauges(look: Look<FleetStanding>, now: () => number, registers: Registry[]) {
  const states = labelledGauge<keyof FleetStanding["agents"]>(
    "agents",
    "Agents by state: seen lately, silent, forked (two hosts with one identity), revoked",
    "state",
    registers,
  );
  const set = plainGauges(
    {
      agents_waiting_files: "Parcels that wait at agents, as they said last",
      agents_waiting_bytes: "Bytes that wait at agents",
      agents_oldest_wait_seconds: "How long the parcel has been waiting that was sealed first; 0: none waits",
      agents_aside_files: "Parcels that agents set aside: the receiver does not take them as they are",
      agents_problems: "Problems that agents list, at most 100 each",
      agents_clock_skew_seconds: "The furthest that a clock of an agent is off, among those seen lately",
      sources: "Sources of all agents",
      sources_unreachable: "Sources that their agents cannot reach now",
    },
    registers,
  );
  return async (): Promise<void> => {
    const fleet = await look();
    states(fleet?.agents ?? {});
    if (fleet === undefined) return set({});
    set({
      agents_waiting_files: fleet.waiting,
      agents_waiting_bytes: fleet.bytes,
      agents_oldest_wait_seconds: fleet.oldestAt === undefined ? 0 : ageSeconds(fleet.oldestAt, now()),
      agents_aside_files: fleet.aside,
      agents_problems: fleet.problems,
      agents_clock_skew_seconds: fleet.skewMs / 1000,
      sources: fleet.sources,
      sources_unreachable: fleet.unreachable,
    });
  };
}

function manifestGauges(look: Look<ManifestStanding>, now: () => number, registers: Registry[]) {
  const set = plainGauges(
    {
      segments_unwritten: "Manifest segments that the lake does not have yet, counted up to 10,000",
      segments_oldest_unwritten_seconds: "How long ago the first of them was committed; 0: there is none",
      last_commit_timestamp_seconds: "When the ledger took the last entry; 0: it has none",
    },
    registers,
  );
  return async (): Promise<void> => {
    const found = await look();
    if (found === undefined) return set({});
    const { unwritten, oldestAt, lastCommitAt } = found;
    set({
      segments_unwritten: unwritten,
      segments_oldest_unwritten_seconds: oldestAt === undefined ? 0 : ageSeconds(oldestAt, now()),
      last_commit_timestamp_seconds: lastCommitAt / 1000,
    });
  };
}

function roomGauges(
  free: Readonly<Record<"lake" | "ledger", Look<number | undefined>>>,
  reserve: number,
  registers: Registry[],
) {
  const set = labelledGauge<"lake" | "ledger">(
    "free_bytes",
    "Bytes free on this host where files arrive (lake) and where an SQLite ledger grows (ledger)",
    "of",
    registers,
  );
  plainGauges(
    { reserve_bytes: "Bytes that are kept free: files are refused before" },
    registers,
  )({
    reserve_bytes: reserve,
  });
  return async (): Promise<void> => {
    const [lake, ledger] = await Promise.all([free.lake(), free.ledger()]);
    set({ lake, ledger });
  };
}

function readyGauges(checks: readonly (readonly [string, Look<true>])[], registers: Registry[]) {
  const set = labelledGauge(
    "ready",
    "1: it answers, 0: it does not, and files are refused (lake, ledger, inspection)",
    "check",
    registers,
  );
  return async (): Promise<void> => {
    const found = await Promise.all(
      checks.map(async ([name, look]) => [name, (await look()) === true ? 1 : 0] as const),
    );
    set(Object.fromEntries(found));
  };
}

function clockGauges(ends: Look<number>, offset: Look<number>, registers: Registry[]) {
  const set = plainGauges(
    {
      certificate_expires_timestamp_seconds: "When the certificate of the ingest listener ends",
      ledger_clock_offset_seconds: "The ledger's clock minus this host's",
    },
    registers,
  );
  return async (): Promise<void> => {
    const [certificate, clock] = await Promise.all([ends(), offset()]);
    set({
      certificate_expires_timestamp_seconds: certificate === undefined ? undefined : certificate / 1000,
      ledger_clock_offset_seconds: clock === undefined ? undefined : clock / 1000,
    });
  };
}
