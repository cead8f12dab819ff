/** A Debian 13 without anything of ours: systemd in it is booted as a container, Wine in it runs the .msi. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const SUITE = "trixie";
const PACKAGES = "ca-certificates,wine,wine64,systemd,systemd-sysv,dbus,procps,acl,libstdc++6,curl";
const CACHE = "/var/cache/tributary-trees";
/** Made anew then: what Debian mended meanwhile is part of what is tried. */
const GOOD_FOR_MS = 7 * 24 * 3_600_000;

/** Path of the tree, which nobody may write into: users of it lay something over it. Needs root; the first time 80 s. */
export async function debianTree(): Promise<string> {
  const name = createHash("sha256").update(`${SUITE} ${PACKAGES}`).digest("hex").slice(0, 12);
  const tree = join(CACHE, `${SUITE}-${name}`);
  if (existsSync(tree) && Date.now() - statSync(tree).mtimeMs < GOOD_FOR_MS) return tree;
  mkdirSync(CACHE, { recursive: true });
  const fresh = mkdtempSync(join(CACHE, "fresh-"));
  try {
    await run("debootstrap", ["--variant=minbase", `--include=${PACKAGES}`, SUITE, fresh, await mirror()], {
      maxBuffer: 64 * 1024 * 1024,
    });
    rmSync(tree, { recursive: true, force: true });
    // debootstrap leaves the folder with the age of what is in it.
    await run("touch", [fresh]);
    await run("chmod", ["755", fresh]);
    renameSync(fresh, tree);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    const { stdout = "", message } = error as Error & { stdout?: string };
    throw new Error(`debootstrap made no ${SUITE}: ${message}\n${stdout.split("\n").slice(-15).join("\n")}`);
  }
  return tree;
}

/** From where this system has its own packages. */
async function mirror(): Promise<string> {
  const { stdout } = await run("apt-get", ["indextargets", "--format", "$(SITE)"]);
  const site = stdout.split("\n").find((line) => line !== "" && !line.includes("security"));
  if (site === undefined) throw new Error("apt has no mirror of Debian configured");
  return site;
}
