/** All commands of the agent. What chooses a technology is handed in by main.ts. */

import type { Redactor } from "@tributary/shared/redactor.ts";
import { Command } from "commander";
import { VERSION } from "../version.ts";
import { addAccept } from "./accept.ts";
import { type AcceptRoot, addAddFolder } from "./add-folder.ts";
import { addDiagnostics } from "./diagnostics.ts";
import { addDoctor } from "./doctor.ts";
import { addEnroll } from "./enroll.ts";
import { addReceipt, type ReadQueue } from "./receipt.ts";
import { type AskRetry, addRetry } from "./retry.ts";
import { addRun, type Run } from "./run.ts";
import { addScan, type LookInto } from "./scan.ts";
import { type Alone, addSecret } from "./secret.ts";
import { addService } from "./service.ts";
import { addStatus, type IsRunning } from "./status.ts";

export interface AgentParts {
  readonly run: Run;
  readonly readQueue: ReadQueue;
  readonly lookInto: LookInto;
  readonly acceptRoot: AcceptRoot;
  readonly askRetry: AskRetry;
  readonly isRunning: IsRunning;
  readonly alone: Alone;
  /** Of the process: what any part of it has read as a secret, no part says. */
  readonly redactor: Redactor;
}

/** The program; parsing throws commander's errors, which `fail` turns into exit codes. */
export function createProgram(parts: AgentParts): Command {
  const program = new Command("tributary-agent")
    .description("Sends the files of this host's folders to a Tributary receiver, and proves it.")
    .version(VERSION)
    // The same in a pipe, on a narrow terminal and in the golden files.
    .configureHelp({ helpWidth: 100 })
    .exitOverride();
  addEnroll(program);
  addAddFolder(program, parts.acceptRoot);
  addAccept(program, parts.acceptRoot, parts.isRunning);
  addRun(program, parts.run, parts.redactor);
  addScan(program, parts.lookInto, parts.redactor);
  addStatus(program, parts.readQueue, parts.isRunning, parts.redactor);
  addRetry(program, parts.askRetry, parts.isRunning);
  addReceipt(program, parts.readQueue);
  addDoctor(program, parts.redactor);
  addDiagnostics(program, parts.readQueue, parts.isRunning, parts.redactor);
  addSecret(program, parts.alone);
  addService(program);
  return program;
}
