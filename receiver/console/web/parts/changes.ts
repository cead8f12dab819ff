/** What an act changed, as a person reads it: names and values in words, sizes and rates as elsewhere in the pages. */
import { t } from "../texts.ts";
import { deviceOf } from "./device.ts";
import { formatCount, formatDuration, formatSize } from "./numbers.tsx";

export interface Change {
  readonly name: string;
  /** Undefined: there was nothing before. */
  readonly before: string | undefined;
  readonly after: string;
}

type Facts = Readonly<Record<string, unknown>> | null;

const SIZES = new Set(["stored", "day", "file", "size", "storedBytes", "bytes"]);
/** Where what was before tells more than what is after, these say what it was done to. */
const SAYS_WHAT = new Set(["path", "finding", "name", "url"]);
const MINUTE_MS = 60_000;

/** Only what is another after than it was before; of what was made, only what it has. */
export function changesOf(before: Facts, after: Facts): readonly Change[] {
  const [old, now] = [flat(before), flat(after)];
  const names = [...new Set([...old.keys(), ...now.keys()])];
  return names
    .filter((name) => JSON.stringify(old.get(name)) !== JSON.stringify(now.get(name)))
    .filter((name) => !(before === null && isNothing(now.get(name))))
    .filter((name) => after === null || now.has(name) || SAYS_WHAT.has(name))
    .map((name) => ({
      name: nameOf(name),
      before: old.has(name) && now.has(name) ? inWordsOf(name, old.get(name)) : undefined,
      after: inWordsOf(name, now.has(name) ? now.get(name) : old.get(name)),
    }));
}

const isNothing = (value: unknown): boolean =>
  value === null || value === undefined || (Array.isArray(value) && value.length === 0);

/** Facts within facts stand beside the others: quotas, limits. A rate is a value. */
function flat(facts: Facts): ReadonlyMap<string, unknown> {
  return new Map(
    Object.entries(facts ?? {}).flatMap(([name, value]): [string, unknown][] =>
      isFacts(value) && !isRate(value) ? [...flat(value)] : [[name, value]],
    ),
  );
}

const isFacts = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isRate = (value: unknown): value is { readonly count: number; readonly perMs: number } =>
  isFacts(value) && typeof value["count"] === "number" && typeof value["perMs"] === "number";

/** `storedBytes` is "stored bytes" where there is no word for it. */
const nameOf = (name: string): string =>
  t.changes.names[name] ?? name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const INSTANT = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;
const SECONDS = /^\d+ s$/;
const LONGEST = 200;

function inWordsOf(name: string, value: unknown): string {
  if (isNothing(value))
    return SIZES.has(name) || name === "requests" || name === "uploads" ? t.default : t.none;
  if (typeof value === "boolean") return value ? t.yes : t.no;
  if (typeof value === "number") return SIZES.has(name) ? formatSize(value) : formatCount(value);
  if (isRate(value))
    return value.perMs === MINUTE_MS
      ? t.changes.perMinute(formatCount(value.count))
      : t.changes.per(formatCount(value.count), formatDuration(value.perMs));
  if (Array.isArray(value)) return value.map((one) => inWordsOf(name, one)).join(", ");
  if (typeof value !== "string") return JSON.stringify(value).slice(0, LONGEST);
  if (name === "device") return deviceOf(value);
  if (SECONDS.test(value)) return formatDuration(Number.parseInt(value, 10) * 1000);
  if (INSTANT.test(value)) return full.format(Date.parse(value));
  const words = t.changes.values[value] ?? value;
  return words.length > LONGEST ? `${words.slice(0, LONGEST)}…` : words;
}
