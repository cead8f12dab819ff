/** Every command's `--help` as strangers see it: names and options are a contract. UPDATE_GOLDEN=1 writes them anew. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Redactor } from "@tributary/shared/redactor.ts";
import { describe, expect, test } from "vitest";
import { createProgram as createAgent } from "../../agent/commands/program.ts";
import { createProgram as createReceiver } from "../../receiver/commands/program.ts";
import { type Program, ROOT, run } from "../site/process.ts";
import { expectGolden } from "./golden.ts";

const FOLDER = join(ROOT, "test", "golden", "help");
const UPDATE = process.env.UPDATE_GOLDEN === "1";

type Command = ReturnType<typeof createAgent>;

/** The help of a command and of all below it. */
function helpOf(command: Command, words: readonly string[]): [string, string][] {
  const names = [...words, command.name()];
  return [
    [names.join("-"), command.helpInformation()],
    ...command.commands.flatMap((below) => helpOf(below, names)),
  ];
}

const never = (): never => expect.fail("nothing is run for help");
const agent = createAgent({
  run: never,
  readQueue: never,
  lookInto: never,
  acceptRoot: never,
  askRetry: never,
  isRunning: never,
  alone: never,
  redactor: new Redactor(),
});
const receiver = createReceiver({
  open: never,
  openLedger: never,
  serve: never,
  sweep: never,
  release: never,
  discard: never,
});

describe.for<[Program, Command]>([
  ["agent", agent],
  ["receiver", receiver],
])("tributary-%s", ([program, commands]) => {
  test("--help is what the process prints", async () => {
    const ran = await run(program, ["--help"]);
    expect(ran).toMatchObject({ code: 0, stderr: "", stdout: commands.helpInformation() });
  });

  test("--help of every command", () => {
    const found = new Map(helpOf(commands, []));
    const prefix = `tributary-${program}`;
    const known = readdirSync(FOLDER).filter((name) => name.startsWith(prefix) && name.endsWith(".txt"));
    const gone = known.filter((name) => !found.has(name.slice(0, -".txt".length)));
    if (UPDATE) for (const name of gone) rmSync(join(FOLDER, name));
    else expect(gone, "commands that are no more").toEqual([]);
    for (const [name, text] of found) expectGolden(join(FOLDER, `${name}.txt`), text);
  });
});

describe("wrong usage ends with 2, and says what was meant", () => {
  test.for<[Program, string[], RegExp]>([
    ["agent", [], /Usage: tributary-agent/],
    ["agent", ["stauts"], /Did you mean status/],
    ["agent", ["status", "--jsn"], /Did you mean --json/],
    ["agent", ["add-folder", "x"], /--name/],
    ["agent", ["receipt"], /Usage: tributary-agent receipt/],
    ["agent", ["enroll", "not-a-code", "--data", "/nonexistent/agent"], /trb1_/],
    ["receiver", [], /Usage: tributary-receiver/],
    ["receiver", ["hystory"], /Did you mean history/],
    ["receiver", ["history", "--clint", "x"], /Did you mean --client/],
    ["receiver", ["client"], /Usage: tributary-receiver client/],
    ["receiver", ["key", "add"], /--client/],
  ])("%s %j", async ([program, args, expected]) => {
    const ran = await run(program, args);
    expect([ran.code, ran.stdout]).toEqual([2, ""]);
    expect(ran.stderr).toMatch(expected);
  });
});
