/**
 * Side-by-side measurements: `npm run bench [large|small|far|many|listing|search|sftp|idle|consoles|packaged …] [-- --rounds N]`. Ratios within one run, same
 * files, same machine. Tributary's times run from the moment a whole folder is renamed into the source to the last
 * receipt in the agent's queue, less the settle time, which is a choice and not work.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { consoles } from "./consoles.ts";
import { idle } from "./idle.ts";
import { large } from "./large.ts";
import { listing } from "./listing.ts";
import { many } from "./many.ts";
import { packaged } from "./packaged.ts";
import { startPeers } from "./peers.ts";
import { search } from "./search.ts";
import { sftp } from "./sftp.ts";
import { far, small } from "./small.ts";

const words = process.argv.slice(2);
const flag = words.indexOf("--rounds");
const rounds = flag === -1 ? 3 : Number(words.splice(flag, 2)[1]);
const all = { large, small, far, many, listing, search, sftp, idle, consoles, packaged };
// Its ten million versions take a quarter of an hour and some GB: only where it is named.
const chosen = words.length > 0 ? words : Object.keys(all).filter((word) => word !== "search");
const unknown = chosen.filter((word) => !(word in all));
if (unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write(`usage: npm run bench [${Object.keys(all).join("|")} …] [-- --rounds N]\n`);
  process.exit(2);
}

execFileSync(fileURLToPath(new URL("prepare", import.meta.url)), { stdio: "inherit" });
const dir = mkdtempSync(join(tmpdir(), "tributary-bench-"));
const peers = await startPeers(join(dir));
try {
  process.stdout.write(
    `${cpus()[0]?.model ?? "?"}, ${cpus().length} cores, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}\n\n`,
  );
  for (const word of chosen)
    process.stdout.write(`${await all[word as keyof typeof all]({ dir, peers, rounds })}\n`);
} finally {
  peers.stop();
  rmSync(dir, { recursive: true, force: true });
}
