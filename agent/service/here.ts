/** The service manager of this system. */
import { isPackaged } from "@tributary/shared/packaged.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { ServiceManager } from "./manager.ts";
import { systemd } from "./systemd.ts";
import { windowsServices } from "./windows.ts";

/** Throws `usage` in a checkout: a service is made of a program that stays where it is. */
export function serviceManager(): ServiceManager {
  if (!isPackaged())
    throw new ProblemError(
      "usage",
      "this is a checkout; services are made from the packages (`npm run package`). Here start `tributary-agent run` yourself",
    );
  return process.platform === "win32" ? windowsServices : systemd;
}
