/**
 * The agent, as a process: a file is sent by putting it into the folder that it watches, and what came of it is read
 * from its queue. It repeats by itself what may pass, so a bad network alone is no outcome here.
 */
import { createHash, createPrivateKey } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatCode, parseCode } from "@tributary/shared/code.ts";
import { signToken } from "@tributary/shared/token.ts";
import { stringify } from "yaml";
import { launch, ok, until } from "../site/process.ts";
import { type Awaited, Watched } from "./agent-queue.ts";
import type { Door, Sender, Sending, Threshold } from "./door.ts";

const IN_PARTS_FROM = 16 * 2 ** 20;
/** What a folder takes: names of 255 bytes, and 4,095 bytes with the way to the folder before them. */
const [LONGEST_NAME, LONGEST_PATH] = [255, 3_950];
export const agent: Door = {
  name: "agent",
  bearer: "agent",
  portOf: (site) => site.port,
  perseveres: true,
  channels: (size) => (size >= IN_PARTS_FROM ? ["parts"] : ["push", "bundle"]),
  cannot: {
    captures: "the agent gives each capture its id when it seals it, and nobody else does",
    digests: "the agent hashes what it reads: it has no other digest to declare",
    sizes: "the agent sends what it sealed, and ends a parcel whose bytes changed",
    clients:
      "a source of a client that the agent does not act for is refused on its own host, before anything is sent",
    rights: "an agent has the rights of an agent, for all sources of its clients",
    repeats: "the agent finds by itself that the bytes are those that it has a receipt for",
  },
  otherwise: {},
  unspeakable(path) {
    const segments = path.toString("latin1").split("/");
    if (segments.some((segment) => ["", ".", ".."].includes(segment)) || path.includes(0))
      return "no file in a folder can have this name";
    return path.length > LONGEST_PATH || segments.some(({ length }) => length > LONGEST_NAME)
      ? "the file system takes no longer ones, with the way to the folder before them"
      : undefined;
  },
  enter: async (at) => await startAgent(at),
};

let agents = 0;

/** Invited, enrolled and started as on a host; its way leads over `port`. */
async function startAgent({ site, port, client, source }: Threshold): Promise<Sender> {
  agents += 1;
  const dir = join(site.dir, `agent-${agents}`);
  const [data, folder] = [join(dir, "data"), join(dir, "files")];
  for (const made of [data, folder]) mkdirSync(made, { recursive: true });
  const sources = [{ name: source, path: folder, settle: "100ms", rescan: "1s" }];
  writeFileSync(join(data, "agent.yaml"), stringify({ sources }));
  const code = parseCode(await site.command("agent", "invite", "--client", client, "--name", dir));
  const stdin = formatCode({ ...code, url: `https://127.0.0.1:${port}` });
  await ok("agent", ["enroll", "-", "--data", data], { stdin });
  const identity = JSON.parse(readFileSync(join(data, "identity.json"), "utf8"));
  const key = createPrivateKey(readFileSync(join(data, "key")));
  const running = launch("agent", ["run", "--data", data]);
  await running.said(/, receiver https:/);
  const queue = await until(
    "the agent's queue",
    () => existsSync(join(data, "queue.sqlite")) && new Watched(data, source, running),
  );
  return {
    bearer: identity.agentId,
    revocation: ["agent", "revoke", identity.agentId],
    authorization: (method, path) =>
      `Bearer ${signToken({ agentId: identity.agentId, site: identity.site, method, path, now: Date.now() }, key)}`,
    send: async (files) => {
      const since = queue.newest();
      const placed = files.map((file) => place(dir, folder, file));
      return await Promise.all(placed.map((one) => queue.outcome({ since, ...one })));
    },
    remove: async (path) => {
      const since = queue.newest();
      rmSync(within(folder, path));
      return await queue.outcome({ since, path, digest: null, mtimeNs: 0n });
    },
    close: async () => {
      queue.close();
      await running.stop();
    },
  };
}

const sha256 = (bytes: Buffer): Buffer => createHash("sha256").update(bytes).digest();
const within = (folder: string, path: Buffer): Buffer => Buffer.concat([Buffer.from(`${folder}/`), path]);

/** Whole at once, as a program does that wants no half files taken. */
function place(dir: string, folder: string, { path, bytes }: Sending): Omit<Awaited, "since"> {
  const target = within(folder, path);
  mkdirSync(target.subarray(0, target.lastIndexOf("/")), { recursive: true });
  writeFileSync(join(dir, "half-made"), bytes);
  renameSync(join(dir, "half-made"), target);
  return { path, digest: sha256(bytes), mtimeNs: statSync(target, { bigint: true }).mtimeNs };
}
