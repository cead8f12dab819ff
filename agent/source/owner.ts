/** Whose files a source holds, and what of it is the agent's own: decided alike by `run`, which captures, and by what only looks. */
import { realpathSync } from "node:fs";
import { isAbsolute, relative, resolve, sep } from "node:path";
import type { FolderSettings } from "../config.ts";

/** A source with the client whose files it holds, or with why it cannot be captured. */
export type Owned =
  | { readonly source: FolderSettings; readonly client: string; readonly refused?: undefined }
  | { readonly source: FolderSettings; readonly client?: undefined; readonly refused: Refused };

export interface Refused {
  /** What is wrong, without the source's name. */
  readonly says: string;
  readonly todo: string;
}

/** Every source in the order of agent.yaml. `clients`: whom this agent acts for; `data`: the agent's own folder. */
export function owned(sources: readonly FolderSettings[], clients: readonly string[], data: string): Owned[] {
  const names = new Set<string>();
  return sources.map((source) => {
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
    if (isInside(data, source.path))
      return {
        source,
        refused: {
          says: `(${source.path}) lies in the agent's own folder, where its private key is: it is not captured`,
          todo: "choose another folder",
        },
      };
    // One names the client, the other does not: only here are they known to be the same.
    if (names.has(`${client}/${source.name}`))
      return {
        source,
        refused: {
          says: `(${source.path}) is a second source of "${client}" with this name: it is not captured`,
          todo: "give it another name",
        },
      };
    names.add(`${client}/${source.name}`);
    return { source, client };
  });
}

/** One sentence for each source that cannot be captured. */
export function unowned(
  sources: readonly FolderSettings[],
  clients: readonly string[],
  data: string,
): string[] {
  return owned(sources, clients, data).flatMap(({ source, refused }) =>
    refused === undefined ? [] : [`source "${source.name}" ${refused.says}; ${refused.todo}`],
  );
}

/**
 * `own`, as a walk that begins at `root` meets it, whatever links lead there: the agent's own key and queue must not
 * be captured under another name.
 */
export function ignoredBy(root: string, own: readonly string[]): string[] {
  return own.map((path) => resolve(root, relative(real(root), real(path))));
}

function isInside(outer: string, path: string): boolean {
  const inside = relative(real(outer), real(path));
  return inside === "" || !(inside === ".." || inside.startsWith(`..${sep}`) || isAbsolute(inside));
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
