/** The service under systemd: a unit, an account of its own, and folders that it may read. */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { packagedText } from "@tributary/shared/packaged.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { as, idsOf, isKnown, letRead, privateFolder } from "./access.ts";
import { attempt, run } from "./command.ts";
import type { Account, ServiceManager, ServiceState, ServiceStatus } from "./manager.ts";

const NAME = "tributary-agent";
const UNIT = `${NAME}.service`;
const DATA = `/var/lib/${NAME}`;
const SETTINGS = `/etc/${NAME}`;
/** Of packages; one in /etc is ours. */
const SHIPPED = [`/usr/lib/systemd/system/${UNIT}`, `/lib/systemd/system/${UNIT}`];
const OWN_UNIT = `/etc/systemd/system/${UNIT}`;
const DROP_INS = `/etc/systemd/system/${UNIT}.d`;
const ACCOUNT_DROP_IN = join(DROP_INS, "account.conf");
const FOLDERS_DROP_IN = join(DROP_INS, "folders.conf");
/** Where a program that came without a package is copied: a service must not run from a download folder. */
const PROGRAM = `/usr/local/bin/${NAME}`;

export const systemd: ServiceManager = {
  log: `journalctl -u ${NAME}`,
  requireRights,
  status,
  prepare,
  grant,
  mayRead,
  hides: (folder) => privateFolder(folder) !== undefined,
  start,
  stop: () => void systemctl("stop", UNIT),
  uninstall,
};

const systemctl = (...words: string[]): string => run("systemctl", words);

function requireRights(): void {
  if (!existsSync("/run/systemd/system"))
    throw new ProblemError(
      "usage",
      "this system does not run systemd; start `tributary-agent run` with the service manager that it has",
    );
  if (process.geteuid?.() !== 0)
    throw new ProblemError("usage", "only root may change services: put sudo before the command");
}

