/** The tree with something to write over it, without a booted system: as an image is built. */
import { createSandbox } from "../servers/sandbox.ts";
import { entered, type Said } from "./entered.ts";

/** Lays memory over $TREE at /run/box/root; the mounts are those of this process, and gone with it. */
export const OVERLAY = `
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd /run/box
mount -t tmpfs -o size=4g tmpfs /run/box
mkdir /run/box/upper /run/box/work /run/box/root
mount -t overlay overlay -o "lowerdir=$TREE,upperdir=/run/box/upper,workdir=/run/box/work" /run/box/root`;

export interface Overlay {
  /** Path of it, as the lines that `run` runs see it. */
  readonly root: string;
  /** A line of shell with this machine's programs. */
  run(line: string): Promise<Said>;
  /** Its standard output; throws with everything that was said when it did not end with 0. */
  ok(line: string): Promise<string>;
  stop(): Promise<void>;
}

const STAY = `${OVERLAY}
mount -t proc proc /run/box/root/proc
echo ready
exec sleep infinity`;

/** `tree`: of debianTree(). */
export async function layOver(tree: string): Promise<Overlay> {
  const sandbox = await createSandbox("overlay");
  const stay = sandbox.start("overlay", "unshare", ["--mount", "/bin/sh", "-c", STAY], {
    env: { TREE: tree },
  });
  const said = await Promise.race([
    new Promise<string>((done) => stay.stdout?.once("data", (text) => done(String(text)))),
    new Promise<string>((done) => stay.once("close", () => done(""))),
  ]);
  if (said !== "ready\n")
    throw new Error(`nothing was laid over ${tree}: ${await sandbox.lastWords("overlay")}`);
  const run = async (line: string): Promise<Said> => await entered(["-t", String(stay.pid), "-m"], line, "");
  return {
    root: "/run/box/root",
    run,
    async ok(line) {
      const { code, out, err } = await run(line);
      if (code !== 0) throw new Error(`\`${line}\` ended with ${code}:\n${err}\n${out}`);
      return out;
    },
    stop: async () => await sandbox.stop(),
  };
}
