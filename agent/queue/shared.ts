/** Which sources other agents may have: kept, since what waits of one outlives its line in agent.yaml, and may not leave without its lease. */
import { diskFull, type QueueFile } from "./database.ts";

export interface Shared {
  has(client: string, source: string): boolean;
  /** On a full disk it is known here, and written the next time. */
  set(client: string, source: string, shared: boolean): void;
}

export function sqliteShared(db: QueueFile): Shared {
  const all = db.prepare<[], { client: string; name: string }>(
    "SELECT client, name FROM sources WHERE shared = 1",
  );
  const put = db.prepare(
    `INSERT INTO sources (client, name, shared) VALUES (?, ?, 1) ON CONFLICT (client, name) DO UPDATE SET shared = 1`,
  );
  const clear = db.prepare("UPDATE sources SET shared = 0 WHERE client = ? AND name = ?");
  const stored = new Set(all.all().map(({ client, name }) => keyOf(client, name)));
  const known = new Set(stored);
  return {
    has: (client, source) => known.has(keyOf(client, source)),
    set(client, source, shared) {
      const key = keyOf(client, source);
      if (shared) known.add(key);
      else known.delete(key);
      if (stored.has(key) === shared) return;
      try {
        diskFull(() => (shared ? put : clear).run(client, source));
      } catch (error) {
        if ((error as { code?: unknown }).code !== "disk-full") throw error;
        return;
      }
      if (shared) stored.add(key);
      else stored.delete(key);
    },
  };
}

const keyOf = (client: string, source: string): string => `${client}/${source}`;
