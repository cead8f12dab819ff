/** Whose files a source holds, and what of it is the agent's own: decided alike by `run`, which captures, and by what only looks. */
import { isAbsolute, relative, resolve, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isNear, type SourceSettings } from "./config.ts";
import { key } from "./source/bytes.ts";
import { type Disk, realDisk } from "./source/disk.ts";

export type RealPath = Disk["realPath"];

/** How long a share may take to say where a path leads. */
const ANSWER_MS = 2_000;

/** A source with the client whose files it holds, or with why it cannot be captured. */
export type Owned =
  | { readonly source: SourceSettings; readonly client: string; readonly refused?: undefined }
  | { readonly source: SourceSettings; readonly client?: undefined; readonly refused: Refused };

export interface Refused {
  /** What is wrong, without the source's name. */
  readonly says: string;
  readonly todo: string;
}

/** Every source in the order of agent.yaml. `clients`: whom this agent acts for; `data`: the agent's own folder. */
export async function owned(
  sources: readonly SourceSettings[],
  clients: readonly string[],
  data: string,
  realPath: RealPath = realDisk.realPath,
): Promise<Owned[]> {
  const names = new Set<string>();
  const inside = await Promise.all(
    sources.map(async (source) => isNear(source) && (await isInside(data, source.path, realPath))),
  );
  return sources.map((source, i) => {
    const client = source.client ?? (clients.length === 1 ? clients[0] : undefined);
    if (client === undefined)
      return {
        source,
        refused: {
          says: "names no client, and this agent acts for several",
          todo: `add client: ${clients.join(" or ")}`,
        },
      };
    if (!clients.includes(client))
      return {
        source,
        refused: {
          says: `is of the client "${client}", for whom this agent does not act (only for ${clients.join(", ")})`,
          todo: "correct its client, or have the agent invited anew for that client",
        },
      };
    if (inside[i])
      return {
        source,
        refused: {
          says: `(${nearPath(source)}) lies in the agent's own folder, where its private key is: it is not captured`,
          todo: "choose another folder",
        },
      };
    // One names the client, the other does not: only here are they known to be the same.
    if (names.has(`${client}/${source.name}`))
      return {
        source,
        refused: {
          says: `is a second source of "${client}" with this name: it is not captured`,
          todo: "give it another name",
        },
      };
    names.add(`${client}/${source.name}`);
    return { source, client };
  });
}

const nearPath = (source: SourceSettings): string => (isNear(source) ? source.path : "");

/** One sentence for each source that cannot be captured. */
export async function unowned(
  sources: readonly SourceSettings[],
  clients: readonly string[],
  data: string,
): Promise<string[]> {
  return (await owned(sources, clients, data)).flatMap(({ source, refused }) =>
    refused === undefined ? [] : [`source "${source.name}" ${refused.says}; ${refused.todo}`],
  );
}

/**
 * `own`, as a walk that begins at `root` meets it, whatever links lead there: the agent's own key and queue must not
 * be captured under another name.
 */
export async function ignoredBy(
  root: string,
  own: readonly string[],
  realPath: RealPath = realDisk.realPath,
): Promise<string[]> {
  const [from, ...to] = await Promise.all([root, ...own].map((path) => real(path, realPath)));
  return to.map((path) => resolve(root, relative(from as string, path)));
}

async function isInside(outer: string, path: string, realPath: RealPath): Promise<boolean> {
  const inside = relative(...(await Promise.all([real(outer, realPath), real(path, realPath)])));
  return inside === "" || !(inside === ".." || inside.startsWith(`..${sep}`) || isAbsolute(inside));
}

/** As it is written where no link can be asked: what is not there, and a share that hangs. */
async function real(path: string, realPath: RealPath): Promise<string> {
  const written = resolve(path);
  const answer = realPath(Buffer.from(written)).then(String, () => written);
  return await Promise.race([answer, sleep(ANSWER_MS, written, { ref: false })]);
}

/** One question at a time about a path: on a share that hangs each keeps the thread that asks. */
export function askedOnce(realPath: RealPath): RealPath {
  const asked = new Map<string, Promise<Buffer>>();
  return (path) => {
    const at = key(path);
    const before = asked.get(at);
    if (before !== undefined) return before;
    const answer = realPath(path).finally(() => asked.delete(at));
    asked.set(at, answer);
    return answer;
  };
}
