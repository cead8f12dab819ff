/**
 * What ten open consoles cost the deliveries of the receiver that they look at: the same files with and without them, in
 * turn. The clock also has the work of the ten on this host; the receiver's own processor says what it does for them.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { consoleVisitor } from "./console-visitor.ts";
import type { Bench } from "./context.ts";
import { makeSmallFiles } from "./files.ts";
import { type Contender, inTurn, median, report, type Taken } from "./measure.ts";
import { type Measured, startTributary } from "./tributary.ts";

const FILES = 10_000;
const SIZE = 4096;
const CONSOLES = 10;

export async function consoles({ rounds }: Bench): Promise<string> {
  const tributary = await startTributary({ console: true });
  try {
    const port = Number(new URL(tributary.site.consoleUrl ?? "").port);
    const link = /welcome#(\S+)/.exec(tributary.receiver.stderr())?.[1];
    if (link === undefined) throw new Error("the receiver gave no link for the first administrator");
    const visitor = consoleVisitor(port);
    await visitor.signIn("bench@example.com", link, true);
    visitor.close();
    const own: Record<string, number[]> = {};
    const deliver = async (name: string, round: number): Promise<Taken> => {
      const prepared = join(tributary.site.dir, `prepared-${name}-${round}`);
      makeSmallFiles(prepared, FILES, SIZE);
      const before = processorOf(tributary);
      const taken = await tributary.deliver(prepared, `${name}-${round}`, FILES);
      own[name] = [...(own[name] ?? []), processorOf(tributary) - before];
      return taken;
    };
    const none: Contender = { name: "no console open", run: (round) => deliver("none", round) };
    const ten: Contender = {
      name: `${CONSOLES} consoles open`,
      run: async (round) => {
        const open = await openConsoles(port, visitor.cookie());
        try {
          return await deliver("ten", round);
        } finally {
          await open.close();
        }
      },
    };
    // The first delivery of a process is slower than all others: it is nobody's.
    await deliver("first", 0);
    const results = await inTurn([ten, none], rounds);
    const of = (name: string): string => `${median(own[name] ?? []).toFixed(2)} s`;
    return `${report(`${FILES.toLocaleString("en")} files of 4 KiB with ${CONSOLES} open consoles`, results)}The receiver's own processor: ${of("ten")} with them, ${of("none")} without.\n`;
  } finally {
    await tributary.stop();
  }
}

async function openConsoles(port: number, cookie: string): Promise<{ close(): Promise<void> }> {
  const program = fileURLToPath(new URL("consoles-open.ts", import.meta.url));
  const child = spawn(process.execPath, [program, String(port), String(CONSOLES)], {
    env: { ...process.env, TRIBUTARY_COOKIE: cookie },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const first = await Promise.race([
    once(child.stdout, "data").then(() => "open"),
    ended.then(() => "ended"),
  ]);
  if (first === "ended") throw new Error("the consoles did not open");
  return {
    close: async () => {
      if (child.exitCode !== null) throw new Error("the consoles did not stay open");
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** User and system time of the receiver so far, in seconds (proc(5), fields 14 and 15, in ticks of 10 ms). */
function processorOf({ receiver }: Measured): number {
  const stat = readFileSync(`/proc/${receiver.pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
