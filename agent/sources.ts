/** The captures that run, kept equal to the configuration: added, changed and removed without a restart. */
import { realpathSync } from "node:fs";
import { isAbsolute, relative, resolve, sep } from "node:path";
import type { Command, SourceState } from "@tributary/shared/protocol.ts";
import { type Capture, startCapture } from "./capture/capture.ts";
import type { AgentSettings, FolderSettings } from "./config.ts";
import type { Report } from "./facts.ts";
import type { Ended } from "./queue/outbox.ts";
import type { Intake, SourceBook } from "./queue/queue.ts";
import { afterRule } from "./seal/after.ts";
import type { PartHasher } from "./seal/part-hasher.ts";
import type { Spool } from "./seal/spool.ts";
import type { Disk } from "./source/disk.ts";
import { folderSource } from "./source/folder.ts";
import type { Source } from "./source/source.ts";

export interface SourcesParts {
  readonly queue: {
    intake(client: string, source: string): Intake;
    book(client: string, source: string): SourceBook;
    onEnd(listener: (ends: readonly Ended[]) => void): () => void;
  };
  readonly spool: Spool;
  readonly partHasher: PartHasher;
  readonly report: Report;
  /** ms of the receiver's clock. */
  readonly corrected: () => number;
  /** The agent's own folder: never captured. */
  readonly data: string;
  readonly disk?: Disk;
}

interface Running {
  readonly client: string;
  readonly name: string;
  /** The settings as text: another text is another capture. */
  readonly settings: string;
  readonly source: Source;
  readonly capture: Capture;
}

/** A changed configuration waits for what is being captured no longer than this: a share that hangs may do so for days. */
const GRACE_MS = 10_000;

export class Sources {
  readonly #parts: SourcesParts;
  #running = new Map<string, Running>();
  /** One change after the other. */
  #turn: Promise<void> = Promise.resolve();

  constructor(parts: SourcesParts) {
    this.#parts = parts;
    // A capture frees the copies of its own parcels; of those whose source is gone nobody else would.
    parts.queue.onEnd((ends) => {
      for (const { parcel, end } of ends)
        if (parcel.kind === "version" && parcel.spooled !== undefined && end.kind !== "aside")
          if (!this.#running.has(identityOf(parcel.client, parcel.source)))
            void parts.spool.release(parcel.spooled);
    });
  }

  /** Where the bytes of an in-place parcel are; undefined while the source is not configured. */
  find(client: string, name: string): Source | undefined {
    const running = this.#running.get(identityOf(client, name));
    return running && { ...running.source, health: () => running.capture.health() };
  }

  /** Starts what is new, stops what is gone, restarts what changed. `clients`: whom this agent acts for. */
  take(settings: AgentSettings, clients: readonly string[]): Promise<void> {
    this.#turn = this.#turn.then(() => this.#take(settings, clients));
    return this.#turn;
  }

  states(): SourceState[] {
    return [...this.#running.values()].map(({ client, name, capture }) => {
      const { reachable, reason, files, settling, lastScanAt, problems } = capture.state();
      return {
        name,
        client,
        kind: "folder",
        reachable,
        files,
        settling,
        problems,
        ...(reason === undefined ? {} : { reason }),
        ...(lastScanAt === undefined ? {} : { lastScanAt: new Date(lastScanAt).toISOString() }),
      };
    });
  }

  /** What the centre asks for, out of the closed list. */
  obey(command: Command): void {
    for (const { name, capture } of this.#running.values())
      if (command.source === undefined || command.source === name) void capture.scanNow();
  }

  /** Names of the sources that hang: a call of theirs is on its way in the system and keeps its thread. */
  async stop(graceMs: number): Promise<readonly string[]> {
    await this.#turn;
    const all = [...this.#running.values()];
    this.#running.clear();
    const ended = await Promise.all(all.map(({ capture }) => capture.stop(graceMs)));
    return all.filter((_, i) => !ended[i]).map(({ name }) => name);
  }

  async #take(settings: AgentSettings, clients: readonly string[]): Promise<void> {
    const wanted = new Map<string, { client: string; source: FolderSettings }>();
    for (const source of settings.sources) {
      const client = clientOf(source, clients);
      if (client === undefined || wanted.has(identityOf(client, source.name))) continue;
      if (isOwn(source, this.#parts.data)) continue;
      wanted.set(identityOf(client, source.name), { client, source });
    }
    const over = [...this.#running].filter(([identity, { settings }]) => {
      const next = wanted.get(identity);
      return next === undefined || JSON.stringify(next.source) !== settings;
    });
    await Promise.all(over.map(([, { capture }]) => capture.stop(GRACE_MS)));
    for (const [identity] of over) this.#running.delete(identity);
    for (const [identity, { client, source }] of wanted)
      if (!this.#running.has(identity)) this.#running.set(identity, this.#start(client, source));
  }

  #start(client: string, settings: FolderSettings): Running {
    const { queue, spool, partHasher, report, corrected, data } = this.#parts;
    const rule = afterRule(settings.after, settings.path);
    const own = [data, ...(rule?.kind === "move" ? [rule.to] : [])];
    const ignored = own.map((path) => resolve(settings.path, relative(real(settings.path), real(path))));
    const source = folderSource({ ...settings, ignored }, this.#parts.disk);
    const intake = queue.intake(client, settings.name);
    const book = queue.book(client, settings.name);
    const { onEnd } = queue;
    const capture = startCapture({
      source,
      settings,
      intake,
      book,
      spool,
      partHasher,
      onEnd,
      report,
      corrected,
    });
    return { client, name: settings.name, settings: JSON.stringify(settings), source, capture };
  }
}

/** Whatever links lead there: the agent's own key and queue must not be captured under another name. */
function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

const identityOf = (client: string, name: string): string => `${client}/${name}`;

/** Whose files these are: named in the settings, or the agent's only client. Undefined: it does not act for them. */
function clientOf(source: FolderSettings, clients: readonly string[]): string | undefined {
  const client = source.client ?? (clients.length === 1 ? clients[0] : undefined);
  return client !== undefined && clients.includes(client) ? client : undefined;
}

/** The agent's own folder, or a place inside it: its private key and its queue lie there. */
function isOwn(source: FolderSettings, data: string): boolean {
  const inside = relative(real(data), real(source.path));
  return inside === "" || !(inside === ".." || inside.startsWith(`..${sep}`) || isAbsolute(inside));
}

/** One sentence for each source that cannot run with these clients; `data` is the agent's own folder. */
export function unowned(settings: AgentSettings, clients: readonly string[], data: string): string[] {
  const names = new Set<string>();
  const wrong: string[] = [];
  for (const source of settings.sources) {
    const client = clientOf(source, clients);
    if (client === undefined) wrong.push(unownedSentence(source, clients));
    else if (isOwn(source, data))
      wrong.push(
        `source "${source.name}" (${source.path}) lies in the agent's own folder, where its private key is: it is not captured; choose another folder`,
      );
    // One names the client, the other does not: only here are they known to be the same.
    else if (names.has(identityOf(client, source.name)))
      wrong.push(
        `a second source of "${client}" is named "${source.name}" (${source.path}): it is not captured; give it another name`,
      );
    else names.add(identityOf(client, source.name));
  }
  return wrong;
}

function unownedSentence(source: FolderSettings, clients: readonly string[]): string {
  return source.client === undefined
    ? `source "${source.name}" names no client, and this agent acts for several: add client: ${clients.join(" or ")}`
    : `source "${source.name}" is of the client "${source.client}", for whom this agent does not act (only for ${clients.join(", ")})`;
}
