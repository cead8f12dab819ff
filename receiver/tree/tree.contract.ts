/** What a tree shows, to whom, and what people may do to it: the same on every ledger. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { KyselyPlugin } from "kysely";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { backup } from "../ledger/backup.ts";
import { addClient } from "../ledger/clients.ts";
import { createLedger } from "../ledger/commit.ts";
import type { LedgerDatabase } from "../ledger/database.ts";
import type { Bearer, Capture } from "../ledger/ledger.ts";
import { rebuild } from "../ledger/rebuild.ts";
import { restore } from "../ledger/restore.ts";
import { removal, sign, version, word } from "../ledger/samples.ts";
import { openTrees } from "./open.ts";
import { withTree } from "./schema.ts";
import type { FolderNode, ListedFile, RemovedNode, Tree, Trees, View } from "./tree.ts";

const ALL: Bearer = { id: "all", seesAll: true };
const ANN: Bearer = { id: "ann", seesAll: false };
const BOB: Bearer = { id: "bob", seesAll: false };
const all: View = { client: "acme", bearer: ALL };
const ann: View = { client: "acme", bearer: ANN };
const bob: View = { client: "acme", bearer: BOB };

/** `folder/`, `file` or `-removed`. */
function shown(node: ListedFile | FolderNode | RemovedNode | undefined): string | undefined {
  if (node === undefined) return undefined;
  const marks = { folder: ["", "/"], file: ["", ""], removed: ["-", ""] } as const;
  return marks[node.kind].join(node.pathEncoded);
}

/** Page by page. */
export async function listed(
  tree: Tree<RemovedNode>,
  view: View,
  folder = "",
  { source = "pos", limit = 1000 } = {},
): Promise<string[]> {
  const names: string[] = [];
  for (let after: string | undefined; ; ) {
    const { nodes, next } = await tree.list(view, source, folder, { after, limit });
    names.push(...nodes.map((node) => shown(node) as string));
    if (next === undefined) return names;
    after = next;
  }
}

