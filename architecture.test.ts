import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { parseSync } from "oxc-parser";
import { describe, expect, test } from "vitest";

/** What every room may import: the nouns, and inside the agent its words for settings and facts, and how it reads its own files. */
const everywhere = ["shared", "agent/config.ts", "agent/facts.ts", "agent/own-file.ts", "agent/version.ts"];

/**
 * Room -> rooms it may import, besides itself and those above. A room is a folder of `agent` or `receiver`, or
 * a file at their top; where a whole room would be too much, one file of it is named. Arrows point against the flow of a file (DESIGN.md, 3), so that no room knows who uses it.
 */
const rooms: Readonly<Record<string, readonly string[]>> = {
  "agent/config.ts": ["agent/remote", "agent/secret/reference.ts", "agent/source"],
  "agent/facts.ts": [],
  "agent/own-file.ts": [],
  "agent/version.ts": [],
  "agent/service": [],
  "agent/secret": [],
  "agent/identity": [],
  "agent/source": [],
  "agent/pace": [],
  "agent/remote": ["agent/secret", "agent/source"],
  "agent/settle": ["agent/source"],
  "agent/seal": ["agent/settle", "agent/source"],
  "agent/queue": ["agent/seal", "agent/source"],
  "agent/capture": ["agent/queue", "agent/seal", "agent/settle", "agent/source"],
  "agent/upload": ["agent/queue", "agent/pace", "agent/seal", "agent/source", "agent/identity"],
  "agent/lease": ["agent/queue", "agent/source", "agent/identity"],
  "agent/report": ["agent/queue", "agent/source", "agent/identity"],
  "agent/doctor": [
    "agent/queue",
    "agent/remote",
    "agent/secret",
    "agent/source",
    "agent/identity",
    "agent/owner.ts",
  ],
  "agent/diagnostics": ["agent/doctor", "agent/queue", "agent/secret", "agent/source", "agent/identity"],
  "agent/owner.ts": ["agent/source"],
  "agent/open-source.ts": ["agent/pace", "agent/remote", "agent/source", "agent/owner.ts"],
  "agent/commands": [
    "agent/open-source.ts",
    "agent/owner.ts",
    "agent/diagnostics",
    "agent/doctor",
    "agent/report",
    "agent/secret",
    "agent/service",
    "agent/queue",
    "agent/seal",
    "agent/settle",
    "agent/source",
    "agent/identity",
  ],
  "agent/reload.ts": [],
  "agent/footprint.ts": ["agent/report"],
  "agent/sources.ts": ["agent/*"],
  "agent/centre.ts": ["agent/*"],
  "agent/run.ts": ["agent/*"],
  "agent/main.ts": ["agent/*"],

  "receiver/config.ts": [],
  "receiver/version.ts": [],
  "receiver/openapi": [],
  "receiver/limits": ["receiver/ledger"],
  "receiver/install": [],
  "receiver/inspection": [],
  "receiver/lines": [],
  "receiver/refusals": ["receiver/ledger"],
  "receiver/gauges": ["receiver/fleet", "receiver/ledger", "receiver/webhooks"],
  "receiver/diagnostics": [
    "receiver/config.ts",
    "receiver/fleet",
    "receiver/identity",
    "receiver/ledger",
    "receiver/refusals",
    "receiver/version.ts",
    "receiver/webhooks",
  ],
  "receiver/lake": [],
  "receiver/preview": [],
  "receiver/ledger": [],
  "receiver/identity": ["receiver/ledger"],
  "receiver/people": ["receiver/identity", "receiver/ledger", "receiver/limits"],
  "receiver/tail": ["receiver/lake", "receiver/ledger"],
  "receiver/tree": ["receiver/ledger"],
  "receiver/deliveries": ["receiver/ledger"],
  "receiver/overview": ["receiver/ledger"],
  "receiver/timeline": ["receiver/ledger"],
  "receiver/search": ["receiver/ledger", "receiver/timeline"],
  "receiver/webhooks": ["receiver/ledger", "receiver/tail"],
  "receiver/ingest": [
    "receiver/inspection",
    "receiver/lake",
    "receiver/ledger",
    "receiver/tail",
    "receiver/identity",
  ],
  "receiver/fleet": ["receiver/identity", "receiver/ledger"],
  "receiver/expectations": ["receiver/tail", "receiver/ledger", "receiver/fleet"],
  "receiver/doors": [
    "receiver/ingest",
    "receiver/identity",
    "receiver/fleet",
    "receiver/install",
    "receiver/limits",
    "receiver/openapi",
    "receiver/tail",
    "receiver/tree",
    "receiver/lake",
    "receiver/ledger",
    "receiver/version.ts",
  ],
  "receiver/audit": ["receiver/ledger"],
  "receiver/administration": [
    "receiver/audit",
    "receiver/fleet",
    "receiver/identity",
    "receiver/ledger",
    "receiver/people",
    "receiver/webhooks",
  ],
  "receiver/attention": ["receiver/fleet", "receiver/identity"],
  "receiver/console": [
    "receiver/administration",
    "receiver/attention",
    "receiver/audit",
    "receiver/deliveries",
    "receiver/lines",
    "receiver/overview",
    "receiver/preview",
    "receiver/refusals",
    "receiver/search",
    "receiver/timeline",
    "receiver/doors/body.ts",
    "receiver/doors/door.ts",
    "receiver/doors/problem.ts",
    "receiver/doors/streams.ts",
    "receiver/doors/strict-transport.ts",
    "receiver/doors/target.ts",
    "receiver/install",
    "receiver/webhooks",
    "receiver/people",
    "receiver/expectations",
    "receiver/fleet",
    "receiver/identity",
    "receiver/limits",
    "receiver/search",
    "receiver/tail",
    "receiver/timeline",
    "receiver/tree",
    "receiver/lake",
    "receiver/ledger",
  ],
  "receiver/commands": [
    "receiver/administration",
    "receiver/audit",
    "receiver/people",
    "receiver/diagnostics",
    "receiver/expectations",
    "receiver/fleet",
    "receiver/identity",
    "receiver/install",
    "receiver/limits",
    "receiver/tail",
    "receiver/lake",
    "receiver/ledger",
    "receiver/webhooks",
    "receiver/config.ts",
    "receiver/site.ts",
    "receiver/version.ts",
  ],
  "receiver/site.ts": ["receiver/config.ts", "receiver/identity", "receiver/lake", "receiver/ledger"],
  "receiver/log.ts": [
    "receiver/people",
    "receiver/config.ts",
    "receiver/lines",
    "receiver/serve.ts",
    "receiver/doors",
    "receiver/ingest",
    "receiver/tail",
    "receiver/fleet",
    "receiver/webhooks",
  ],
  "receiver/metrics.ts": [
    "receiver/gauges",
    "receiver/ledger",
    "receiver/version.ts",
    "receiver/doors",
    "receiver/ingest",
    "receiver/tail",
    "receiver/fleet",
    "receiver/webhooks",
  ],
  "receiver/app.ts": [
    "receiver/doors",
    "receiver/console",
    "receiver/ingest",
    "receiver/expectations",
    "receiver/fleet",
    "receiver/identity",
    "receiver/limits",
    "receiver/tail",
    "receiver/lake",
    "receiver/ledger",
    "receiver/metrics.ts",
    "receiver/openapi",
  ],
  "receiver/serve.ts": ["receiver/doors", "receiver/config.ts"],
  "receiver/console.ts": ["receiver/*"],
  "receiver/sftp.ts": ["receiver/*"],
  "receiver/run.ts": ["receiver/*"],
  "receiver/main.ts": ["receiver/*"],
};

