/** The tree as it was: against all entries, read and sorted as plainly as can be, also where a merge numbered them anew. */
import fc from "fast-check";
import { sql } from "kysely";
import { describe, expect, test } from "vitest";
import { addClient } from "../ledger/clients.ts";
import { createLedger } from "../ledger/commit.ts";
import type { LedgerDatabase } from "../ledger/database.ts";
import { manifestLineOf } from "../ledger/entry.ts";
import type { Bearer, Capture } from "../ledger/ledger.ts";
import { type RebuildLine, rebuild } from "../ledger/rebuild.ts";
import { removal, sign, version } from "../ledger/samples.ts";
import { openTrees } from "./open.ts";
import type { ListedFile, PastFolder, PastTree, PastView, Trees } from "./tree.ts";

const ANN: Bearer = { id: "ann", seesAll: true };
const view: PastView = { client: "acme" };

const paths = ["a", "b", "a/b", "a/b/c", "a/c", "d/e/f/g", "a/b/c/d", "h/1", "h/2", "h/3"];
const folders = ["a", "a/b", "a/b/c", "d", "d/e", "d/e/f", "h"];

/** At this time, or the next that is free. */
async function commitAt(database: LedgerDatabase, at: number, captures: readonly Capture[]): Promise<void> {
  await createLedger({ ...database, clock: sql.raw<number>(String(at)) }).commit(captures, sign);
}

/** Page by page; folders as `name/`, those that are not sure as `name?`. */
async function listed(tree: PastTree, folder: string, limit: number): Promise<string[]> {
  const names: string[] = [];
  for (let after: string | undefined; ; ) {
    const { nodes, next } = await tree.list(view, "pos", folder, { after, limit });
    expect(nodes.length).toBeLessThanOrEqual(limit);
    names.push(...nodes.map(shown));
    if (next === undefined) return names;
    after = next;
  }
}

const shown = (node: ListedFile | PastFolder): string =>
  node.kind === "file" ? `${node.pathEncoded}=${node.seq}` : `${node.pathEncoded}${node.sure ? "/" : "?"}`;

interface Line {
  readonly seq: number;
  readonly kind: string;
  readonly path_encoded: string;
  readonly received_at: number;
}

/** path -> its newest version of then. */
function filesAt(lines: readonly Line[], at: number): ReadonlyMap<string, number> {
  const newest = new Map<string, Line>();
  for (const line of lines.toSorted((a, b) => a.received_at - b.received_at || a.seq - b.seq))
    if (line.received_at <= at) newest.set(line.path_encoded, line);
  return new Map(
    [...newest].flatMap(([path, { kind, seq }]) => (kind === "version" ? [[path, seq] as const] : [])),
  );
}

function expected(files: ReadonlyMap<string, number>, folder: string): string[] {
  const below = folder === "" ? "" : `${folder}/`;
  const names = new Map<string, string>();
  for (const [path, seq] of files) {
    if (!path.startsWith(below)) continue;
    const [name = "", ...rest] = path.slice(below.length).split("/");
    if (rest.length > 0) names.set(name, `${below}${name}/`);
    else if (!names.has(name)) names.set(name, `${below}${name}=${seq}`);
  }
  return [...names].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text);
}

const capture = fc.record({
  kind: fc.constantFrom("version" as const, "version" as const, "removal" as const),
  path: fc.constantFrom(...paths),
});
const commits = fc.array(
  fc.record({
    at: fc.integer({ min: 1, max: 60 }),
    captures: fc.array(capture, { minLength: 1, maxLength: 4 }),
  }),
  { maxLength: 12 },
);

type Commits = typeof commits extends fc.Arbitrary<infer T> ? Readonly<T> : never;

