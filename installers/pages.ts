/** The console's pages as the receiver carries them: built anew from the sources, whatever lies in the checkout's `dist`. */
import { join, relative } from "node:path";
import { build } from "vite";

const ROOT = join(import.meta.dirname, "..");
const CONFIG = join(ROOT, "receiver/console/web/vite.config.ts");

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