/** Technology -> the only files that may choose it. */
const technologies: Readonly<Record<string, readonly string[]>> = {
  "agent/queue/sqlite.ts": ["agent/main.ts", "agent/run.ts"],
  "receiver/inspection/clamd.ts": ["receiver/main.ts"],
  "receiver/lake/directory.ts": ["receiver/main.ts"],
  "receiver/lake/s3.ts": ["receiver/main.ts"],
  "receiver/ledger/postgres.ts": ["receiver/main.ts"],
  "receiver/limits/memory.ts": ["receiver/main.ts"],
  "receiver/limits/postgres.ts": ["receiver/main.ts"],
  "receiver/ledger/sqlite.ts": ["receiver/main.ts"],
  "receiver/webhooks/https.ts": ["receiver/main.ts"],
  "receiver/webhooks/ways.ts": ["receiver/webhooks/https.ts"],
};

/** Package of npm -> the only files, or rooms, that may import more than its types: it has to be loaded at the right moment. */
const atTheirMoment: Readonly<Record<string, readonly string[]>> = {
  ssh2: ["agent/remote/sftp/library.ts", "receiver/doors/sftp/library.ts"],
  "basic-ftp": ["agent/remote/ftp/library.ts"],
  "@aws-sdk/client-s3": ["agent/remote/s3/library.ts", "receiver/lake"],
  "@azure/storage-blob": ["agent/remote/azure-blob/library.ts"],
  "better-auth": ["receiver/people/better-auth.ts"],
  "@better-auth/passkey": ["receiver/people/better-auth.ts"],
  papaparse: ["receiver/preview/csv.ts"],
  sax: ["receiver/preview/excel/xml.ts"],
  hyparquet: ["receiver/preview/parquet/parquet.ts"],
  "hyparquet-compressors": ["receiver/preview/parquet/unpack.ts"],
};

