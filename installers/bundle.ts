/** One JavaScript file per program, with everything that it imports. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import type { Side } from "./targets.ts";

const ROOT = join(import.meta.dirname, "..");

export interface Bundle {
  /** CommonJS: a single executable of Node 24 takes nothing else. */
  readonly text: string;
  /** Name -> text of what the program reads while it runs; shared/packaged.ts finds it by these names. */
  readonly texts: ReadonlyMap<string, string>;
}

/** What is read as a file in a checkout, by the name that shared/packaged.ts asks for. */
const FOLDERS: Readonly<Record<Side, Readonly<Record<string, string>>>> = {
  agent: { "queue/": "agent/queue/migrations" },
  receiver: {
    "ledger/sqlite/": "receiver/ledger/migrations/sqlite",
    "ledger/postgres/": "receiver/ledger/migrations/postgres",
  },
};

/** `version`: what the program calls itself; it stands in package.json too. */
export async function bundle(side: Side, version: string, threads: string): Promise<Bundle> {
  const texts = new Map<string, string>();
  for (const [name, folder] of Object.entries(FOLDERS[side]))
    for (const file of readdirSync(join(ROOT, folder)).filter((one) => one.endsWith(".sql")))
      texts.set(`${name}${file}`, readFileSync(join(ROOT, folder, file), "utf8"));
  if (side === "receiver")
    texts.set("follower-worker.js", await compile({ file: "receiver/lake/follower-worker.ts" }, version));
  // Set before anything asks for a thread, which is when the C library's loop reads it.
  const contents = `process.env.UV_THREADPOOL_SIZE ??= ${JSON.stringify(threads)};\nrequire("./${side}/main.ts").main();\n`;
  return { text: await compile({ contents }, version), texts };
}

type Entry = { readonly file: string } | { readonly contents: string };

async function compile(entry: Entry, version: string): Promise<string> {
  const { outputFiles } = await build({
    ...("file" in entry
      ? { entryPoints: [join(ROOT, entry.file)] }
      : { stdin: { contents: entry.contents, resolveDir: ROOT, loader: "js" as const } }),
    absWorkingDir: ROOT,
    bundle: true,
    write: false,
    platform: "node",
    target: "node24",
    format: "cjs",
    // Names of classes and functions are part of messages and logs.
    keepNames: true,
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    // Paths of the checkout are asked for only where the program is not packaged.
    logOverride: { "empty-import-meta": "silent" },
    plugins: [versionPlugin(version)],
    // `pg` asks for it and goes without.
    external: ["pg-native", "pg-cloudflare"],
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error("esbuild wrote nothing");
  return file.text;
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
