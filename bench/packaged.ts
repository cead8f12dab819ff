/** The packaged program: how large it is, how fast it begins beside Node itself, and what it takes when it has nothing to do. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Away, startEveryKind } from "@tributary/test/servers/every-kind.ts";
import { makeSite } from "@tributary/test/site/site.ts";
import { cpuSeconds, residentMiB } from "./idle.ts";

const SECONDS = 30;
const STARTS = 15;
const PACKAGE = fileURLToPath(new URL("../installers/package.ts", import.meta.url));

export async function packaged({ dir }: { readonly dir: string }): Promise<string> {
  const dist = mkdtempSync(join(dir, "dist-"));
  execFileSync(process.execPath, [PACKAGE, "--out", dist, "agent-linux-x64", "agent-win-x64"], {
    stdio: "ignore",
  });
  const program = join(dist, "tributary-agent-linux-x64");
  const size = (name: string): string => (statSync(join(dist, name)).size / 1e6).toFixed(0);
  const sizes = `linux-x64 ${size("tributary-agent-linux-x64")} MB, win-x64 ${size("tributary-agent-win-x64.exe")} MB`;
  const rows = starts([
    ["node -e 0", process.execPath, ["-e", "0"]],
    ["--version", program, ["--version"]],
    ["--help", program, ["--help"]],
  ]);
  const away = await startEveryKind("one.csv", "a,b\n");
  const rest = [await atRest(program, []), await atRest(program, away)] as const;
  for (const one of away) await one.stop();
  rmSync(dist, { recursive: true });
  return `### The package

${sizes}. A start, median of ${STARTS} in turn:

| what | time | of Node's own start |
|---|---|---|
${rows.join("\n")}

At rest, as its unit runs it, over ${SECONDS} s: ${restful(rest[0])}; with a source of every kind, too: ${restful(rest[1])}.
`;
}

interface Rest {
  readonly resident: number;
  readonly processor: number;
}

const restful = ({ resident, processor }: Rest): string =>
  `${resident.toFixed(0)} MiB resident, ${processor.toFixed(1)} % of one core`;

type Start = readonly [name: string, program: string, words: readonly string[]];

function starts(contenders: readonly Start[]): string[] {
  const taken = contenders.map((): number[] => []);
  for (let round = 0; round < STARTS; round += 1)
    for (const [i, [, program, words]] of contenders.entries()) {
      const from = performance.now();
      execFileSync(program, words, { stdio: "ignore" });
      taken[i]?.push(performance.now() - from);
    }
  const medians = taken.map((all) => all.sort((a, b) => a - b)[STARTS >> 1] as number);
  return contenders.map(
    ([name], i) =>
      `| ${name} | ${medians[i]?.toFixed(0)} ms | ${((medians[i] ?? 0) / (medians[0] ?? 1)).toFixed(1)} x |`,
  );
}

/** An agent with one folder, what lies away from its host, and nothing more to send, with the environment of its unit. */
async function atRest(program: string, away: readonly Away[]): Promise<Rest> {
  const site = await makeSite();
  const receiver = await site.serve();
  try {
    await site.command("client", "add", "bench");
    const code = await site.command("agent", "invite", "--client", "bench");
    const [data, folder] = [join(site.dir, "packaged"), join(site.dir, "files")];
    mkdirSync(folder);
    writeFileSync(join(folder, "one.csv"), "a,b\n");
    execFileSync(program, ["enroll", "-", "--data", data], {
      input: code,
      stdio: ["pipe", "ignore", "ignore"],
    });
    const sources = away.map(({ kind, source }) => ({ name: kind, settle: "0s", ...source }));
    writeFileSync(
      join(data, "agent.yaml"),
      JSON.stringify({ sources: [{ name: "files", path: folder }, ...sources] }),
    );
    const agent = spawn(program, ["run", "--data", data], {
      stdio: "ignore",
      env: Object.assign({ ...process.env, MALLOC_ARENA_MAX: "2" }, ...away.map((one) => one.env)),
    });
    const pid = agent.pid as number;
    await pause(15_000);
    const before = cpuSeconds(pid);
    await pause(SECONDS * 1000);
    const used = cpuSeconds(pid) - before;
    const resident = residentMiB(pid);
    agent.kill("SIGTERM");
    await once(agent, "exit");
    return { resident, processor: (used / SECONDS) * 100 };
  } finally {
    await receiver.stop();
    site.remove();
  }
}
