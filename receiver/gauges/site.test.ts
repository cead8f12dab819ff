import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { type SiteLooks, siteGauges } from "./site.ts";

const NOW = Date.parse("2026-11-20T05:00:00Z");
const never = (): Promise<never> => new Promise(() => {});

const looks: SiteLooks = {
  fleet: async () => ({
    agents: { seen: 3, silent: 1, forked: 1, revoked: 2 },
    ...{ waiting: 1204, bytes: 3e9, oldestAt: NOW - 840_000, aside: 2 },
    ...{ sources: 9, unreachable: 1, problems: 4, skewMs: 1500 },
  }),
  manifest: async () => ({ unwritten: 2, oldestAt: NOW - 5000, lastCommitAt: NOW - 1000 }),
  free: { lake: async () => 5e9, ledger: async () => undefined },
  reserve: 1e9,
  checks: { ledger: async () => {}, lake: () => Promise.reject(new Error("gone")) },
  certificateEnds: async () => NOW + 1000,
  clock: async () => NOW + 250,
  now: () => NOW,
};

async function told(given: Partial<SiteLooks>): Promise<string[]> {
  const registry = new Registry();
  await siteGauges({ ...looks, ...given }, [registry], { withinMs: 30 })();
  return (await registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

test("tells all of it in base units", async () => {
  expect(await told({})).toEqual([
    'tributary_agents{state="seen"} 3',
    'tributary_agents{state="silent"} 1',
    'tributary_agents{state="forked"} 1',
    'tributary_agents{state="revoked"} 2',
    "tributary_agents_waiting_files 1204",
    "tributary_agents_waiting_bytes 3000000000",
    "tributary_agents_oldest_wait_seconds 840",
    "tributary_agents_aside_files 2",
    "tributary_agents_problems 4",
    "tributary_agents_clock_skew_seconds 1.5",
    "tributary_sources 9",
    "tributary_sources_unreachable 1",
    "tributary_segments_unwritten 2",
    "tributary_segments_oldest_unwritten_seconds 5",
    `tributary_last_commit_timestamp_seconds ${(NOW - 1000) / 1000}`,
    'tributary_free_bytes{of="lake"} 5000000000',
    "tributary_reserve_bytes 1000000000",
    'tributary_ready{check="ledger"} 1',
    'tributary_ready{check="lake"} 0',
    `tributary_certificate_expires_timestamp_seconds ${(NOW + 1000) / 1000}`,
    "tributary_ledger_clock_offset_seconds 0.25",
  ]);
});

test("what nobody knows is not told, neither as an old number nor as nought; the rest is", async () => {
  const lines = await told({
    ...{ fleet: never, manifest: never, clock: never },
    checks: { ledger: never, lake: async () => {} },
    free: { lake: () => Promise.reject(new Error("gone")), ledger: async () => undefined },
  });
  expect(lines).toEqual([
    "tributary_reserve_bytes 1000000000",
    'tributary_ready{check="ledger"} 0',
    'tributary_ready{check="lake"} 1',
    `tributary_certificate_expires_timestamp_seconds ${(NOW + 1000) / 1000}`,
  ]);
});

test("what is away after it was known is not told any more", async () => {
  const registry = new Registry();
  let away = false;
  const fleet = (): ReturnType<SiteLooks["fleet"]> => (away ? never() : looks.fleet());
  const look = siteGauges({ ...looks, fleet }, [registry], { forMs: 0, withinMs: 30 });
  await look();
  expect(await registry.metrics()).toContain("tributary_agents_waiting_files 1204");
  away = true;
  await look();
  expect(await registry.metrics()).not.toMatch(/^tributary_agents.* \d/m);
});
