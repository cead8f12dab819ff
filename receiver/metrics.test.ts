/** /metrics of a running receiver, also while its database does not answer. */
import { describeWithPostgres, freshDatabase } from "@tributary/test/servers/servers.ts";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { openPostgres } from "./ledger/postgres.ts";
import { type Rig, startRig } from "./rig.ts";

const metricsOf = async (rig: Rig): Promise<string> => {
  const { status, body } = await rig.ask("GET", "/metrics");
  expect(status).toBe(200);
  return body.toString();
};

test("what an operator is woken for is told, and every code of a problem from the first on", async () => {
  const rig = await startRig();
  onTestFinished(() => rig.stop());
  const text = await metricsOf(rig);
  for (const line of [
    'tributary_ready{check="ledger"} 1',
    'tributary_ready{check="lake"} 1',
    'tributary_agents{state="silent"} 0',
    "tributary_agents_oldest_wait_seconds 0",
    "tributary_segments_unwritten 0",
    "tributary_last_commit_timestamp_seconds 0",
    'tributary_problems_total{code="lake-unavailable"} 0',
    `tributary_reserve_bytes ${2 ** 30}`,
  ])
    expect(text).toContain(`\n${line}\n`);
  expect(text).toMatch(/\ntributary_info\{version="[^"]+",node="v\d+\.[^"]+"\} 1\n/);
  const ends = Number(/\ntributary_certificate_expires_timestamp_seconds (.*)\n/.exec(text)?.[1]);
  expect(ends * 1000 - Date.now()).toBeGreaterThan(300 * 86_400_000);
  expect(text).not.toMatch(/tributary_problems_total\{code="config-invalid"\}/);
  await rig.ask("PUT", "/v1/files/pos/a", { authorization: "Bearer key" }, "x");
  await expect.poll(() => metricsOf(rig)).toMatch(/\ntributary_last_commit_timestamp_seconds 1\d{9}/);
});

describeWithPostgres("with PostgreSQL", (server) => {
  test("a database that does not answer keeps nobody from the metrics, and is one of them", async () => {
    const url = await freshDatabase(server);
    const rig = await startRig({ database: await openPostgres(url) });
    onTestFinished(() => rig.stop());
    const holder = new pg.Client(url);
    await holder.connect();
    onTestFinished(() => holder.end());
    expect(await metricsOf(rig)).toContain('tributary_agents{state="seen"} 0');
    await holder.query(
      "begin; lock table agents, segments, webhooks, quarantined, site in access exclusive mode",
    );
    await expect
      .poll(() => metricsOf(rig), { timeout: 10_000 })
      .toContain('tributary_ready{check="ledger"} 0');
    const from = performance.now();
    const text = await metricsOf(rig);
    expect(performance.now() - from).toBeLessThan(4000);
    expect(text).toContain('tributary_ready{check="lake"} 1');
    expect(text).not.toMatch(/^tributary_(agents|segments|quarantine)_.* \d/m);
    await holder.query("rollback");
    await expect.poll(() => metricsOf(rig)).toContain('tributary_ready{check="ledger"} 1');
    expect(await metricsOf(rig)).toContain('tributary_agents{state="seen"} 0');
  });
});
