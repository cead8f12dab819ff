/** Configuration files: YAML checked by a zod schema, every mistake with its line and what was expected. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { LineCounter, parseDocument, visit, type YAMLParseError } from "yaml";
import { z } from "zod";
import { ProblemError } from "./problems.ts";
import { parseDuration, parseFrequency, parseRate, parseSize } from "./units.ts";

const measure = <T>(parse: (text: string) => T | undefined, none: T, expected: string, examples: string) =>
  z
    .union([z.string(), z.number()])
    .transform((value, context): T => {
      const parsed = parse(String(value));
      if (parsed === undefined)
        context.issues.push({
          code: "custom",
          input: value,
          message: `expected ${expected} such as ${examples}`,
        });
      return parsed ?? none;
    })
    .meta({ unit: expected });

/** "2s", "5m", "7d" -> milliseconds. */
export const duration = measure(parseDuration, 0, "a duration", "2s, 5m or 7d");
/** "20MB", "1GiB" -> bytes. */
export const byteSize = measure(parseSize, 0, "a size", "20MB or 1GiB");
/** "20MB/s" -> bytes per second. */
export const byteRate = measure(parseRate, 0, "a rate", "20MB/s");

/** "600/m", "10/s" -> how often something may be done. */
export const frequency = measure(parseFrequency, { count: 1, perMs: 1 }, "a frequency", "600/m or 10/s");

/**
 * Reads and checks a configuration file. An empty or (when `optional`) absent file counts as `{}`.
 * Throws `config-invalid` whose message has one line per mistake: file:line:column, the key, what was expected.
 */
export function loadSettings<T extends z.ZodType>(file: string, schema: T, optional = false): z.output<T> {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (optional && code === "ENOENT") return schema.parse({});
    const why = code === "ENOTDIR" ? `${dirname(file)} is no folder; --data names one` : message;
    throw new ProblemError("config-invalid", `cannot read the configuration file ${file}: ${why}`, { cause });
  }
  return parseSettings(text, file, schema);
}

/** As `loadSettings`, from text; `file` is only named in messages. */
export function parseSettings<T extends z.ZodType>(text: string, file: string, schema: T): z.output<T> {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = lineCounter.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  if (document.errors.length > 0) {
    throw new ProblemError(
      "config-invalid",
      document.errors.map((e) => `${at(e.pos[0])}: ${withoutText(e)}`).join("\n"),
    );
  }
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document) !== undefined) return;
      throw new ProblemError(
        "config-invalid",
        `${at(alias.range?.[0] ?? 0)}: what begins with * repeats an anchor, and there is no such anchor; put a value that begins so in quotes`,
      );
    },
  });
  const parsed = schema.safeParse(document.toJS() ?? {}, { error: expectation });
  if (parsed.success) return parsed.data;
  const lines = flatten(parsed.error.issues).map((issue) => {
    const unknown = issue.code === "unrecognized_keys" ? issue.keys[0] : undefined;
    const path = unknown === undefined ? issue.path : [...issue.path, unknown];
    const known = unknown === undefined ? "" : knownKeys(schema, document.toJS(), issue.path);
    // A schema with words of its own for it knows why the key must not be repeated.
    const ours = unknown !== undefined && issue.message === UNKNOWN_KEY;
    const what = ours ? `unknown key "${unknown}"${known}` : issue.message;
    const key = issue.path.map(String).join(".");
    return `${at(offsetOf(document, path))}: ${!ours && key ? `${key}: ` : ""}${what}`;
  });
  throw new ProblemError("config-invalid", lines.join("\n"));
}

const UNKNOWN_KEY = "unknown key";

/** The library's sentence without what it quotes from the file: that may be a secret. */
function withoutText({ code, message }: YAMLParseError): string {
  switch (code) {
    case "BAD_DQ_ESCAPE":
      return "Invalid escape sequence in double quotes; single quotes take a backslash as it is";
    case "TAG_RESOLVE_FAILED":
      return "What begins with ! is a tag, and this one is not known; put a value that begins so in quotes";
    case "BAD_ALIAS":
      return "What begins with * or & is an alias or an anchor; put a value that begins so in quotes";
    default:
      return message.replace(/(?<=\w): .*$/s, "");
  }
}

