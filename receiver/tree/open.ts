/** The trees of an open ledger. */
import type { Database } from "../ledger/schema.ts";
import { Changes } from "./change.ts";
import { Follower } from "./follow.ts";
import { Look } from "./look.ts";
import { boundsOf, Past } from "./past.ts";
import type { Tree, Trees } from "./tree.ts";

/** One for each receiver: whoever catches up at the same time shares it. `now` in ms, for folders that are made. */
export function openTrees(db: Database, now: () => number = Date.now): Trees {
  const follower = new Follower(db);
  return {
    // A look at the present never meets a removed file.
    now: new Look(db, follower, false) as Tree,
    ever: new Look(db, follower, true),
    changes: new Changes(db, follower, now),
    asAt: (instantMs) => new Past(db, follower, instantMs),
    bounds: (client) => boundsOf(db, follower, client),
    catchUp: (client, stopping) => follower.catchUp(client, stopping),
  };
}
