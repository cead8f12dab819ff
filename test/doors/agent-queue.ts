/** What an agent says of its files in its queue, read from the file beside the agent that writes it. */
import { join } from "node:path";
import type { ProblemCode } from "@tributary/shared/problems.ts";
import Database from "better-sqlite3";
import { type Running, until } from "../site/process.ts";
import type { Outcome } from "./door.ts";

/** Tried again by itself, soon: no outcome yet. */
const FLEETING: readonly ProblemCode[] = [
  "receiver-unreachable",
  "receiver-untrusted",
  "length-mismatch",
  "body-too-slow",
  "stopping",
  "busy",
  "lake-unavailable",
  "ledger-unavailable",
  "internal",
];

/** What an outcome is waited for: of a file as it stands in the folder, or (`digest` null) of its removal. */
export interface Awaited {
  /** Deliveries up to this one are older. */
  readonly since: number;
  readonly path: Buffer;
  readonly digest: Buffer | null;
  readonly mtimeNs: bigint;
}

/** The outcomes of one source. */
export class Watched {
  readonly #db: Database.Database;
  readonly #source: string;
  readonly #running: Running;

  constructor(data: string, source: string, running: Running) {
    this.#db = new Database(join(data, "queue.sqlite"), { readonly: true, timeout: 10_000 });
    this.#source = source;
    this.#running = running;
  }

  newest(): number {
    return this.#db.prepare("SELECT coalesce(max(seq), 0) FROM deliveries").pluck().get() as number;
  }

  async outcome(awaited: Awaited): Promise<Outcome> {
    const what = `an outcome of ${awaited.path.toString("latin1").slice(0, 100)}`;
    return await until(what, () => this.#look(awaited), { withinMs: 60_000 }).catch((cause) => {
      throw new Error(`${cause}\n${this.#running.stderr().slice(-3000)}`);
    });
  }

  close(): void {
    this.#db.close();
  }

  #look(awaited: Awaited): Outcome | undefined {
    const after = this.#isSettled(awaited) ? 0 : awaited.since;
    const receipt = this.#db
      .prepare(
        "SELECT receipt FROM deliveries WHERE seq > ? AND path = ? AND sha256 IS ? ORDER BY seq DESC LIMIT 1",
      )
      .pluck()
      .get(after, awaited.path, awaited.digest);
    if (receipt !== undefined) return { kind: "receipt", receipt: receipt as string };
    const code = (this.#problemOf(awaited) ?? this.#stopped()) as ProblemCode | undefined;
    return code === undefined || FLEETING.includes(code) ? undefined : { kind: "problem", code };
  }

  /** The agent looked at the file as it now is, and found that it has a receipt for these bytes already. */
  #isSettled({ path, digest, mtimeNs }: Awaited): boolean {
    const slash = path.lastIndexOf("/");
    return (
      this.#db
        .prepare(
          `SELECT 1 FROM seen s JOIN folders f ON f.id = s.folder_id JOIN sources q ON q.id = f.source_id
           WHERE q.name = ? AND f.path = ? AND s.name = ? AND s.mtime_ns = ? AND s.sha256 = ? AND s.delivered = 2`,
        )
        .get(
          this.#source,
          path.subarray(0, Math.max(0, slash)),
          path.subarray(slash + 1),
          mtimeNs,
          digest ?? Buffer.alloc(0),
        ) !== undefined
    );
  }

  /** Of the parcel, of the file, or of a folder that it lies in. */
  #problemOf({ path, digest }: Awaited): unknown {
    const parcel = this.#db
      .prepare(
        `SELECT problem_code FROM parcels p JOIN sources q ON q.id = p.source_id
         WHERE q.name = ? AND path = ? AND sha256 IS ? AND problem_code IS NOT NULL`,
      )
      .pluck()
      .get(this.#source, path, digest);
    if (parcel !== undefined) return parcel;
    const problem = this.#db
      .prepare(
        "SELECT code FROM problems p JOIN sources q ON q.id = p.source_id WHERE q.name = ? AND path = ?",
      )
      .pluck();
    for (let end = path.length; end > 0; end = path.lastIndexOf("/", end - 1)) {
      const code = problem.get(this.#source, path.subarray(0, end));
      if (code !== undefined) return code;
    }
    return undefined;
  }

  /** The agent may not act at all: said once, for all that waits. */
  #stopped(): string | undefined {
    return /"fact":"AgentStopped","code":"([a-z-]+)"/.exec(this.#running.stderr())?.[1];
  }
}
