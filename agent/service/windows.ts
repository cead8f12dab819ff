/**
 * The service under Windows. What only its API can do, tributary-service.exe does, which lies beside this program: it
 * is the service's own program too. Its answers are key=value, in no language (installers/windows/service.c).
 */
import { existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { dataFolder } from "@tributary/shared/place.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { attempt } from "./command.ts";
import type { Account, ServiceManager, ServiceState, ServiceStatus } from "./manager.ts";

const SYSTEM = "LocalSystem";

const data = (): string => dataFolder("agent", undefined);

export const windowsServices: ServiceManager = {
  get log() {
    return join(data(), "logs", "agent.log");
  },
  requireRights() {
    if (ask("rights").get("elevated") !== "yes")
      throw new ProblemError(
        "usage",
        "only an administrator may change services: open the terminal with `Run as administrator` and repeat the command",
      );
  },
  status,
  prepare,
  grant,
  // Windows has no way to try as another account without its password; `doctor` of the service's log tells.
  mayRead: () => undefined,
  hides: () => false,
  start() {
    // It reads its settings again within seconds, but a new program or account counts from its start alone.
    if (status().state === "running") helper(["stop"]);
    helper(["start"]);
  },
  stop: () => void helper(["stop"]),
  uninstall,
};

/** The helper's output. Throws `service-failed` with what it says. */
function helper(words: readonly string[], input = ""): string {
  const program = join(dirname(process.execPath), "tributary-service.exe");
  if (!existsSync(program))
    throw new ProblemError(
      "usage",
      `${program} is missing: the service is part of the .msi; install that instead of the program alone`,
    );
  const { code, out, err } = attempt(program, words, input);
  if (code === 0) return out;
  throw new ProblemError("service-failed", err || out || `tributary-service ${words[0]} ended with ${code}`);
}

function ask(word: string): ReadonlyMap<string, string> {
  return new Map(
    helper([word])
      .split(/\r?\n/)
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

function status(): ServiceStatus {
  const told = ask("status");
  const state = (told.get("state") ?? "absent") as ServiceState;
  if (state === "absent") return { state };
  const pid = Number(told.get("pid"));
  const account = told.get("account");
  return {
    state,
    ...(pid > 0 ? { pid } : {}),
    ...(account ? { account } : {}),
    atBoot: told.get("start") === "auto",
  };
}

function prepare(account: Account | undefined): { undo(): void } {
  const folder = data();
  const known = statSync(folder, { throwIfNoEntry: false }) !== undefined;
  const registered = status().state !== "absent";
  const undo = (): void => {
    if (!registered && status().state !== "absent") helper(["unregister"]);
    if (!known) rmSync(folder, { recursive: true, force: true });
  };
  mkdirSync(dirname(folder), { recursive: true });
  try {
    helper(["register", account?.name ?? ""], account?.password === undefined ? "" : `${account.password}\n`);
    // Kept at an upgrade, where nobody names it again.
    helper(["protect", folder, account?.name ?? status().account ?? SYSTEM]);
    mkdirSync(join(folder, "logs"), { recursive: true });
  } catch (error) {
    undo();
    throw error;
  }
  return { undo };
}

/** A share's rights are given where the share is; this computer cannot. */
function grant(given: string, write: boolean): void {
  const folder = resolve(given);
  if (folder.startsWith("\\\\"))
    throw new ProblemError(
      "usage",
      `${folder} is a share: give the account ${status().account ?? SYSTEM} the right to read it on the server that has it`,
    );
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new ProblemError("usage", `${folder} is no folder; correct its path, or make it`);
  helper(["grant", folder, status().account ?? SYSTEM, write ? "modify" : "read"]);
}

function uninstall(purge: boolean): readonly string[] {
  if (status().state !== "absent") helper(["unregister"]);
  if (purge) rmSync(data(), { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  return [];
}
