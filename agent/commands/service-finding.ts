/** What `doctor` says about the service. */
import { type Finding, fail, ok, reasonOf, warn } from "../doctor/finding.ts";
import type { ServiceManager } from "../service/manager.ts";

const CHECK = "service";

export function serviceFinding(
  manager: Pick<ServiceManager, "status" | "hides" | "log">,
  sources: readonly { readonly name: string; readonly path: string }[],
): Finding {
  try {
    const { state, pid, account, atBoot, why } = manager.status();
    const hidden = sources.find(({ path }) => manager.hides(path));
    if (hidden !== undefined)
      return fail(
        CHECK,
        `it does not see the folder of source ${hidden.name}, ${hidden.path}: it has such a folder of its own`,
        "take a folder elsewhere, such as /srv or /var/spool",
      );
    if (state === "absent")
      return warn(
        CHECK,
        "there is none, so files flow only while `run` runs",
        "tributary-agent service install",
      );
    if (state !== "running")
      return fail(
        CHECK,
        `it is ${state}${why === undefined ? "" : ` (${why})`}`,
        `tributary-agent service start; its log: ${manager.log}`,
      );
    if (atBoot !== true)
      return warn(CHECK, "it runs, and does not start with the system", "tributary-agent service start");
    return ok(CHECK, `it runs${account === undefined ? "" : ` as ${account}`} (pid ${pid})`);
  } catch (error) {
    return warn(CHECK, `it cannot be asked: ${reasonOf(error)}`, `look at its log: ${manager.log}`);
  }
}
