/** Random versions, removals and folders by several, looks in between and reopenings, against a model of plain Maps. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { addClient } from "../ledger/clients.ts";
import { createLedger } from "../ledger/commit.ts";
import type { LedgerDatabase } from "../ledger/database.ts";
import type { Bearer, Capture } from "../ledger/ledger.ts";
import { removal, sign, version } from "../ledger/samples.ts";
import { openTrees } from "./open.ts";
import { listed } from "./tree.contract.ts";
import type { View } from "./tree.ts";

const bearers: readonly Bearer[] = [
  { id: "all", seesAll: true },
  { id: "ann", seesAll: false },
  { id: "bob", seesAll: false },
];
const paths = ["a", "b", "a/b", "a/b/c", "a/c", "d/e/f/g", "a/b/c/d"];
const folders = ["", "a", "a/b", "a/b/c", "d", "d/e", "d/e/f", "x/y", "b"];

const bearer = fc.constantFrom(...bearers);
const capture = fc.record({
  kind: fc.constantFrom("version" as const, "version" as const, "removal" as const),
  path: fc.constantFrom(...paths),
  bearer,
});
const folder = fc.record({
  kind: fc.constantFrom("make" as const, "remove" as const),
  path: fc.constantFrom(...folders),
  bearer,
});
const step = fc.oneof(
  { weight: 6, arbitrary: fc.array(capture, { minLength: 1, maxLength: 6 }) },
  { weight: 4, arbitrary: folder },
  { weight: 2, arbitrary: fc.constantFrom("catch up" as const, "reopen" as const) },
);

interface State {
  readonly kind: "version" | "removal";
  readonly by: string;
}

const sees = (view: Bearer, by: string): boolean => view.seesAll || view.id === by;
const above = (path: string): string[] =>
  path === "" ? [] : [...above(path.slice(0, Math.max(0, path.lastIndexOf("/")))), path];
const below = (path: string, folder: string): boolean => folder === "" || path.startsWith(`${folder}/`);

/** What a tree is, as plainly as it can be said: by looking at everything. */
class Model {
  readonly heads = new Map<string, State>();
  /** `bearer path`, of folders that were made. */
  readonly made = new Set<string>();

  commit(path: string, kind: State["kind"], by: string): void {
    this.heads.set(path, { kind, by });
    this.made.add(`${by} `);
  }

  #isMade(view: Bearer, path: string): boolean {
    return bearers.some(({ id }) => sees(view, id) && this.made.has(`${id} ${path}`));
  }

  isFile(view: Bearer, path: string): boolean {
    const head = this.heads.get(path);
    return head?.kind === "version" && sees(view, head.by);
  }

  isFolder(view: Bearer, folder: string): boolean {
    const files = [...this.heads.keys()].some((path) => below(path, folder) && this.isFile(view, path));
    return (
      files || folders.some((path) => (path === folder || below(path, folder)) && this.#isMade(view, path))
    );
  }

  list(view: Bearer, folder: string): string[] {
    const every = new Set([...paths, ...folders].flatMap(above));
    return [...every]
      .filter(
        (path) => below(path, folder) && !path.slice(folder === "" ? 0 : folder.length + 1).includes("/"),
      )
      .flatMap((path) => (this.isFolder(view, path) ? [`${path}/`] : this.isFile(view, path) ? [path] : []))
      .sort();
  }

  make(view: Bearer, folder: string): string {
    const there = this.isFolder(view, folder);
    if (!there && above(folder).some((path) => this.isFile(view, path))) return "file";
    this.made.add(`${view.id} ${folder}`);
    return there ? "there" : "made";
  }

  remove(view: Bearer, folder: string): string {
    if (!this.isFolder(view, folder)) return "absent";
    // A file that a folder hides counts: it would be there at once when that is gone.
    const inside = [...paths, ...folders].filter((path) => below(path, folder));
    if (inside.some((path) => path !== "" && (this.isFile(view, path) || this.isFolder(view, path))))
      return "not-empty";
    for (const { id } of bearers) if (sees(view, id)) this.made.delete(`${id} ${folder}`);
    return "removed";
  }
}

export function treeModelContract(
  newPlace: () => Promise<() => Promise<LedgerDatabase>>,
  numRuns: number,
): void {
  test("random trees are as the model says", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 16 }), async (steps) => {
        const place = await newPlace();
        let database = await place();
        await addClient(database.db, "acme");
        let trees = openTrees(database.db);
        const model = new Model();
        let text = 0;
        for (const one of steps) {
          if (one === "catch up") await trees.catchUp("acme");
          else if (one === "reopen") {
            await database.close();
            database = await place();
            trees = openTrees(database.db);
          } else if (Array.isArray(one)) {
            const captures = one.map(({ kind, path, bearer }): Capture => {
              text += 1;
              const more = { bearer, hearsOfNothing: true };
              return kind === "removal" ? removal(path, more) : version(path, `${text}`, { bearer });
            });
            const { outcomes } = await createLedger(database).commit(captures, sign);
            outcomes.forEach(({ kind }, i) => {
              const capture = captures[i] as Capture;
              if (kind === "committed") model.commit(capture.pathEncoded, capture.kind, capture.bearer.id);
            });
          } else {
            const view: View = { client: "acme", bearer: one.bearer };
            if (one.kind === "make")
              expect(await trees.changes.makeFolder(view, "pos", one.path)).toBe(
                model.make(one.bearer, one.path),
              );
            else
              expect(await trees.changes.removeFolder(view, "pos", one.path)).toBe(
                model.remove(one.bearer, one.path),
              );
          }
          const looker = bearers[text % 3] as Bearer;
          const path = [...paths, ...folders][text % (paths.length + folders.length)] as string;
          const found = await trees.now.find({ client: "acme", bearer: looker }, "pos", path);
          const expected = model.isFolder(looker, path)
            ? "folder"
            : model.isFile(looker, path)
              ? "file"
              : undefined;
          expect(found?.kind).toBe(expected);
        }
        for (const bearer of bearers) {
          const view: View = { client: "acme", bearer };
          expect(await trees.now.sources(view)).toEqual(model.isFolder(bearer, "") ? ["pos"] : []);
          for (const folder of folders) {
            const limit = 1 + (text % 3);
            expect((await listed(trees.now, view, folder, { limit })).sort()).toEqual(
              model.list(bearer, folder),
            );
          }
        }
        await database.close();
      }),
      { numRuns },
    );
  });
}
