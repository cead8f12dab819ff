/**
 * `npm start`: the main job on embedded defaults. A receiver and one agent for the client `demo`, as two processes,
 * set up with the commands that users type; what is set up already is left as it is, so a second start goes on.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildPages } from "../installers/pages.ts";
import { type Child, command, launch, type Program } from "./child.ts";
import { shortLine } from "./line.ts";

const ROOT = dirname(import.meta.dirname);
const PORT = 8443;
const STOP_WITHIN_MS = 45_000;

interface Places {
  readonly receiver: string;
  readonly agent: string;
  readonly inbox: string;
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

function places(inbox: string): Places {
  const base = resolve(process.env.TRIBUTARY_DATA || join(ROOT, ".tributary"));
  return { receiver: join(base, "receiver"), agent: join(base, "agent"), inbox: resolve(inbox) };
}

interface Ports {
  readonly ingest: number;
  /** Undefined where it was set up before there was one: it gets the default's. */
  readonly console: number | undefined;
  /** Undefined where it was set up without. */
  readonly sftp: number | undefined;
}

/** Behind the port for agents; the one between is left for the clients' own page. */
const CONSOLE_AFTER = 1;
const SFTP_AFTER = 3;

/** The ports that receiver.yaml names; at the first start `wanted` is written there, and those behind it. */
function settlePorts(data: string, wanted: number | undefined): Ports {
  const file = join(data, "receiver.yaml");
  const stored = existsSync(file) ? readFileSync(file, "utf8") : "";
  const begun = existsSync(join(data, "ledger.sqlite"));
  const portOf = (door: string): number | undefined => {
    const found = new RegExp(`${door}:[^\\n,]*?:(\\d+)`).exec(stored)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  if (begun || (stored !== "" && wanted === undefined)) {
    const ports = { ingest: portOf("ingest") ?? PORT, console: portOf("console"), sftp: portOf("sftp") };
    // What was set up before there was a console may have its place for SFTP.
    if (ports.console === undefined && ports.sftp !== undefined) {
      ports.console = ports.sftp + 1;
      writeFileSync(file, stored.replace(/sftp:/, `console: "127.0.0.1:${ports.console}", sftp:`));
    }
    if (wanted === undefined || wanted === ports.ingest) return ports;
    throw new Error(
      `this demo was set up with port ${ports.ingest}, and its agent knows the receiver by it; start it without --port, or remove ${dirname(data)} to begin anew`,
    );
  }
  const ingest = wanted ?? PORT;
  const ports = { ingest, console: ingest + CONSOLE_AFTER, sftp: ingest + SFTP_AFTER };
  const listen = Object.entries(ports).map(([door, port]) => `${door}: "127.0.0.1:${port}"`);
  writeFileSync(file, `listen: { ${listen.join(", ")} }\n`);
  return ports;
}

async function requireFree(port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((done, refuse) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      refuse(
        new Error(
          error.code === "EADDRINUSE"
            ? `port ${port} of 127.0.0.1 is taken, perhaps by another \`npm start\`; stop that, or choose a port for this one at its first start: npm start -- --port 9443`
            : `cannot listen on port ${port}: ${error.message}`,
        ),
      ),
    );
    server.listen(port, "127.0.0.1", () => server.close(() => done()));
  });
}

/** Both programs, in the order in which they must stop. */
const running: Child[] = [];
let stopping = false;

function start(program: Program, data: string, args: readonly string[]): Child {
  const child = launch(ROOT, program, [...args, "--data", data], (line) => {
    const short = shortLine(program, line);
    if (short !== undefined) say(short);
  });
  running.unshift(child);
  void child.ended.then((code) => {
    if (stopping) return;
    say(`tributary-${program} ended by itself with ${code}; stopping the rest`);
    void stop(1);
  });
  return child;
}

async function stop(code: number): Promise<void> {
  if (stopping) {
    for (const child of running) child.kill();
    return;
  }
  stopping = true;
  const late = setTimeout(() => {
    for (const child of running) child.kill();
  }, STOP_WITHIN_MS);
  let worst = code;
  for (const child of running) worst = Math.max(worst, await child.stop());
  clearTimeout(late);
  if (worst === 0) say("stopped; `npm start` goes on from here");
  process.exit(worst);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { port: { type: "string" }, inbox: { type: "string", default: join(ROOT, "inbox") } },
  });
  const wanted = values.port === undefined ? undefined : Number(values.port);
  if (wanted !== undefined && !(Number.isInteger(wanted) && wanted > 0 && wanted <= 65_535 - SFTP_AFTER))
    throw new Error(`--port ${values.port}: expected a port such as 9443`);
  const { receiver, agent, inbox } = places(values.inbox);
  for (const folder of [receiver, agent]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const ports = settlePorts(receiver, wanted);
  for (const port of Object.values(ports)) if (port !== undefined) await requireFree(port);
  await buildPages(say);
  // Only what is there can be asked; a first start has nothing yet.
  const begun = existsSync(join(receiver, "ledger.sqlite"));
  const clients = begun
    ? await command(ROOT, "receiver", ["client", "list", "--json", "--data", receiver])
    : "";
  if (!clients.includes('"name":"demo"'))
    await command(ROOT, "receiver", ["client", "add", "demo", "--data", receiver]);
  if (stopping) return;
  await start("receiver", receiver, ["serve"]).said(/^ready$/);
  await setUpAgent(receiver, agent, inbox);
  if (stopping) return;
  await start("agent", agent, ["run"]).said(/inbox|configuration taken|ready/);
  guide({ receiver, agent, inbox }, ports);
}

async function setUpAgent(receiver: string, agent: string, inbox: string): Promise<void> {
  if (!existsSync(join(agent, "identity.json"))) {
    const invite = ["agent", "invite", "--client", "demo", "--name", "demo", "--data", receiver];
    await command(ROOT, "agent", ["enroll", "-", "--data", agent], await command(ROOT, "receiver", invite));
  }
  const fresh = mkdirSync(inbox, { recursive: true }) !== undefined;
  // A folder that was made anew is another one than before; add-folder accepts it.
  if (fresh || !existsSync(join(agent, "agent.yaml")))
    await command(ROOT, "agent", ["add-folder", inbox, "--name", "inbox", "--settle", "1s", "--data", agent]);
}

function guide({ receiver, agent, inbox }: Places, { sftp, console }: Ports): void {
  const custom = Boolean(process.env.TRIBUTARY_DATA);
  const at = (data: string): string => (custom ? ` --data ${data}` : "");
  say(`
Files in ${inbox} flow into ${join(receiver, "lake")}. In another terminal, try:

  echo "first"  > inbox/hello.txt        a version
  echo "second" > inbox/hello.txt        another one
  rm inbox/hello.txt                     a removal; nothing in the lake is deleted

  npx tributary-receiver history --client demo${at(receiver)}
  npx tributary-receiver get VERSION${at(receiver)}        byte for byte, by the versionId above
  npx tributary-receiver verify${at(receiver)}             reads the lake again, compares every digest
  npx tributary-agent status${at(agent)}

The console is at https://localhost:${console ?? PORT + CONSOLE_AFTER}; while nobody can sign in, the link for the first one stands above.
${sftp === undefined ? "" : `\nSFTP is at port ${sftp}; the README says how to come in.\n`}
Ctrl-C stops both.
`);
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => {
    if (!stopping) say("\nstopping …");
    void stop(0);
  });
try {
  await main();
} catch (error) {
  if (!stopping) {
    say(`npm start: ${error instanceof Error ? error.message : String(error)}`);
    await stop(1);
  }
}