export function treeContract(newPlace: () => Promise<() => Promise<LedgerDatabase>>): void {
  let place: () => Promise<LedgerDatabase>;
  let database: LedgerDatabase;
  let trees: Trees;
  beforeEach(async () => {
    place = await newPlace();
    database = await place();
    await addClient(database.db, "acme");
    await addClient(database.db, "other");
    trees = openTrees(database.db, () => 86_400_000);
  });

  const commit = async (...captures: Capture[]): Promise<void> => {
    const { outcomes } = await createLedger(database).commit(captures, sign);
    expect(outcomes.map(word)).toEqual(captures.map(() => "committed"));
  };
  const by = (bearer: Bearer) => ({ bearer });
  const at = async (path: string, view = all) => shown(await trees.now.find(view, "pos", path));

  describe("shows", () => {
    test("sources, folders and files, page by page in the order of their names", async () => {
      await commit(...["b/2", "b/1", "a", "c/d/e", "%FF", "ä/x", "b0"].map((path) => version(path, path)));
      await commit(version("x", "x", { source: "tills" }), version("y", "y", { client: "other" }));
      expect(await trees.now.sources(all)).toEqual(["pos", "tills"]);
      const root = ["%FF", "a", "b/", "b0", "c/", "ä/"];
      for (const limit of [1, 2, 3, 1000]) expect(await listed(trees.now, all, "", { limit })).toEqual(root);
      expect(await listed(trees.now, all, "b")).toEqual(["b/1", "b/2"]);
      expect(await listed(trees.now, all, "c")).toEqual(["c/d/"]);
      expect(await listed(trees.now, all, "c/d")).toEqual(["c/d/e"]);
      for (const nothing of ["a", "no", "c/d/e"]) expect(await listed(trees.now, all, nothing)).toEqual([]);
      expect(await listed(trees.now, { ...all, source: "tills" })).toEqual([]);
      expect(await trees.now.sources({ ...all, source: "tills" })).toEqual(["tills"]);
      expect(await trees.now.find({ ...all, source: "tills" }, "pos", "a")).toBeUndefined();
    });

    test("of a file its newest version, and of a folder when it came", async () => {
      const capture = version("a/b", "later", { modifiedAt: "2026-01-31T04:59:00Z" });
      await commit(version("a/b", "first"));
      await commit(capture);
      const file = await trees.now.find(all, "pos", "a/b");
      expect(file).toEqual({
        ...{ kind: "file", pathEncoded: "a/b", versionId: capture.versionId, seq: 2, size: 5 },
        ...{ sha256: capture.sha256, modifiedAt: "2026-01-31T04:59:00Z", key: capture.key },
        receivedAt: expect.stringMatching(/^2\d{3}-/),
      });
      expect((await trees.now.list(all, "pos", "a", { limit: 9 })).nodes).toEqual([
        {
          ...{ kind: "file", pathEncoded: "a/b", seq: 2, size: 5, modifiedAt: "2026-01-31T04:59:00Z" },
          receivedAt: file?.kind === "file" && file.receivedAt,
        },
      ]);
      expect(await trees.now.find(all, "pos", "a")).toMatchObject({
        ...{ kind: "folder", pathEncoded: "a", madeAt: expect.stringMatching(/^2\d{3}-/) },
      });
      expect(await at("")).toBe("/");
    });

    test("each look what was committed before it, here or on another receiver", async () => {
      const elsewhere = openTrees((await place()).db);
      for (let i = 1; i <= 20; i += 1) {
        const path = `f${i % 3}/g${i}`;
        await commit(version(path, "x"));
        const tree = i % 2 ? elsewhere.now : trees.now;
        expect(shown(await tree.find(all, "pos", path))).toBe(path);
        expect(shown(await tree.find(all, "pos", `f${i % 3}`))).toBe(`f${i % 3}/`);
        if (i % 5 === 0) expect(await listed(tree, all, `f${i % 3}`)).toContain(path);
        await commit(removal(path));
        expect(await tree.find(all, "pos", path)).toBeUndefined();
        expect(await listed(tree, all, `f${i % 3}`)).not.toContain(path);
      }
    });

    test("a file that was just sent without a transaction, and a folder once something came from it", async () => {
      await commit(version("d/1", "1"));
      await trees.catchUp("acme");
      const state = async () =>
        (await withTree(database.db).selectFrom("tree_state").select("seq").executeTakeFirst())?.seq;
      await commit(version("d/2", "2"));
      expect(await at("d/2")).toBe("d/2");
      expect(await at("d/3")).toBeUndefined();
      expect(await at("e")).toBeUndefined();
      expect(await state()).toBe(1);
      expect(await at("d")).toBe("d/");
      expect(await state()).toBe(2);
    });

    test("few names at once where they are long", async () => {
      const names = Array.from({ length: 90 }, (_, i) => `${10 + i}${"n".repeat(4000)}`);
      await commit(...names.map((name) => version(name, "x")));
      const { nodes, next } = await trees.now.list(all, "pos", "", { limit: 1000 });
      expect(nodes.length).toBeLessThan(70);
      expect(next).toBeDefined();
      expect(await listed(trees.now, all)).toEqual(names);
    });

    test("names as long as a path may be, and paths as deep", async () => {
      const names = ["b", "c"].map((last) => `${"%FF".repeat(4095)}${last}`);
      const deep = "a/".repeat(2047);
      await commit(...names.map((name) => version(name, name)), version(`${deep}f`, "f"));
      const root = [...names, "a/"];
      expect((await listed(trees.now, all)).sort()).toEqual(root.sort());
      expect((await listed(trees.now, all, "", { limit: 1 })).sort()).toEqual(root.sort());
      for (const name of names) expect(await at(name)).toBe(name);
      expect(await listed(trees.now, all, deep.slice(0, -1))).toEqual([`${deep}f`]);
      await commit(removal(`${deep}f`));
      expect(await at("a")).toBeUndefined();
    });
  });

  describe("a folder", () => {
    test("goes with the last file below it, also when that is overwritten by nothing else", async () => {
      await commit(version("a/b/c", "1"), version("a/d", "2"));
      expect(await listed(trees.now, all, "a")).toEqual(["a/b/", "a/d"]);
      await commit(removal("a/b/c"));
      expect(await listed(trees.now, all, "a")).toEqual(["a/d"]);
      expect(await listed(trees.ever, all, "a")).toEqual(["a/b/", "a/d"]);
      expect(await listed(trees.ever, all, "a/b")).toEqual(["-a/b/c"]);
      await commit(removal("a/d"));
      expect(await listed(trees.now, all)).toEqual([]);
      expect(await trees.now.sources(all)).toEqual(["pos"]);
      await commit(version("a/b/c", "3"));
      expect(await listed(trees.now, all, "a")).toEqual(["a/b/"]);
      expect(await listed(trees.ever, all, "a")).toEqual(["a/b/", "-a/d"]);
      expect(await listed(trees.ever, all, "a/b")).toEqual(["a/b/c"]);
    });

    test("that was made stays until it is removed", async () => {
      const { makeFolder, removeFolder } = bound(trees);
      expect(await makeFolder(all, "a/b")).toBe("made");
      expect(await trees.now.find(all, "pos", "a/b")).toEqual({
        ...{ kind: "folder", pathEncoded: "a/b", madeAt: "1970-01-02T00:00:00.000Z" },
      });
      expect(await listed(trees.now, all)).toEqual(["a/"]);
      expect(await makeFolder(all, "a/b")).toBe("there");
      expect(await removeFolder(all, "a")).toBe("not-empty");
      await commit(version("a/b/c", "1"));
      expect(await removeFolder(all, "a/b")).toBe("not-empty");
      await commit(removal("a/b/c"));
      expect(await at("a/b")).toBe("a/b/");
      expect(await removeFolder(all, "a/b")).toBe("removed");
      expect(await removeFolder(all, "a/b")).toBe("absent");
      expect(await at("a")).toBeUndefined();
      expect(await listed(trees.ever, all, "a/b")).toEqual(["-a/b/c"]);
    });

    test("that files brought stays too, when somebody says so before they go", async () => {
      await commit(version("a/b", "1"));
      expect(await bound(trees).makeFolder(all, "a")).toBe("there");
      await commit(removal("a/b"));
      expect(await at("a")).toBe("a/");
      expect(await bound(trees).removeFolder(all, "a")).toBe("removed");
      expect(await at("a")).toBeUndefined();
    });

    test("leaves nothing behind when nothing ever was in it", async () => {
      const { makeFolder, removeFolder } = bound(trees);
      await makeFolder(ann, "a/b/c");
      for (const path of ["a/b/c", ""]) await removeFolder(ann, path);
      const { count } = await withTree(database.db)
        .selectFrom("tree_folders")
        .select((eb) => eb.fn.countAll<number>().as("count"))
        .executeTakeFirstOrThrow();
      expect(count).toBe(0);
    });

    test("is not made where a file is, or below one", async () => {
      await commit(version("a", "1", by(ANN)));
      const { makeFolder } = bound(trees);
      for (const path of ["a", "a/b", "a/b/c"]) {
        expect(await makeFolder(ann, path)).toBe("file");
        expect(await makeFolder(all, path)).toBe("file");
      }
      // Bob does not learn that there is one.
      expect(await makeFolder(bob, "a/b")).toBe("made");
      await commit(removal("a", by(ANN)));
      expect(await makeFolder(ann, "a/b")).toBe("made");
    });

    test("as a source is made, stays with its entries, and may be removed", async () => {
      const { makeFolder, removeFolder } = bound(trees);
      expect(await makeFolder(ann, "")).toBe("made");
      expect(await trees.now.sources(ann)).toEqual(["pos"]);
      expect(await trees.now.sources(bob)).toEqual([]);
      await commit(version("a", "1", by(ANN)));
      expect(await removeFolder(ann, "")).toBe("not-empty");
      await commit(removal("a", by(ANN)));
      expect(await removeFolder(ann, "")).toBe("removed");
      expect(await trees.now.sources(ann)).toEqual([]);
      expect(await trees.ever.sources(ann)).toEqual(["pos"]);
      await commit(version("a", "2", by(ANN)));
      expect(await trees.now.sources(ann)).toEqual(["pos"]);
    });

    test("is made in the view's own source alone", async () => {
      const tied = { ...ann, source: "tills" };
      await expect(bound(trees).makeFolder(tied, "a")).rejects.toMatchObject({ code: "source-not-allowed" });
      expect(await bound(trees).removeFolder(tied, "")).toBe("absent");
    });

    test("that holds nothing may be made ten thousand times, by each", { timeout: 60_000 }, async () => {
      const { makeFolder, removeFolder } = bound(trees);
      await makeFolder(ann, "first");
      const made = {
        made: 1,
        brought: 0,
        holds: 0,
        made_at: 1,
        source: "pos",
        client: "acme",
        bearer: "ann",
      } as const;
      for (let from = 0; from < 9998; from += 833) {
        const names = Array.from({ length: Math.min(833, 9998 - from) }, (_, i) => `n${from + i}`);
        await withTree(database.db)
          .insertInto("tree_folders")
          .values(names.map((name) => ({ ...made, parent_hash: "root", name, name_key: name })))
          .execute();
      }
      // With "first" and the source it is 10,000.
      expect(await makeFolder(ann, "second")).toBe("too-many");
      expect(await makeFolder(ann, "first")).toBe("there");
      expect(await makeFolder(bob, "second")).toBe("made");
      expect(await removeFolder(ann, "first")).toBe("removed");
      expect(await makeFolder(ann, "second")).toBe("made");
    });
  });

  describe("one path that is a file and a folder", () => {
    test("is a folder, in every page", async () => {
      await commit(version("a", "1"), version("a/b", "2"), version("0", "3"), version("c", "4"));
      expect(await at("a")).toBe("a/");
      for (const limit of [1, 2, 3, 4])
        expect(await listed(trees.now, all, "", { limit })).toEqual(["0", "a/", "c"]);
      expect(await bound(trees).makeFolder(all, "a")).toBe("there");
      await commit(removal("a/b"));
      await bound(trees).removeFolder(all, "a");
      expect(await listed(trees.now, all)).toEqual(["0", "a", "c"]);
      expect(await at("a")).toBe("a");
    });

    test("is both, with what was removed", async () => {
      await commit(version("a", "1"));
      await commit(removal("a"));
      await commit(version("a/b", "2"), version("c", "3"));
      for (const limit of [1, 2, 3])
        expect(await listed(trees.ever, all, "", { limit })).toEqual(["a/", "-a", "c"]);
      expect(await listed(trees.now, all)).toEqual(["a/", "c"]);
      await commit(removal("a/b"), version("a", "4"));
      expect(await listed(trees.ever, all)).toEqual(["a/", "a", "c"]);
      expect(await listed(trees.now, all)).toEqual(["a", "c"]);
      expect(await at("a")).toBe("a");
    });
  });

  describe("one who does not see all", () => {
    test("sees what it brought itself, as long as it is the newest", async () => {
      await commit(version("a/1", "1", by(ANN)), version("b/2", "2", by(BOB)), version("a/3", "3", by(BOB)));
      expect(await listed(trees.now, ann)).toEqual(["a/"]);
      expect(await listed(trees.now, bob)).toEqual(["a/", "b/"]);
      expect(await listed(trees.now, ann, "a")).toEqual(["a/1"]);
      expect(await listed(trees.now, all, "a")).toEqual(["a/1", "a/3"]);
      expect([await at("a/3", ann), await at("b", ann)]).toEqual([undefined, undefined]);
      await commit(version("a/1", "bob's", by(BOB)));
      expect(await at("a/1", ann)).toBeUndefined();
      expect(await listed(trees.now, ann)).toEqual([]);
      expect(await listed(trees.now, bob, "a")).toEqual(["a/1", "a/3"]);
      await commit(removal("a/3", by(ALL)));
      expect(await listed(trees.ever, bob, "a")).toEqual(["a/1"]);
      expect(await listed(trees.ever, all, "a")).toEqual(["a/1", "-a/3"]);
    });

    test("removes its own part of a folder; one who sees all removes everybody's", async () => {
      const { makeFolder, removeFolder } = bound(trees);
      await commit(version("a/1", "1", by(ANN)));
      expect(await makeFolder(bob, "a")).toBe("made");
      expect(await removeFolder(bob, "a")).toBe("removed");
      expect([await at("a", bob), await at("a", ann)]).toEqual([undefined, "a/"]);
      await makeFolder(ann, "b");
      await makeFolder(bob, "b");
      expect(await removeFolder(all, "b")).toBe("removed");
      expect([await at("b", bob), await at("b", ann)]).toEqual([undefined, undefined]);
    });
  });

  describe("a time of modification told later", () => {
    test("is the newest version's alone, and only who sees it tells", async () => {
      const [one, two] = [version("a", "1", by(ANN)), version("a", "2", by(ANN))];
      const tell = (view: View, { versionId }: Capture, modifiedAt: string) =>
        trees.changes.setModified(view, "pos", "a", { versionId, modifiedAt });
      await commit(one);
      expect(await tell(bob, one, "2020-01-01T00:00:00Z")).toBe(false);
      expect(await tell({ ...ann, source: "tills" }, one, "2020-01-01T00:00:00Z")).toBe(false);
      expect(await tell(ann, one, "2020-01-01T00:00:00Z")).toBe(true);
      expect(await tell(all, one, "2021-01-01T00:00:00Z")).toBe(true);
      expect(await trees.now.find(ann, "pos", "a")).toMatchObject({ modifiedAt: "2021-01-01T00:00:00Z" });
      const { nodes } = await trees.now.list(ann, "pos", "", { limit: 1 });
      expect(nodes).toMatchObject([{ modifiedAt: "2021-01-01T00:00:00Z" }]);
      expect(await tell(ann, one, "2021-02-01T00:00:00Z")).toBe(true);
      const later = await trees.now.list(ann, "pos", "", { limit: 1 });
      expect(later.nodes).toMatchObject([{ modifiedAt: "2021-02-01T00:00:00Z" }]);
      await commit(two);
      expect(await trees.now.find(ann, "pos", "a")).toMatchObject({ modifiedAt: two.modifiedAt });
      expect(await tell(ann, one, "2022-01-01T00:00:00Z")).toBe(false);
      await commit(removal("a", by(ANN)));
      expect(await tell(ann, two, "2022-01-01T00:00:00Z")).toBe(false);
    });
  });

  test("many look at once at what is far behind, from two receivers, while commits go on", {
    timeout: 60_000,
  }, async () => {
    const elsewhere = openTrees((await place()).db);
    for (let i = 0; i < 6; i += 1)
      await commit(...Array.from({ length: 400 }, (_, j) => version(`d${j % 7}/${i}-${j}`, "x")));
    const writing = (async () => {
      for (let i = 0; i < 20; i += 1) {
        await commit(version(`late/${i}`, "x"), ...(i > 0 ? [removal(`late/${i - 1}`)] : []));
        await sleep(1);
      }
    })();
    const looks = Array.from({ length: 40 }, async (_, i) => {
      const { now } = i % 2 ? trees : elsewhere;
      return (await listed(now, all, `d${i % 7}`)).length;
    });
    const counts = await Promise.all(looks);
    expect(counts).toEqual(looks.map((_, i) => (i % 7 === 0 ? 348 : 342)));
    await writing;
    expect(await listed(elsewhere.now, all, "late")).toEqual(["late/19"]);
    expect(await listed(trees.now, all, "late")).toEqual(["late/19"]);
    const rows = await withTree(database.db).selectFrom("tree_folders").select(["name", "holds"]).execute();
    expect(rows.find(({ name }) => name === "d0")?.holds).toBe(348);
    expect(rows.find(({ name }) => name === "late")?.holds).toBe(1);
  });

  test("a catching up that fails at any statement changes nothing, and the next one does all of it", {
    timeout: 60_000,
  }, async () => {
    await commit(...Array.from({ length: 800 }, (_, i) => version(`d${i % 3}/${i}`, "x")));
    await commit(removal("d0/0"), version("d1/1", "y", by(BOB)));
    let failed = 0;
    for (let left = 1; ; left += 1) {
      const trouble = openTrees(database.db.withPlugin(failingAt(left))).catchUp("acme");
      if ((await trouble.then(() => "done", String)) === "done") break;
      failed += 1;
    }
    expect(failed).toBeGreaterThan(10);
    const folders = withTree(database.db).selectFrom("tree_folders").select(["name", "bearer", "holds"]);
    const rows = (await folders.execute()).map(
      ({ name, bearer, holds }) => `${name} ${bearer.slice(0, 3)} ${holds}`,
    );
    expect(rows.sort()).toEqual([" 000 3", " bob 1", "d0 000 266", "d1 000 266", "d1 bob 1", "d2 000 266"]);
  });

  describe("after entries came back", () => {
    test("by a rebuild, the tree begins anew: what was made by hand is gone, told times are not", async () => {
      const capture = version("a/1", "1");
      await commit(capture, version("a/2", "2"));
      await bound(trees).makeFolder(all, "made");
      await trees.changes.setModified(all, "pos", "a/1", { ...capture, modifiedAt: "2020-01-01T00:00:00Z" });
      expect(await listed(trees.now, all)).toEqual(["a/", "made/"]);
      await rebuild(database, (async function* () {})(), { merge: true });
      expect(await listed(trees.now, all)).toEqual(["a/"]);
      expect(await trees.now.find(all, "pos", "a/1")).toMatchObject({ modifiedAt: "2020-01-01T00:00:00Z" });
    });

    test("by a restore, it is the backup's, with the told times", async () => {
      const capture = version("a/1", "1");
      await commit(capture, version("a/2", "2"));
      await trees.changes.setModified(all, "pos", "a/1", { ...capture, modifiedAt: "2020-01-01T00:00:00Z" });
      await trees.catchUp("acme");
      const folder = mkdtempSync(join(tmpdir(), "tributary-tree-"));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      await backup(database.db, join(folder, "backup"));
      const target = await (await newPlace())();
      const restored = openTrees(target.db);
      await bound(restored).makeFolder(all, "made");
      await restore(target, join(folder, "backup"));
      expect(await listed(restored.now, all)).toEqual(["a/"]);
      expect(await listed(restored.now, all, "a")).toEqual(["a/1", "a/2"]);
      expect(await restored.now.find(all, "pos", "a/1")).toMatchObject({
        modifiedAt: "2020-01-01T00:00:00Z",
      });
    });
  });
}

/** Every statement is asked of it before it runs: the one after so many others does not. */
function failingAt(statement: number): KyselyPlugin {
  let left = statement;
  return {
    transformQuery: ({ node }) => {
      left -= 1;
      if (left === 0) throw new Error("the wire was cut");
      return node;
    },
    transformResult: async ({ result }) => result,
  };
}

/** In the source "pos". */
function bound({ changes }: Trees) {
  return {
    makeFolder: (view: View, path: string) => changes.makeFolder(view, "pos", path),
    removeFolder: (view: View, path: string) => changes.removeFolder(view, "pos", path),
  };
}
