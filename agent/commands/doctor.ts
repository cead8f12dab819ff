/** `doctor`: everything that must hold for files to flow, tried one by one. */
import { isPackaged } from "@tributary/shared/packaged.ts";
import type { Redactor } from "@tributary/shared/redactor.ts";
import { printable, result, say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import { isNear, loadAgentSettings } from "../config.ts";
import type { Finding } from "../doctor/finding.ts";
import { loadIdentity } from "../identity/identity.ts";
import { openSecrets } from "../secret/secrets.ts";
import { serviceManager } from "../service/here.ts";
import { secretFindings } from "./known-secrets.ts";
import { type PlaceOptions, placeOf, placeToRead, withPlace } from "./place.ts";
import { serviceFinding } from "./service-finding.ts";

interface Options extends PlaceOptions {
  readonly json?: boolean;
}

export function addDoctor(program: Command, redactor: Redactor): void {
  withPlace(
    program
      .command("doctor")
      .summary("check everything that must hold for files to flow")
      .description(
        "Checks the way to the receiver (address, proxy, DNS, TCP, TLS, clock, authorisation), the data folder, and each source's secrets and folder, including whether file events arrive. Exit code 1 if a check fails. May run beside `run`.",
      )
      .option("--json", "one JSON object a line: check, level (ok, warn, fail), says, todo"),
  ).action(async (options: Options) => {
    // Loaded only here: what runs for months need not hold it.
    const { examine } = await import("../doctor/doctor.ts");
    const { data, config } = placeToRead(options);
    const identity = loadIdentity(data);
    const settings = loadAgentSettings(config);
    let failed = 0;
    const tell = (finding: Finding): void => {
      if (finding.level === "fail") failed += 1;
      const said = redacted(finding, redactor);
      result(options.json ? JSON.stringify(said) : lines(said));
    };
    // First of all: what is read here is said by none of the checks after it.
    for (const finding of await secretFindings(
      { data, config, env: process.env, redactor },
      settings.sources,
    ))
      tell(finding);
    const secrets = openSecrets({ data, config, env: process.env, redactor, warn: () => undefined });
    for await (const finding of examine({ data, identity, settings, env: process.env, secrets }))
      tell(finding);
    // In a checkout, and with folders of one's own, `run` is started by hand.
    if (isPackaged() && data === placeOf({}).data)
      tell(serviceFinding(serviceManager(), settings.sources.filter(isNear)));
    if (failed === 0) return;
    say(failed === 1 ? "one check failed" : `${failed} checks failed`);
    process.exitCode = 1;
  });
}

function redacted({ todo, ...finding }: Finding, { redact }: Redactor): Finding {
  return { ...finding, says: redact(finding.says), ...(todo === undefined ? {} : { todo: redact(todo) }) };
}

function lines({ check, level, says, todo }: Finding): string {
  const line = `${level.padEnd(5)} ${printable(check)}: ${printable(says)}`;
  return todo === undefined ? line : `${line}\n      -> ${printable(todo)}`;
}
