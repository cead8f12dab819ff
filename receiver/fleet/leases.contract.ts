/** What leases must do over every database: one holder, also with several receivers at once, and no commit under an old term. */
import type { LeaseRequest } from "@tributary/shared/protocol.ts";
import { sql } from "kysely";
import { beforeEach, expect, test } from "vitest";
import { listAgents } from "../identity/agents.ts";
import type { Principal } from "../identity/principal.ts";
import { addClient } from "../ledger/clients.ts";
import { createLedger } from "../ledger/commit.ts";
import type { LedgerDatabase } from "../ledger/database.ts";
import { sign, version, word } from "../ledger/samples.ts";
import { takeLeasesOf } from "./leases.ts";

const T0 = Date.UTC(2026, 0, 31);
const PLACES = ["pos", "erp", "crm", "hr"].map((source) => ({ client: "acme", source }));

/** `newPlace`: an empty ledger; every call of what it gives is one more connection, closed when the test has finished. */
export function leasesContract(newPlace: () => Promise<() => Promise<LedgerDatabase>>): void {
  let open: () => Promise<LedgerDatabase>;
  let database: LedgerDatabase;
  let now: number;

  beforeEach(async () => {
    open = await newPlace();
    database = await open();
    now = T0;
    for (const client of ["acme", "mill"]) await addClient(database.db, client);
    for (const id of ["a", "b"])
      await database.db
        .insertInto("agents")
        .values({
          ...{ id, name: `house ${id}`, public_key: id, state: "active", created_at: 1, host: id },
          ...{ platform: "linux", version: "1", nonce: null, nonce_previous: null, last_seen_at: null },
          status: null,
        })
        .execute();
  });

  const principal = (id: string, more: Partial<Principal> = {}): Principal => ({
    ...{ kind: "agent", id, clients: ["acme"], source: undefined, acts: new Set(["write"] as const) },
    ...more,
  });
  const ask = async (
    id: string,
    request: Partial<LeaseRequest> = {},
    { over = database, ...more }: Partial<Principal> & { over?: LedgerDatabase } = {},
  ) => {
    // Time as the database has it, which is the test's here.
    const take = takeLeasesOf({ db: over.db, clock: sql<number>`cast(${sql.lit(String(now))} as bigint)` });
    return (await take(principal(id, more), { wants: PLACES, releases: [], ...request })).leases;
  };
  const held = (leases: Awaited<ReturnType<typeof ask>>) =>
    leases.flatMap((lease) => (lease.held ? [lease.source] : []));

  test("one that is free is granted, renewed under its term, and nobody else's meanwhile", async () => {
    const first = await ask("a", { wants: PLACES.slice(0, 1) });
    expect(first).toEqual([{ client: "acme", source: "pos", held: true, term: T0, handOver: false }]);
    now += 29_000;
    expect(await ask("a", { wants: PLACES.slice(0, 1) })).toEqual(first);
    now += 29_000;
    expect(await ask("b", { wants: PLACES.slice(0, 1) })).toEqual([
      { client: "acme", source: "pos", held: false, holder: "house a" },
    ]);
  });

  test("one that runs out goes to whoever asks, under a greater term; late commits are refused, and so is a late release", async () => {
    const [before] = await ask("a", { wants: PLACES.slice(0, 1) });
    now += 30_001;
    // Nobody has taken it.
    const { commit } = createLedger(database);
    const term = before?.held === true ? before.term : 0;
    const late = (text: string) => version("f", text, { lease: term, bearer: { id: "a", seesAll: false } });
    expect((await commit([late("one")], sign)).outcomes.map(word)).toEqual(["committed"]);
    const [after] = await ask("b", { wants: PLACES.slice(0, 1) });
    expect(after).toMatchObject({ held: true, term: now });
    expect((await commit([late("two")], sign)).outcomes.map(word)).toEqual(["lease-lost"]);
    const releases = [{ client: "acme", source: "pos", term }];
    expect(await ask("a", { wants: PLACES.slice(0, 1), releases })).toMatchObject([{ held: false }]);
    expect(await ask("b", { wants: PLACES.slice(0, 1) })).toEqual([after]);
  });

  test("terms grow also where the clock goes back, and the ledger is an older one", async () => {
    const [first] = await ask("a", { wants: PLACES.slice(0, 1) });
    now -= 3_600_000;
    const [second] = await ask("b", { wants: PLACES.slice(0, 1) });
    expect([first, second]).toMatchObject([{ term: T0 }, { held: true, term: T0 + 1 }]);
    await database.db.deleteFrom("leases").execute();
    now = T0 + 3_600_000;
    expect(await ask("a", { wants: PLACES.slice(0, 1) })).toMatchObject([{ held: true, term: now }]);
  });

  test("who comes later gets its part: the holder is told, releases, and stays even", async () => {
    expect(held(await ask("a"))).toHaveLength(4);
    expect(held(await ask("b"))).toEqual([]);
    now += 5000;
    const told = await ask("a");
    const over = told.flatMap((lease) => (lease.held && lease.handOver ? [lease] : []));
    expect(over).toHaveLength(2);
    expect(held(await ask("a", { releases: over }))).toHaveLength(2);
    expect(held(await ask("b"))).toEqual(over.map(({ source }) => source).sort(bySource));
    now += 5000;
    for (const id of ["a", "b"]) {
      const leases = await ask(id);
      expect(held(leases)).toHaveLength(2);
      expect(leases.some((lease) => lease.held && lease.handOver)).toBe(false);
    }
    const theirs = over.map(({ source }) => source).sort();
    const kept = PLACES.map(({ source }) => source).filter((source) => !theirs.includes(source));
    const listed = await listAgents(database.db, now);
    expect(listed.map(({ leases }) => leases.map(({ source }) => source))).toEqual([kept.sort(), theirs]);
    expect((await listAgents(database.db, now + 30_001)).flatMap(({ leases }) => leases)).toEqual([]);
  });

  test("what is released is free at once for whoever asks next, when it leaves", async () => {
    const leases = await ask("a");
    await ask("b");
    const releases = leases.flatMap((lease) => (lease.held ? [lease] : []));
    await ask("a", { wants: [], releases });
    expect(held(await ask("b"))).toHaveLength(4);
  });

  test("nothing is kept for an agent that was shut out", async () => {
    await ask("b", { wants: PLACES.slice(0, 2) });
    await database.db.updateTable("agents").set({ state: "revoked" }).where("id", "=", "b").execute();
    now += 1000;
    expect(held(await ask("a"))).toEqual(["crm", "hr"]);
    now += 29_001;
    expect(held(await ask("a"))).toHaveLength(4);
  });

  test("what nobody wants any more leaves nothing behind, however many names an agent makes up", async () => {
    const rows = async () =>
      (await database.db.selectFrom("leases").select("source").execute()).map(({ source }) => source).sort();
    await ask("b", { wants: PLACES.slice(0, 1) });
    for (let i = 0; i < 3; i += 1)
      await ask("a", { wants: [0, 1].map((n) => ({ client: "acme", source: `made-up-${i}-${n}` })) });
    expect(await rows()).toEqual(["made-up-2-0", "made-up-2-1", "pos"]);
    now += 3_600_000;
    expect(await ask("b", { wants: PLACES.slice(0, 1) })).toMatchObject([{ held: true, term: T0 }]);
    expect(await rows()).toHaveLength(3);
    now += 86_400_000;
    await ask("b", { wants: PLACES.slice(0, 1) });
    expect(await rows()).toEqual(["pos"]);
    const releases = [{ client: "acme", source: "pos", term: T0 }];
    await ask("b", { wants: [], releases });
    expect(await rows()).toEqual([]);
    expect(await ask("b", { wants: PLACES.slice(0, 1) })).toMatchObject([{ held: true, term: now }]);
  });

  test("a client that is not its own, or is suspended, is refused alone; an API key altogether", async () => {
    const wants = ["acme", "mill", "none"].map((client) => ({ client, source: "pos" }));
    expect(await ask("a", { wants }, { suspended: ["mill"] })).toMatchObject([
      { held: true },
      { held: false, holder: null, refused: "client-suspended" },
      { held: false, holder: null, refused: "client-not-allowed" },
    ]);
    expect(await database.db.selectFrom("leases").select("client").execute()).toEqual([{ client: "acme" }]);
    await expect(ask("a", { wants }, { kind: "key" })).rejects.toMatchObject({ code: "forbidden" });
  });

  test("of many that ask at once, through receivers of their own, one has each", async () => {
    const others = await Promise.all([open(), open()]);
    for (let round = 0; round < 10; round += 1) {
      now += 31_000;
      const answers = await Promise.all(
        ["a", "b", "a", "b"].map((id, i) => ask(id, {}, { over: others[i % 2] as LedgerDatabase })),
      );
      const rows = await database.db.selectFrom("leases").selectAll().execute();
      for (const { source, agent_id } of rows) {
        const told = answers.flatMap((leases, i) =>
          leases.some((lease) => lease.held && lease.source === source) ? [i % 2 === 0 ? "a" : "b"] : [],
        );
        expect([...new Set(told)], source).toEqual([agent_id]);
      }
      expect(rows.filter(({ agent_id }) => agent_id !== null).length).toBeGreaterThanOrEqual(3);
    }
  });

  test("what is committed under a term is there before anybody else has the lease", async () => {
    const other = await open();
    const { commit } = createLedger(database);
    for (let round = 0; round < 20; round += 1) {
      now += 31_000;
      const [mine] = await ask("a", { wants: PLACES.slice(0, 1) });
      if (mine?.held !== true) throw new Error("it was free");
      now += 31_000;
      const capture = version(`f${round}`, "x", { lease: mine.term, bearer: { id: "a", seesAll: false } });
      const looked = ask("b", { wants: PLACES.slice(0, 1) }, { over: other }).then(async ([theirs]) => {
        expect(theirs?.held).toBe(true);
        return await other.db
          .selectFrom("entries")
          .select("version_id")
          .where("capture_id", "=", capture.captureId)
          .execute();
      });
      const [committed, seen] = await Promise.all([commit([capture], sign), looked]);
      expect(seen).toHaveLength(word(committed.outcomes[0]) === "committed" ? 1 : 0);
    }
  });
}

const bySource = (a: string, b: string): number =>
  PLACES.findIndex(({ source }) => source === a) - PLACES.findIndex(({ source }) => source === b);
