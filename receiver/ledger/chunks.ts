/** Many rows in few statements. */
import { sql } from "kysely";

/** Far below what both databases take as parameters of one statement. */
export const CHUNK = 1000;

export function* chunks<T>(items: readonly T[], size = CHUNK): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}

/** `values (…), (…)`, on the right of IN: both databases then use the index on those columns. */
export function rows(values: readonly (readonly string[])[]) {
  const lines = values.map((row) => sql`(${sql.join(row)})`);
  return sql`values ${sql.join(lines)}`;
}
