/** How a file leaves quarantine, in every database beneath the ledger: in which order it may be released, or discarded for good. */
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { beforeEach, describe, expect, test } from "vitest";
import { addClient, clientState } from "./clients.ts";
import { createLedger } from "./commit.ts";
import type { LedgerDatabase } from "./database.ts";
import { type Discard, discardHeld } from "./discard.ts";
import { createHistory } from "./history.ts";
import type { Place } from "./ledger.contract.ts";
import type { Capture, Outcome, Release, VersionCapture } from "./ledger.ts";
import { bearerStates } from "./limits.ts";
import { newerThan } from "./newer.ts";
import { createQuarantine, heldSum, listQuarantined, quarantinedFile } from "./quarantine.ts";
import { type RebuildLine, rebuild } from "./rebuild.ts";
import { again, agent, removal, sign, version, word } from "./samples.ts";

const release: Release = { by: "Zoë", reason: "a false alarm", overNewer: false };
const why: Discard = { by: "Zoë", reason: "a virus" };

export function discardContract(newPlace: () => Promise<Place>): void {
  let database: LedgerDatabase;

  beforeEach(async () => {
    database = await (await newPlace())();
    await addClient(database.db, "acme");
  });

  const commit = async (...captures: Capture[]): Promise<readonly Outcome[]> =>
    (await createLedger(database).commit(captures, sign)).outcomes;
  const words = async (...captures: Capture[]) => (await commit(...captures)).map(word);
  const infected = (path: string, text: string, more: Partial<VersionCapture> = {}): VersionCapture =>
    version(path, text, { finding: "Eicar", ...more });
  const released = ({ finding: _, ...capture }: VersionCapture, overNewer = false): VersionCapture => ({
    ...capture,
    key: `raw/${capture.versionId}`,
    release: { ...release, overNewer },
  });
  const used = async () => {
    const { storedBytes, dayBytes } = (await clientState(database.db, "acme")) ?? {};
    return [storedBytes, dayBytes];
  };

  describe("a release in its order", () => {
    test("after its path went back to the version of before it asks first: A, B held, A again", async () => {
      const [b, elsewhere] = [infected("f", "B"), infected("g", "B")];
      await commit(version("f", "A"), version("g", "A"));
      await commit(b, elsewhere);
      expect(await newerThan(database.db, b.versionId)).toBeUndefined();
      expect(await words(version("f", "A"))).toEqual(["unchanged"]);
      expect(await newerThan(database.db, b.versionId)).toEqual({ kind: "version", version_id: null });
      const [refused] = await commit(released(b));
      expect(refused).toMatchObject({
        ...{ kind: "refused", code: "path-newer" },
        detail: expect.stringMatching(/found with the content of its newest version again.*--over-newer/),
      });
      expect(await words(released(b, true), released(elsewhere))).toEqual(["committed", "committed"]);
    });

    test("after its path was found to be gone it asks first, though that made no entry", async () => {
      const b = infected("f", "B");
      await commit(b);
      expect(await words(removal("f"))).toEqual(["unchanged"]);
      const [refused] = await commit(released(b));
      expect(refused).toMatchObject({ detail: expect.stringMatching(/found to be gone.*--over-newer/) });
    });

    test("what was told before it came says nothing, in one commit too", async () => {
      const [b, c] = [infected("f", "B"), infected("f", "C")];
      await commit(version("f", "A"));
      expect(await words(version("f", "A"), b)).toEqual(["unchanged", "held"]);
      expect(await newerThan(database.db, b.versionId)).toBeUndefined();
      expect(await words(c, version("f", "A"))).toEqual(["held", "unchanged"]);
      for (const { versionId } of [b, c])
        expect(await newerThan(database.db, versionId)).toMatchObject({ kind: "version" });
    });

    test("several states of one path go out in the order in which they came, without a word; never the other way", async () => {
      const states = ["1", "2", "3"].map((text) => infected("f", text));
      for (const state of states) await commit(state);
      const [one, two, three] = states as [VersionCapture, VersionCapture, VersionCapture];
      expect(await words(released(two))).toEqual(["committed"]);
      expect(await words(released(one))).toEqual(["path-newer"]);
      expect(await words(released(three))).toEqual(["committed"]);
      expect(await words(released(one, true))).toEqual(["committed"]);
    });

    test("an older one that was released in between hides no newer version", async () => {
      const [one, two] = [infected("f", "1"), infected("f", "2")];
      await commit(one);
      await commit(two);
      const newer = version("f", "3");
      await commit(newer);
      await commit(released(one, true));
      expect(await newerThan(database.db, two.versionId)).toMatchObject({ version_id: newer.versionId });
    });
  });

  describe("discarded", () => {
    test("it counts no more, is listed as what it is, and is never taken again under its captureId", async () => {
      const [capture, kept] = [infected("f", "AAA"), infected("g", "B")];
      await commit(capture, kept);
      expect(await heldSum(database.db)).toEqual({ files: 2, bytes: 4, oldest: expect.any(Number) });
      expect(await discardHeld(database, capture.versionId, why)).toBe(true);
      expect(await used()).toEqual([1, 4]);
      expect(await heldSum(database.db)).toMatchObject({ files: 1, bytes: 1 });
      expect(await quarantinedFile(database.db, capture.versionId)).toMatchObject({
        ...{ state: "discarded", discardedBy: "Zoë", reason: "a virus", finding: "Eicar", releasedAt: null },
        discardedAt: expect.stringMatching(/^\d{4}-.*Z$/),
      });
      const { finding: _, ...clean } = again(capture);
      const told = { kind: "discarded", id: capture.versionId, finding: "Eicar", reason: "a virus" };
      expect(await commit(again(capture), clean)).toEqual([told, told]);
      expect(await createLedger(database).known([capture, { ...capture, sha256: null }])).toEqual([
        told,
        told,
      ]);
      expect(await words(version("f", "other", { captureId: capture.captureId }))).toEqual([
        "capture-conflict",
      ]);
      // The same bytes under another captureId are looked into anew.
      expect(await words(infected("f", "AAA"), version("h", "AAA"))).toEqual(["held", "committed"]);
      const ids = async (all: boolean) =>
        (await Array.fromAsync(listQuarantined(database.db, { all }))).map(({ id }) => id);
      expect(await ids(false)).not.toContain(capture.versionId);
      expect(await ids(true)).toContain(capture.versionId);
    });

    test("once: not what is discarded, released or was never held, and what is discarded is not released", async () => {
      const [gone, out] = [infected("f", "A"), infected("g", "B")];
      await commit(gone, out);
      await commit(released(out));
      const discard = async (id: string) => await discardHeld(database, id, { by: "Max", reason: "later" });
      expect(await discardHeld(database, gone.versionId, why)).toBe(true);
      for (const id of [gone.versionId, out.versionId, uuidv7()]) expect(await discard(id)).toBe(false);
      expect(await quarantinedFile(database.db, gone.versionId)).toMatchObject({ discardedBy: "Zoë" });
      expect(await words(released(gone))).toEqual(["not-found"]);
      expect(await used()).toEqual([1, 2]);
      const quarantine = createQuarantine(database.db);
      const all = [gone.versionId, out.versionId, uuidv7()];
      expect([await quarantine.held(all), await quarantine.ended(all)]).toEqual([
        new Set(),
        new Set([gone.versionId, out.versionId]),
      ]);
    });

    test("receivedAt stays in the order of commits", async () => {
      const capture = infected("f", "A");
      await commit(capture);
      await discardHeld(database, capture.versionId, why);
      const at = Date.parse((await quarantinedFile(database.db, capture.versionId))?.discardedAt ?? "");
      const [after] = await commit(version("g", "B"));
      if (after?.kind !== "committed") throw new Error(word(after));
      expect(Date.parse(after.entry.receivedAt)).toBeGreaterThan(at);
    });

    test("nothing is held: the sum is nought", async () => {
      expect(await heldSum(database.db)).toEqual({ files: 0, bytes: 0, oldest: undefined });
    });
  });

  describe("a rebuild", () => {
    test("ends what its entry shows to be released since the backup, and counts it once", async () => {
      const [out, still] = [infected("f", "AAA"), infected("g", "B")];
      await commit(out, still);
      const before = await database.db.selectFrom("quarantined").selectAll().execute();
      await commit(released(out));
      const lines = await createHistory(database.db).since(0, 10);
      // As the ledger was when the backup was taken.
      for (const table of ["entries", "heads", "segments", "quarantined"] as const)
        await database.db.deleteFrom(table).execute();
      await database.db.insertInto("quarantined").values(before).execute();
      const segment = { segmentId: uuidv7(), date: "2026-01-01" };
      const inLake = async function* (): AsyncGenerator<RebuildLine> {
        for (const line of lines) yield { ...line, ...segment };
      };
      expect(await rebuild(database, inLake(), { merge: true })).toMatchObject({ added: 1 });
      expect(await used()).toEqual([4, 4]);
      expect((await bearerStates(database.db, [agent.id])).get(agent.id)?.dayBytes).toBe(4);
      expect(await quarantinedFile(database.db, out.versionId)).toMatchObject({
        ...{ state: "released", releasedBy: null, reason: expect.stringMatching(/came back with a rebuild/) },
        releasedAt: lines[0]?.receivedAt,
      });
      expect((await quarantinedFile(database.db, still.versionId))?.state).toBe("held");
    });
  });
}
