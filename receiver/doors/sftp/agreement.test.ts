/**
 * Whatever several accounts do to names, each one's listings and looks agree: what is listed is there, of the same kind
 * and size, and what is there is listed. One who only writes hears of others' files what it would hear of nothing.
 */
import { done, SftpStatus } from "@tributary/test/site/sftp.ts";
import { attributes, OPEN, string, TYPE } from "@tributary/test/site/sftp-wire.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Act } from "../../identity/principal.ts";
import { startRig } from "../../rig.ts";
import { type SceneSession, SftpScene } from "./scene.ts";

const NAMES = ["a", "b", "in", "pos", "x.part", ".history", "ü %\n"];
const FOLDER = 0o040000;
const RUNS = 25;

const path = fc
  .array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 })
  .map((names) => names.join("/"));
const who = fc.nat(3);
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("put" as const),
      who,
      path,
      text: fc.constantFrom("", "1", "22"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("leave open" as const), who, path }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom("mkdir" as const, "rmdir" as const, "remove" as const),
      who,
      path,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("rename" as const),
      who,
      path,
      to: path,
      replace: fc.boolean(),
    }),
  },
);

const refused = async <T>(work: Promise<T>): Promise<T | undefined> => {
  try {
    return await work;
  } catch (error) {
    // Nothing of it may be a failure of ours.
    if (error instanceof SftpStatus && error.code !== "internal") return undefined;
    throw error;
  }
};

test("listings and looks agree", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const scene = new SftpScene();
      const rig = await startRig({ sftp: scene });
      try {
        const writes = new Set<Act>(["write", "remove"]);
        const all = scene.account("all");
        const ann = scene.account("ann");
        const bob = scene.account("bob");
        const accounts = [
          all,
          { ...ann, principal: { ...ann.principal, acts: writes } },
          { ...bob, principal: { ...bob.principal, acts: writes } },
          {
            ...all,
            user: "bound",
            defaultSource: "pos",
            principal: { ...all.principal, id: "id-of-bound", source: "pos" },
          },
        ];
        const sessions = await Promise.all(accounts.map((account) => scene.session(account)));
        for (const one of steps) {
          const session = sessions[one.who] as SceneSession;
          const at = `/${one.path}`;
          switch (one.kind) {
            case "put":
              await refused(session.put(at, Buffer.from(one.text)));
              break;
            case "leave open": {
              const handle = await refused(session.open(at, OPEN.write | OPEN.create));
              if (handle !== undefined) await refused(session.write(handle, Buffer.from("333"), { at: 1 }));
              break;
            }
            case "mkdir":
              await refused(session.mkdir(at));
              break;
            case "rmdir":
              await refused(session.rmdir(at));
              break;
            case "remove":
              await refused(session.remove(at));
              break;
            case "rename":
              await refused(session.rename(at, `/${one.to}`, one.replace));
              break;
          }
        }
        for (const session of sessions) await agree(session, "");
        expect(scene.faults).toEqual([]);
      } finally {
        await rig.stop();
      }
    }),
    { numRuns: RUNS },
  );
});

async function agree(session: SceneSession, folder: string): Promise<void> {
  const names = (await session.list(folder === "" ? "/" : folder)).filter(
    ({ name }) => !/^\.\.?$/.test(`${name}`),
  );
  const listed = new Map(names.map(({ name, attributes }) => [name.toString(), attributes]));
  expect(listed.size, folder).toBe(names.length);
  for (const name of new Set([...NAMES, ...listed.keys()])) {
    const path = `${folder}/${name}`;
    const there = await refused(session.stat(path));
    const entry = listed.get(name);
    // The areas, the default source's folder and the own name of a bound account's source are not listed.
    const hidden = folder === "" && [".history", "in", "pos"].includes(name) && entry === undefined;
    if (!hidden) {
      expect({ path, ...there, modified: 0 }).toEqual({ path, ...entry, modified: 0 });
    }
    if (entry !== undefined && ((entry.permissions ?? 0) & FOLDER) !== 0) await agree(session, path);
  }
}

/** Those that only ann puts, and those that only others put. */
const OWN = ["a", "b"];
const FOREIGN = ["f", "g"];
const any = fc.array(fc.constantFrom("in", "pos", ...OWN, ...FOREIGN), { maxLength: 2 });
const ended = (last: readonly string[]) =>
  fc.tuple(any, fc.constantFrom(...last)).map(([folders, name]) => `/${[...folders, name].join("/")}`);

