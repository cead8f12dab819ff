/** A source written into the text of agent.yaml: comments, order and everything else stay as they are. */
import { resolve } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import { isMap, isSeq, parseDocument, type YAMLMap, YAMLSeq } from "yaml";

/** Keys as agent.yaml has them; only what was named on the command line. */
export interface SourceEntry {
  readonly name: string;
  readonly path: string;
  readonly client?: string;
  readonly [key: string]: unknown;
}

export interface Edited {
  readonly text: string;
  /** The source was there already, with the same path. */
  readonly known: boolean;
}

/**
 * The new text. `onlyClient`: whom a source without a client belongs to; `base`: where its relative path begins. Throws `usage` when the name is taken by
 * another path.
 */
export function putSource(
  text: string,
  entry: SourceEntry,
  onlyClient: string | undefined,
  base: string,
): Edited {
  const document = parseDocument(text);
  if (document.errors.length > 0) throw document.errors[0];
  if (document.contents === null) document.contents = document.createNode({}) as never;
  const sources = document.get("sources");
  if (isSeq(sources) && sources.items.length > 0) {
    const clientOf = (client: unknown): unknown => client ?? onlyClient;
    const same = sources.items.find(
      (item): item is YAMLMap =>
        isMap(item) &&
        item.get("name") === entry.name &&
        clientOf(item.get("client")) === clientOf(entry.client),
    );
    if (same !== undefined) {
      if (resolve(base, String(same.get("path"))) !== entry.path)
        throw new ProblemError(
          "usage",
          `there is a source "${entry.name}" already, with the folder ${String(same.get("path"))}; choose another --name, or change its path in agent.yaml`,
        );
      for (const [key, value] of Object.entries(entry))
        if (key !== "client" && value !== same.toJSON()[key]) same.set(key, document.createNode(value));
      return { text: document.toString({ lineWidth: 0 }), known: true };
    }
    sources.add(document.createNode(entry));
    return { text: document.toString({ lineWidth: 0 }), known: false };
  }
  const fresh = new YAMLSeq();
  fresh.add(document.createNode(entry));
  document.set("sources", fresh);
  return { text: document.toString({ lineWidth: 0 }), known: false };
}
