/** The service under Windows. */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { ServiceManager } from "./manager.ts";

const unfinished = (): never => {
  throw new ProblemError("usage", "unfinished");
};

export const windowsServices: ServiceManager = {
  log: "",
  requireRights: unfinished,
  status: unfinished,
  prepare: unfinished,
  grant: unfinished,
  mayRead: unfinished,
  hides: () => false,
  start: unfinished,
  stop: unfinished,
  uninstall: unfinished,
};
