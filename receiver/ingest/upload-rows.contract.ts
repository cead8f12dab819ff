/** Who may take which step of an upload: the same on every ledger. */
import { randomUUID } from "node:crypto";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { beforeEach, describe, expect, test } from "vitest";
import type { LedgerDatabase } from "../ledger/database.ts";
import { type UploadRow, UploadRows } from "./upload-rows.ts";

export function uploadRowsContract(newLedger: () => Promise<LedgerDatabase>): void {
  let database: LedgerDatabase;
  let rows: UploadRows;
  beforeEach(async () => {
    database = await newLedger();
    rows = new UploadRows(database);
  });

  const insert = async (more: Partial<UploadRow> = {}): Promise<string> => {
    const row = await rows.insert({
      ...{ id: uuidv7(), client: "acme", source: "pos", path_encoded: "f", capture_id: randomUUID() },
      ...{ version_id: uuidv7(), lake_key: `raw/${randomUUID()}`, handle: "h", size: 2, part_size: 1 },
      ...{ sha256: "s", modified_at: null, sealed_at: null, channel: "parts", bearer: "a", state: "open" },
      ...more,
    });
    return row.id;
  };
  const set = async (id: string, values: Partial<Pick<UploadRow, "state" | "touched_at">>) => {
    await database.db.updateTable("uploads").set(values).where("id", "=", id).execute();
  };
  const stateOf = async (id: string) => (await rows.find(id))?.state;
  const pause = (id: string) => set(id, { touched_at: Date.now() - 16_000 });

  describe("a lease", () => {
    test("is one attempt's: whoever was paused and lost it neither renews nor ends the other's", async () => {
      const id = await insert();
      expect(await rows.lease(id, "a")).toBe(true);
      expect(await rows.lease(id, "b")).toBe(false);
      expect(await rows.renew(id, "b")).toBe(false);
      await pause(id);
      expect(await rows.lease(id, "b")).toBe(true);
      expect(await rows.renew(id, "a")).toBe(false);
      for (const state of ["aborted", "open", "done"] as const)
        expect(await rows.leave(id, "a", state)).toBe(false);
      expect(await stateOf(id)).toBe("completing");
      expect(await rows.renew(id, "b")).toBe(true);
      expect(await rows.leave(id, "b", "done")).toBe(true);
      expect(await stateOf(id)).toBe("done");
      expect(await rows.leave(id, "b", "aborted")).toBe(false);
    });

    test("that was given back is over, also when the same attempt is late", async () => {
      const id = await insert();
      await rows.lease(id, "a");
      expect(await rows.leave(id, "a", "open")).toBe(true);
      expect(await rows.renew(id, "a")).toBe(false);
      expect(await rows.leave(id, "a", "aborted")).toBe(false);
      expect(await rows.lease(id, "b")).toBe(true);
    });

    test("of one that was killed is over when the only receiver of a site starts again", async () => {
      const [completing, done] = [await insert(), await insert()];
      await rows.lease(completing, "killed");
      await rows.lease(done, "ended");
      await rows.leave(done, "ended", "done");
      await rows.reopen();
      expect([await stateOf(completing), await stateOf(done)]).toEqual(["open", "done"]);
      expect(await rows.renew(completing, "killed")).toBe(false);
      expect(await rows.lease(completing, "b")).toBe(true);
    });

    test("that was said before the clock was turned back is taken over", async () => {
      const id = await insert();
      await rows.lease(id, "killed");
      await set(id, { touched_at: Date.now() + 3_600_000 });
      expect(await rows.lease(id, "b")).toBe(true);
      expect(await rows.renew(id, "killed")).toBe(false);
    });

    test("does not stand against a commit", async () => {
      const id = await insert();
      await rows.lease(id, "a");
      await rows.committed(id);
      expect([await stateOf(id), await rows.renew(id, "a")]).toEqual(["done", false]);
      expect(await rows.lease(id, "b")).toBe(false);
    });
  });

  test("what was aborted long ago is forgotten with its parts; what is done, young or goes on stays", async () => {
    const ids = Object.fromEntries(
      await Promise.all(
        ["open", "completing", "done", "aborted", "young"].map(async (name) => [name, await insert()]),
      ),
    ) as Record<string, string>;
    const part = { number: 1, size: 1, sha256: "s", tag: "t" };
    for (const id of Object.values(ids)) await rows.addPart({ ...part, upload_id: id });
    for (const name of ["open", "completing", "done", "aborted"] as const)
      await set(ids[name] as string, { state: name, touched_at: Date.now() - 100_000 });
    // Its age counts from its end, however long nobody had touched it.
    await set(ids.young as string, { touched_at: Date.now() - 100_000 });
    expect(await rows.abort(ids.young as string)).toBe(true);
    const more = await Promise.all(Array.from({ length: 45 }, () => insert({ state: "aborted" })));
    for (const id of more) await set(id, { touched_at: Date.now() - 100_000 });
    await rows.forget(50_000);
    const left = await database.db.selectFrom("uploads").select("id").execute();
    const stay = new Set(["open", "completing", "done", "young"].map((name) => ids[name]));
    expect(new Set(left.map(({ id }) => id))).toEqual(stay);
    const parts = await database.db.selectFrom("upload_parts").select("upload_id").execute();
    expect(new Set(parts.map((one) => one.upload_id))).toEqual(stay);
  });

  test("what the store has lost is ended, but never under whoever completes it", async () => {
    const [open, completing] = [await insert(), await insert()];
    await rows.lease(completing, "a");
    for (const id of [open, completing]) await rows.lost(id);
    expect([await stateOf(open), await stateOf(completing)]).toEqual(["aborted", "completing"]);
  });
}
