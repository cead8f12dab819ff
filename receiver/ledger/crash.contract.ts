/** A receiver that is killed in the midst of its commits: what it was told is there, and no half of a commit. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";
import { addClient } from "./clients.ts";
import { createLedger } from "./commit.ts";
import { createHistory } from "./history.ts";
import type { Place } from "./ledger.contract.ts";
import { sign, version, word } from "./samples.ts";
import { createSegments } from "./segments.ts";

const BATCH = 5;

/** `address`: what the killed process opens, a file or a URL. */
export function crashContract(newPlace: () => Promise<{ readonly address: string; readonly open: Place }>) {
  test("killed while it commits, again and again", { timeout: 60_000 }, async () => {
    const { address, open } = await newPlace();
    await addClient((await open()).db, "acme");
    const acknowledged: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      const killed = committer(address);
      const lines = createInterface({ input: killed.stdout as NodeJS.ReadableStream });
      let seen = 0;
      for await (const line of lines) {
        acknowledged.push(line);
        seen += 1;
        // Not between two commits, but while the next ones are on their way.
        if (seen === 20 + round * 7) killed.kill("SIGKILL");
      }
      if (killed.signalCode === null) await once(killed, "exit");
      expect(killed.signalCode).toBe("SIGKILL");
    }
    const database = await open();
    const history = createHistory(database.db);
    const entries = await history.since(0, 100_000);
    const versions = new Set(entries.map((line) => line.versionId));
    expect(acknowledged.filter((id) => !versions.has(id))).toEqual([]);
    expect(acknowledged.length).toBeGreaterThan(100);
    expect(entries.map((line) => line.seq)).toEqual(entries.map((_, i) => i + 1));
    expect(await history.position()).toMatchObject({ seq: entries.length });
    const segments = await Array.fromAsync(createSegments(database).unwritten(0));
    expect(segments.map((segment) => segment.lines.length)).toEqual(segments.map(() => BATCH));
    expect(segments.flatMap((segment) => segment.lines)).toEqual(entries);
    const latest = await history.page({ clients: ["acme"], latest: true, limit: 100_000 });
    expect(latest.entries.map((entry) => entry.versionId)).toEqual(
      entries.slice(-BATCH).map((line) => line.versionId),
    );
    const { outcomes } = await createLedger(database).commit([version("after", "A")], sign);
    expect(outcomes.map(word)).toEqual(["committed"]);
  });
}

/** Commits batches of BATCH for ever and prints each versionId when its commit has returned. */
function committer(address: string): ChildProcess {
  const opener = address.includes("://") ? "./postgres.ts" : "./sqlite.ts";
  const program = `
    const { ${opener.includes("postgres") ? "openPostgres" : "openSqlite"}: open } = await import("${new URL(opener, import.meta.url).href}");
    const { createLedger } = await import("${new URL("./commit.ts", import.meta.url).href}");
    const { sign, version } = await import("${new URL("./samples.ts", import.meta.url).href}");
    const ledger = createLedger(await open(process.argv[1]));
    for (let i = 0; ; i += 1) {
      const batch = Array.from({ length: ${BATCH} }, (_, n) => version("f/" + n, process.pid + " " + i));
      await ledger.commit(batch, sign);
      for (const { versionId } of batch) process.stdout.write(versionId + "\\n");
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program, address], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}
