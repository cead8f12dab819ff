/**
 * S3 lists a folder's content in the order of its keys, and a folder's key ends with a slash: `b.csv` comes before
 * `b/`, though `b` comes before `b.csv`. Here everything comes in the order of names. Only a folder whose name is the
 * beginning of the last name so far can be late, and for these few is asked at the end of each page but the last.
 */
import { key, SLASH } from "../../source/bytes.ts";
import type { Entry } from "../remote.ts";
import { folderOf, type Listed, type Portion } from "./names.ts";

/** `hasFolder`: whether something lies below this name. */
export async function* inNameOrder(
  portions: AsyncIterable<Portion>,
  hasFolder: (name: Buffer) => Promise<boolean>,
): AsyncGenerator<readonly Entry[]> {
  let asked = new Set<string>();
  let last: Entry | undefined;
  for await (const { listed, more } of portions) {
    const end = listed.at(-1);
    if (end === undefined) continue;
    const late: Entry[] = [];
    const stems = more ? stemsOf(end.entry.name) : [];
    for (const stem of stems) if (!asked.has(key(stem)) && (await hasFolder(stem))) late.push(folderOf(stem));
    asked = new Set(stems.map(key));
    const before = last;
    const ordered = [
      ...listed.filter((one) => !wasGiven(one, before)).map(({ entry }) => entry),
      ...late,
    ].sort(byName);
    const entries = ordered.filter((one, i) => !isSameRefusal(one, i === 0 ? before : ordered[i - 1]));
    last = entries.at(-1) ?? last;
    if (entries.length > 0) yield entries;
  }
}

/** All that a folder that is still to come can be called, if its name is before this one. */
export function stemsOf(name: Buffer): Buffer[] {
  const stems: Buffer[] = [];
  for (let i = 1; i < name.length; i += 1) if ((name[i] as number) < SLASH) stems.push(name.subarray(0, i));
  return stems;
}

/** Its place has passed: it was given ahead, or was made since, and comes with the next look. */
function wasGiven({ rest, entry }: Listed, last: Entry | undefined): boolean {
  return last !== undefined && rest.at(-1) === SLASH && Buffer.compare(entry.name, last.name) < 0;
}

/** An object and a folder of one name that cannot be one are one refusal. */
function isSameRefusal(one: Entry, former: Entry | undefined): boolean {
  return one.kind === "refused" && former?.kind === "refused" && one.name.equals(former.name);
}

function byName(a: Entry, b: Entry): number {
  return Buffer.compare(a.name, b.name) || Number(a.kind === "folder") - Number(b.kind === "folder");
}
