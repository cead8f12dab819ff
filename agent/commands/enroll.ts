/** `enroll`: a one-time code becomes this host's identity. */
import { text } from "node:stream/consumers";
import { say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import { loadAgentSettings } from "../config.ts";
import { readAuthority } from "../identity/trust.ts";
import { VERSION } from "../version.ts";
import { type PlaceOptions, placeOf, withPlace } from "./place.ts";

export function addEnroll(program: Command): void {
  withPlace(
    program
      .command("enroll")
      .summary("connect this host to a receiver")
      .description(
        "Connects this host to a receiver. The code comes from `tributary-receiver agent invite` and counts once.",
      )
      .argument("<code>", "the code (trb1_…), or - to read it from standard input"),
  ).action(async (code: string, options: PlaceOptions) => {
    const { data, config } = placeOf(options);
    // Loaded only here: what runs for months need not hold it.
    const { enrol } = await import("../identity/enrol.ts");
    const { proxy, tls } = loadAgentSettings(config);
    const identity = await enrol({
      data,
      code: code === "-" ? await text(process.stdin) : code,
      version: VERSION,
      proxy,
      ca: readAuthority(tls.ca),
      env: process.env,
    });
    say(`enrolled as ${identity.name} (${identity.agentId}) for ${identity.clients.join(", ")}`);
    say(`next: tributary-agent add-folder PATH --name SOURCE, then tributary-agent run`);
  });
}
