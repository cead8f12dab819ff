/** A Windows of sorts: Wine 10 in a Debian 13, which shares this machine's network. What is tried here was tried under Wine. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createSandbox } from "../servers/sandbox.ts";
import { entered, type Said } from "./entered.ts";

export interface Wine {
  /** Where C:\ lies for this machine. */
  readonly driveC: string;
  /** Where the drives are linked: `d:` is another one, `unc/server/share` a share. */
  readonly devices: string;
  /** A line as typed into cmd.exe; output and exit code are the program's. */
  run(line: string): Promise<Said>;
  /** The agent's own command, installed as the .msi does. */
  agent(words: string): Promise<Said>;
  /** msiexec, silent, with a log; that log's lines which the agent's set-up wrote. */
  msiexec(words: string): Promise<{ readonly code: number; readonly said: string }>;
  /** Kills, at any instruction, the process whose command line matches; the pattern must not match itself. */
  kill(name: string): Promise<void>;
  stop(): Promise<void>;
}

/** Everything that is written goes to memory. All processes are children of the first one here, and end with it. */
const BOOT = `
set -e
mount --make-rprivate /
mkdir -p /run/wine
mount -t tmpfs -o size=6g tmpfs /run/wine
mkdir /run/wine/upper /run/wine/work /run/wine/root
mount -t overlay overlay -o "lowerdir=$TREE,upperdir=/run/wine/upper,workdir=/run/wine/work" /run/wine/root
mount -t proc proc /run/wine/root/proc
mount --rbind /dev /run/wine/root/dev
exec chroot /run/wine/root /bin/sleep infinity
`;

const AGENT = String.raw`C:\Program Files\Tributary\Agent\tributary-agent.exe`;
const ENVIRONMENT = "export WINEPREFIX=/wp WINEDEBUG=-all XDG_RUNTIME_DIR=/tmp;";

export async function startWine(tree: string): Promise<Wine> {
  const sandbox = await createSandbox("wine");
  const boot = sandbox.start(
    "wine",
    "unshare",
    ["--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c", BOOT, "boot"],
    { env: { TREE: tree } },
  );
  const pid = await firstProcess(boot.pid as number, () => sandbox.lastWords("wine"));
  const root = `/proc/${pid}/root`;
  const driveC = `${root}/wp/drive_c`;
  const shell = async (line: string): Promise<Said> =>
    await entered(["-t", String(pid), "-m", "-p", "--root"], `${ENVIRONMENT} ${line}`, "");
  const must = async (line: string): Promise<void> => {
    const said = await shell(line);
    if (said.code !== 0) throw new Error(`\`${line}\` ended with ${said.code}: ${said.err}${said.out}`);
  };
  await must("wineboot --init >/tmp/boot.txt 2>&1; test -d /wp/drive_c/windows");
  // All of it ends, or a second service manager would answer every other question.
  await must("wineserver -k; wineserver -w; wineserver -p >/tmp/server.txt 2>&1");
  // As on every Windows somebody is there: without a process of a user Wine ends its service manager, and services with it.
  await must("(sleep infinity | wine cmd) >/tmp/user.txt 2>&1 & sleep 3");
  let count = 0;
  const run = async (line: string): Promise<Said> => {
    count += 1;
    const batch = join(driveC, `run-${count}.bat`);
    await writeFile(batch, oem(`@${line.replaceAll("%", "%%")}\r\n@exit /b %errorlevel%\r\n`));
    // Wine gives EBADF to whoever writes into a pipe of this system: files take what is said.
    const said = await shell(`wine cmd /c 'C:\\run-${count}.bat' >/tmp/out.txt 2>/tmp/err.txt </dev/null`);
    const text = async (name: string): Promise<string> => await readFile(`${root}/tmp/${name}`, "utf8");
    return { code: said.code, out: await text("out.txt"), err: await text("err.txt") };
  };
  return {
    driveC,
    devices: `${root}/wp/dosdevices`,
    run,
    agent: async (words) => await run(`"${AGENT}" ${words}`),
    async msiexec(words) {
      const log = join(driveC, "install.log");
      const { code } = await run(String.raw`msiexec ${words} /qn /l*v C:\install.log`);
      const lines = readFileSync(log, "utf8").split("\n");
      return { code, said: lines.filter((line) => line.startsWith("Tributary Agent: ")).join("\n") };
    },
    async kill(name) {
      await must(`kill -KILL $(pgrep -f '${name}')`);
    },
    async stop() {
      await shell("wineserver -k");
      boot.kill("SIGKILL");
      await Promise.race([once(boot, "close"), sleep(10_000)]);
      await sandbox.stop();
    },
  };
}

/** cmd.exe reads its files in the old code page 437; here its German letters do. */
function oem(text: string): Buffer {
  const letters = new Map(Object.entries({ ä: 0x84, ö: 0x94, ü: 0x81, ß: 0xe1 }));
  return Buffer.from(Array.from(text, (letter) => letters.get(letter) ?? letter.charCodeAt(0)));
}

/** Pid on this machine of the first process inside, once it is what it shall be. */
async function firstProcess(parent: number, lastWords: () => Promise<string>): Promise<number> {
  for (let waited = 0; waited < 20_000; waited += 50) {
    try {
      const [child] = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim().split(" ");
      if (child && readFileSync(`/proc/${child}/cmdline`, "utf8").startsWith("/bin/sleep"))
        return Number(child);
    } catch {
      // It has not begun, or has ended: the words below say why.
    }
    await sleep(50);
  }
  throw new Error(`Wine's container did not start: ${await lastWords()}`);
}
