/** What the search finds: the same on every ledger, and the same as looking at each path. */
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodePath, displayPath, encodePath } from "@tributary/shared/path.ts";
import { keyThumbprint, signReceipt } from "@tributary/shared/receipt.ts";
import fc from "fast-check";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { backup } from "../ledger/backup.ts";
import { addClient } from "../ledger/clients.ts";
import { createLedger } from "../ledger/commit.ts";
import type { LedgerDatabase } from "../ledger/database.ts";
import type { Capture, SignReceipt } from "../ledger/ledger.ts";
import { rebuild } from "../ledger/rebuild.ts";
import { restore } from "../ledger/restore.ts";
import { digest, removal, sign, version } from "../ledger/samples.ts";
import { findByDigest } from "./digests.ts";
import { type FileQuery, searchFiles } from "./files.ts";
import { catchUpSearch } from "./follow.ts";
import { withSearch } from "./schema.ts";
import { findAnything, findFiles } from "./search.ts";

const encode = (text: string): string => encodePath(Buffer.from(text));

/** As fold.ts says it, by regular expressions. */
function naively(pathEncoded: string, typed: string): boolean {
  const unmarked = (text: string) =>
    text
      .normalize("NFKD")
      .replaceAll(/[\u0300-\u036f]/g, "")
      .normalize("NFC");
  const lower = (text: string) => text.toLowerCase().replaceAll("ς", "σ");
  const cased = unmarked(displayPath(decodePath(pathEncoded)));
  const path = lower(cased);
  const cjk = "\\p{scx=Hani}\\p{scx=Hira}\\p{scx=Kana}";
  const [digit, letter] = ["\\p{Nd}", `(?![${cjk}])[\\p{L}\\p{M}]`];
  const meeting = new RegExp(`(?<=${digit})(?=${letter})|(?<=(?:${letter}))(?=${digit})`, "gu");
  const beside = new RegExp(`(?=[${cjk}])|(?<=[${cjk}])`, "gu");
  const capital = /(?<=\p{Ll}\p{Ll})(?=\p{Lu})|(?<=[\p{Ll}\p{Lu}])(?=\p{Lu}\p{Ll}\p{Ll})/gu;
  const starts = new Set<number>();
  for (const { index, 0: run } of path.matchAll(/[\p{L}\p{M}\p{N}]+/gu)) {
    const within = cased.slice(index, index + run.length);
    const places = [
      ...[...run.matchAll(meeting)].slice(0, 3),
      ...run.matchAll(beside),
      ...[...within.matchAll(capital)].slice(0, 6),
    ];
    for (const at of [0, ...places.map((place) => place.index)]) starts.add(index + at);
  }
  const terms = lower(unmarked(typed))
    .split(/\s+/)
    .filter((term) => term !== "");
  return (
    terms.length > 0 &&
    terms.every((term) => {
      for (let at = path.indexOf(term); at !== -1; at = path.indexOf(term, at + 1))
        if (!/^[\p{L}\p{M}\p{N}]/u.test(term) || starts.has(at)) return true;
      return false;
    })
  );
}

const piece = fc.constantFrom(
  ...["sales", "SALES", "sale", "store12", "12", "2024", "2024-05", "x9y8z7w6v5", "ä", "A\u0308", "Müller"],
  ...[
    "wholesales",
    "ΣΑΣ",
    "σας",
    ".csv",
    ".CSV",
    "_",
    "-",
    " ",
    "(",
    "%",
    "日本語",
    "本",
    "ﬁle",
    "a".repeat(30),
  ],
  ...["SalesReport", "Report", "HR", "XMLFile", "İx", "café", "cafe", "aBcDeFgHiJkLmNoPq"],
);
const path = fc
  .array(fc.array(piece, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 })
  .map((segments) => encode(segments.map((some) => some.join("")).join("/")));
const typed = fc
  .array(
    fc.oneof(
      piece,
      piece.map((text) => text.slice(0, 3)),
      fc.tuple(piece, piece).map((two) => two.join("")),
    ),
    {
      minLength: 1,
      maxLength: 3,
    },
  )
  .map((some) => some.join(" "));

