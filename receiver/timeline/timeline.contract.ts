/** The timeline of a path: the same on every ledger. */
import { sql } from "kysely";
import { beforeEach, expect, test } from "vitest";
import { addClient } from "../ledger/clients.ts";
import { createLedger } from "../ledger/commit.ts";
import type { LedgerDatabase } from "../ledger/database.ts";
import { manifestLineOf } from "../ledger/entry.ts";
import type { Capture } from "../ledger/ledger.ts";
import { type RebuildLine, rebuild } from "../ledger/rebuild.ts";
import { removal, sign, version, word } from "../ledger/samples.ts";
import { versionsOf } from "./timeline.ts";

export function timelineContract(newPlace: () => Promise<() => Promise<LedgerDatabase>>): void {
  let database: LedgerDatabase;
  beforeEach(async () => {
    database = await (await newPlace())();
    await addClient(database.db, "acme");
    await addClient(database.db, "other");
  });

  const commitAt = async (into: LedgerDatabase, at: number, ...captures: Capture[]): Promise<void> => {
    const { outcomes } = await createLedger({ ...into, clock: sql.raw<number>(String(at)) }).commit(
      captures,
      sign,
    );
    expect(outcomes.map(word)).toEqual(captures.map(() => "committed"));
  };
  const timeline = (limit: number, before?: number) =>
    versionsOf(database.db, "acme", "pos", "a/b", { limit, before });

  test("has all of each entry, newest first, with the change of size and what was told later", async () => {
    const [first, gone, second, third] = [
      version("a/b", "one", { modifiedAt: null, sealedAt: null, channel: "api" }),
      removal("a/b"),
      version("a/b", "three"),
      version("a/b", "fo"),
    ];
    const [ofOther, beside] = [version("a/b", "other's", { client: "other" }), version("a", "x")];
    const strangers = [ofOther.versionId, beside.versionId];
    await commitAt(database, 10, first, ofOther, beside);
    await commitAt(database, 20, gone);
    await commitAt(database, 30, second, version("a/b", "x", { source: "tills" }));
    await commitAt(database, 40, third);
    await database.db
      .insertInto("modified_later")
      .values({ version_id: first.versionId, modified_at: "2020-01-01T00:00:00Z" })
      .execute();
    const { moments, next } = await timeline(10);
    expect(next).toBeUndefined();
    expect(moments.map(({ kind, size, sizeChange }) => [kind, size, sizeChange])).toEqual([
      ["version", 2, -3],
      ["version", 5, null],
      ["removal", null, null],
      ["version", 3, null],
    ]);
    const row = await database.db
      .selectFrom("entries")
      .selectAll()
      .where("version_id", "=", first.versionId)
      .executeTakeFirstOrThrow();
    expect(moments[3]).toEqual({
      ...{ kind: "version", versionId: first.versionId, seq: 1, size: 3, sizeChange: null },
      ...{ sha256: first.sha256, captureId: first.captureId, sealedAt: null, channel: "api" },
      ...{ modifiedAt: "2020-01-01T00:00:00Z", receivedAt: new Date(10).toISOString() },
      ...{ broughtBy: { kind: "gone", id: first.bearer.id, name: null }, receipt: row.receipt },
    });
    expect(moments[2]?.captureId).toBe(gone.captureId);
    // Page by page it is the same.
    for (const limit of [1, 2, 3]) {
      const paged: unknown[] = [];
      for (let before: number | undefined; ; ) {
        const page = await timeline(limit, before);
        paged.push(...page.moments);
        if (page.next === undefined) break;
        before = page.next;
      }
      expect(paged).toEqual(moments);
    }
    // From a version on; one of another path, or of another client's, is none of this one.
    const from = (versionId: string, limit = 2) =>
      versionsOf(database.db, "acme", "pos", "a/b", { from: versionId, limit });
    expect(await from(second.versionId)).toEqual({ moments: moments.slice(1, 3), next: moments[2]?.seq });
    expect(await from(first.versionId)).toEqual({ moments: moments.slice(3), next: undefined });
    for (const other of [...strangers, "0199f0b2-0000-7000-8000-000000000000"])
      expect(await from(other)).toEqual({ moments: [], next: undefined });
    expect(await versionsOf(database.db, "acme", "pos", "no", { limit: 9 })).toEqual({
      moments: [],
      next: undefined,
    });
  });

  test("names who brought each: an agent, a key, an account; none where the ledger does not say", async () => {
    const { db } = database;
    const text = { host: "h", platform: "p", version: "v", created_at: 1 };
    const none = { nonce: null, nonce_previous: null, last_seen_at: null, status: null, source: null };
    await db
      .insertInto("agents")
      .values({
        ...{ id: "agent-1", name: "till-7", public_key: "k", state: "revoked", ...text },
        ...{ nonce: null, nonce_previous: null, last_seen_at: null, status: null },
      })
      .execute();
    await db
      .insertInto("api_keys")
      .values({
        id: "key-1",
        client: "acme",
        name: null,
        secret_hash: "s",
        scopes: "[]",
        created_at: 1,
        revoked_at: 2,
        source: none.source,
      })
      .execute();
    await db
      .insertInto("sftp_accounts")
      .values({
        ...{ id: "acc-1", user_name: "acme-sftp", client: "acme", source: null, default_source: "sftp" },
        ...{ access: "write", removals: "record", history: 0, receipts: 0, password_hash: null },
        ...{ created_at: 1, revoked_at: null, last_login_at: null, last_login_from: null },
      })
      .execute();
    let at = 1;
    for (const id of ["", "acc-1", "key-1", "agent-1"])
      await commitAt(database, at++, version("a/b", id, { bearer: { id, seesAll: true } }));
    const { moments } = await timeline(9);
    expect(moments.map(({ broughtBy }) => broughtBy)).toEqual([
      { kind: "agent", id: "agent-1", name: "till-7" },
      { kind: "key", id: "key-1", name: null },
      { kind: "account", id: "acc-1", name: "acme-sftp" },
      null,
    ]);
  });

  test("is in the order of commit times where a merge numbered entries anew", async () => {
    const lost = await (await newPlace())();
    await addClient(lost.db, "acme");
    await commitAt(lost, 10, version("a/b", "1"));
    await commitAt(lost, 30, version("a/b", "333"));
    await commitAt(database, 20, version("a/b", "22"));
    await commitAt(database, 40, version("a/b", "4444"));
    const rows = await lost.db.selectFrom("entries").selectAll().orderBy("seq").execute();
    await rebuild(
      database,
      (async function* () {
        for (const row of rows)
          yield { ...manifestLineOf(row), segmentId: row.segment_id, date: "1970-01-01" } as RebuildLine;
      })(),
      { merge: true },
    );
    const sizes: (number | null)[] = [];
    for (let before: number | undefined; ; ) {
      const { moments, next } = await timeline(1, before);
      sizes.push(...moments.map(({ size }) => size));
      const begun = await versionsOf(database.db, "acme", "pos", "a/b", {
        ...{ from: String(moments[0]?.versionId), limit: 9 },
      });
      expect(begun.moments[0]).toEqual({ ...moments[0], sizeChange: begun.moments[0]?.sizeChange });
      expect(begun.moments).toHaveLength(5 - sizes.length);
      if (next === undefined) break;
      before = next;
    }
    expect(sizes).toEqual([4, 3, 2, 1]);
  });
}
