/** Which parcels leave next: the oldest of each source in turn. A source of which nothing may leave costs one look at its oldest. */
import type { QueueFile } from "./database.ts";
import type { Admit } from "./queue.ts";

interface SourceRow {
  readonly id: number;
  readonly client: string;
  readonly source: string;
}

interface Ready {
  readonly seq: number;
  readonly capture_id: string;
  readonly size: number;
}

/** One source's turn: its parcels of fewer bytes than `below`, as long as there are any. */
interface Turn {
  readonly source: SourceRow;
  below: number;
  /** Told at the next call whether the one before was taken. */
  readonly rows: Generator<Ready, void, boolean | undefined>;
  taken: boolean;
}

/** Many sources take turns: of most of them a few rows are looked at. */
const FIRST_PAGE = 4;
const PAGE = 64;

export interface ReadyParcels {
  take(limit: number, out: (captureId: string) => boolean, admit: Admit): readonly Ready[];
  /** Something that was looked at before may be ready now. */
  rewind(): void;
}

/** `out`: handed out already. The source that came last in one look comes last in the next one too. */
export function readyParcels(db: QueueFile): ReadyParcels {
  const sources = db.prepare<[], SourceRow>("SELECT id, client, name AS source FROM sources ORDER BY id");
  const page = db.prepare<[number, number, number, number], Ready>(
    `SELECT seq, capture_id, COALESCE(size, 0) AS size FROM parcels
     WHERE source_id = +? AND seq > +? AND head = 1 AND due = 0 AND COALESCE(size, 0) < +? ORDER BY seq LIMIT +?`,
  );
  let last = 0;
  /** By source: up to here all that is ready is handed out, so a look begins behind it. */
  const handedOut = new Map<number, number>();

  /** Pages, not an open cursor: that would lock out every write of this connection. */
  function* waitingOf(
    turn: Pick<Turn, "source" | "below">,
    out: (captureId: string) => boolean,
  ): Generator<Ready, void, boolean | undefined> {
    let after = handedOut.get(turn.source.id) ?? 0;
    /** Nothing was passed over so far. */
    let whole = true;
    for (let most = FIRST_PAGE; ; most = PAGE) {
      const rows = page.all(turn.source.id, after, turn.below, most);
      whole &&= turn.below === Number.MAX_SAFE_INTEGER;
      for (const row of rows) {
        if (row.size < turn.below && !out(row.capture_id)) whole = (yield row) === true && whole;
        if (whole) handedOut.set(turn.source.id, row.seq);
      }
      if (rows.length < most) return;
      after = (rows.at(-1) as Ready).seq;
    }
  }

  const take: ReadyParcels["take"] = (limit, out, admit) => {
    const all = sources.all();
    const turns = [...all.filter(({ id }) => id > last), ...all.filter(({ id }) => id <= last)].map(
      (source): Turn => {
        const bounds = { source, below: Number.MAX_SAFE_INTEGER };
        return Object.assign(bounds, { rows: waitingOf(bounds, out), taken: false });
      },
    );
    const taken: Ready[] = [];
    while (taken.length < limit) {
      const turn = turns.shift();
      if (turn === undefined) break;
      const { value } = turn.rows.next(turn.taken);
      if (value === undefined) continue;
      turn.taken = false;
      const admission = admit(value.capture_id, turn.source, value.size);
      if (admission === "no") continue;
      turns.push(turn);
      if (admission === "yes") {
        taken.push(value);
        turn.taken = true;
        last = turn.source.id;
      } else turn.below = Math.min(turn.below, admission.below);
    }
    return taken;
  };
  return { take, rewind: () => handedOut.clear() };
}
