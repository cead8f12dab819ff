/** What every database beneath the ledger must do. */
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import {
  addClient,
  clientState,
  listClients,
  resumeClient,
  setLimits,
  setQuotas,
  suspendClient,
} from "./clients.ts";
import { createLedger } from "./commit.ts";
import { type LedgerDatabase, type Writer, writing } from "./database.ts";
import type { Quotas } from "./decide.ts";
import { claimsOf } from "./entry.ts";
import { createHistory } from "./history.ts";
import type { Capture, HistoryQuery, Outcome } from "./ledger.ts";
import { bearerStates, writeBearerLimits } from "./limits.ts";
import { again, agent, digest, removal, sign, version, word } from "./samples.ts";
import { createCoverage, createSegments } from "./segments.ts";

/** A new, empty ledger; every `open` is one more connection to it, closed when the test has finished. */
export type Place = () => Promise<LedgerDatabase>;

const acme: Omit<HistoryQuery, "limit"> = { clients: ["acme"] };

export function ledgerContract(newPlace: () => Promise<Place>): void {
  let place: Place;
  let database: LedgerDatabase;

  beforeEach(async () => {
    place = await newPlace();
    database = await place();
    await addClient(database.db, "acme");
  });

  const open = async (): Promise<LedgerDatabase> => {
    const another = await place();
    onTestFinished(() => another.close());
    return another;
  };
  const commit = async (captures: readonly Capture[], quotas?: Quotas): Promise<readonly Outcome[]> =>
    (await createLedger(database, quotas).commit(captures, sign)).outcomes;
  const words = async (...captures: Capture[]): Promise<(string | undefined)[]> =>
    (await commit(captures)).map(word);
  const list = async (query: Partial<HistoryQuery> = {}) =>
    (await createHistory(database.db).page({ ...acme, limit: 1000, ...query })).entries;
  const ids = async (query: Partial<HistoryQuery> = {}): Promise<string[]> =>
    (await list(query)).map((entry) => entry.versionId);

  describe("a capture under a lease", () => {
    const lease = async (agentId: string | null, term: number): Promise<void> => {
      const row = { client: "acme", source: "pos", agent_id: agentId, term, until: 0 };
      await writing(database.db, async (trx) => {
        await trx.deleteFrom("leases").execute();
        await trx.insertInto("leases").values(row).execute();
      });
    };

    test("is committed while its bearer has that term, however long it has run out", async () => {
      await lease(agent.id, 7);
      expect(await words(version("f", "A", { lease: 7 }), removal("f", { lease: 7 }))).toEqual([
        "committed",
        "committed",
      ]);
    });

    test("is refused once another has it, or its bearer again, or nobody: whatever it would come to", async () => {
      const first = version("f", "A", { lease: 7 });
      await lease(agent.id, 7);
      await words(first);
      for (const [holder, term] of [
        ["another", 8],
        ["another", 7],
        [agent.id, 9],
        [null, 7],
      ] as const) {
        await lease(holder, term);
        // A new version, equal bytes, a removal, a removal of nothing; but what is known has its receipt.
        const late = [
          version("f", "B", { lease: 7 }),
          version("f", "A", { lease: 7, key: null }),
          removal("f", { lease: 7 }),
          removal("none", { lease: 7 }),
          again(first),
        ];
        expect(await words(...late)).toEqual([...Array(4).fill("lease-lost"), "repeated"]);
      }
      expect(await list()).toHaveLength(1);
      await lease("another", 8);
      expect(await words(version("f", "B"), version("f", "C", { source: "erp", lease: 8 }))).toEqual([
        "committed",
        "lease-lost",
      ]);
      const ledger = createLedger(database);
      const asked = { client: "acme", source: "pos", agentId: "another" };
      expect([await ledger.holds({ ...asked, term: 8 }), await ledger.holds({ ...asked, term: 7 })]).toEqual([
        true,
        false,
      ]);
    });
  });

  test("the newest entries of one source come in pages, removals among them where they are asked for", async () => {
    const captures = Array.from({ length: 30 }, (_, i) => version(`f${i}`, "A"));
    await commit([...captures, version("x", "A", { source: "erp" })]);
    await commit([version("f3", "B"), removal("f4"), removal("none"), version("f5", "A", { source: "erp" })]);
    const walk = async (query: Partial<HistoryQuery>): Promise<string[]> => {
      const found: string[] = [];
      for (let after: number | undefined = 0; after !== undefined; ) {
        const page = await createHistory(database.db).page({
          ...acme,
          source: "pos",
          latest: true,
          after,
          ...query,
          limit: 7,
        });
        found.push(...page.entries.map(({ kind, pathEncoded }) => `${kind} ${pathEncoded}`));
        after = page.next;
      }
      return found;
    };
    const rest = captures
      .map(({ pathEncoded }) => `version ${pathEncoded}`)
      .filter((line) => !/f[34]$/.test(line));
    expect(await walk({})).toEqual([...rest, "version f3"]);
    expect(await walk({ removals: true })).toEqual([...rest, "version f3", "removal f4"]);
    expect(await walk({ removals: true, broughtBy: "nobody" })).toEqual([]);
    expect(await walk({ removals: true, pathEncoded: "f4" })).toEqual(["removal f4"]);
    expect(await walk({ removals: true, asOf: "2100-01-01T00:00:00Z" })).toHaveLength(30);
  });

  describe("commit", () => {
    test("a version is an entry with a receipt that says the same", async () => {
      const capture = version("dir/a%3Db%FF.csv", "A");
      const [outcome] = await commit([capture]);
      if (outcome?.kind !== "committed") throw new Error(word(outcome));
      expect(outcome.entry).toEqual({
        versionId: capture.versionId,
        kind: "version",
        client: "acme",
        source: "pos",
        path: "dir/a=b\uFFFD.csv",
        pathEncoded: "dir/a%3Db%FF.csv",
        size: 1,
        sha256: digest("A"),
        captureId: capture.captureId,
        modifiedAt: capture.modifiedAt,
        sealedAt: capture.sealedAt,
        receivedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        channel: "push",
        agentId: capture.bearer.id,
        key: capture.key,
      });
      const { path: _, kind: __, key: ___, modifiedAt: ____, sealedAt: _____, ...said } = outcome.entry;
      expect(claimsOf(outcome.receipt)).toMatchObject({ ...said, status: "created" });
      expect(await list()).toEqual([outcome.entry]);
      expect(await createHistory(database.db).version(capture.versionId)).toMatchObject(outcome.entry);
    });

    test("A, B, A are three versions; A, removal, A are three entries", async () => {
      const [a, b, c] = [version("f", "A"), version("f", "B"), version("f", "A")];
      expect(await words(a)).toEqual(["committed"]);
      expect(await words(b)).toEqual(["committed"]);
      expect(await words(c)).toEqual(["committed"]);
      const [gone, back] = [removal("f"), version("f", "A")];
      expect(await words(gone)).toEqual(["committed"]);
      expect(await words(back)).toEqual(["committed"]);
      expect(await ids()).toEqual([a, b, c, gone, back].map((capture) => capture.versionId));
      expect((await list()).map((entry) => entry.kind)[3]).toBe("removal");
    });

    test("later captures of a batch see the earlier ones", async () => {
      const a = version("f", "A");
      const batch = [
        a,
        again(a),
        version("f", "A"),
        version("f", "B"),
        version("f", "A"),
        removal("f"),
        removal("f"),
        { ...version("f", "X"), captureId: a.captureId },
        version("f", "A", { key: null }),
        version("f", "A"),
      ];
      expect(await words(...batch)).toEqual([
        "committed",
        "repeated",
        "unchanged",
        "committed",
        "committed",
        "committed",
        "unchanged",
        "capture-conflict",
        "needs-bytes",
        "committed",
      ]);
      expect(await list()).toHaveLength(5);
      expect((await list({ latest: true })).map((entry) => entry.versionId)).toEqual([
        batch.at(-1)?.versionId,
      ]);
    });

    test("a known captureId gives the same receipt again, also when the file has moved on", async () => {
      const a = version("f", "A");
      const gone = removal("g");
      const [first, nothing] = await commit([a, gone]);
      await commit([version("f", "B"), version("g", "G")]);
      const [retry, retried] = await commit([again(a), again(gone)]);
      expect(retry).toMatchObject({ kind: "repeated", receipt: (first as { receipt: string }).receipt });
      expect(retried).toMatchObject({ kind: "repeated", receipt: (nothing as { receipt: string }).receipt });
      const ledger = createLedger(database);
      expect((await ledger.known([a]))[0]).toEqual(retry);
      expect((await ledger.known([{ ...a, sha256: null }]))[0]).toEqual(retry);
      expect((await ledger.known([{ ...gone, sha256: null }]))[0]).toEqual(retried);
      expect((await ledger.known([{ ...a, captureId: "never" }]))[0]).toBeUndefined();
      expect(word((await ledger.known([{ ...a, sha256: digest("B") }]))[0])).toBe("capture-conflict");
    });

    test.for([
      ["bytes", { sha256: digest("B") }],
      ["size", { size: 2 }],
      ["path", { pathEncoded: "g" }],
      ["source", { source: "other" }],
    ] as const)("a known captureId with another %s is refused", async ([, change]) => {
      for (const text of ["A", "A"]) {
        const known = version("f", text);
        await commit([known]);
        expect(await words({ ...again(known), ...change })).toEqual(["capture-conflict"]);
        expect(await words(removal("f", { captureId: known.captureId }))).toEqual(["capture-conflict"]);
      }
      expect(await list()).toHaveLength(1);
    });

    test("one captureId of two clients is two captures", async () => {
      await addClient(database.db, "other");
      const a = version("f", "A");
      expect(await words(a, { ...again(a), client: "other" })).toEqual(["committed", "committed"]);
    });

    test("unchanged bytes make no entry and are remembered, with the versionId that has them", async () => {
      const a = version("f", "A");
      await commit([a]);
      const same = version("f", "A", { key: null });
      const [outcome] = await commit([same]);
      expect(outcome).toMatchObject({
        kind: "unchanged",
        claims: { status: "unchanged", versionId: a.versionId, captureId: same.captureId },
      });
      await commit([version("f", "B")]);
      expect(await words(again(same))).toEqual(["repeated"]);
      expect(await list()).toHaveLength(2);
    });

    test("unchanged is no oracle: another bearer must bring the bytes", async () => {
      const a = version("f", "A");
      await commit([a]);
      const other = { id: "trbk-other", seesAll: false };
      const ledger = createLedger(database);
      expect((await ledger.unchanged([a]))[0]).toBe(true);
      expect((await ledger.unchanged([{ ...a, sha256: digest("B") }]))[0]).toBe(false);
      expect((await ledger.unchanged([{ ...a, bearer: other }]))[0]).toBe(false);
      expect((await ledger.unchanged([{ ...a, bearer: { ...other, seesAll: true } }]))[0]).toBe(true);
      expect(await words(version("f", "A", { bearer: other, key: null }))).toEqual(["needs-bytes"]);
      expect(await words(version("f", "A", { bearer: { ...other, seesAll: true } }))).toEqual(["unchanged"]);
      expect(await words(version("f", "A", { bearer: other }))).toEqual(["committed"]);
      await commit([removal("f")]);
      expect((await ledger.unchanged([{ ...a, bearer: { ...other, seesAll: true } }]))[0]).toBe(false);
    });

    test("needs-bytes records nothing", async () => {
      const capture = version("f", "A", { key: null });
      expect(await words(capture)).toEqual(["needs-bytes"]);
      expect((await createLedger(database).known([capture]))[0]).toBeUndefined();
      expect(await words(again(capture))).toEqual(["committed"]);
    });

    test("removing what is not there is unchanged", async () => {
      const never = removal("never");
      const [outcome] = await commit([never]);
      expect(outcome).toMatchObject({
        kind: "unchanged",
        claims: { status: "unchanged", versionId: never.versionId, size: null, sha256: null },
      });
      const gone = removal("f");
      await commit([version("f", "A"), gone]);
      const [twice] = await commit([removal("f")]);
      expect(twice).toMatchObject({ kind: "unchanged", claims: { versionId: gone.versionId } });
      expect((await list()).map((entry) => entry.kind)).toEqual(["version", "removal"]);
    });

    test("who may not hear of others' paths cannot tell one that is there from one that is not", async () => {
      const [one, two] = [
        { id: "key-1", seesAll: false },
        { id: "key-2", seesAll: false },
      ];
      await commit([version("theirs", "A", { bearer: one })]);
      await commit([version("removed", "A", { bearer: one }), removal("removed", { bearer: one })]);
      const blind = { bearer: two, hearsOfNothing: false };
      const [theirs, removed, never] = await commit([
        removal("theirs", blind),
        removal("removed", blind),
        removal("never", blind),
      ]);
      expect([theirs, removed, never].map(word)).toEqual(["committed", "committed", "committed"]);
      expect(await words(removal("never", blind))).toEqual(["unchanged"]);
      expect(await words(removal("never", { ...blind, bearer: one }))).toEqual(["committed"]);
    });

    test("a suspended or unknown client is refused, and only it", async () => {
      await addClient(database.db, "other");
      await suspendClient(database.db, "other");
      const batch = [
        version("f", "A", { client: "other" }),
        version("f", "A", { client: "nobody" }),
        version("f", "A"),
      ];
      expect(await words(...batch)).toEqual(["client-suspended", "client-not-allowed", "committed"]);
      await resumeClient(database.db, "other");
      expect(await words(batch[0] as Capture)).toEqual(["committed"]);
    });

    test("a path that no codec wrote is refused, and only it", async () => {
      expect(await words(version("a b", "A"), version("a%20b", "A"))).toEqual(["path-invalid", "committed"]);
    });

    test("quotas: the largest file, a day, the store; a client's own before the default", async () => {
      const bounds = { file: 10, day: null, stored: null };
      const outcome = async (text: string, quotas: Quotas) =>
        (await commit([version(`q/${text.length}`, text)], quotas))[0];
      expect(await outcome("x".repeat(11), bounds)).toMatchObject({
        code: "quota-file",
        retryAfter: 3600,
      });
      expect(word(await outcome("x".repeat(10), bounds))).toBe("committed");
      const day = await outcome("x".repeat(5), { file: null, day: 14, stored: null });
      expect(day).toMatchObject({ code: "quota-day", retryAfter: expect.any(Number) });
      expect((day as { retryAfter: number }).retryAfter).toBeGreaterThan(0);
      expect((day as { retryAfter: number }).retryAfter).toBeLessThanOrEqual(86_400);
      const stored = await outcome("x".repeat(5), { file: null, day: null, stored: 14 });
      expect(stored).toMatchObject({ code: "quota-stored", retryAfter: 3600 });
      await setQuotas(database.db, "acme", { stored: 15 });
      expect(word(await outcome("x".repeat(5), { file: null, day: null, stored: 14 }))).toBe("committed");
      expect(word(await outcome("y", { file: null, day: null, stored: null }))).toBe("quota-stored");
    });

    test("what no day takes says so, and not to come tomorrow", async () => {
      const bounds = { file: null, day: 4, stored: null };
      const [refused] = await commit([version("q", "12345")], bounds);
      expect(refused).toMatchObject({
        code: "quota-day",
        detail: expect.stringContaining("no day takes more"),
        retryAfter: 3600,
      });
    });

    test("quotas count within a batch; what was refused costs nothing", async () => {
      const bounds = { file: null, day: 10, stored: 10 };
      const batch = ["1234567", "12345", "123", "1"].map((text) => version(text, text));
      expect((await commit(batch, bounds)).map(word)).toEqual([
        "committed",
        "quota-day",
        "committed",
        "quota-day",
      ]);
      expect(word((await commit([removal("1234567")], bounds))[0])).toBe("committed");
    });

    test("a bearer's own day and largest file are narrower than its client's, whose others go on", async () => {
      const { db } = database;
      const of = (id: string, text: string, path = text) =>
        version(path, text, { bearer: { id, seesAll: false } });
      const brought = async (id: string) => (await bearerStates(db, [id])).get(id)?.dayBytes;
      await commit([of("k1", "123"), removal("123", { bearer: { id: "k1", seesAll: false } })]);
      await writing(db, (trx) => writeBearerLimits(trx, "k1", { day: 10, file: 6 }));
      const batch = [
        of("k1", "1234567"),
        of("k1", "123456"),
        of("k1", "12"),
        of("k1", "1"),
        of("k2", "12345678"),
      ];
      expect((await commit(batch)).map(word)).toEqual([
        "quota-file",
        "committed",
        "quota-day",
        "committed",
        "committed",
      ]);
      const [late] = await commit([of("k1", "1", "other")]);
      expect(late).toMatchObject({
        code: "quota-day",
        detail: expect.stringContaining("k1"),
        retryAfter: expect.any(Number),
      });
      expect([await brought("k1"), await brought("k2")]).toEqual([10, 8]);
      await db.updateTable("bearers").set({ day: "2001-01-01" }).execute();
      expect(await brought("k1")).toBe(0);
      expect((await commit([of("k1", "1", "other")])).map(word)).toEqual(["committed"]);
      // What the commit writes leaves the limits as they are.
      expect((await bearerStates(db, ["k1"])).get("k1")?.limits).toMatchObject({ day: 10, file: 6 });
    });

    test("a day's bytes begin anew with the UTC day", async () => {
      await commit([version("f", "12345")]);
      const bounds = { file: null, day: 5, stored: null };
      expect((await commit([version("g", "1")], bounds)).map(word)).toEqual(["quota-day"]);
      expect(await clientState(database.db, "acme")).toMatchObject({ storedBytes: 5, dayBytes: 5 });
      await database.db.updateTable("usage").set({ day: "2001-01-01" }).execute();
      expect(await clientState(database.db, "acme")).toMatchObject({ storedBytes: 5, dayBytes: 0 });
      expect((await commit([version("g", "12345")], bounds)).map(word)).toEqual(["committed"]);
      expect(await clientState(database.db, "acme")).toMatchObject({ storedBytes: 10, dayBytes: 5 });
    });

    test("a clock that jumps back does not turn the order round", async () => {
      const ahead = Date.now() + 3_600_000;
      await database.db.updateTable("site").set({ last_commit_at: ahead }).execute();
      await commit([version("f", "A"), version("g", "A")]);
      await commit([version("f", "B")]);
      expect((await list()).map((entry) => Date.parse(entry.receivedAt) - ahead)).toEqual([1, 1, 2]);
    });

    test("an answer to COMMIT that got lost: what was recorded is told, what was not is an error", async () => {
      const cut = (at: "before" | "after"): LedgerDatabase => {
        let left = 1;
        const transaction = () => {
          const real = database.db.transaction();
          if (left-- !== 1) return real;
          const lost = new Error("Connection terminated unexpectedly");
          const execute = async (work: (trx: Writer) => Promise<unknown>) => {
            await real.execute(async (trx) => {
              await work(trx);
              if (at === "before") throw lost;
            });
            throw lost;
          };
          return { execute };
        };
        const db = new Proxy(database.db, {
          get: (target, name) => (name === "transaction" ? transaction : Reflect.get(target, name, target)),
        });
        return { ...database, db };
      };
      const [a, b] = [version("f", "A"), version("g", "B")];
      const { outcomes } = await createLedger(cut("after")).commit([a], sign);
      expect(outcomes.map(word)).toEqual(["committed"]);
      expect(await ids()).toEqual([a.versionId]);
      await expect(createLedger(cut("before")).commit([b], sign)).rejects.toMatchObject({
        code: "ledger-unavailable",
      });
      expect(await ids()).toEqual([a.versionId]);
      expect(await words(b)).toEqual(["committed"]);
    });

    test("a batch of 2,500 captures", async () => {
      const batch = Array.from({ length: 2500 }, (_, i) => version(`many/${i % 2400}`, `${i}`));
      expect(new Set((await commit(batch)).map(word))).toEqual(new Set(["committed"]));
      expect((await commit(batch.map(again))).every((outcome) => outcome.kind === "repeated")).toBe(true);
      expect(await list({ limit: 5000 })).toHaveLength(2500);
      expect(await list({ limit: 5000, latest: true })).toHaveLength(2400);
    });

    test("nothing of a commit stays when it fails", async () => {
      const twice = version("f", "A");
      const batch = [version("e", "E"), twice, { ...version("g", "B"), versionId: twice.versionId }];
      await expect(commit(batch)).rejects.toThrow();
      expect(await list()).toEqual([]);
      expect(await Array.fromAsync(createSegments(database).unwritten(0))).toEqual([]);
      const refusing = createLedger(database).commit([twice], () => {
        throw new Error("the key is gone");
      });
      await expect(refusing).rejects.toThrow("the key is gone");
      expect(await words(twice)).toEqual(["committed"]);
      expect((await createHistory(database.db).position()).seq).toBe(1);
    });
  });

  test("clients: added once, suspended, resumed, bounded", async () => {
    const { db } = database;
    await expect(addClient(db, "acme")).rejects.toMatchObject({ code: "request-invalid" });
    await expect(addClient(db, "Acme Inc")).rejects.toMatchObject({ code: "request-invalid" });
    for (const act of [suspendClient, resumeClient])
      await expect(act(db, "nobody")).rejects.toMatchObject({ code: "not-found" });
    await addClient(db, "a-b", 5);
    await suspendClient(db, "a-b", 6);
    await suspendClient(db, "a-b", 7);
    await setQuotas(db, "a-b", { day: 10 });
    await setQuotas(db, "a-b", { file: 2 ** 50, stored: null });
    const quotas = { stored: null, day: 10, file: 2 ** 50 };
    await setLimits(db, "a-b", { requests: { count: 10, perMs: 1000 } });
    await setLimits(db, "a-b", { uploads: 4 });
    const limits = { requests: { count: 10, perMs: 1000 }, uploads: 4 };
    const state = {
      name: "a-b",
      createdAt: 5,
      suspendedAt: 6,
      offboardedAt: null,
      quotas,
      limits,
      storedBytes: 0,
      dayBytes: 0,
    };
    expect(await clientState(db, "a-b")).toEqual(state);
    expect((await listClients(db)).map((client) => client.name)).toEqual(["a-b", "acme"]);
    await setLimits(db, "a-b", { requests: null });
    expect((await clientState(db, "a-b"))?.limits).toEqual({ requests: null, uploads: 4 });
    await resumeClient(db, "a-b");
    expect((await clientState(db, "a-b"))?.suspendedAt).toBeNull();
    expect(await clientState(db, "nobody")).toBeUndefined();
  });

  describe("history", () => {
    test("receivedAt rises with every commit, and asOf it gives exactly the state that included it", async () => {
      const states: { readonly at: string; readonly all: string[]; readonly latest: string[] }[] = [];
      const steps = [
        [version("f", "A"), version("g", "G")],
        [version("f", "B")],
        [removal("g")],
        [version("h", "H"), removal("f")],
        [version("g", "G")],
      ];
      for (const step of steps) {
        await commit(step);
        states.push({
          at: (await list()).at(-1)?.receivedAt as string,
          all: await ids(),
          latest: await ids({ latest: true }),
        });
      }
      expect(new Set(states.map((state) => state.at)).size).toBe(steps.length);
      expect(states.map((state) => state.at)).toEqual(states.map((state) => state.at).sort());
      for (const { at, all, latest } of states) {
        expect(await ids({ asOf: at })).toEqual(all);
        expect(await ids({ asOf: at, latest: true })).toEqual(latest);
      }
      expect(states.map((state) => state.latest.length)).toEqual([2, 2, 1, 1, 2]);
      expect(await ids({ asOf: "2001-01-01T00:00:00+02:00" })).toEqual([]);
      await expect(list({ asOf: "yesterday" })).rejects.toMatchObject({ code: "request-invalid" });
    });

    test("filters: client, source, exact path, who brought it", async () => {
      await addClient(database.db, "other");
      const theirs = version("f", "A", { client: "other" });
      const key = version("f", "A", { source: "erp", bearer: { id: "k1", seesAll: false } });
      const [f, ff] = [version("f", "A"), version("F", "A")];
      await commit([theirs, key, f, ff]);
      expect(await ids()).toEqual([key, f, ff].map((capture) => capture.versionId));
      expect(await ids({ clients: "all" })).toHaveLength(4);
      expect(await ids({ clients: [] })).toEqual([]);
      expect(await ids({ clients: ["other", "acme"], pathEncoded: "f", latest: true })).toHaveLength(3);
      expect(await ids({ source: "erp" })).toEqual([key.versionId]);
      expect(await ids({ pathEncoded: "F" })).toEqual([ff.versionId]);
      expect(await ids({ broughtBy: "k1" })).toEqual([key.versionId]);
    });

    test("pages meet without gap or overlap, and the last one says so", async () => {
      await commit(Array.from({ length: 7 }, (_, i) => version(`p/${i}`, `${i}`)));
      const history = createHistory(database.db);
      for (const latest of [false, true]) {
        const seen: string[] = [];
        let after: number | undefined = 0;
        for (let pages = 1; after !== undefined; pages += 1) {
          const page = await history.page({ ...acme, latest, after, limit: 3 });
          seen.push(...page.entries.map((entry) => entry.pathEncoded));
          after = page.next;
          expect(pages).toBeLessThanOrEqual(3);
        }
        expect(seen).toEqual(Array.from({ length: 7 }, (_, i) => `p/${i}`));
      }
      expect((await history.page({ ...acme, limit: 7 })).next).toBeUndefined();
    });

    test("since, position and named", async () => {
      const history = createHistory(database.db);
      const { epoch } = await history.position();
      const [a, b] = [version("a", "A"), version("b", "B")];
      await commit([a, b, removal("a")]);
      expect((await history.since(0, 10)).map((line) => line.seq)).toEqual([1, 2, 3]);
      expect((await history.since(1, 1)).map((line) => line.versionId)).toEqual([b.versionId]);
      expect(claimsOf((await history.since(2, 1))[0]?.receipt as string).status).toBe("removed");
      expect(await history.position()).toEqual({ epoch, seq: 3 });
      expect(await history.named([a.versionId, "none"])).toEqual(new Set([a.versionId]));
      expect(await history.named([])).toEqual(new Set());
      expect(await history.version("none")).toBeUndefined();
    });
  });

  describe("segments", () => {
    test("a commit with entries has one; it stays unwritten until it is marked", async () => {
      const ledger = createLedger(database);
      const segments = createSegments(database);
      const unwritten = async (olderThanMs: number) => await Array.fromAsync(segments.unwritten(olderThanMs));
      const a = version("f", "A");
      const { segment } = await ledger.commit([a, version("f", "A"), version("g", "G")], sign);
      expect(segment?.lines.map((line) => line.seq)).toEqual([1, 2]);
      expect(segment?.date).toBe(segment?.lines[0]?.receivedAt.slice(0, 10));
      expect((await ledger.commit([again(a), version("f", "A")], sign)).segment).toBeUndefined();
      const { segment: next } = await ledger.commit([removal("f")], sign);
      expect(await unwritten(0)).toEqual([segment, next]);
      expect(await unwritten(3_600_000)).toEqual([]);
      expect(await segments.read(segment?.id as string)).toEqual(segment);
      await segments.markWritten([segment?.id as string]);
      await segments.markWritten([]);
      expect(await unwritten(0)).toEqual([next]);
      expect(await segments.read(segment?.id as string)).toBeUndefined();
      expect(await segments.read("none")).toBeUndefined();
      const coverage = createCoverage(database.db);
      const ids = [segment?.id, next?.id] as string[];
      expect(await coverage.known([...ids, "none"])).toEqual(new Set(ids));
      expect(await coverage.newestDay()).toBe(next?.date);
    });

    test("are read page by page and one at a time, also while they are marked and commits go on", async () => {
      const ledger = createLedger(database);
      const segments = createSegments(database, 2);
      const commit = async (path: string) => (await ledger.commit([version(path, "x")], sign)).segment;
      const made = [];
      for (let i = 0; i < 5; i += 1) made.push(await commit(`s/${i}`));
      // A merge gives all its segments one time.
      const at = await database.db
        .selectFrom("segments")
        .select((eb) => eb.fn.max("committed_at").as("at"))
        .executeTakeFirstOrThrow();
      await database.db.updateTable("segments").set({ committed_at: at.at }).execute();
      const seen = [];
      for await (const segment of segments.unwritten(0)) {
        seen.push(segment);
        await segments.markWritten([segment.id]);
        if (seen.length === 1) made.push(await commit("s/late"));
      }
      expect(new Set(seen.map(({ id }) => id))).toEqual(new Set(made.map((segment) => segment?.id)));
      expect(seen).toHaveLength(6);
      expect(await Array.fromAsync(segments.unwritten(0))).toEqual([]);
    });
  });

  test("two connections commit at full speed; a tail reader misses nothing and sees their order", async () => {
    const writers = [createLedger(await open()), createLedger(await open())];
    const history = createHistory((await open()).db);
    const rounds = 40;
    const committed: string[] = [];
    let writing = writers.length;
    const write = async (ledger: (typeof writers)[number], n: number): Promise<void> => {
      for (let i = 0; i < rounds; i += 1) {
        const { outcomes } = await ledger.commit(
          [version(`w/${n}/${i}`, `${n} ${i}`), version("shared", `${n} ${i}`)],
          sign,
        );
        for (const outcome of outcomes)
          if (outcome.kind === "committed") committed.push(outcome.entry.versionId);
        await new Promise(setImmediate);
      }
      writing -= 1;
    };
    const seen: { seq: number; versionId: string; receivedAt: string }[] = [];
    const follow = async (): Promise<void> => {
      for (;;) {
        const last = writing === 0;
        const lines = await history.since(seen.at(-1)?.seq ?? 0, 7);
        seen.push(...lines);
        if (last && lines.length === 0) return;
        await new Promise(setImmediate);
      }
    };
    await Promise.all([...writers.map(write), follow()]);
    expect(committed).toHaveLength(writers.length * rounds * 2);
    expect(seen.map((line) => line.seq)).toEqual(committed.map((_, i) => i + 1));
    expect(new Set(seen.map((line) => line.versionId))).toEqual(new Set(committed));
    const times = seen.map((line) => line.receivedAt);
    expect(times).toEqual([...times].sort());
  });

  test("the same captureId through two connections at once is one entry", async () => {
    const ledgers = [createLedger(await open()), createLedger(await open())];
    const captures = Array.from({ length: 20 }, (_, i) => version(`race/${i}`, "A"));
    const both = await Promise.all(
      ledgers.map((ledger) => ledger.commit(captures.map(again), sign).then(({ outcomes }) => outcomes)),
    );
    expect(new Set(both.map((outcomes) => word(outcomes[0])))).toEqual(new Set(["committed", "repeated"]));
    expect(await list()).toHaveLength(20);
  });

  test("another opening sees the same epoch and goes on with the sequence", async () => {
    await commit([version("a", "A")]);
    const reopened = await open();
    const before = await createHistory(database.db).position();
    expect(await createHistory(reopened.db).position()).toEqual(before);
    const { segment } = await createLedger(reopened).commit([version("b", "B")], sign);
    expect(segment?.lines[0]?.seq).toBe(2);
  });
}
