/**
 * Trees for people who look: the first look at a client with a long history reads all of it, which takes from seconds to
 * minutes. Nobody waits for that without a word: after a moment the answer is that it is being prepared, and the work goes on.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { PastTree, Tree, Trees } from "./tree.ts";

/** How long an answer waits for it. */
const WAIT_MS = 100;

/** What only looks; every answer may be `preparing`, which is worth to be asked again. */
export function preparedTrees(
  trees: Trees,
  waitMs = WAIT_MS,
): Pick<Trees, "now" | "ever" | "asAt" | "bounds"> {
  const running = new Map<string, Promise<void>>();
  const ready = async (client: string): Promise<void> => {
    const work = running.get(client) ?? trees.catchUp(client).finally(() => running.delete(client));
    running.set(client, work);
    // Who asks again hears of its failure.
    work.catch(() => {});
    const late = new AbortController();
    const done = await Promise.race([
      work.then(() => true),
      sleep(waitMs, false, { signal: late.signal, ref: false }).catch(() => false),
    ]);
    late.abort();
    if (!done)
      throw new ProblemError(
        "preparing",
        `the history of ${client} is read for the first time, or after a long while; ask again in a moment`,
        { retryAfter: 1 },
      );
  };
  const waiting = <T extends Tree<never> | PastTree>(tree: T): T =>
    ({
      sources: async (view: Parameters<T["sources"]>[0]) => {
        await ready(view.client);
        return await tree.sources(view as never);
      },
      find: async (view: { readonly client: string }, source: string, path: string) => {
        await ready(view.client);
        return await tree.find(view as never, source, path);
      },
      list: async (
        view: { readonly client: string },
        source: string,
        folder: string,
        page: { limit: number },
      ) => {
        await ready(view.client);
        return await tree.list(view as never, source, folder, page);
      },
    }) as T;
  return {
    now: waiting(trees.now),
    ever: waiting(trees.ever as never) as Trees["ever"],
    asAt: (instantMs) => waiting(trees.asAt(instantMs)),
    bounds: async (client) => {
      await ready(client);
      return await trees.bounds(client);
    },
  };
}