function status(): ServiceStatus {
  const keys = "LoadState,ActiveState,MainPID,UnitFileState,User,Result,ExecMainStatus";
  const { code, out, err } = attempt("systemctl", ["show", UNIT, "--property", keys]);
  if (code !== 0) throw new ProblemError("service-failed", `systemd does not answer: ${err || out}`);
  const told = new Map(
    out.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  const get = (key: string): string => told.get(key) ?? "";
  if (get("LoadState") === "not-found") return { state: "absent" };
  const state = stateOf(get("ActiveState"));
  const pid = Number(get("MainPID"));
  const ended = get("Result") === "success" ? "" : `${get("Result")}, exit code ${get("ExecMainStatus")}`;
  return {
    state,
    ...(pid > 0 ? { pid } : {}),
    ...(get("User") === "" ? {} : { account: get("User") }),
    atBoot: get("UnitFileState") === "enabled",
    ...(state === "failed" || (state === "starting" && ended !== "") ? { why: ended } : {}),
  };
}

function stateOf(active: string): ServiceState {
  switch (active) {
    case "active":
    case "reloading":
      return "running";
    // It ended and waits for its next start.
    case "activating":
      return "starting";
    case "deactivating":
      return "stopping";
    case "failed":
      return "failed";
    default:
      return "stopped";
  }
}

function prepare(account: Account | undefined): { undo(): void } {
  const steps: (() => void)[] = [];
  const undo = (): void => {
    for (const step of steps.reverse()) step();
    attempt("systemctl", ["daemon-reload"]);
  };
  try {
    makeService(account, steps);
  } catch (error) {
    undo();
    throw error;
  }
  return { undo };
}

/** `undo`: takes what takes each step back. */
function makeService(account: Account | undefined, undo: (() => void)[]): void {
  const name = account?.name ?? owner();
  if (!isKnown(name)) {
    if (name !== NAME)
      throw new ProblemError(
        "usage",
        `this system knows no account "${name}"; make it first, or name another one with --account`,
      );
    run("useradd", [
      ...[
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        DATA,
        "--shell",
        "/usr/sbin/nologin",
        NAME,
      ],
    ]);
    undo.push(() => void attempt("userdel", [NAME]));
  }
  if (account !== undefined) put(ACCOUNT_DROP_IN, accountDropIn(account.name), undo);
  const { uid, gid } = idsOf(name);
  makeFolder(DATA, 0o700, uid, gid, undo);
  // Root writes the settings, the service only reads them; what is new there belongs to the group.
  makeFolder(SETTINGS, 0o2750, 0, gid, undo);
  if (!SHIPPED.some(existsSync)) {
    const program = settle(undo);
    put(OWN_UNIT, packagedText("agent.service").replaceAll(`/usr/bin/${NAME}`, program), undo);
  }
  systemctl("daemon-reload");
}

/** Whom the service runs as: another account may have been chosen at an earlier installation. */
function owner(): string {
  const { account } = status();
  return account ?? NAME;
}

function accountDropIn(account: string): string {
  return `# Written by \`tributary-agent service install --account\`.\n[Service]\nUser=${account}\nGroup=${idsOf(account).gid}\n`;
}

/** Writes the file; its folder is made when it is the first in it. */
function put(file: string, text: string, undo: (() => void)[] = []): void {
  const folder = dirname(file);
  if (!existsSync(folder)) {
    mkdirSync(folder, { mode: 0o755 });
    chmodSync(folder, 0o755);
    undo.push(() => rmSync(folder, { recursive: true, force: true }));
  }
  const before = existsSync(file) ? readFileSync(file) : undefined;
  undo.push(() => (before === undefined ? rmSync(file, { force: true }) : writeFileSync(file, before)));
  writeFileSync(file, text);
  chmodSync(file, 0o644);
}

/** What is in it goes with it to another account: the service could not open its own key. */
function makeFolder(folder: string, mode: number, uid: number, gid: number, undo: (() => void)[]): void {
  const before = statSync(folder, { throwIfNoEntry: false });
  if (before === undefined) {
    undo.push(() => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(folder, { recursive: true });
    chownSync(folder, uid, gid);
  } else if (before.uid !== uid || before.gid !== gid) {
    undo.push(() => void attempt("chown", ["-R", "-P", `${before.uid}:${before.gid}`, folder]));
    run("chown", ["-R", "-P", `${uid}:${gid}`, folder]);
  }
  chmodSync(folder, mode);
}

/** The path from which the program runs as a service; it is copied there when it lies where anybody may change it. */
function settle(undo: (() => void)[]): string {
  const here = realpathSync(process.execPath);
  if (/^\/(usr|opt)\//.test(here)) return here;
  const before = existsSync(PROGRAM);
  const fresh = `${PROGRAM}.${process.pid}.tmp`;
  undo.push(() => {
    rmSync(fresh, { force: true });
    if (!before) rmSync(PROGRAM, { force: true });
  });
  mkdirSync(dirname(PROGRAM), { recursive: true });
  copyFileSync(here, fresh);
  chmodSync(fresh, 0o755);
  // A running program keeps the file that it was started from.
  renameSync(fresh, PROGRAM);
  return PROGRAM;
}

function mayRead(folder: string): boolean {
  return as(owner(), "test", "-r", folder, "-a", "-x", folder);
}

function grant(given: string, write: boolean): void {
  const folder = realpathSync(resolve(given));
  const hidden = privateFolder(folder);
  if (hidden !== undefined)
    throw new ProblemError(
      "usage",
      `${folder} lies in ${hidden}, and the service has a ${hidden} of its own; take a folder elsewhere, such as /srv or /var/spool`,
    );
  letRead(owner(), folder, write);
  if (write) letWrite(folder);
}

/** The unit mounts everything but its own folders read-only. */
function letWrite(folder: string): void {
  // With the minus a folder that is gone one day does not keep the service from starting.
  const line = `ReadWritePaths="-${folder.replaceAll("%", "%%").replace(/["\\]/g, "\\$&")}"`;
  const before = existsSync(FOLDERS_DROP_IN) ? run("cat", [FOLDERS_DROP_IN]).split("\n") : [];
  if (before.includes(line)) return;
  const head =
    "# Written by `tributary-agent service grant --write`; leave out a line to take the right away.";
  const lines = before.filter((one) => one.startsWith("ReadWritePaths="));
  put(FOLDERS_DROP_IN, `${[head, "[Service]", ...lines, line].join("\n")}\n`);
  systemctl("daemon-reload");
  // A running service is in the mounts that it was started with.
  if (status().state === "running") systemctl("restart", UNIT);
}

function start(): void {
  systemctl("enable", UNIT);
  attempt("systemctl", ["reset-failed", UNIT]);
  systemctl("restart", UNIT);
}

function uninstall(purge: boolean): readonly string[] {
  if (status().state !== "absent") {
    systemctl("disable", "--now", UNIT);
    attempt("systemctl", ["reset-failed", UNIT]);
  }
  rmSync(OWN_UNIT, { force: true });
  rmSync(DROP_INS, { recursive: true, force: true });
  rmSync(PROGRAM, { force: true });
  systemctl("daemon-reload");
  if (purge) {
    rmSync(DATA, { recursive: true, force: true });
    rmSync(SETTINGS, { recursive: true, force: true });
  }
  if (SHIPPED.some(existsSync))
    return [
      `the program belongs to a package; remove that too: apt-get purge ${NAME}, or dnf remove ${NAME}`,
    ];
  // An account that was there before the service, and was named with --account, is nobody's to delete.
  if (purge && isKnown(NAME)) run("userdel", [NAME]);
  return [];
}
