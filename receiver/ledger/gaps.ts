/**
 * Places in the commit order that no entry has. `seq` is given without gaps: one commit after the other, under the
 * site's lock, and a commit that is rolled back gives its places back with everything else. So a gap means that
 * entries were committed and are lost, unless a line of the manifest still has their place.
 */
import { sql } from "kysely";
import type { Database } from "./schema.ts";

/** Both ends inclusive. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** The gaps up to the last place that was given. One statement, so that commits beside it make none. */
export async function gapsOf(db: Database): Promise<Gaps> {
  const { rows } = await sql<Gap>`
    select before + 1 as "from", seq - 1 as "to" from (
      select seq, coalesce(lag(seq) over (order by seq), 0) as before from entries
      union all
      select last_seq + 1, coalesce((select max(seq) from entries), 0) from site where id = 1
    ) as places where seq > before + 1 order by 1`.execute(db);
  return new Gaps(rows);
}

/** In order; `fill` takes out the places that turn up elsewhere. */
export class Gaps {
  readonly #gaps: Gap[];

  constructor(gaps: readonly Gap[]) {
    this.#gaps = [...gaps];
  }

  get left(): readonly Gap[] {
    return this.#gaps;
  }

  fill(seq: number): void {
    let [low, high] = [0, this.#gaps.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#gaps[middle] as Gap).to < seq) low = middle + 1;
      else high = middle;
    }
    const gap = this.#gaps[low];
    if (gap === undefined || gap.from > seq) return;
    const rest = [
      { from: gap.from, to: seq - 1 },
      { from: seq + 1, to: gap.to },
    ].filter(({ from, to }) => from <= to);
    this.#gaps.splice(low, 1, ...rest);
  }
}
