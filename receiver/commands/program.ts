/** All commands of the receiver. What chooses a technology is handed in by main.ts. */
import { Command } from "commander";
import type { SiteOptions } from "../config.ts";
import { VERSION } from "../version.ts";
import { addAgentCommands } from "./agent.ts";
import { addAuditCommand } from "./audit.ts";
import { addAuthorityCommands } from "./authority.ts";
import { addBackupCommands } from "./backup.ts";
import { addClientCommands } from "./client.ts";
import { type Sites, siteCommand } from "./command.ts";
import { addDiagnosticsCommand } from "./diagnostics.ts";
import { addGetCommand } from "./get.ts";
import { addHistoryCommand } from "./history.ts";
import { addKeyCommands } from "./key.ts";
import { addPersonCommands } from "./person.ts";
import { addQuarantineCommands, type DiscardHeld, type ReleaseHeld } from "./quarantine.ts";
import { addRebuildCommand } from "./rebuild.ts";
import { addSftpCommands } from "./sftp.ts";
import { addSweepCommand, type Sweep } from "./sweep.ts";
import { addVerifyCommand } from "./verify.ts";
import { addWebhookCommands } from "./webhook.ts";

export interface ReceiverCommands extends Sites {
  /** Until it is told to stop; the answer is the exit code. */
  readonly serve: (options: SiteOptions) => Promise<number>;
  readonly sweep: Sweep;
  readonly release: ReleaseHeld;
  readonly discard: DiscardHeld;
}

/** The program; parsing throws commander's errors, which `fail` turns into exit codes. */
export function createProgram(parts: ReceiverCommands): Command {
  const program = new Command("tributary-receiver")
    .description("Stores what many clients send in one data lake, and proves it.")
    .version(VERSION)
    // The same in a pipe, on a narrow terminal and in the golden files.
    .configureHelp({ helpWidth: 100 })
    .exitOverride();
  siteCommand(program, "serve", "runs the receiver until it is told to stop").action(
    async (options: SiteOptions) => {
      process.exitCode = await parts.serve(options);
    },
  );
  addClientCommands(program, parts);
  addAgentCommands(program, parts);
  addKeyCommands(program, parts);
  addSftpCommands(program, parts);
  addWebhookCommands(program, parts);
  addPersonCommands(program, parts);
  addHistoryCommand(program, parts);
  addGetCommand(program, parts);
  addQuarantineCommands(program, parts, parts.release, parts.discard);
  addVerifyCommand(program, parts);
  addRebuildCommand(program, parts);
  addBackupCommands(program, parts);
  addSweepCommand(program, parts, parts.sweep);
  addAuthorityCommands(program, parts);
  addAuditCommand(program, parts);
  addDiagnosticsCommand(program, parts);
  return program;
}
