/** .msi: the agent, its service host and what sets them up, by Debian's wixl and a cross compiler. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../run.ts";

const HERE = import.meta.dirname;
const DOCS = join(HERE, "../../docs");

export interface MsiParts {
  readonly version: string;
  /** Path of the agent's single executable, signed already where it is to be. */
  readonly executable: string;
  readonly licences: string;
  /** Signs an .exe, .dll or .msi in place. */
  readonly sign: (file: string) => Promise<void>;
}

export const msiName = (version: string): string => `tributary-agent-${version}-x64.msi`;

/** Makes `out`. `scratch`: an empty folder. */
export async function makeMsi(
  { version, executable, licences, sign }: MsiParts,
  out: string,
  scratch: string,
): Promise<void> {
  const service = join(scratch, "tributary-service.exe");
  const setup = join(scratch, "tributary-setup.dll");
  await compile(service, setup, scratch);
  await sign(service);
  await sign(setup);
  copyFileSync(executable, join(scratch, "tributary-agent.exe"));
  copyFileSync(join(DOCS, "windows.md"), join(scratch, "windows.md"));
  writeFileSync(join(scratch, "third-party-licences.txt"), licences);
  const source = readFileSync(join(HERE, "agent.wxs"), "utf8").replace("@VERSION@", version);
  writeFileSync(join(scratch, "agent.wxs"), source);
  // wixl finds files by names from where it runs, and no others.
  await run("wixl", ["--arch", "x64", "--output", out, "agent.wxs"], { cwd: scratch });
  for (const statement of statements(version)) await run("msibuild", [out, "-q", statement]);
  await sign(out);
}

const statements = (version: string): readonly string[] =>
  readFileSync(join(HERE, "finish.sql"), "utf8")
    .replace("@VERSION@", version)
    .split("\n\n")
    .map((paragraph) => paragraph.replace(/^--.*$/gm, "").trim())
    .filter((statement) => statement !== "");

const GCC = "x86_64-w64-mingw32-gcc";
const STRICT = ["-O2", "-Wall", "-Wextra", "-Werror", "-static", "-s"];

async function compile(service: string, setup: string, scratch: string): Promise<void> {
  const made = join(scratch, "messages");
  mkdirSync(made);
  await run("x86_64-w64-mingw32-windmc", ["-h", made, "-r", made, join(HERE, "messages.mc")]);
  const resources = join(made, "messages.o");
  await run("x86_64-w64-mingw32-windres", [join(made, "messages.rc"), "-O", "coff", "-o", resources]);
  const sources = ["service.c", "host.c", "log.c", "words.c", "access.c"].map((file) => join(HERE, file));
  await run(GCC, [...STRICT, "-municode", `-I${made}`, ...sources, resources, "-o", service, "-ladvapi32"]);
  await run(GCC, [
    ...STRICT,
    "-shared",
    `-I${made}`,
    join(HERE, "setup.c"),
    "-o",
    setup,
    "-lmsi",
    "-ladvapi32",
  ]);
}