export function pastContract(newPlace: () => Promise<() => Promise<LedgerDatabase>>, numRuns: number): void {
  const opened = async (): Promise<{ readonly database: LedgerDatabase; readonly trees: Trees }> => {
    const database = await (await newPlace())();
    await addClient(database.db, "acme");
    return { database, trees: openTrees(database.db, () => 20) };
  };
  const put = (path: string, text = "x") => version(path, text, { bearer: ANN });
  const drop = (path: string) => removal(path, { bearer: ANN });

  test("random histories, also merged ones, are as all their entries say", { timeout: 240_000 }, async () => {
    let merged = 0;
    const run = async (one: Commits, other: Commits, instants: readonly number[]) => {
      const { database, trees } = await opened();
      let text = 0;
      const bring = async (into: LedgerDatabase, some: typeof one) => {
        for (const { at, captures } of some.toSorted((a, b) => a.at - b.at)) {
          const made = captures.map(({ kind, path }) =>
            kind === "version" ? put(path, `${text++}`) : drop(path),
          );
          await commitAt(into, at, made);
        }
      };
      await bring(database, one);
      if (other.length > 0) {
        const lost = await opened();
        await bring(lost.database, other);
        const rows = await lost.database.db.selectFrom("entries").selectAll().orderBy("seq").execute();
        await rebuild(
          database,
          (async function* () {
            for (const row of rows)
              yield { ...manifestLineOf(row), segmentId: row.segment_id, date: "1970-01-01" } as RebuildLine;
          })(),
          { merge: true },
        );
        merged += 1;
      }
      const lines = await database.db
        .selectFrom("entries")
        .select(["seq", "kind", "path_encoded", "received_at"])
        .execute();
      for (const at of instants) {
        const tree = trees.asAt(at);
        const files = filesAt(lines, at);
        expect(await tree.sources(view)).toEqual(lines.some((line) => line.received_at <= at) ? ["pos"] : []);
        for (const folder of ["", ...folders])
          expect([at, folder, ...(await listed(tree, folder, 1 + (at % 3)))]).toEqual([
            ...[at, folder],
            ...expected(files, folder),
          ]);
        for (const path of paths) {
          const below = [...files.keys()].some((file) => file.startsWith(`${path}/`));
          const seq = files.get(path);
          const found = await tree.find(view, "pos", path);
          expect(found && shown(found)).toBe(below ? `${path}/` : seq && `${path}=${seq}`);
        }
      }
      const times = lines.map(({ received_at }) => received_at);
      const at = (ms: number) => new Date(ms).toISOString();
      expect(await trees.bounds("acme")).toEqual(
        times.length === 0 ? undefined : { firstAt: at(Math.min(...times)), lastAt: at(Math.max(...times)) },
      );
      await database.close();
    };
    await fc.assert(
      fc.asyncProperty(
        commits,
        fc.oneof(
          { weight: 2, arbitrary: fc.constant<Commits>([]) },
          { weight: 1, arbitrary: commits as fc.Arbitrary<Commits> },
        ),
        fc.array(fc.integer({ min: 0, max: 90 }), { minLength: 1, maxLength: 5 }),
        run,
      ),
      { numRuns },
    );
    expect(merged).toBeGreaterThan(0);
  });

  describe("as it was", () => {
    test("of a file its version of then, with what was told of it later", async () => {
      const { database, trees } = await opened();
      const [first, second] = [put("a/b", "first"), put("a/b", "second!")];
      await commitAt(database, 10, [first]);
      await trees.changes.setModified({ ...view, bearer: ANN }, "pos", "a/b", {
        versionId: first.versionId,
        modifiedAt: "2020-01-01T00:00:00Z",
      });
      await commitAt(database, 20, [second]);
      const { versionId, sha256, key } = first;
      const was = {
        ...{ kind: "file", pathEncoded: "a/b", seq: 1, size: 5, modifiedAt: "2020-01-01T00:00:00Z" },
        receivedAt: new Date(10).toISOString(),
      };
      expect(await trees.asAt(19).find(view, "pos", "a/b")).toEqual({ ...was, versionId, sha256, key });
      expect((await trees.asAt(19).list(view, "pos", "a", { limit: 9 })).nodes).toEqual([was]);
      expect(await trees.asAt(20).find(view, "pos", "a/b")).toMatchObject({ seq: 2, size: 7 });
      expect(await trees.asAt(9).find(view, "pos", "a/b")).toBeUndefined();
      expect(await trees.asAt(99).find({ ...view, source: "tills" }, "pos", "a/b")).toBeUndefined();
      expect(await trees.asAt(99).list({ ...view, source: "tills" }, "pos", "a", { limit: 9 })).toEqual({
        nodes: [],
        next: undefined,
      });
    });

    test("a folder that was made by hand from then on, as long as it stands", async () => {
      const { database, trees } = await opened();
      await commitAt(database, 10, [put("x")]);
      await trees.changes.makeFolder({ ...view, bearer: ANN }, "pos", "made/by");
      expect(await listed(trees.asAt(19), "", 9)).toEqual(["x=1"]);
      expect(await listed(trees.asAt(20), "", 9)).toEqual(["made/", "x=1"]);
      expect(await listed(trees.asAt(20), "made", 9)).toEqual(["made/by/"]);
      await trees.changes.removeFolder({ ...view, bearer: ANN }, "pos", "made/by");
      expect(await listed(trees.asAt(20), "", 9)).toEqual(["x=1"]);
    });

    test("a folder whose thousands of files all came later is passed over within bounds, and said to be unsure", async () => {
      const { database, trees } = await opened();
      await commitAt(database, 10, [put("big/00000"), put("z")]);
      await commitAt(database, 20, [drop("big/00000")]);
      for (let from = 1; from < 2500; from += 500)
        await commitAt(
          database,
          30 + from,
          Array.from({ length: 500 }, (_, i) => put(`big/${String(from + i).padStart(5, "0")}`)),
        );
      const tree = trees.asAt(25);
      expect(await listed(tree, "", 9)).toEqual(["big?", "z=2"]);
      expect(await tree.find(view, "pos", "big")).toMatchObject({ kind: "folder", sure: false });
      // The first name tells at once.
      expect(await listed(trees.asAt(15), "", 9)).toEqual(["big/", "z=2"]);
      const page = await tree.list(view, "pos", "big", { limit: 200 });
      expect(page.nodes).toEqual([]);
      expect(page.next).toBe("01004");
      expect(await listed(tree, "big", 200)).toEqual([]);
      expect((await listed(trees.asAt(1531), "big", 200)).length).toBe(2000);
    });
  });
}
