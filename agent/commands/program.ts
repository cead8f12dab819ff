/** All commands of the agent. What chooses a technology is handed in by main.ts. */
import { Command } from "commander";
import { VERSION } from "../version.ts";
import { type AcceptRoot, addAddFolder } from "./add-folder.ts";
import { addDoctor } from "./doctor.ts";
import { addEnroll } from "./enroll.ts";
import { addReceipt, type ReadQueue } from "./receipt.ts";
import { type AskRetry, addRetry } from "./retry.ts";
import { addRun, type Run } from "./run.ts";
import { addScan, type LookInto } from "./scan.ts";
import { addService } from "./service.ts";
import { addStatus, type IsRunning } from "./status.ts";

export interface AgentParts {
  readonly run: Run;
  readonly readQueue: ReadQueue;
  readonly lookInto: LookInto;
  readonly acceptRoot: AcceptRoot;
  readonly askRetry: AskRetry;
  readonly isRunning: IsRunning;
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
  addRun(program, parts.run);
  addScan(program, parts.lookInto);
  addStatus(program, parts.readQueue, parts.isRunning);
  addRetry(program, parts.askRetry, parts.isRunning);
  addReceipt(program, parts.readQueue);
  addDoctor(program);
  addService(program);
  return program;
}
