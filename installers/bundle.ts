/** One JavaScript file per program, with everything that it imports. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { build, type Plugin } from "esbuild";
import { CRYPTO_ASSET, libraryAsset, PREVIEW_PROCESS } from "../shared/packaged.ts";
import { bundlePages } from "./pages.ts";
import type { Side } from "./targets.ts";

const ROOT = join(import.meta.dirname, "..");

export interface Bundle {
  /** CommonJS: a single executable of Node 24 takes nothing else. */
  readonly text: string;
  /** Name -> text of what the program reads while it runs; shared/packaged.ts finds it by these names. */
  readonly texts: ReadonlyMap<string, string>;
  /** Names, versions and licences of all packages that went into it. */
  readonly licences: string;
}

/** What is read as a file in a checkout, by the name that shared/packaged.ts asks for. */
const FOLDERS: Readonly<Record<Side, Readonly<Record<string, string>>>> = {
  agent: { "queue/": "agent/queue/migrations" },
  receiver: {
    "ledger/sqlite/": "receiver/ledger/migrations/sqlite",
    "ledger/postgres/": "receiver/ledger/migrations/postgres",
    "examples/": "docs/examples",
  },
};

/** A kind of sources whose library is large has a file of this name: what it exports is an asset of its own. */
const LIBRARY = "library.ts";
const KINDS = "agent/remote";

/** What runs in a thread of its own. */
const THREADS: Readonly<Record<string, string>> = {
  "follower-worker.js": "receiver/lake/follower-worker.ts",
  "publisher-worker.js": "receiver/lake/publisher-worker.ts",
  "preview-worker.js": "receiver/preview/worker.ts",
};

/** The process in which a file is previewed is the program itself, with another beginning. */
const PREVIEW = `
else if (process.argv[2] === ${JSON.stringify(PREVIEW_PROCESS)}) require("./receiver/preview/child.ts");`;

const libraryKinds = (): readonly string[] =>
  readdirSync(join(ROOT, KINDS)).filter((kind) => existsSync(join(ROOT, KINDS, kind, LIBRARY)));

/** `version`: what the program calls itself; it stands in package.json too. */
export async function bundle(side: Side, version: string, threads: string): Promise<Bundle> {
  const texts = new Map<string, string>();
  for (const [name, folder] of Object.entries(FOLDERS[side]))
    for (const file of readdirSync(join(ROOT, folder)).filter((one) => /\.(sql|sh|ps1|py|mjs)$/.test(one)))
      texts.set(`${name}${file}`, readFileSync(join(ROOT, folder, file), "utf8"));
  const libraries: string[] = [];
  if (side === "receiver")
    for (const [name, file] of Object.entries(THREADS)) {
      const { text, inputs } = await compile({ file }, version);
      texts.set(name, text);
      libraries.push(...inputs);
    }
  if (side === "agent")
    for (const kind of libraryKinds()) {
      const { text, inputs } = await compile({ file: join(KINDS, kind, LIBRARY) }, version);
      texts.set(libraryAsset(kind), text);
      libraries.push(...inputs);
    }
  if (side === "agent")
    texts.set("agent.service", readFileSync(join(ROOT, "installers/linux/agent.service"), "utf8"));
  // The number of threads is set before anything asks for one, which is when it is read. Scripts and inventories ask
  // for the version again and again: the rest of the program is not loaded for that.
  const contents = `
process.env.UV_THREADPOOL_SIZE ??= ${JSON.stringify(threads)};
if (process.argv.length === 3 && process.argv[2] === "--version") console.log(${JSON.stringify(version)});${side === "receiver" ? PREVIEW : ""}
else require("./${side}/main.ts").main();
`;
  const { text, inputs } = await compile({ contents }, version, [LIBRARY_PLUGIN]);
  if (side === "receiver") {
    const pages = await bundlePages();
    for (const [name, page] of pages.texts) texts.set(`pages/${name}`, page);
    libraries.push(...pages.inputs);
  }
  // What went in by other ways: SQLite as a library, nan into the native crypto.
  const besides = ["better-sqlite3", ...(side === "receiver" ? ["nan"] : [])];
  const folders = besides.map((name) => `node_modules/${name}/package.json`);
  return { text, texts, licences: licencesOf([...inputs, ...libraries, ...folders]) };
}

