/** What the audit log promises, on either database. */
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import type { LedgerDatabase } from "../ledger/database.ts";
import { audited, listAudit, type Who, witnessed } from "./audit.ts";

const ANNA: Who = {
  kind: "person",
  id: "p1",
  name: "anna@example.com",
  requestId: "r-1",
  address: "10.0.0.7",
};
const SHELL: Who = { kind: "command", id: "root", name: "root" };

export function auditContract(name: string, open: () => Promise<LedgerDatabase>): void {
  describe(`the audit log on ${name}`, () => {
    test("an act and its record are there together, or neither is", async () => {
      const { db } = await open();
      const add = (client: string, fails: boolean) =>
        audited(db, ANNA, async (trx, record) => {
          await trx.insertInto("clients").values({ name: client, created_at: 1 }).execute();
          const subject = { kind: "client", id: client };
          record({ act: "client.add", subject, client, before: null, after: { suspendedAt: null } });
          if (fails) throw new Error("the act failed");
        });
      await add("acme", false);
      await expect(add("globex", true)).rejects.toThrow("the act failed");
      expect((await db.selectFrom("clients").select("name").execute()).map((row) => row.name)).toEqual([
        "acme",
      ]);
      expect(await listAudit(db, { limit: 10 })).toEqual([
        {
          id: expect.any(String),
          at: expect.stringMatching(/^\d{4}-.*Z$/),
          who: ANNA,
          act: "client.add",
          outcome: "done",
          subject: { kind: "client", id: "acme" },
          client: "acme",
          before: null,
          after: { suspendedAt: null },
        },
      ]);
    });

    test("an act that records nothing is a fault", async () => {
      const { db } = await open();
      await expect(audited(db, ANNA, async () => {})).rejects.toThrow("without a record");
    });

    test("what is more than a transaction is recorded before, and after with how it ended", async () => {
      const { db } = await open();
      const deed = {
        act: "quarantine.release",
        subject: { kind: "quarantined", id: "q" },
        client: "acme",
        before: { state: "held" },
        after: { reason: "false alarm" },
      } as const;
      const told: string[] = [];
      const outcomes = async () => (await listAudit(db, { limit: 10 })).map((line) => line.outcome);
      const result = await witnessed(db, SHELL, deed, async () => {
        told.push(...(await outcomes()));
        return { result: 7, after: { state: "released" } };
      });
      expect(result).toBe(7);
      expect(told).toEqual(["asked"]);
      await expect(
        witnessed(db, SHELL, deed, async () => {
          throw new Error("the lake is away");
        }),
      ).rejects.toThrow("the lake is away");
      expect(await outcomes()).toEqual(["failed", "asked", "done", "asked"]);
      expect((await listAudit(db, { limit: 1 }))[0]?.after).toEqual({ error: "the lake is away" });
    });

    test("what was done is never called failed: it stays asked where the ledger did not take the end", async () => {
      const { db } = await open();
      const subject = { kind: "quarantined", id: "q" };
      const deed = { act: "quarantine.delete", subject, before: null, after: null } as const;
      // No JSON can say a BigInt: the record of the end fails, and the deed did not.
      await expect(
        witnessed(db, SHELL, deed, async () => ({ result: 7, after: { state: 1n } as never })),
      ).rejects.toMatchObject({
        code: "ledger-unavailable",
        message: expect.stringContaining("quarantine.delete of quarantined q was done"),
      });
      expect((await listAudit(db, { limit: 10 })).map((line) => line.outcome)).toEqual(["asked"]);
    });

    test.for(["update audit set who_name = 'nobody'", "delete from audit"])(
      "nothing can %s",
      async (text) => {
        const { db } = await open();
        await audited(db, SHELL, async (_trx, record) => {
          record({ act: "site.backup", subject: { kind: "site", id: "site" }, before: null, after: null });
        });
        await expect(sql.raw(text).execute(db)).rejects.toThrow("append-only");
        expect(await listAudit(db, { limit: 10 })).toHaveLength(1);
      },
    );

    test("filters and pages, newest first", async () => {
      const { db } = await open();
      const acts = ["client.suspend", "client.resume"] as const;
      for (let i = 0; i < 20; i += 1) {
        const client = i % 2 === 0 ? "acme" : "globex";
        await audited(db, i < 10 ? ANNA : SHELL, async (_trx, record) => {
          const subject = { kind: "client", id: client };
          record({ act: acts[i % 4 < 2 ? 0 : 1], subject, client, before: { i }, after: { i } } as never);
        });
      }
      const ids = async (query: object) =>
        (await listAudit(db, { limit: 100, ...query })).map((line) => line.after?.i);
      expect(await ids({})).toEqual(Array.from({ length: 20 }, (_, i) => 19 - i));
      expect(await ids({ client: "acme", who: "p1" })).toEqual([8, 6, 4, 2, 0]);
      expect(await ids({ act: "client.resume", subject: { kind: "client", id: "globex" } })).toEqual([
        19, 15, 11, 7, 3,
      ]);
      const [, second] = await listAudit(db, { limit: 2 });
      expect(await ids({ before: second?.id, limit: 3 })).toEqual([17, 16, 15]);
      expect(await ids({ until: Date.now() - 3_600_000 })).toEqual([]);
      expect(await ids({ until: Date.now() + 1000 })).toHaveLength(20);
    });
  });
}
