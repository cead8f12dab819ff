/** The console's pages, built: into the checkout's `dist`, where its receiver finds them, or anew for a package. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { build } from "vite";

const ROOT = join(import.meta.dirname, "..");
const WEB = join(ROOT, "receiver/console/web");
const CONFIG = join(WEB, "vite.config.ts");

/** When they are not built, or are older than what they are made of: a few seconds the first time, nothing after that. */
export async function buildPages(say: (line: string) => void): Promise<void> {
  const built = join(WEB, "dist", "index.html");
  if (existsSync(built) && statSync(built).mtimeMs > newest(WEB)) return;
  say("building the console's pages …");
  await build({ configFile: CONFIG, logLevel: "warn" });
}

function newest(folder: string): number {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  const sources = entries.filter((entry) => entry.isFile() && !entry.parentPath.includes("dist"));
  return Math.max(...sources.map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs));
}

/** Name -> text, as receiver/console/pages.ts asks for them; `inputs` are paths below the checkout. */
export async function bundlePages(): Promise<{
  readonly texts: ReadonlyMap<string, string>;
  readonly inputs: readonly string[];
}> {
  const inputs = new Set<string>();
  const built = await build({
    configFile: CONFIG,
    logLevel: "warn",
    build: { write: false },
    plugins: [
      {
        name: "inputs",
        generateBundle() {
          for (const id of this.getModuleIds()) inputs.add(relative(ROOT, id.replace(/^\0|\?.*$/g, "")));
        },
      },
    ],
  });
  const [made] = [built].flat();
  if (made === undefined || !("output" in made)) throw new Error("vite wrote nothing");
  const texts = made.output.map((file): [string, string] => [
    file.fileName,
    file.type === "chunk" ? file.code : Buffer.from(file.source).toString("utf8"),
  ]);
  return { texts: new Map(texts), inputs: [...inputs] };
}

if (import.meta.main) await buildPages((line) => process.stderr.write(`${line}\n`));
