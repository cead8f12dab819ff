/** Whatever the filters and however small the budget: page by page it is what reading all entries would give. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { deriveArrivals } from "../ledger/arrivals.ts";
import { addClient } from "../ledger/clients.ts";
import { createLedger } from "../ledger/commit.ts";
import { type LedgerDatabase, writing } from "../ledger/database.ts";
import { removal, sign, version } from "../ledger/samples.ts";
import type { Tables } from "../ledger/schema.ts";
import { type Budget, countNewer, type DeliveriesQuery, listDeliveries } from "./deliveries.ts";

const ENTRIES = 3000;
const CLIENTS = Array.from({ length: 40 }, (_, i) => `client-${i}`);
const BEARERS = ["agent", "key", "account", "gone"];

/** Many of some, few of others; what is filtered by one lies together, and far from what is filtered by another. */
function entryAt(seq: number): Tables["entries"] {
  const some = <T>(of: readonly T[], every: number): T => of[Math.floor(seq / every) % of.length] as T;
  const removed = seq % 97 === 0;
  const digest = createHash("sha256")
    .update(seq % 50 === 0 ? "empty" : `${seq}`)
    .digest("hex");
  return {
    ...{ seq, version_id: `v${seq}`, kind: removed ? "removal" : "version", capture_id: `c${seq}` },
    client: seq % 3 === 0 ? "client-0" : some(CLIENTS, 7),
    source: some(["pos", "erp", "hr"], 5),
    ...{ path_encoded: `a%20b/${seq}`, path_hash: `h${seq}`, size: removed ? null : seq },
    sha256: removed ? null : seq === 7 ? `${digest.slice(0, 9)}${"f".repeat(55)}` : digest,
    ...{ modified_at: null, sealed_at: "2026-01-31T05:00:00Z", received_at: Math.ceil(seq / 4) * 1000 },
    channel: some(["push", "push", "sftp", "bundle"], 400),
    bearer: some(BEARERS, 11),
    ...{ lake_key: removed ? null : `k${seq}`, receipt: "r", segment_id: "s" },
  };
}

const all = Array.from({ length: ENTRIES }, (_, i) => entryAt(i + 1));

type Filters = Omit<DeliveriesQuery, "limit">;

function matches(row: Tables["entries"], query: Filters): boolean {
  const { clients, source, channel, bearer, kind, from, to, sha256Prefix, before, after } = query;
  return (
    (clients?.includes(row.client) ?? true) &&
    row.source === (source ?? row.source) &&
    row.channel === (channel ?? row.channel) &&
    row.bearer === (bearer ?? row.bearer) &&
    row.kind === (kind ?? row.kind) &&
    row.received_at >= (from ?? 0) &&
    row.received_at < (to ?? Number.POSITIVE_INFINITY) &&
    (sha256Prefix === undefined || (row.sha256?.startsWith(sha256Prefix) ?? false)) &&
    row.seq < (before ?? Number.POSITIVE_INFINITY) &&
    row.seq > (after ?? 0)
  );
}

const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 2 });
const digest = fc
  .tuple(fc.integer({ min: 1, max: ENTRIES }), fc.integer({ min: 8, max: 64 }))
  .map(([seq, length]) => (all[seq - 1]?.sha256 ?? "0".repeat(64)).slice(0, length));
const filters = fc
  .record({
    clients: maybe(fc.uniqueArray(fc.constantFrom(...CLIENTS, "nobody"), { maxLength: 38 })),
    source: maybe(fc.constantFrom("pos", "erp", "hr", "none")),
    channel: maybe(fc.constantFrom("push", "sftp", "bundle", "none")),
    bearer: maybe(fc.constantFrom(...BEARERS, "none")),
    kind: maybe(fc.constantFrom("version" as const, "removal" as const)),
    from: maybe(fc.integer({ min: 0, max: 800_000 })),
    to: maybe(fc.integer({ min: 0, max: 800_000 })),
    sha256Prefix: fc.option(digest, { nil: undefined, freq: 1 }),
    before: maybe(fc.integer({ min: 1, max: ENTRIES + 5 })),
    after: maybe(fc.integer({ min: 0, max: ENTRIES + 5 })),
  })
  .map(
    (record) =>
      Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Filters,
  );

const budgetOf = (rows: number): Budget => ({ rows, ms: Number.POSITIVE_INFINITY, now: () => 0 });