/** Fakes and scenes that stand beside the code and are there for tests alone; the same holds for *.test, *.contract and *.place.ts. */
const forTests = [
  "agent/remote/sftp/fake-server.ts",
  "agent/upload/fake-receiver.ts",
  "receiver/console/expected.ts",
  "receiver/console/samples.ts",
  "receiver/console/scene.ts",
  "receiver/doors/sftp/scene.ts",
  "receiver/identity/scene.ts",
  "receiver/inspection/fake-clamd.ts",
  "receiver/lake/memory.ts",
  "receiver/lake/slow-disk.ts",
  "receiver/ledger/samples.ts",
  "receiver/openapi/conform.ts",
  "receiver/people/oidc-provider.ts",
  "receiver/people/scene.ts",
  "receiver/preview/samples.ts",
  "receiver/rig.ts",
];

/** Folders of the checkout that hold TypeScript and no room; what runs at a client or a receiver imports none of them. */
const outside = [".ci", "bench", "installers", "start", "test"];

/** Fewer files than this and the scan has gone blind. */
const atLeast: Readonly<Record<string, number>> = { shared: 10, agent: 40, receiver: 80 };

type Sources = ReadonlyMap<string, string>;

/** One sentence for each thing that is wrong; `sources` is path -> text. */
function violations(sources: Sources): string[] {
  return [...sources].flatMap(([path, text]) => {
    const [top = ""] = path.split("/");
    if (!["shared", "agent", "receiver"].includes(top)) {
      const known = outside.includes(top) || !path.includes("/");
      return known ? [] : [`${path}: the folder ${top} is not in architecture.test.ts`];
    }
    if (isTest(path)) return [];
    const room = roomOf(path);
    const allowed = room === "shared" ? [] : rooms[room];
    if (allowed === undefined) return [`${path}: the room ${room} is not in architecture.test.ts`];
    const early = valuesOf(path, text).filter((name) => {
      const owners = atTheirMoment[name] ?? [path];
      return !owners.includes(path) && !owners.includes(room);
    });
    if (early.length > 0)
      return early.map((name) => `${path} imports ${name}: ask ${atTheirMoment[name]?.join(" or ")}`);
    return importsOf(path, text)
      .map((specifier) => fileOf(path, specifier))
      .filter((target) => target !== undefined)
      .flatMap((target) => {
        const wrong = wrongWith(path, room, allowed, target);
        return wrong === undefined ? [] : [`${path} imports ${target}: ${wrong}`];
      });
  });
}

