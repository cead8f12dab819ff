/** Backups and rebuilds: what comes back is what was there, whole, or nothing. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { backup, type KeptTable, TABLE_KEYS } from "./backup.ts";
import { addClient, clientState, listClients, setLimits, setQuotas } from "./clients.ts";
import { createLedger } from "./commit.ts";
import { committing, type LedgerDatabase, writing } from "./database.ts";
import { gapsOf } from "./gaps.ts";
import { createHistory } from "./history.ts";
import type { Place } from "./ledger.contract.ts";
import type { Capture } from "./ledger.ts";
import { bearerStates, writeBearerLimits } from "./limits.ts";
import { type RebuildLine, rebuild } from "./rebuild.ts";
import { restore } from "./restore.ts";
import { again, removal, sign, version, word } from "./samples.ts";
import type { Tables } from "./schema.ts";
import { createSegments } from "./segments.ts";

/**
 * `newPlace` is for the ledger that is saved, `newTarget` for the one that it comes back into: when that is another
 * database, only the whole way there is tested, the rest is the same.
 */
export function backupContract(
  newPlace: () => Promise<Place>,
  newTarget: () => Promise<Place> = newPlace,
): void {
  let folder: string;
  let database: LedgerDatabase;
  let target: LedgerDatabase;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "tributary-backup-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    database = await (await newPlace())();
    target = await (await newTarget())();
    await addClient(database.db, "acme");
  });

  const commit = async (to: LedgerDatabase, ...captures: Capture[]) =>
    (await createLedger(to).commit(captures, sign)).outcomes;
  const history = async (of: LedgerDatabase) => await createHistory(of.db).since(0, 10_000);
  const latest = async (of: LedgerDatabase) =>
    (await createHistory(of.db).page({ clients: "all", latest: true, limit: 10_000 })).entries;
  const rows = async (of: LedgerDatabase, table: KeptTable) => {
    const all = await of.db.selectFrom(table).selectAll().execute();
    const key = (row: object) => JSON.stringify(TABLE_KEYS[table].map((name) => row[name as never]));
    return all.sort((a, b) => (key(a) < key(b) ? -1 : 1));
  };
  const lines = async function* (of: LedgerDatabase): AsyncGenerator<RebuildLine> {
    for await (const { id: segmentId, date, lines } of createSegments(of).unwritten(0))
      for (const line of lines) yield { ...line, segmentId, date };
  };
  const listOf = async function* <T>(items: readonly T[]): AsyncGenerator<T> {
    yield* items;
  };
  const addWebhook = async (to: LedgerDatabase, id: string, begins_after: number, cursor_seq: number) => {
    const { epoch } = await createHistory(to.db).position();
    const started = {
      created_at: 1,
      generation: 0,
      failures: 0,
      paused_until: 0,
      leased_until: 5,
      lease: "me",
    };
    await to.db
      .insertInto("webhooks")
      .values({
        id,
        url: "https://a.example/",
        secret: "closed",
        epoch,
        begins_after,
        cursor_seq,
        ...started,
      })
      .execute();
    await to.db
      .insertInto("webhook_events")
      .values({ webhook: id, version_id: "v", seq: 1, tries: 3, tried_at: 5, due_at: null, failure: "500" })
      .execute();
  };
  const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => await Array.fromAsync(items);

  describe("backup and restore", () => {
    const fill = async (): Promise<void> => {
      await addClient(database.db, "other");
      await setQuotas(database.db, "acme", { stored: 2 ** 45, file: 5 });
      await setLimits(database.db, "acme", { requests: { count: 5, perMs: 1000 } });
      await writing(database.db, (trx) => writeBearerLimits(trx, "key-1", { day: 5, uploads: 2 }));
      const a = version("f", "A");
      await commit(
        database,
        a,
        version("f", "A"),
        version("g\u00e4/%FF", "B"),
        removal("f"),
        removal("none"),
      );
      await commit(database, version("infected", "X", { finding: "Eicar" }));
      for (let i = 0; i < 3; i += 1)
        await commit(database, ...Array.from({ length: 700 }, (_, n) => version(`many/${i}/${n}`, "x")));
      await database.db
        .insertInto("agents")
        .values({
          id: "agent-1",
          name: "till",
          public_key: "x",
          state: "active",
          created_at: 1,
          host: "h\n",
          platform: "linux",
          version: "1",
          nonce: "n2",
          nonce_previous: "n1",
          last_seen_at: null,
          status: '{"a":"\u{1F600}"}',
          paused_at: 2 ** 41,
          paused_by: "anna",
        })
        .execute();
      await addWebhook(database, "hook", 2, 7);
      const account: Omit<Tables["sftp_accounts"], "id"> = {
        ...{ user_name: "till", client: "acme", source: null, default_source: "sftp" },
        access: "write",
        removals: "record",
        ...{ history: 0, receipts: 1, password_hash: "$argon2id$", created_at: 1 },
        ...{ revoked_at: null, last_login_at: 2 ** 41, last_login_from: "::1" },
      };
      await database.db
        .insertInto("sftp_accounts")
        .values([
          { id: "a", ...account },
          { id: "b", ...account, revoked_at: 5, history: 1 },
        ])
        .execute();
      await database.db
        .insertInto("sftp_keys")
        .values(
          ["SHA256:1", "SHA256:2"].map((fingerprint) => ({
            ...{ account_id: "a", fingerprint, public_key: "AAAA", comment: "till \u{1F600}" },
          })),
        )
        .execute();
      const times = { created_at: 1, updated_at: 2 ** 41 };
      await database.db
        .insertInto("people")
        .values({
          ...{ id: "p", email: "ada@example.com", email_verified: 1, name: "\u{1F600}", role: "uploader" },
          ...{ client: "acme", totp_enabled: null, disabled_at: null, last_login_at: 2 ** 41, ...times },
        })
        .execute();
      await database.db
        .insertInto("people_accounts")
        .values({
          ...{ id: "a", person: "p", provider: "credential", subject: "p", password_hash: "$argon2id$" },
          ...{ scope: null, ...times },
        })
        .execute();
      await database.db
        .insertInto("people_totp")
        .values({
          ...{ id: "t", person: "p", secret: "closed", backup_codes: "closed", verified: 1 },
          ...{ failures: 0, locked_until: null },
        })
        .execute();
      await database.db
        .insertInto("people_passkeys")
        .values({
          ...{ id: "k", person: "p", name: null, credential_id: "c", public_key: "k", counter: 2 ** 31 },
          ...{ device_type: "multiDevice", backed_up: 1, transports: "usb", aaguid: null, created_at: 5 },
        })
        .execute();
      const link: Omit<Tables["people_invitations"], "secret_hash" | "used_at"> = {
        ...{ kind: "reset", email: null, name: null, role: "viewer", client: null, person: "p" },
        ...{ second_factor: 0, made_by: null, created_at: 1, expires_at: 2 },
      };
      await database.db
        .insertInto("people_invitations")
        .values([
          { secret_hash: "used", ...link, used_at: 5 },
          { secret_hash: "open", ...link, used_at: null },
        ])
        .execute();
      await database.db
        .insertInto("people_sessions")
        .values({
          ...{ id: "s", person: "p", token: "t", how: "passkey", address: "::1", device: null },
          ...{ created_at: 1, used_at: 2, expires_at: 2 ** 41 },
        })
        .execute();
      await database.db.insertInto("agent_clients").values({ agent_id: "agent-1", client: "acme" }).execute();
      await database.db
        .insertInto("leases")
        .values({ client: "acme", source: "pos", agent_id: "agent-1", term: 2 ** 41, until: 5 })
        .execute();
      await database.db
        .insertInto("lease_wants")
        .values({ agent_id: "agent-1", heard_at: 2 ** 41, wants: '[["acme","pos"]]' })
        .execute();
      await database.db
        .insertInto("upload_parts")
        .values([1, 2, 10].map((number) => ({ upload_id: "u", number, size: 1, sha256: "s", tag: "t" })))
        .execute();
    };

    test("everything comes back, with a new epoch and without nonces", async () => {
      await fill();
      const file = join(folder, "ledger.backup");
      const written = await backup(database.db, file);
      expect(written.entries).toBe(2103);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(readdirSync(folder)).toEqual(["ledger.backup"]);
      await restore(target, file);
      for (const table of Object.keys(TABLE_KEYS) as KeptTable[]) {
        if (["site", "agents", "webhooks", "leases", "people_sessions", "people_invitations"].includes(table))
          continue;
        expect([table, await rows(target, table)]).toEqual([table, await rows(database, table)]);
      }
      expect(await rows(target, "people_sessions")).toEqual([]);
      expect(await rows(target, "people_invitations")).toEqual(
        (await rows(database, "people_invitations")).filter(
          (link) => "used_at" in link && link.used_at === 5,
        ),
      );
      // Whoever held one then may have lost it since.
      expect(await rows(target, "leases")).toEqual(
        (await rows(database, "leases")).map((lease) => ({ ...lease, agent_id: null })),
      );
      const [agent] = await target.db.selectFrom("agents").selectAll().execute();
      expect(agent).toMatchObject({
        host: "h\n",
        status: '{"a":"\u{1F600}"}',
        nonce: null,
        nonce_previous: null,
        paused_at: 2 ** 41,
        paused_by: "anna",
      });
      const [before, after] = [
        await createHistory(database.db).position(),
        await createHistory(target.db).position(),
      ];
      const webhooks = await database.db.selectFrom("webhooks").selectAll().execute();
      expect(await target.db.selectFrom("webhooks").selectAll().execute()).toEqual(
        webhooks.map((webhook) => ({ ...webhook, epoch: after.epoch, lease: null, leased_until: 0 })),
      );
      expect(after.seq).toBe(before.seq);
      expect(after.epoch).not.toBe(before.epoch);
      expect((await commit(target, version("next", "N"))).map(word)).toEqual(["committed"]);
      expect((await createHistory(target.db).position()).seq).toBe(before.seq + 1);
    });

    if (newTarget !== newPlace) return;

    test("a backup is one picture, although commits go on beside it", async () => {
      const other = await addOpening();
      await commit(database, ...Array.from({ length: 1500 }, (_, i) => version(`before/${i}`, "x")));
      const file = join(folder, "b");
      let during = 0;
      await backup(database.db, file, async () => {
        during += 1;
        await commit(other, version(`during/${during}`, "x"));
      });
      expect(during).toBeGreaterThan(1);
      await restore(target, file);
      const saved = await history(target);
      const { seq } = await createHistory(target.db).position();
      expect(saved.map((line) => line.seq)).toEqual(Array.from({ length: seq }, (_, i) => i + 1));
      expect(await latest(target)).toHaveLength(saved.length);
    });

    let opening: Place;
    const addOpening = async (): Promise<LedgerDatabase> => {
      opening = await newPlace();
      database = await opening();
      await addClient(database.db, "acme");
      return await opening();
    };

    test("restore refuses a ledger that has clients or entries", async () => {
      const file = join(folder, "b");
      await backup(database.db, file);
      await expect(restore(database, file)).rejects.toMatchObject({ code: "ledger-refused" });
    });

    test("restore refuses while a receiver runs", async () => {
      const file = join(folder, "b");
      await backup(database.db, file);
      const serving = await target.siteLock.share(() => {});
      await expect(restore(target, file)).rejects.toMatchObject({ code: "ledger-refused" });
      await serving.release();
      await restore(target, file);
      expect((await listClients(target.db)).map((client) => client.name)).toEqual(["acme"]);
    });

    test("a backup that is not whole is refused, and leaves the ledger empty", async () => {
      await commit(database, ...Array.from({ length: 30 }, (_, i) => version(`f/${i}`, `${i}`)));
      const good = join(folder, "good");
      await backup(database.db, good);
      const packed = readFileSync(good);
      const text = gunzipSync(packed).toString();
      const all = text.trimEnd().split("\n");
      const without = (index: number): string[] => all.filter((_, i) => i !== index);
      const broken: Record<string, Buffer> = {
        "cut in the middle": packed.subarray(0, packed.length / 2),
        "its end lost": packed.subarray(0, packed.length - 4),
        empty: Buffer.alloc(0),
        "not gzip": Buffer.from(text),
        "last line lost": gzipSync(`${without(all.length - 1).join("\n")}\n`),
        "a row lost": gzipSync(`${without(10).join("\n")}\n`),
        "a row altered": gzipSync(text.replace('"pos"', '"pot"')),
        "more after the end": gzipSync(`${text}["clients",{"name":"x","created_at":1}]\n`),
        "another format": gzipSync(text.replace("tributary-ledger", "something")),
        "a newer schema": gzipSync(text.replace(/"schema":\d+/, '"schema":9999')),
        "no JSON": gzipSync(text.replace("[", "(")),
      };
      const epoch = await createHistory(target.db).position();
      for (const [what, bytes] of Object.entries(broken)) {
        const file = join(folder, "broken");
        writeFileSync(file, bytes);
        const refused = await restore(target, file).catch((error: unknown) => error);
        expect([what, refused]).toEqual([what, expect.objectContaining({ code: "backup-invalid" })]);
        expect([what, await history(target), await listClients(target.db)]).toEqual([what, [], []]);
      }
      await expect(restore(target, join(folder, "none"))).rejects.toMatchObject({ code: "backup-invalid" });
      expect(await createHistory(target.db).position()).toEqual(epoch);
      await restore(target, good);
      expect(await history(target)).toHaveLength(30);
    });

    test("a backup that fails leaves no file", async () => {
      const code = "backup-invalid";
      const refused = async (at: string, why: RegExp): Promise<void> =>
        await expect(backup(database.db, at)).rejects.toMatchObject({
          code,
          message: expect.stringMatching(why),
        });
      await refused(join(folder, "none", "b"), /there is no folder .*none .*make it first/);
      await refused(folder, /is no file; name a file, such as/);
      writeFileSync(join(folder, "letter"), "Dear all");
      await refused(join(folder, "letter"), /letter is there already, and is no backup/);
      expect(readFileSync(join(folder, "letter"), "utf8")).toBe("Dear all");
      expect(readdirSync(folder)).toEqual(["letter"]);
    });
  });

  if (newTarget !== newPlace) return;

  describe("rebuild", () => {
    test("entries, heads, usage, clients and segments come back from the manifest", async () => {
      await addClient(database.db, "other");
      await commit(database, version("f", "A"), version("g", "GG"), version("f", "A", { client: "other" }));
      await commit(database, removal("f"), version("g", "GGG"));
      const told = await rebuild(target, lines(database), { merge: false });
      expect(told).toEqual({ added: 5, kept: 0, renumbered: 0, duplicates: 0, gaps: [] });
      expect(await history(target)).toEqual(await history(database));
      expect(await latest(target)).toEqual(await latest(database));
      for (const table of ["heads", "usage"] as const)
        expect([table, await rows(target, table)]).toEqual([table, await rows(database, table)]);
      expect((await listClients(target.db)).map((client) => client.name)).toEqual(["acme", "other"]);
      expect(await clientState(target.db, "acme")).toMatchObject({ storedBytes: 6, dayBytes: 6 });
      expect(await bearerStates(target.db, "all")).toEqual(await bearerStates(database.db, "all"));
      expect(await collect(createSegments(target).unwritten(0))).toEqual([]);
      expect(await rows(target, "segments")).toHaveLength(2);
      const [before, after] = [
        await createHistory(database.db).position(),
        await createHistory(target.db).position(),
      ];
      expect(after).toEqual({ seq: before.seq, epoch: expect.not.stringMatching(before.epoch) });
      const known = again(version("g", "GGG"));
      expect((await commit(target, known)).map(word)).toEqual(["unchanged"]);
    });

    test("an empty lake gives an empty ledger with a new epoch", async () => {
      const { epoch } = await createHistory(target.db).position();
      await rebuild(target, listOf([]), { merge: false });
      expect((await createHistory(target.db).position()).epoch).not.toBe(epoch);
    });

    test("refused: entries there and no merge; a receiver that runs; a line that is none", async () => {
      await commit(database, version("f", "A"));
      const all = await collect(lines(database));
      await expect(rebuild(database, listOf(all), { merge: false })).rejects.toMatchObject({
        code: "ledger-refused",
      });
      const serving = await target.siteLock.share(() => {});
      await expect(rebuild(target, listOf(all), { merge: false })).rejects.toMatchObject({
        code: "ledger-refused",
      });
      await serving.release();
      const bad = { ...all[0], size: -1 } as RebuildLine;
      await expect(rebuild(target, listOf([...all, bad]), { merge: false })).rejects.toMatchObject({
        code: "ledger-refused",
        message: expect.stringContaining(bad.segmentId),
      });
      expect(await history(target)).toEqual([]);
    });

    test("merge joins an old backup with the newer lake", async () => {
      await commit(database, version("f", "A"), version("g", "G"));
      await setQuotas(database.db, "acme", { day: 100 });
      const file = join(folder, "b");
      await backup(database.db, file);
      await commit(database, version("f", "B"), removal("g"));
      await restore(target, file);
      const told = await rebuild(target, lines(database), { merge: true });
      expect(told).toEqual({ added: 2, kept: 2, renumbered: 0, duplicates: 0, gaps: [] });
      expect(await history(target)).toEqual(await history(database));
      expect(await latest(target)).toEqual(await latest(database));
      expect((await clientState(target.db, "acme"))?.quotas.day).toBe(100);
      expect(await rebuild(target, lines(database), { merge: true })).toMatchObject({ added: 0, kept: 4 });
    });

    test("merge after commits went on: a taken seq moves to the end, the newest stays the newest", async () => {
      await commit(database, version("f", "A"));
      const file = join(folder, "b");
      await backup(database.db, file);
      const [resent, other] = [version("resent", "R"), version("twice", "1")];
      const lost = [version("f", "lost"), version("g", "lost"), resent, other];
      await commit(database, ...lost);
      await restore(target, file);
      const kept = version("f", "newer");
      const reused = version("twice", "2", { captureId: other.captureId });
      await commit(target, kept, again(resent), reused);
      const own = await history(target);
      const told = await rebuild(target, lines(database), { merge: true });
      expect(told).toEqual({ added: 3, kept: 1, renumbered: 2, duplicates: 1, gaps: [] });
      const after = await history(target);
      expect(after.slice(0, own.length)).toEqual(own);
      expect(new Set(after.map((line) => line.seq)).size).toBe(7);
      expect((await createHistory(target.db).position()).seq).toBe(after.at(-1)?.seq);
      expect(
        new Map((await latest(target)).map((entry) => [entry.pathEncoded, entry.versionId] as const)),
      ).toEqual(
        new Map([
          ["f", kept.versionId],
          ["g", lost[1]?.versionId],
          ["resent", own.find((line) => line.pathEncoded === "resent")?.versionId],
          ["twice", reused.versionId],
        ]),
      );
      const now = new Date(Date.parse(after[3]?.receivedAt ?? "") + 60_000).toISOString();
      const asOf = await createHistory(target.db).page({
        clients: "all",
        latest: true,
        asOf: now,
        limit: 100,
      });
      expect(asOf.entries).toEqual(await latest(target));
      expect((await commit(target, version("f", "newer", { key: null }))).map(word)).toEqual(["unchanged"]);
    });

    test("a webhook goes on before what came back behind its place, and tells nothing from before its begin", async () => {
      for (const path of ["a", "b", "c", "d", "e"]) await commit(database, version(path, path));
      const all = await collect(lines(database));
      await rebuild(target, listOf(all.filter(({ seq }) => seq !== 3)), { merge: false });
      for (const [id, begins, cursor] of [
        ["from-0", 0, 5],
        ["from-4", 4, 5],
        ["behind", 0, 1],
      ] as const)
        await addWebhook(target, id, begins, cursor);
      await rebuild(target, listOf(all), { merge: true });
      const { epoch } = await createHistory(target.db).position();
      const told = await target.db.selectFrom("webhooks").select(["id", "cursor_seq", "epoch"]).execute();
      expect(new Set(told)).toEqual(
        new Set([
          { id: "from-0", cursor_seq: 2, epoch },
          { id: "from-4", cursor_seq: 4, epoch },
          { id: "behind", cursor_seq: 1, epoch },
        ]),
      );
      await rebuild(target, listOf(all), { merge: true });
      expect(await target.db.selectFrom("webhooks").select("cursor_seq").orderBy("id").execute()).toEqual(
        [1, 2, 4].map((cursor_seq) => ({ cursor_seq })),
      );
    });

    test("places that no line has are told; a merge with the missing segment fills them", async () => {
      for (const [i, count] of [2, 1, 3, 2].entries())
        await commit(database, ...Array.from({ length: count }, (_, n) => version(`${i}/${n}`, "x")));
      const all = await collect(lines(database));
      const told = await rebuild(target, listOf(all.filter(({ seq }) => ![1, 2, 4, 5, 6].includes(seq))), {
        merge: false,
      });
      expect(told).toMatchObject({
        added: 3,
        gaps: [
          { from: 1, to: 2 },
          { from: 4, to: 6 },
        ],
      });
      const some = listOf(all.filter(({ seq }) => seq !== 5));
      expect((await rebuild(target, some, { merge: true })).gaps).toEqual([{ from: 5, to: 5 }]);
      expect((await rebuild(target, listOf(all), { merge: true })).gaps).toEqual([]);
      expect(await history(target)).toEqual(await history(database));
    });

    test("a commit that is rolled back takes no place", async () => {
      const fails = () => {
        throw new Error("no key");
      };
      await commit(database, version("f", "A"));
      await expect(createLedger(database).commit([version("g", "G")], fails)).rejects.toThrow("no key");
      await expect(
        committing(database, async (trx) => {
          await trx.updateTable("site").set({ last_seq: 7 }).execute();
          throw new Error("the connection broke");
        }),
      ).rejects.toThrow("broke");
      await commit(database, version("g", "G"), version("f", "A"), version("h", "H"));
      expect((await history(database)).map(({ seq }) => seq)).toEqual([1, 2, 3]);
      expect((await gapsOf(database.db)).left).toEqual([]);
    });

    test("new places that a merge gave are in the manifest: no later rebuild takes them for lost", async () => {
      await commit(database, version("f", "A"));
      const file = join(folder, "b");
      await backup(database.db, file);
      await commit(database, version("g", "lost"), version("h", "lost"));
      await restore(target, file);
      await commit(target, version("i", "newer"), version("j", "newer"));
      const manifest = [...(await collect(lines(database))), ...(await collect(lines(target)))];
      await createSegments(target).markWritten(manifest.map(({ segmentId }) => segmentId));
      expect(await rebuild(target, listOf(manifest), { merge: true })).toMatchObject({ renumbered: 2 });
      const moved = await collect(lines(target));
      expect(moved.map(({ seq, pathEncoded }) => [seq, pathEncoded])).toEqual([
        [4, "g"],
        [5, "h"],
      ]);
      await commit(target, version("k", "last"));
      const last = (await collect(lines(target))).filter(({ seq }) => seq > 5);
      const inLake = [...manifest, ...moved, ...last];
      expect((await rebuild(target, listOf(inLake), { merge: true })).gaps).toEqual([]);
      const fresh = await (await newTarget())();
      const told = await rebuild(fresh, listOf(inLake), { merge: false });
      expect(told).toMatchObject({ added: 6, renumbered: 2, gaps: [] });
      inLake.push(...(await collect(lines(fresh))));
      const next = await (await newTarget())();
      const once = await rebuild(next, listOf(inLake), { merge: false });
      expect(once).toMatchObject({ added: 6, renumbered: 0, gaps: [] });
      expect(await history(next)).toEqual(await history(fresh));
    });

    test("more lines than one statement takes", async () => {
      const many = Array.from({ length: 2300 }, (_, i) => version(`m/${i}`, `${i}`));
      await commit(database, ...many);
      await rebuild(target, lines(database), { merge: false });
      expect(await history(target)).toEqual(await history(database));
    });
  });
}
