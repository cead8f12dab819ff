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
}

/** Many sources take turns: of most of them a few rows are looked at. */
const FIRST_PAGE = 4;
const PAGE = 64;

/** `out`: handed out already. The source that came last in one look comes last in the next one too. */
export function readyParcels(
  db: QueueFile,
): (limit: number, out: (captureId: string) => boolean, admit: Admit) => readonly Ready[] {
  const sources = db.prepare<[], SourceRow>("SELECT id, client, name AS source FROM sources ORDER BY id");
  const page = db.prepare<[number, number, number], Ready>(
    `SELECT seq, capture_id FROM parcels WHERE source_id = ? AND seq > ? AND head = 1 AND due = 0
     ORDER BY seq LIMIT ?`,
  );
  let last = 0;

  /** Pages, not an open cursor: that would lock out every write of this connection. */
  function* waitingOf(source: SourceRow, out: (captureId: string) => boolean): Generator<Ready> {
    for (let after = 0, most = FIRST_PAGE; ; most = PAGE) {
      const rows = page.all(source.id, after, most);
      for (const row of rows) if (!out(row.capture_id)) yield row;
      if (rows.length < most) return;
      after = (rows.at(-1) as Ready).seq;
    }
  }

  return (limit, out, admit) => {
    const all = sources.all();
    const turns = [...all.filter(({ id }) => id > last), ...all.filter(({ id }) => id <= last)].map(
      (source) => ({ source, rows: waitingOf(source, out) }),
    );
    const taken: Ready[] = [];
    while (taken.length < limit) {
      const turn = turns.shift();
      if (turn === undefined) break;
      const { value } = turn.rows.next() as IteratorResult<Ready, undefined>;
      if (value === undefined || !admit(value.capture_id, turn.source)) continue;
      taken.push(value);
      last = turn.source.id;
      turns.push(turn);
    }
    return taken;
  };
}
