/** A host of a client: a Debian 13 with systemd, booted in a container that has only its own loopback. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createSandbox } from "../servers/sandbox.ts";
import { entered, type Said } from "./entered.ts";
import { OVERLAY } from "./overlay.ts";

export interface Box {
  /** A line of shell, run by root in it. */
  run(line: string, stdin?: string): Promise<Said>;
  /** Its standard output; throws with everything that was said when it did not end with 0. */
  ok(line: string, stdin?: string): Promise<string>;
  /** Puts a file of this machine into its /root. */
  bring(file: string): Promise<void>;
  /** Tries again until it ends with 0; throws with the last that was said. */
  until(line: string, withinMs?: number): Promise<string>;
  stop(): Promise<void>;
}

/** Where systemd keeps its groups: two places beside old ones, one without. */
const GROUPS = existsSync("/sys/fs/cgroup/unified")
  ? ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"]
  : ["/sys/fs/cgroup"];

/**
 * Everything that is written goes to memory, over the tree. Mounts are those of the container's own process: they are
 * gone with it, however it ends. systemd takes the machine's control groups as they are, old ones too.
 */
const BOOT = `${OVERLAY}
# Its own control group: two that share one end each other's services.
for hierarchy in ${GROUPS.join(" ")}; do
  mkdir $hierarchy/tributary-box-$$
  echo $$ > $hierarchy/tributary-box-$$/cgroup.procs
done
if [ -d /sys/fs/cgroup/unified ]; then
  export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=0
  set -- systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1
fi
exec systemd-nspawn --quiet --directory=/run/box/root --boot --private-network --register=no --keep-unit --console=pipe "$@"
`;

/** What is empty of the box's control groups after its end. */
async function removeGroups(pid: number): Promise<void> {
  for (const hierarchy of GROUPS) {
    const child = spawn("find", [`${hierarchy}/tributary-box-${pid}`, "-depth", "-type", "d", "-delete"]);
    await once(child, "close");
  }
}

/** Boots one; the first service can be started when this resolves. `tree`: of debianTree(). */
export async function startBox(tree: string): Promise<Box> {
  const sandbox = await createSandbox("box");
  const boot = sandbox.start("boot", "unshare", ["--mount", "/bin/sh", "-c", BOOT, "boot"], {
    env: { TREE: tree },
  });
  const ended = new Promise<void>((done) => boot.once("close", () => done()));
  const init = async (): Promise<number> => {
    for (let waited = 0; waited < 30_000; waited += 100) {
      const child = childOf(boot.pid as number);
      if (child !== undefined) return child;
      if (boot.exitCode !== null) break;
      await sleep(100);
    }
    throw new Error(`the container did not boot: ${await sandbox.lastWords("boot")}`);
  };
  const pid = await init();
  const run = async (line: string, stdin = ""): Promise<Said> =>
    await entered(["-t", String(pid), "-m", "-u", "-i", "-n", "-p", "-C", "--root"], line, stdin);
  const box: Box = {
    run,
    async ok(line, stdin) {
      const said = await run(line, stdin);
      if (said.code !== 0) throw new Error(`\`${line}\` ended with ${said.code}:\n${said.err}\n${said.out}`);
      return said.out;
    },
    async until(line, withinMs = 20_000) {
      const limit = performance.now() + withinMs;
      for (;;) {
        const said = await run(line);
        if (said.code === 0) return said.out;
        if (performance.now() > limit)
          throw new Error(
            `\`${line}\` ended with ${said.code} for ${withinMs} ms:\n${said.err}\n${said.out}`,
          );
        await sleep(200);
      }
    },
    async bring(file) {
      await copyFile(file, join(`/proc/${pid}/root/root`, file.split("/").at(-1) as string));
    },
    async stop() {
      await Promise.race([run("systemctl poweroff --force --force"), ended]);
      await Promise.race([ended, sleep(10_000)]);
      await sandbox.stop();
      await removeGroups(boot.pid as number);
    },
  };
  await box.until("systemctl is-system-running | grep -Eq 'running|degraded'", 60_000);
  return box;
}

function childOf(pid: number): number | undefined {
  try {
    // The program that becomes systemd is the container's first process; before, there is none.
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    if (!child) return undefined;
    const command = readFileSync(`/proc/${child}/cmdline`, "utf8");
    return /^\S*(systemd|init)\0/.test(command) ? Number(child) : undefined;
  } catch {
    return undefined;
  }
}