export function searchContract(
  newPlace: () => Promise<() => Promise<LedgerDatabase>>,
  numRuns: number,
): void {
  let place: () => Promise<LedgerDatabase>;
  let database: LedgerDatabase;
  beforeEach(async () => {
    place = await newPlace();
    database = await place();
    for (const name of ["acme", "other"]) await addClient(database.db, name);
  });
  const commit = async (...captures: Capture[]): Promise<void> => {
    await createLedger(database).commit(captures, sign);
  };
  /** Page by page, to the end. */
  const found = async (text: string, more: Partial<FileQuery> = {}, withinMs?: number): Promise<string[]> => {
    const paths: string[] = [];
    await catchUpSearch(database.db);
    for (let after: string | undefined; ; ) {
      const query: FileQuery = { text, limit: 50, ...more, after };
      const { files, next, searched } = await searchFiles(withSearch(database.db), query, withinMs);
      expect(files.length).toBeLessThanOrEqual(query.limit);
      expect(searched).toBeGreaterThanOrEqual(0);
      paths.push(...files.map(({ pathEncoded }) => pathEncoded));
      if (next === undefined) return paths;
      after = next;
    }
  };

  test("random paths are found by what was typed as by looking at each", { timeout: 240_000 }, async () => {
    let hits = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(path, { maxLength: 30 }),
        fc.array(typed, { minLength: 1, maxLength: 8 }),
        async (paths, queries) => {
          database = await (await newPlace())();
          await addClient(database.db, "acme");
          for (const [i, one] of paths.entries())
            await commit(
              version(one, "x", { source: i % 3 ? "pos" : "erp" }),
              ...(i % 4 ? [] : [version(one, "y", { source: "erp" })]),
            );
          for (const [i, text] of queries.entries()) {
            const all = (await found(text, { limit: 1 + (i % 3) })).sort();
            // Some are in both sources.
            const expected = paths.flatMap((one, n) => (n % 3 !== 0 && n % 4 === 0 ? [one, one] : [one]));
            expect(all).toEqual(expected.filter((one) => naively(one, text)).sort());
            hits += all.length;
          }
          await database.close();
        },
      ),
      // The first finds something whatever the others draw.
      { numRuns, examples: [[["sales/2026-05.csv", "other.csv"], ["sales"]]] },
    );
    expect(hits).toBeGreaterThan(0);
  });

  describe("a file", () => {
    test("is found once, newest paths first, as it is now", async () => {
      const capture = version("a/sales-2.csv", "newest");
      await commit(version("a/sales-1.csv", "1"), version("a/sales-2.csv", "2"), version("b/hr.csv", "3"));
      await commit(removal("a/sales-1.csv"), capture);
      const { files, next, behind, searched } = await findFiles(database.db, { text: "sales csv", limit: 9 });
      expect([next, behind, searched]).toEqual([undefined, 0, 1]);
      expect(files).toEqual([
        {
          ...{ kind: "file", client: "acme", source: "pos", pathEncoded: "a/sales-2.csv", seq: 5, size: 6 },
          ...{ versionId: capture.versionId, sha256: capture.sha256, modifiedAt: capture.modifiedAt },
          ...{ receivedAt: expect.stringMatching(/^2\d{3}-/), versions: 2 },
        },
        expect.objectContaining({ kind: "removed", pathEncoded: "a/sales-1.csv", size: null, versions: 1 }),
      ]);
    });

    test("is found by what can be read of a name that is not UTF-8, on one line though it has several", async () => {
      await commit(version("d/%FFumsatz%FE-2024%0Aa.csv", "1"), version("d/umsatz", "2"));
      expect(await found("umsatz 2024")).toEqual(["d/%FFumsatz%FE-2024%0Aa.csv"]);
      expect(await found("a.csv")).toEqual(["d/%FFumsatz%FE-2024%0Aa.csv"]);
      expect(await found("umsatz")).toHaveLength(2);
    });

    test("is found by the words of its name, however it is written", async () => {
      const names = [
        "SalesReport.csv",
        "月次報告.csv",
        "İstanbul.csv",
        "café.csv",
        "report.csv",
        "b\u0002SalesReport",
      ];
      await commit(...names.map((name) => version(encode(name), name)));
      const shown = async (text: string) => (await found(text)).map((one) => String(decodePath(one)));
      expect(await shown("report")).toEqual(["b\u0002SalesReport", "report.csv", "SalesReport.csv"]);
      expect(await shown("salesreport.csv")).toEqual(["SalesReport.csv"]);
      expect(await shown("報告")).toEqual(["月次報告.csv"]);
      for (const text of ["istanbul", "İstanbul", "ISTANBUL"])
        expect(await shown(text)).toEqual(["İstanbul.csv"]);
      for (const text of ["cafe", "café", "cafe\u0301.csv"]) expect(await shown(text)).toEqual(["café.csv"]);
      // What stands beside a path in its block is no part of it.
      for (const text of ["5", "1", ",", "\u0002", "2,"]) expect(await shown(text)).toEqual([]);
    });

    test("is found within a client, and within a source of it", async () => {
      await commit(
        version("one.csv", "1"),
        version("one.csv", "2", { source: "erp" }),
        version("one.csv", "3", { client: "other" }),
      );
      const where = async (more: Partial<FileQuery>) => {
        const { files } = await findFiles(database.db, { text: "one", limit: 9, ...more });
        return files.map(({ client, source }) => `${client}/${source}`).sort();
      };
      expect(await where({})).toEqual(["acme/erp", "acme/pos", "other/pos"]);
      expect(await where({ client: "acme" })).toEqual(["acme/erp", "acme/pos"]);
      expect(await where({ client: "acme", source: "erp" })).toEqual(["acme/erp"]);
      expect(await where({ client: "nobody" })).toEqual([]);
    });

    test("of very many is found in pages, however little time each has", { timeout: 60_000 }, async () => {
      const paths = Array.from(
        { length: 9000 },
        (_, i) => `d${i % 10}/file-${i}${i % 900 ? "" : "-rare"}.csv`,
      );
      for (let from = 0; from < paths.length; from += 1000)
        await commit(...paths.slice(from, from + 1000).map((one) => version(one, "x")));
      for (const withinMs of [0, 1000]) {
        expect((await found("csv file d3", { limit: 100 }, withinMs)).sort()).toEqual(
          paths.filter((one) => one.startsWith("d3/")).sort(),
        );
        expect((await found("rare", { limit: 3 }, withinMs)).sort()).toEqual(
          paths.filter((one) => one.includes("rare")).sort(),
        );
        expect(await found("file csv nowhere", {}, withinMs)).toEqual([]);
        expect(await found("d1 d2", {}, withinMs)).toEqual([]);
      }
      const first = await searchFiles(withSearch(database.db), { text: "d1 d2", limit: 9 }, 0);
      expect(first).toMatchObject({ files: [], next: expect.any(String) });
      expect(first.searched).toBeGreaterThan(0);
      await expect(findFiles(database.db, { text: "d1", limit: 9, after: "x" })).rejects.toMatchObject({
        code: "request-invalid",
      });
    });
  });

  describe("the tail", () => {
    test("says how far behind it is, and is shared by all receivers", { timeout: 60_000 }, async () => {
      const elsewhere = await place();
      for (let i = 0; i < 8; i += 1)
        await commit(...Array.from({ length: 500 }, (_, j) => version(`d${j % 3}/f-${i}-${j}`, "x")));
      await catchUpSearch(database.db, { withinMs: 0 });
      await Promise.all([
        catchUpSearch(database.db),
        catchUpSearch(elsewhere.db),
        catchUpSearch(elsewhere.db),
      ]);
      const { sum } = await withSearch(database.db)
        .selectFrom("search_blocks")
        .select((eb) => eb.fn.sum<number>("count").as("sum"))
        .executeTakeFirstOrThrow();
      expect(Number(sum)).toBe(4000);
      expect(await found("f", { limit: 1000 })).toHaveLength(4000);
      const stopped = AbortSignal.abort();
      await commit(version("late", "x"));
      await catchUpSearch(database.db, { stopping: stopped });
      expect(await findFiles(database.db, { text: "late", limit: 9 })).toMatchObject({
        files: [{ seq: 4001 }],
      });
    });

    test("begins anew after a rebuild and a restore", async () => {
      await commit(version("a/sales", "1"));
      expect(await found("sales")).toEqual(["a/sales"]);
      await rebuild(database, (async function* () {})(), { merge: true });
      const state = await withSearch(database.db).selectFrom("search_state").selectAll().execute();
      expect(state).toEqual([{ id: 1, seq: 0 }]);
      expect(await found("sales")).toEqual(["a/sales"]);
      const folder = mkdtempSync(join(tmpdir(), "tributary-search-"));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      await backup(database.db, join(folder, "backup"));
      database = await (await newPlace())();
      await restore(database, join(folder, "backup"));
      expect(await found("sales")).toEqual(["a/sales"]);
    });
  });

  describe("the box", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const { x } = publicKey.export({ format: "jwk" }) as { x: string };
    const kid = keyThumbprint(x);
    const iss = "0b8f2f0a-6a5e-4a5e-9c1f-1f2e3d4c5b6a";
    const signer = {
      site: iss,
      jwks: { keys: [{ kty: "OKP", crv: "Ed25519", x, kid, alg: "EdDSA", use: "sig" } as const] },
    };
    const signing: SignReceipt = (claims) => signReceipt({ iss, ...claims }, privateKey, kid);
    const box = (text: string) => findAnything(database.db, { text, limit: 5 }, signer);

    test("finds clients and agents by a part of their name, best first", async () => {
      await addClient(database.db, "big-acme");
      const more = { platform: "linux", version: "1", nonce: null, nonce_previous: null, last_seen_at: null };
      for (const [id, name, host] of [
        ["a-1", "till", "acme-host"],
        ["a-2", "acme till", "h"],
        ["a-3", "x", "y"],
      ] as const)
        await database.db
          .insertInto("agents")
          .values({ id, name, host, public_key: id, state: "active", created_at: 1, status: null, ...more })
          .execute();
      const { clients, agents } = await box(" ACME ");
      expect(clients).toEqual(["acme", "big-acme"].map((name) => ({ name, suspended: false })));
      expect(agents.map(({ id }) => id).sort()).toEqual(["a-1", "a-2"]);
      expect((await box("a-3")).agents).toEqual([{ id: "a-3", name: "x", host: "y", state: "active" }]);
      expect(await box(" ")).toMatchObject({ clients: [], agents: [], files: { files: [] } });
    });

    test("finds versions by their digest, from eight digits on, page by page", async () => {
      const same = Array.from({ length: 7 }, (_, i) => version(`same/${i}`, "same"));
      await commit(...same, version("another", "another"), removal("another"));
      const sha256 = digest("same");
      for (const length of [8, 11, 12, 13, 64]) {
        const text = sha256.slice(0, length);
        const seqs: number[] = [];
        for (let after: string | undefined; ; ) {
          const { entries, next } = await findByDigest(database.db, {
            text: text.toUpperCase(),
            after,
            limit: 3,
          });
          seqs.push(...entries.map(({ seq }) => seq));
          if (next === undefined) break;
          after = next;
        }
        expect(seqs).toEqual([7, 6, 5, 4, 3, 2, 1]);
      }
      expect((await box(sha256.slice(0, 7))).digests.entries).toEqual([]);
      expect((await box(sha256)).digests.entries).toHaveLength(5);
      const other = await findByDigest(database.db, { text: sha256, client: "other", limit: 3 });
      expect(other.entries).toEqual([]);
      const last = sha256.endsWith("0") ? "1" : "0";
      expect((await box(`${sha256.slice(0, -1)}${last}`)).digests.entries).toEqual([]);
    });

    test("finds an entry by its version id", async () => {
      const capture = version("a", "1");
      await commit(capture);
      expect((await box(capture.versionId.toUpperCase())).version).toMatchObject({
        pathEncoded: "a",
        seq: 1,
      });
      expect((await box("01890a5d-ac96-774b-bcce-b302099a8057")).version).toBeUndefined();
    });

    test("says of a receipt whether it is ours, whole, and word for word as we keep it", async () => {
      const capture = version("a", "1");
      const [first] = (await createLedger(database).commit([capture], signing)).outcomes;
      const again = version("a", "1");
      const [unchanged] = (await createLedger(database).commit([again], signing)).outcomes;
      if (first?.kind !== "committed" || unchanged?.kind !== "unchanged") throw new Error("not committed");
      const { receipt } = first;
      const checked = async (text: string) => (await box(text)).receipt;
      const wrapped = receipt.replaceAll(/(.{60})/g, "$1\n  ");
      for (const text of [receipt, ` ${wrapped}\n`])
        expect(await checked(text)).toMatchObject({
          ...{ kind: "genuine", stored: "same", says: { versionId: capture.versionId } },
          entry: { pathEncoded: "a" },
        });
      expect(await checked(unchanged.receipt)).toMatchObject({
        ...{ kind: "genuine", stored: "same", says: { status: "unchanged", captureId: again.captureId } },
        entry: { versionId: capture.versionId },
      });
      const { iss: _, ...claims } = JSON.parse(
        Buffer.from(receipt.split(".")[1] as string, "base64url").toString(),
      );
      expect(await checked(signing({ ...claims, channel: "web" }))).toMatchObject({
        ...{ kind: "genuine", stored: "other" },
      });
      const lost = { ...claims, captureId: "gone", versionId: "01890a5d-ac96-774b-bcce-b302099a8057" };
      expect(await checked(signing(lost))).toMatchObject({
        kind: "genuine",
        stored: "none",
        entry: undefined,
      });
      const elsewhere = generateKeyPairSync("ed25519").privateKey;
      expect(await checked(signReceipt({ iss, ...claims }, elsewhere, "other"))).toMatchObject({
        ...{ kind: "foreign", says: { versionId: capture.versionId } },
      });
      expect(
        await checked(signReceipt({ iss: crypto.randomUUID(), ...claims }, privateKey, kid)),
      ).toMatchObject({ kind: "foreign" });
      expect(await checked(signReceipt({ iss, ...claims }, elsewhere, kid))).toMatchObject({
        kind: "altered",
      });
      const [header, , signature] = receipt.split(".") as [string, string, string];
      const forged = Buffer.from(JSON.stringify({ iss, ...claims, size: 9 })).toString("base64url");
      expect(await checked(`${header}.${forged}.${signature}`)).toMatchObject({
        ...{ kind: "altered", says: { size: 9 } },
      });
      expect(await checked(receipt.slice(0, -40))).toMatchObject({ kind: "altered" });
      expect(await checked(`${header}.e30.x`)).toEqual({ kind: "altered", says: undefined });
      expect(await checked("eyJ9.e30.x")).toEqual({ kind: "malformed" });
      expect(await checked("a.b.c")).toBeUndefined();
    });
  });
}
