/** `service`: the agent as a service of the operating system, with the same words on each. */
import { text } from "node:stream/consumers";
import { ProblemError } from "@tributary/shared/problems.ts";
import { printable, result, say } from "@tributary/shared/terminal.ts";
import { type Command, Option } from "commander";
import { loadIdentity } from "../identity/identity.ts";
import { serviceManager } from "../service/here.ts";
import type { ServiceManager, ServiceStatus } from "../service/manager.ts";
import { placeOf } from "./place.ts";
import { type InstallOptions, installService } from "./service-install.ts";

export function addService(program: Command): void {
  const service = program.command("service").description("the agent as a service of this system");
  service
    .command("install")
    .summary("set everything up: service, enrolment, first folder")
    .description(
      "Makes the service, and with --code and --folder all that it needs to work: enrols this host, adds the folder, lets the service read it, starts it, and checks everything as `doctor` does. What fails leaves nothing behind. Repeated, it brings the service to this program's state and keeps key, queue and settings.",
    )
    .option("--code <code>", "enrol with this code (trb1_…); - reads it from standard input")
    .option("--folder <path>", "capture this folder")
    .option("--name <source>", "the folder's source name (default: the folder's own name)")
    .option("--client <client>", "whose files these are; needed when the agent acts for several")
    .option("--account <name>", "run as this account instead of one made for it")
    .addOption(
      new Option(
        "--password <how>",
        "Windows: - reads the account's password from standard input, after the code",
      ).choices(["-"]),
    )
    .action(async (words: InstallOptions) => {
      process.exitCode = await installService(serviceManager(), await optionsOf(words));
    });
  service
    .command("uninstall")
    .summary("take the service away")
    .description("Stops the service and takes it away. Key, queue and settings stay, unless --purge.")
    .option(
      "--purge",
      "delete the agent's key, queue and settings too; the folders it captured are not touched",
    )
    .action((options: { readonly purge?: boolean }) => {
      const manager = serviceManager();
      manager.requireRights();
      for (const line of manager.uninstall(options.purge === true)) say(line);
      say(`the service is gone${options.purge ? ", with its key, queue and settings" : ""}`);
    });
  service
    .command("start")
    .description("Starts the service, now and with the system; one that runs is started anew.")
    .action(() => {
      const manager = serviceManager();
      manager.requireRights();
      requireEnrolled();
      manager.start();
      tell(manager.status());
    });
  service
    .command("stop")
    .description("Stops the service; what is on its way may finish. It starts again with the system.")
    .action(() => {
      const manager = serviceManager();
      manager.requireRights();
      manager.stop();
      tell(manager.status());
    });
  service
    .command("status")
    .description("Says whether the service runs. Exit code 0 when it does, else 1.")
    .option("--json", "one JSON object: state, pid, account, atBoot, why")
    .action((options: { readonly json?: boolean }) => {
      const status = serviceManager().status();
      if (options.json) result(JSON.stringify(status));
      else tell(status);
      if (status.state !== "running") process.exitCode = 1;
    });
  service
    .command("grant")
    .description("Lets the service read a folder and all that is or comes to be in it.")
    .argument("<path>", "the folder")
    .option("--write", "also change it, for `after: delete` and `after: move:DIR`")
    .action((path: string, options: { readonly write?: boolean }) => {
      const manager = serviceManager();
      manager.requireRights();
      requireService(manager);
      manager.grant(path, options.write === true);
      say(`the service may read ${options.write ? "and change " : ""}${printable(path)}`);
    });
}

/** Where `-` stands code and password come one a line, so that neither stands in a list of processes. */
async function optionsOf(words: InstallOptions): Promise<InstallOptions> {
  const { code, password, ...rest } = words;
  const asked = [code, password].includes("-");
  const lines = asked ? (await text(process.stdin)).split(/\r?\n/) : [];
  const given = code === "-" ? lines.shift()?.trim() : code;
  const secret = password === "-" ? lines.shift() : undefined;
  if (code === "-" && !given)
    throw new ProblemError("usage", "--code - reads the code from standard input, and nothing came");
  if (secret && rest.account === undefined)
    throw new ProblemError("usage", "--password belongs to --account; name the account");
  return {
    ...rest,
    ...(given ? { code: given } : {}),
    ...(secret ? { password: secret } : {}),
  };
}

function requireEnrolled(): void {
  const { data } = placeOf({});
  if (loadIdentity(data) === undefined)
    throw new ProblemError(
      "usage",
      `${data} is not enrolled, so there is nothing to start; run: tributary-agent service install --code CODE --folder PATH`,
    );
}

function requireService(manager: ServiceManager): void {
  if (manager.status().state === "absent")
    throw new ProblemError("usage", "there is no service yet; run: tributary-agent service install");
}

function tell({ state, pid, account, atBoot, why }: ServiceStatus): void {
  if (state === "absent") {
    result("absent: there is no service; tributary-agent service install makes it");
    return;
  }
  const words = [
    state,
    ...(pid === undefined ? [] : [`pid ${pid}`]),
    ...(account === undefined ? [] : [`as ${account}`]),
    ...(why === undefined ? [] : [why]),
    atBoot ? "starts with the system" : "does not start with the system",
  ];
  result(words.map(printable).join(", "));
}