function wrongWith(
  path: string,
  room: string,
  allowed: readonly string[],
  target: string,
): string | undefined {
  if (isTest(target)) return "only tests import what is there for tests";
  if (path.split("/")[1] !== "main.ts" && /^(agent|receiver)\/main\.ts$/.test(target))
    return "nobody imports main.ts";
  const choosers = technologies[target];
  if (choosers !== undefined && !choosers.includes(path))
    return `only ${choosers.join(" and ")} may choose it`;
  const other = roomOf(target);
  const own = (name: string) => name === "shared" || name.split("/")[0] === room.split("/")[0];
  const open = [room, ...everywhere.filter(own), ...allowed];
  const house = `${path.split("/")[0]}/*`;
  if (
    open.includes(other) ||
    open.includes(target) ||
    (open.includes(house) && dirname(house) === target.split("/")[0])
  )
    return;
  return `${room} may import ${open.slice(1).join(", ")}`;
}

const isTest = (path: string) => /\.(test|contract|place)\.tsx?$/.test(path) || forTests.includes(path);

/** `agent/queue/rows.ts` -> `agent/queue`; `agent/run.ts` -> itself; anything else -> its top folder. */
function roomOf(path: string): string {
  const [top = "", room] = path.split("/");
  return room !== undefined && ["agent", "receiver"].includes(top) ? `${top}/${room}` : top;
}

/** Path in the checkout of what is imported; undefined for Node's and npm's modules. */
function fileOf(importer: string, specifier: string): string | undefined {
  if (specifier.startsWith(".")) return join(dirname(importer), specifier);
  if (specifier.startsWith("@tributary/")) return specifier.slice("@tributary/".length);
  return undefined;
}