const KINDS: Readonly<Record<string, string>> = {
  string: "a text",
  array: "a list, such as [a, b]",
  object: "a section: keys with values",
  record: "a section: keys with values",
  boolean: "true or false",
  number: "a number",
  int: "a whole number",
};

/** Says what was expected in the words of somebody who writes YAML; undefined leaves the library's own sentence. */
function expectation(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type": {
      const kind = KINDS[issue.expected] ?? issue.expected;
      return issue.input === undefined ? `is missing; expected ${kind}` : `expected ${kind}`;
    }
    case "invalid_value":
      return `expected ${alternatives(issue.values)}`;
    case "invalid_union":
      return issue.options === undefined
        ? undefined
        : `expected ${alternatives((issue.options as unknown[]).filter((option) => option !== undefined))}`;
    case "unrecognized_keys":
      return UNKNOWN_KEY;
    case "too_small":
      return issue.origin === "string" ? "must not be empty" : `expected ${issue.minimum} or more`;
    case "too_big":
      return `expected ${issue.maximum} or less`;
    default:
      return undefined;
  }
}

const alternatives = (values: readonly unknown[]): string => {
  const last = String(values.at(-1));
  return values.length === 1 ? last : `${values.slice(0, -1).map(String).join(", ")} or ${last}`;
};

/** In a union the branch that got furthest is the one the writer meant. */
function flatten(issues: readonly z.core.$ZodIssue[]): z.core.$ZodIssue[] {
  return issues.flatMap((issue) => {
    if (issue.code !== "invalid_union" || issue.errors.length === 0) return [issue];
    const depth = (branch: readonly z.core.$ZodIssue[]): number =>
      Math.max(...branch.map((i) => i.path.length), 0);
    const best = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0] ?? [];
    return flatten(best.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })));
  });
}

type Node = { range?: [number, number, number] | null; items?: unknown[] } | null | undefined;

/** Where in the text the node at `path` begins; the nearest existing parent when the key is missing. */
function offsetOf(document: ReturnType<typeof parseDocument>, path: readonly PropertyKey[]): number {
  for (let depth = path.length; depth > 0; depth -= 1) {
    const parent = (depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true)) as Node;
    const last = path[depth - 1];
    const pair = parent?.items?.find(
      (item) => String((item as { key?: { value?: unknown } }).key?.value) === String(last),
    ) as { key?: Node } | undefined;
    if (pair?.key?.range) return pair.key.range[0];
    const node = document.getIn(path.slice(0, depth), true) as Node;
    if (node?.range) return node.range[0];
  }
  return (document.contents as Node)?.range?.[0] ?? 0;
}

/** What may stand where an unknown key stands; of several kinds that of the one that was written. */
function knownKeys(schema: z.ZodType, written: unknown, path: readonly PropertyKey[]): string {
  let at: unknown = schema;
  let value = written;
  for (const step of path) {
    at = descend(ofKind(unwrap(at), value), step);
    value = (value as Record<PropertyKey, unknown> | undefined)?.[step];
  }
  const shape = (ofKind(unwrap(at), value) as { shape?: Record<string, unknown> } | undefined)?.shape;
  return shape ? `; expected one of ${Object.keys(shape).join(", ")}` : "";
}

function ofKind(schema: unknown, value: unknown): unknown {
  const { discriminator, options } =
    (schema as { def?: { discriminator?: string; options?: unknown[] } } | undefined)?.def ?? {};
  if (discriminator === undefined) return schema;
  const kind = (value as Record<string, unknown> | undefined)?.[discriminator];
  return options?.find((option) => {
    const field = (option as { shape?: Record<string, unknown> }).shape?.[discriminator];
    return (field as { _zod?: { values?: Set<unknown> } } | undefined)?._zod?.values?.has(kind) === true;
  });
}

function unwrap(schema: unknown): unknown {
  let at = schema as { def?: { innerType?: unknown; in?: unknown } } | undefined;
  while (at?.def?.innerType ?? at?.def?.in) at = (at.def.innerType ?? at.def.in) as typeof at;
  return at;
}

function descend(schema: unknown, step: PropertyKey): unknown {
  const at = unwrap(schema) as
    | { shape?: Record<string, unknown>; element?: unknown; def?: { valueType?: unknown } }
    | undefined;
  return typeof step === "number" ? at?.element : (at?.shape?.[String(step)] ?? at?.def?.valueType);
}