/** `open`: a new, empty ledger, closed by whoever gave it. */
export function deliveriesContract(open: () => Promise<LedgerDatabase>, numRuns: number): void {
  describe("deliveries", () => {
    let database: LedgerDatabase;
    beforeAll(async () => {
      database = await open();
      for (const client of CLIENTS) await addClient(database.db, client);
      await writing(database.db, async (trx) => {
        for (let from = 0; from < ENTRIES; from += 500)
          await trx
            .insertInto("entries")
            .values(all.slice(from, from + 500))
            .execute();
        await deriveArrivals(trx);
        await trx
          .updateTable("site")
          .set({ last_seq: ENTRIES, last_commit_at: ENTRIES * 1000 })
          .execute();
        await trx
          .insertInto("agents")
          .values({
            ...{ id: "agent", name: "till", public_key: "k", state: "active", created_at: 1 },
            ...{ host: "h", platform: "linux", version: "1" },
          })
          .execute();
        await trx
          .insertInto("api_keys")
          .values({ id: "key", client: "client-0", secret_hash: "h", scopes: "[]", created_at: 1 })
          .execute();
        await trx
          .insertInto("sftp_accounts")
          .values({
            ...{
              id: "account",
              client: "client-0",
              user_name: "zoe",
              default_source: "pos",
              access: "write",
            },
            ...{ removals: "record", history: 0, receipts: 0, created_at: 1 },
          })
          .execute();
      });
    }, 60_000);

    const pages = async (query: Filters, limit: number, budget?: Budget): Promise<string[]> => {
      const found: string[] = [];
      for (let before = query.before, calls = 0; calls < 5000; calls += 1) {
        const page = await listDeliveries(
          database.db,
          { ...query, limit, ...(before === undefined ? {} : { before }) },
          budget,
        );
        found.push(...page.deliveries.map(({ versionId }) => versionId));
        expect(page.deliveries.length).toBeLessThanOrEqual(limit);
        if (page.next === undefined) return found;
        expect(page.next).toBeLessThan(before ?? Number.POSITIVE_INFINITY);
        before = page.next;
      }
      throw new Error("it never ends");
    };

    test("under any filters, pages and budgets nothing is missing, twice, or out of order", {
      timeout: 120_000,
    }, async () => {
      await fc.assert(
        fc.asyncProperty(
          filters,
          fc.integer({ min: 1, max: 60 }),
          fc.constantFrom(1, 300, 100_000),
          async (query, limit, rows) => {
            const expected = all.filter((row) => matches(row, query)).reverse();
            const ids = expected.map((row) => row.version_id);
            expect(await pages(query, Math.max(limit, Math.ceil(ids.length / 30)), budgetOf(rows))).toEqual(
              ids,
            );
          },
        ),
        { numRuns },
      );
    });

    test("one call goes through many looks into its indexes", async () => {
      for (const query of [{ kind: "version" }, { clients: CLIENTS, bearer: "key" }] as const) {
        const expected = all.filter((row) => matches(row, query)).reverse();
        expect(await pages(query, ENTRIES, budgetOf(ENTRIES * 10))).toEqual(
          expected.map((row) => row.version_id),
        );
      }
    });

    test("how many are newer, up to a hundred", async () => {
      const db = database.db;
      expect(await countNewer(db, { after: ENTRIES })).toEqual({ count: 0, more: false });
      expect(await countNewer(db, { after: ENTRIES - 30 })).toEqual({ count: 30, more: false });
      expect(await countNewer(db, { after: ENTRIES - 100 })).toEqual({ count: 100, more: false });
      expect(await countNewer(db, { after: 0, clients: ["client-0"] })).toEqual({ count: 100, more: true });
      expect(await countNewer(db, { after: 10, sha256Prefix: all[6]?.sha256 as string })).toEqual({
        count: 0,
        more: false,
      });
    });

    test("a line says everything, and who brought it by name", async () => {
      const { deliveries } = await listDeliveries(database.db, { limit: 60 });
      expect(deliveries[0]).toEqual({
        ...{ seq: 3000, versionId: "v3000", kind: "version", client: "client-0", source: "pos" },
        ...{
          path: "a b/3000",
          pathEncoded: "a%20b/3000",
          size: 3000,
          sha256: all[2999]?.sha256,
          channel: "bundle",
        },
        ...{ receivedAt: "1970-01-01T00:12:30.000Z", modifiedAt: null, sealedAt: "2026-01-31T05:00:00Z" },
        bearer: { kind: "agent", id: "agent", name: "till" },
      });
      const bearers = new Set(deliveries.map(({ bearer }) => JSON.stringify(bearer)));
      expect([...bearers].map((text) => JSON.parse(text)).sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
        { kind: "account", id: "account", name: "zoe" },
        { kind: "agent", id: "agent", name: "till" },
        { kind: "gone", id: "gone", name: null },
        { kind: "key", id: "key", name: null },
      ]);
    });

    test("who ran out of budget says how far it looked", async () => {
      const query = { channel: "sftp", source: "hr", bearer: "key", limit: 50 };
      const page = await listDeliveries(database.db, query, budgetOf(1));
      expect(page.deliveries.length).toBeLessThan(50);
      expect(page).toMatchObject({ next: expect.any(Number), searchedTo: expect.any(String) });
      expect(page.searchedTo).toBe(
        new Date(all[(page.next as number) - 1]?.received_at as number).toISOString(),
      );
      const full = await listDeliveries(database.db, { limit: 5 });
      expect(full).toMatchObject({ next: ENTRIES - 4, searchedTo: undefined });
    });

    test.for(["", "0123456", "0123456G", "0".repeat(65), "ABCDEF00"])(
      "a digest is not found by %j, which is said",
      async (sha256Prefix) => {
        await expect(listDeliveries(database.db, { sha256Prefix, limit: 5 })).rejects.toMatchObject({
          code: "request-invalid",
          message: expect.stringContaining("8 to 64 digits"),
        });
      },
    );

    test("what was committed is there at once", async () => {
      const fresh = version("new", "N", { client: "client-1", source: "fresh" });
      await createLedger(database).commit([fresh, removal("a%20b/4", { client: "client-1" })], sign);
      const { deliveries } = await listDeliveries(database.db, { source: "fresh", limit: 5 });
      expect(deliveries.map(({ versionId }) => versionId)).toEqual([fresh.versionId]);
    });
  });
}
