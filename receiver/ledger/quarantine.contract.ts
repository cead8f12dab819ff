/** What is held, in every database beneath the ledger: no entry before its release, and one content for each captureId as ever. */
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { beforeEach, describe, expect, test } from "vitest";
import { addClient, clientState, suspendClient } from "./clients.ts";
import { createLedger } from "./commit.ts";
import type { LedgerDatabase } from "./database.ts";
import type { Quotas } from "./decide.ts";
import { createHistory } from "./history.ts";
import type { Place } from "./ledger.contract.ts";
import type { Capture, Outcome, Release, VersionCapture } from "./ledger.ts";
import { newerThan } from "./newer.ts";
import { createQuarantine, listQuarantined, quarantinedFile } from "./quarantine.ts";
import { rebuild } from "./rebuild.ts";
import { again, agent, digest, removal, sign, version, word } from "./samples.ts";

const release: Release = { by: "Zoë", reason: "a false alarm", overNewer: false };

export function quarantineContract(newPlace: () => Promise<Place>): void {
  let database: LedgerDatabase;

  beforeEach(async () => {
    database = await (await newPlace())();
    await addClient(database.db, "acme");
  });

  const commit = async (captures: readonly Capture[], quotas?: Quotas): Promise<readonly Outcome[]> =>
    (await createLedger(database, quotas).commit(captures, sign)).outcomes;
  const words = async (...captures: Capture[]) => (await commit(captures)).map(word);
  const infected = (path: string, text: string, more: Partial<VersionCapture> = {}): VersionCapture =>
    version(path, text, { finding: "Eicar", ...more });
  /** As `quarantine release` commits it. */
  const released = (
    { finding: _, ...capture }: VersionCapture,
    more: Partial<Release> = {},
  ): VersionCapture => ({
    ...capture,
    key: `raw/${capture.versionId}`,
    release: { ...release, ...more },
  });
  const used = async () => {
    const { storedBytes, dayBytes } = (await clientState(database.db, "acme")) ?? {};
    return [storedBytes, dayBytes];
  };
  const seqs = async () => (await createHistory(database.db).since(0, 100)).map(({ seq }) => seq);
  const list = async (all = false, client?: string) =>
    (await Array.fromAsync(listQuarantined(database.db, { client, all }))).map(({ id }) => id);

  describe("quarantine", () => {
    test("what is held makes no entry and no segment, is listed, and counts as the client's", async () => {
      const capture = infected("dir/a%3Db.csv", "AAA");
      const clean = version("clean", "B");
      const committed = await createLedger(database).commit([capture, clean], sign);
      expect(committed.outcomes).toMatchObject([
        { kind: "held", id: capture.versionId, finding: "Eicar" },
        { kind: "committed" },
      ]);
      expect(committed.segment?.lines.map(({ versionId }) => versionId)).toEqual([clean.versionId]);
      const alone = await createLedger(database).commit([infected("alone", "A")], sign);
      expect([alone.outcomes.map(word), alone.segment]).toEqual([["held"], undefined]);
      expect(await seqs()).toEqual([1]);
      expect(await used()).toEqual([5, 5]);
      expect(await quarantinedFile(database.db, capture.versionId)).toEqual({
        id: capture.versionId,
        client: "acme",
        source: "pos",
        path: "dir/a=b.csv",
        pathEncoded: "dir/a%3Db.csv",
        size: 3,
        sha256: digest("AAA"),
        finding: "Eicar",
        state: "held",
        captureId: capture.captureId,
        modifiedAt: capture.modifiedAt,
        sealedAt: capture.sealedAt,
        arrivedAt: expect.stringMatching(/^\d{4}-.*Z$/),
        channel: "push",
        agentId: agent.id,
        key: capture.key,
        ...{ releasedAt: null, releasedBy: null, discardedAt: null, discardedBy: null, reason: null },
      });
      expect(await list()).toHaveLength(2);
      expect(await list(false, "other")).toEqual([]);
      const quarantine = createQuarantine(database.db);
      expect(await quarantine.held([capture.versionId, clean.versionId])).toEqual(
        new Set([capture.versionId]),
      );
      expect(await quarantinedFile(database.db, clean.versionId)).toBeUndefined();
    });

    test("the same captureId: with the same content the one that is held, with other content refused; in one commit too", async () => {
      const capture = infected("f", "A");
      const [first, second, third] = [
        again(capture),
        again(capture),
        { ...again(capture), finding: "Other" },
      ];
      expect(await commit([first, second])).toMatchObject([
        { kind: "held", id: first.versionId },
        { kind: "held", id: first.versionId },
      ]);
      expect(await commit([third])).toMatchObject([{ kind: "held", id: first.versionId, finding: "Eicar" }]);
      // What was found yesterday is not clean because nobody finds it today.
      const { finding: _, ...clean } = again(capture);
      expect(await commit([clean])).toMatchObject([{ kind: "held", id: first.versionId }]);
      const other = { captureId: capture.captureId };
      expect(
        await words(version("f", "B", other), infected("f", "B", other), version("g", "A", other)),
      ).toEqual(Array.from({ length: 3 }, () => "capture-conflict"));
      expect(await words(removal("f", other))).toEqual(["capture-conflict"]);
      expect(await used()).toEqual([1, 1]);
      const named = { ...capture, sha256: digest("A") };
      const known = await createLedger(database).known([
        named,
        { ...named, sha256: null },
        { ...named, sha256: digest("B") },
        version("h", "C"),
      ]);
      expect(known.map(word)).toEqual(["held", "held", "capture-conflict", undefined]);
      expect(known[0]).toEqual({ kind: "held", id: first.versionId, finding: "Eicar" });
    });

    test("a client's captureId is its own", async () => {
      await addClient(database.db, "other");
      const capture = infected("f", "A");
      expect(
        await words(capture, version("f", "A", { client: "other", captureId: capture.captureId })),
      ).toEqual(["held", "committed"]);
    });

    test("a hold obeys quotas and suspension; equal bytes that the lake has are unchanged", async () => {
      const bounds = { stored: 4, day: null, file: null };
      expect((await commit([infected("f", "AAA")], bounds)).map(word)).toEqual(["held"]);
      expect((await commit([infected("g", "AA"), version("h", "AA")], bounds)).map(word)).toEqual([
        "quota-stored",
        "quota-stored",
      ]);
      expect(await words(version("same", "A"), infected("same", "A"))).toEqual(["committed", "unchanged"]);
      await suspendClient(database.db, "acme");
      expect(await words(infected("i", "A"))).toEqual(["client-suspended"]);
      expect(await list()).toHaveLength(1);
    });

    test("released it is a version like any other, under its own captureId, and counts once", async () => {
      const capture = infected("f", "AAA");
      await commit([version("other", "B"), capture]);
      const [outcome] = await commit([released(capture)], { stored: 4, day: 4, file: 1 });
      if (outcome?.kind !== "committed") throw new Error(word(outcome));
      const { captureId, versionId, modifiedAt, sealedAt, channel } = capture;
      expect(outcome.entry).toMatchObject({
        ...{ captureId, versionId, modifiedAt, sealedAt, channel, key: `raw/${versionId}` },
        ...{ kind: "version", path: "f", size: 3, sha256: digest("AAA"), agentId: agent.id },
      });
      expect(await used()).toEqual([4, 4]);
      expect(await commit([again(capture), released(capture)])).toMatchObject([
        { kind: "repeated", receipt: outcome.receipt },
        { kind: "repeated", receipt: outcome.receipt },
      ]);
      expect(await list()).toEqual([]);
      expect(await list(true)).toEqual([versionId]);
      expect(await quarantinedFile(database.db, versionId)).toMatchObject({
        ...{ state: "released", releasedBy: "Zoë", reason: "a false alarm" },
        releasedAt: outcome.entry.receivedAt,
      });
      expect((await createQuarantine(database.db).held([versionId])).size).toBe(0);
    });

    test("only what is held can be released, and not while its client is suspended", async () => {
      const capture = infected("f", "A");
      expect(await words(released(capture))).toEqual(["not-found"]);
      await commit([capture]);
      expect(await words(released({ ...capture, versionId: uuidv7() }))).toEqual(["not-found"]);
      await suspendClient(database.db, "acme");
      expect(await words(released(capture))).toEqual(["client-suspended"]);
      expect(await list()).toEqual([capture.versionId]);
    });

    test.for(["version", "removal"])("over a newer %s only when that is meant", async (kind) => {
      const capture = infected("f", "A");
      await commit([version("f", "0"), capture, version("elsewhere", "A")]);
      expect(await newerThan(database.db, capture.versionId)).toBeUndefined();
      const newer = kind === "version" ? version("f", "B") : removal("f");
      await commit([newer]);
      expect(await newerThan(database.db, capture.versionId)).toMatchObject({ version_id: newer.versionId });
      const [refused] = await commit([released(capture)]);
      expect(refused).toMatchObject({
        ...{ kind: "refused", code: "path-newer" },
        detail: expect.stringMatching(new RegExp(`newer ${kind} \\(${newer.versionId}\\).*--over-newer`)),
      });
      expect(await list()).toEqual([capture.versionId]);
      expect(await words(released(capture, { overNewer: true }))).toEqual(["committed"]);
    });

    test("released where its path has got the same bytes meanwhile, it makes no version and counts no more", async () => {
      const capture = infected("f", "AAA");
      await commit([capture]);
      await commit([version("f", "AAA")]);
      expect(await used()).toEqual([6, 6]);
      expect(await words(released(capture))).toEqual(["unchanged"]);
      expect(await used()).toEqual([3, 6]);
      expect(await words(again(capture))).toEqual(["repeated"]);
      expect(await list()).toEqual([]);
    });

    test("pages of it", async () => {
      const captures = Array.from({ length: 1100 }, (_, i) => infected(`f${i}`, "A"));
      await commit(captures);
      expect(await list()).toEqual(captures.map(({ versionId }) => versionId).toSorted());
    });

    test("a rebuild keeps what is held, and knows that it may not know all of it", async () => {
      const capture = infected("f", "AAA");
      await commit([version("g", "B"), capture]);
      const quarantine = createQuarantine(database.db);
      const before = await quarantine.knownSince();
      expect(Math.abs(Date.now() - before)).toBeLessThan(60_000);
      await database.db.updateTable("site").set({ known_since: 1 }).execute();
      await rebuild(database, (async function* () {})(), { merge: true });
      expect(await list()).toEqual([capture.versionId]);
      expect(await used()).toEqual([4, 4]);
      expect(await quarantine.knownSince()).toBeGreaterThanOrEqual(before);
    });
  });
}
