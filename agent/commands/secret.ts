/** `secret`: passwords and keys of sources, put away encrypted; agent.yaml has only their names. */
import { makeFolder } from "@tributary/shared/folder.ts";
import { ProblemError } from "@tributary/shared/problems.ts";
import { loadSettings } from "@tributary/shared/settings.ts";
import { list, say } from "@tributary/shared/terminal.ts";
import type { Command } from "commander";
import { z } from "zod";
import { referencesIn, secretName } from "../secret/reference.ts";
import { removeSecret, SecretStore, setSecret } from "../secret/store.ts";
import { type PlaceOptions, placeOf, placeToRead, withPlace } from "./place.ts";
import { readSecret } from "./secret-input.ts";

/** Does the work while nobody else changes secrets of this data folder. */
export type Alone = <T>(data: string, work: () => T) => T;

export function addSecret(program: Command, alone: Alone): void {
  const secret = program
    .command("secret")
    .summary("passwords and keys of sources, put away encrypted")
    .description(
      "Puts passwords, private keys and access keys of sources away, encrypted with a key of this host. agent.yaml names them: password: { secret: NAME }.",
    );
  withPlace(
    secret
      .command("set")
      .summary("put a secret away, or another value for it")
      .description(
        "Puts a secret away, or another value for it. The value is all of standard input without its last newline; on a terminal it is asked for, twice, and not shown. A running agent takes it up by itself.",
      )
      .argument("<name>", "what agent.yaml calls it: letters, digits, dots, dashes, underscores"),
  ).action(async (name: string, options: PlaceOptions) => {
    const { data } = placeOf(options);
    requireName(name);
    const value = await readSecret(process.stdin, process.stderr);
    makeFolder(data, { mode: 0o700, fresh: false });
    alone(data, () => setSecret(data, name, value, new Date()));
    say(`the secret ${name} is set; in agent.yaml: { secret: ${name} }`);
  });
  withPlace(
    secret
      .command("list")
      .summary("the names of secrets, and which sources use them")
      .description(
        "Lists the names of the secrets, when each was set, and the sources of agent.yaml that use it; those too that a source names and nobody has set. Values are never shown.",
      )
      .option("--json", "one JSON object a line: name, setAt (null: not set), sources"),
  ).action((options: PlaceOptions & { readonly json?: boolean }) => {
    const { data, config } = placeToRead(options);
    const uses = usesIn(config);
    const known = new SecretStore(data).list();
    const unset = [...uses.keys()].filter((name) => !known.some((one) => one.name === name));
    const rows = [...known, ...unset.map((name) => ({ name, setAt: null }))];
    list(
      rows.map((row) => ({ ...row, sources: uses.get(row.name) ?? [] })),
      options.json ?? false,
      ["name", "setAt", "sources"],
    );
  });
  withPlace(
    secret
      .command("remove")
      .summary("forget a secret")
      .description("Forgets a secret. Refused while a source of agent.yaml uses it.")
      .argument("<name>", "its name")
      .option("--force", "also while a source uses it, which then waits until it is set again"),
  ).action((name: string, options: PlaceOptions & { readonly force?: boolean }) => {
    const { data, config } = placeToRead(options);
    requireName(name);
    const users = options.force ? [] : (usesIn(config).get(name) ?? []);
    if (users.length > 0)
      throw new ProblemError(
        "usage",
        `the secret ${name} is used by ${users.join(", ")} in ${config}; take it out there first, or say --force`,
      );
    if (!alone(data, () => removeSecret(data, name)))
      throw new ProblemError("not-found", `there is no secret ${name}; see: tributary-agent secret list`);
    say(`the secret ${name} is removed`);
  });
}

/** What is no name is perhaps the secret itself, and not repeated. */
function requireName(name: string): void {
  const checked = secretName.safeParse(name);
  if (!checked.success)
    throw new ProblemError(
      "usage",
      `NAME: ${checked.error.issues[0]?.message}; the value comes by standard input`,
    );
}

/** Only this much of agent.yaml: a mistake elsewhere in it is no reason to keep an administrator from his secrets. */
const named = z.looseObject({
  sources: z
    .array(z.looseObject({ name: z.string().default("?"), client: z.string().optional() }))
    .default([]),
});

/** Name of a secret -> the sources that use it. Throws `config-invalid`. */
function usesIn(config: string): ReadonlyMap<string, readonly string[]> {
  const uses = new Map<string, readonly string[]>();
  for (const source of loadSettings(config, named, true).sources) {
    const shown = source.client === undefined ? source.name : `${source.client}/${source.name}`;
    const names = [...referencesIn(source)].flatMap(({ reference }) =>
      "secret" in reference ? [reference.secret] : [],
    );
    for (const name of new Set(names)) uses.set(name, [...(uses.get(name) ?? []), shown]);
  }
  return uses;
}
