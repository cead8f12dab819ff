/** The console's pages as a browser reads them: built when they are not, or are older than what they are made of. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";

const WEB = "receiver/console/web";

/** A few seconds the first time, nothing after that. */
export async function buildPages(root: string, say: (line: string) => void): Promise<void> {
  const web = join(root, WEB);
  const built = join(web, "dist", "index.html");
  if (existsSync(built) && statSync(built).mtimeMs > newest(web)) return;
  say("building the console's pages …");
  await build({ configFile: join(web, "vite.config.ts"), logLevel: "warn" });
}

function newest(folder: string): number {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  const sources = entries.filter((entry) => entry.isFile() && !entry.parentPath.includes("dist"));
  return Math.max(...sources.map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs));
}

if (import.meta.main)
  await buildPages(join(import.meta.dirname, ".."), (line) => process.stderr.write(`${line}\n`));