const foreign = fc.record({
  who: fc.constantFrom("all" as const, "bob" as const),
  kind: fc.constantFrom("put" as const, "mkdir" as const, "remove" as const, "leave open" as const),
  path: ended(FOREIGN),
});
const own = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("put" as const), path: ended(OWN) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        ...(["mkdir", "rmdir", "remove", "stat", "list", "read", "alter", "touch", "cut"] as const),
      ),
      path: ended([...OWN, ...FOREIGN]),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("rename" as const),
      path: ended([...OWN, ...FOREIGN]),
      to: ended(OWN),
      replace: fc.boolean(),
    }),
  },
);
type Own = typeof own extends fc.Arbitrary<infer T> ? T : never;

test("of others' files one who only writes hears what it would hear of nothing", {
  timeout: 240_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.array(foreign, { maxLength: 4 }), own), { maxLength: 10 }),
      async (steps) => {
        const alone = await heardOf(steps.map(([, one]) => [[], one] as const));
        expect(await heardOf(steps)).toEqual(alone);
      },
    ),
    { numRuns: RUNS },
  );
});

/** What ann hears while others do what they do. */
async function heardOf(
  steps: readonly (readonly [
    others: readonly (typeof foreign extends fc.Arbitrary<infer T> ? T : never)[],
    own: Own,
  ])[],
): Promise<string[]> {
  const scene = new SftpScene();
  const rig = await startRig({ sftp: scene });
  try {
    const writer = (user: string) => {
      const account = scene.account(user);
      return { ...account, principal: { ...account.principal, acts: new Set<Act>(["write", "remove"]) } };
    };
    const others = {
      all: await scene.session(scene.account("all")),
      bob: await scene.session(writer("bob")),
    };
    const ann = await scene.session(writer("ann"));
    for (const source of ["/in", "/pos"])
      for (const one of [ann, ...Object.values(others)]) await refused(one.mkdir(source));
    const heard: string[] = [];
    for (const [before, one] of steps) {
      for (const { who, kind, path } of before) await refused(disturb(others[who], kind, path));
      heard.push(`${one.kind} ${one.path}: ${await answerTo(ann, one)}`);
    }
    heard.push(...(await seenBelow(ann, "")));
    return heard;
  } finally {
    await rig.stop();
  }
}

async function disturb(session: SceneSession, kind: "put" | "mkdir" | "remove" | "leave open", path: string) {
  if (kind === "put") await session.put(path, Buffer.from("foreign"));
  else if (kind === "mkdir") await session.mkdir(path);
  else if (kind === "remove") await session.remove(path);
  else await session.write(await session.open(path), Buffer.from("333"));
}

async function answerTo(session: SceneSession, one: Own): Promise<string> {
  const said = (work: Promise<unknown>): Promise<string> =>
    work.then(
      (answer) => (typeof answer === "string" ? (answer.split(" ")[0] ?? "") : "ok"),
      (error: SftpStatus) => `${error.status} ${error.message}`,
    );
  switch (one.kind) {
    case "put":
      return await said(session.put(one.path, Buffer.from("own")));
    case "mkdir":
      return await said(session.mkdir(one.path));
    case "rmdir":
      return await said(session.rmdir(one.path));
    case "remove":
      return await said(session.remove(one.path));
    case "stat":
      return await said(session.stat(one.path).then(({ size }) => `${size}`));
    case "list":
      return await said(
        session.list(one.path).then((names) => names.map(({ name }) => name.toString()).join()),
      );
    case "read":
      return await said(session.get(one.path));
    case "alter":
      return await said(session.open(one.path, OPEN.write).then((handle) => session.shut(handle)));
    case "touch":
      return await said(
        session.ask(TYPE.setstat, string(one.path), attributes({ modified: 1_000_000_000 })).then(done),
      );
    case "cut":
      return await said(session.ask(TYPE.setstat, string(one.path), attributes({ size: 1 })).then(done));
    case "rename":
      return await said(session.rename(one.path, one.to, one.replace));
  }
}

async function seenBelow(session: SceneSession, folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const { name, attributes: look } of await session.list(folder === "" ? "/" : folder)) {
    if (/^\.\.?$/.test(`${name}`)) continue;
    found.push(`${folder}/${name} ${look.permissions} ${look.size}`);
    if (((look.permissions ?? 0) & FOLDER) !== 0)
      found.push(...(await seenBelow(session, `${folder}/${name}`)));
  }
  return found;
}