/** Static imports and re-exports, of types too; `import()` of values and types; `new URL()` of a worker. */
function importsOf(path: string, text: string): string[] {
  const { module, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  const exported = module.staticExports.flatMap((one) => one.entries.map((entry) => entry.moduleRequest));
  const loose = text.matchAll(/\bimport\(\s*["'`]([^"'`]+)|\bnew URL\(\s*["'`](\.[^"'`]+\.tsx?)["'`]/g);
  return [
    ...module.staticImports.map((one) => one.moduleRequest.value),
    ...exported.flatMap((request) => (request == null ? [] : [request.value])),
    ...[...loose].map(([, called, worker]) => called ?? worker ?? ""),
  ];
}

/** Files that run when this one is loaded, without what `import()` loads later. */
function loadedWith(sources: Sources, path: string, seen = new Set<string>()): ReadonlySet<string> {
  const text = sources.get(path);
  if (text === undefined || seen.has(path)) return seen;
  seen.add(path);
  for (const specifier of fixedOf(path, text)) {
    const target = fileOf(path, specifier);
    if (target !== undefined) loadedWith(sources, target, seen);
  }
  return seen;
}

/** What is imported or re-exported at once, and is more than types. */
function fixedOf(path: string, text: string): string[] {
  const { module } = parseSync(path, text);
  const imported = module.staticImports
    .filter(({ entries }) => entries.length === 0 || entries.some(({ isType }) => !isType))
    .map(({ moduleRequest }) => moduleRequest.value);
  const exported = module.staticExports.flatMap(({ entries }) =>
    entries.flatMap(({ isType, moduleRequest }) =>
      isType || moduleRequest == null ? [] : [moduleRequest.value],
    ),
  );
  return [...imported, ...exported];
}

/** Packages of which more than types is imported; by `import()` too, where a type is not told from a value. */
function valuesOf(path: string, text: string): string[] {
  const loose = [...text.matchAll(/\bawait import\(\s*["'`]([^"'`]+)/g)].map(([, name]) => name ?? "");
  return [...fixedOf(path, text), ...loose].map((name) => /^(@[^/]+\/)?[^/]*/.exec(name)?.[0] ?? "");
}

function readSources(): Sources {
  const skipped = ["node_modules", "dist", "coverage", ".git", ".tsbuild", ".tributary"];
  const list = (folder: string): string[] =>
    readdirSync(join(import.meta.dirname, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return skipped.includes(entry.name) ? [] : list(path);
      return /\.tsx?$/.test(entry.name) ? [path] : [];
    });
  return new Map(list(".").map((path) => [path, readFileSync(join(import.meta.dirname, path), "utf8")]));
}

describe("the house", () => {
  const sources = readSources();

  test("every import follows the arrows", () => {
    expect(violations(sources)).toEqual([]);
  });

  test.for(Object.entries(atLeast))("the scan sees %s", ([top, count]) => {
    const seen = [...sources.keys()].filter((path) => path.startsWith(`${top}/`) && !isTest(path));
    expect(seen.length).toBeGreaterThanOrEqual(count);
  });

  test("an agent that runs has loaded no library of a kind of sources", () => {
    const libraries = (path: string) =>
      [...loadedWith(sources, path)].filter((file) => /^agent\/remote\/[^/]+\/library\.ts$/.test(file));
    expect(libraries("agent/main.ts")).toEqual([]);
    expect(libraries("agent/run.ts")).toEqual([]);
    // The scan sees them where they are loaded, and sees the kinds.
    expect(libraries("agent/remote/s3/remote.ts")).toEqual(["agent/remote/s3/library.ts"]);
    expect(loadedWith(sources, "agent/run.ts")).toContain("agent/remote/s3.ts");
  });

  test("a receiver has loaded better-auth only where a console is asked", () => {
    const login = "receiver/people/better-auth.ts";
    for (const path of ["receiver/main.ts", "receiver/run.ts", "receiver/people/auth.ts"])
      expect(loadedWith(sources, path)).not.toContain(login);
    expect(sources.get("receiver/people/auth.ts")).toContain('import("./better-auth.ts")');
  });

  test("a receiver has loaded none of the libraries of file formats, which are for the process that previews", () => {
    const formats = ["papaparse", "sax", "hyparquet", "hyparquet-compressors"];
    const loaded = (path: string) =>
      [...loadedWith(sources, path)].flatMap((file) =>
        fixedOf(file, sources.get(file) ?? "").filter((name) => formats.includes(name)),
      );
    for (const path of ["receiver/main.ts", "receiver/preview/process.ts", "receiver/preview/child.ts"])
      expect(loaded(path)).toEqual([]);
    expect(loaded("receiver/preview/worker.ts").sort()).toEqual(formats.toSorted());
  });

  test("the arrows have no circle", () => {
    const names = Object.keys(rooms);
    const targets = (room: string) =>
      (rooms[room] ?? []).flatMap((target) =>
        target.endsWith("/*")
          ? names.filter((name) => name.startsWith(target.slice(0, -1)) && !rooms[name]?.includes(target))
          : [roomOf(target)],
      );
    const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
      targets(from).some((next) => next === to || (!seen.has(next) && reaches(next, to, seen.add(next))));
    expect(names.filter((room) => reaches(room, room))).toEqual([]);
    expect(
      Object.values(rooms)
        .flat()
        .filter((name) => !name.endsWith("/*") && !names.includes(roomOf(name))),
    ).toEqual([]);
  });
});

describe("the guard itself", () => {
  const one = (path: string, text: string) => violations(new Map([[path, text]]));

  test.for<[string, string, string]>([
    ["an unknown room", "agent/extras/a.ts", ""],
    ["an unknown file at the top", "receiver/extras.ts", ""],
    ["an unknown folder of the checkout", "extras/a.ts", ""],
    ["an arrow that is not there", "agent/source/a.ts", `import { q } from "../queue/queue.ts";`],
    ["the same for a type", "agent/source/a.ts", `import type { Q } from "../queue/queue.ts";`],
    ["the same for an inline type", "agent/source/a.ts", `let q: import("../queue/queue.ts").Q;`],
    ["the same re-exported", "agent/source/a.ts", `export { q } from "../queue/queue.ts";`],
    ["the same re-exported as a whole", "agent/source/a.ts", `export * from "../queue/queue.ts";`],
    ["the same for its effects", "agent/source/a.ts", `import "../queue/queue.ts";`],
    ["the same while running", "agent/source/a.ts", `await import("../queue/queue.ts");`],
    ["the same as a worker", "agent/source/a.ts", `new Worker(new URL("../queue/q.ts", import.meta.url));`],
    ["the same in a component", "receiver/console/web/a.tsx", `import "../../doors/a.ts"; const x = <p />;`],
    ["the agent importing the receiver", "agent/main.ts", `import "../receiver/config.ts";`],
    ["the same by its name", "agent/main.ts", `import "@tributary/receiver/config.ts";`],
    ["the receiver importing the agent", "receiver/main.ts", `import "../agent/config.ts";`],
    ["the receiver importing the agent's words", "receiver/main.ts", `import "../agent/facts.ts";`],
    ["shared importing a side", "shared/a.ts", `import "../agent/config.ts";`],
    ["the same by its name", "shared/a.ts", `import "@tributary/receiver/config.ts";`],
    ["a test imported", "receiver/lake/a.ts", `import "./b.test.ts";`],
    ["a contract imported", "receiver/lake/a.ts", `import "./lake.contract.ts";`],
    ["the tests' package imported", "receiver/main.ts", `import "@tributary/test/servers/servers.ts";`],
    ["a technology chosen elsewhere", "receiver/app.ts", `import "./lake/s3.ts";`],
    ["main imported", "receiver/run.ts", `import "./main.ts";`],
    ["a technology chosen in its own room", "receiver/lake/a.ts", `import "./s3.ts";`],
    ["a room of which one file is open", "agent/config.ts", `import "./secret/store.ts";`],
    ["ssh2 loaded elsewhere", "receiver/doors/sftp/a.ts", `import { Server } from "ssh2";`],
    ["the same while running", "receiver/doors/sftp/a.ts", `const { default: ssh2 } = await import("ssh2");`],
    [
      "the same, a part of it",
      "receiver/doors/sftp/a.ts",
      `import keys from "ssh2/lib/protocol/keyParser.js";`,
    ],
    ["the same re-exported", "agent/remote/sftp/a.ts", `export { Client } from "ssh2";`],
    ["a package with an owner", "agent/remote/s3/a.ts", `import { S3Client } from "@aws-sdk/client-s3";`],
    ["a fake in service", "receiver/main.ts", `import "./lake/memory.ts";`],
  ])("sees %s", ([, path, text]) => {
    expect(one(path, text)).toHaveLength(1);
  });

  test.for<[string, string, string]>([
    ["an arrow that is there", "agent/queue/a.ts", `import "../seal/seal.ts";`],
    ["the one file that is open", "agent/config.ts", `import "./secret/reference.ts";`],
    ["the own room", "agent/queue/a.ts", `import "./b.ts";`],
    ["shared", "agent/queue/a.ts", `import "@tributary/shared/path.ts";`],
    ["npm and Node", "agent/queue/a.ts", `import "node:fs"; import "zod";`],
    ["a comment", "agent/source/a.ts", `// import "../queue/queue.ts"`],
    ["the types of ssh2", "receiver/doors/sftp/a.ts", `import type { Server } from "ssh2";`],
    ["main choosing", "receiver/main.ts", `import "./lake/s3.ts"; import "./ledger/sqlite.ts";`],
    ["a test doing what it needs", "receiver/doors/a.test.ts", `import "../lake/memory.ts";`],
    ["a journey", "test/site/a.test.ts", `import "../../receiver/main.ts";`],
  ])("lets pass %s", ([, path, text]) => {
    expect(one(path, text)).toEqual([]);
  });
});