type Entry = { readonly file: string } | { readonly contents: string };

/** One entry and all it imports; `inputs` are paths below the checkout. */
export async function compile(
  entry: Entry,
  version: string,
  plugins: readonly Plugin[] = [],
): Promise<{ readonly text: string; readonly inputs: readonly string[] }> {
  const { outputFiles, metafile } = await build({
    ...("file" in entry
      ? { entryPoints: [join(ROOT, entry.file)] }
      : { stdin: { contents: entry.contents, resolveDir: ROOT, loader: "js" as const } }),
    absWorkingDir: ROOT,
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    target: "node24",
    format: "cjs",
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    // Paths of the checkout are asked for only where the program is not packaged.
    logOverride: { "empty-import-meta": "silent" },
    plugins: [versionPlugin(version), CRYPTO_PLUGIN, ARROW_PLUGIN, ...plugins],
    // `pg` and ssh2 ask for them and go without.
    external: ["pg-native", "pg-cloudflare", "cpu-features"],
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error("esbuild wrote nothing");
  return { text: file.text, inputs: Object.keys(metafile.inputs) };
}

/** `inputs`: paths below the checkout; those of npm's packages count. */
function licencesOf(inputs: readonly string[]): string {
  const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/;
  const packages = new Set(inputs.flatMap((input) => folder.exec(input)?.[0] ?? []));
  return [...packages]
    .sort()
    .map((path) => {
      const { name, version, license } = JSON.parse(readFileSync(join(ROOT, path, "package.json"), "utf8"));
      const file = readdirSync(join(ROOT, path)).find((one) => /^licen[cs]e/i.test(one));
      const text =
        file === undefined ? `Licence: ${license}` : readFileSync(join(ROOT, path, file), "utf8").trim();
      return `${name} ${version}\n${"=".repeat(40)}\n${text}\n`;
    })
    .join("\n\n");
}

function versionPlugin(version: string): Plugin {
  return {
    name: "version",
    setup(build) {
      build.onLoad({ filter: /[/\\](agent|receiver)[/\\]version\.ts$/ }, () => ({
        contents: `export const VERSION = ${JSON.stringify(version)};`,
        loader: "ts",
      }));
    },
  };
}

/** Node reads and checks the whole text of a program at each start: what most agents never use is no part of it. */
const LIBRARY_PLUGIN: Plugin = {
  name: "libraries of kinds of sources",
  setup(build) {
    build.onResolve({ filter: /\/library\.ts$/ }, ({ path, resolveDir }) => {
      const folder = dirname(join(resolveDir, path));
      return dirname(folder) === join(ROOT, KINDS)
        ? { path: basename(folder), namespace: "library" }
        : undefined;
    });
    build.onLoad({ filter: /.*/, namespace: "library" }, ({ path }) => ({
      contents: `module.exports = require("./shared/packaged.ts").packagedLibrary(${JSON.stringify(path)});`,
      resolveDir: ROOT,
      loader: "js",
    }));
  },
};

/** Where ssh2 would load its native crypto from a file beside itself, it gets the asset's. */
const CRYPTO_PLUGIN: Plugin = {
  name: "native crypto",
  setup(build) {
    build.onResolve({ filter: /\/sshcrypto\.node$/ }, () => ({ path: CRYPTO_ASSET, namespace: "native" }));
    build.onLoad({ filter: /.*/, namespace: "native" }, () => ({
      contents: 'module.exports = require("./shared/packaged.ts").packagedCrypto();',
      resolveDir: ROOT,
      loader: "js",
    }));
  },
};

/** Azure's library lists blobs in a second format, which is never asked for: a third of what it would add to the program. */
const ARROW_PLUGIN: Plugin = {
  name: "no arrow",
  setup(build) {
    build.onResolve({ filter: /^apache-arrow$/ }, () => ({ path: "apache-arrow", namespace: "none" }));
    build.onLoad({ filter: /.*/, namespace: "none" }, () => ({
      contents: "module.exports = {};",
      loader: "js",
    }));
  },
};
