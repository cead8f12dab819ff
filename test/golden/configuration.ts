/** Writes the configuration reference from the schemas themselves, so that it cannot say anything else than the programs do. */
import { formatBytes, formatDuration } from "@tributary/shared/units.ts";
import type { z } from "zod";

// biome-ignore lint/suspicious/noExplicitAny: the inside of any schema
type Schema = any;

interface Row {
  readonly key: string;
  readonly kind: string;
  readonly fallback: string;
  readonly text: string;
}

/** A Markdown table of every key of the schema, nested ones with dots, lists with []. */
export function configurationTable(schema: z.ZodType): string {
  const rows = keysOf(schema, "").map(
    (row) => `| \`${row.key}\` | ${row.kind} | ${row.fallback} | ${row.text} |`,
  );
  return ["| key | what | default | meaning |", "|---|---|---|---|", ...rows].join("\n");
}

function keysOf(schema: Schema, prefix: string): Row[] {
  const { inner } = unwrap(schema);
  if (inner.def.type === "array") return keysOf(inner.def.element, `${prefix}[]`);
  if (inner.def.type === "union") {
    const options = alternatives(inner);
    if (inner.def.discriminator === undefined) return options.flatMap((option) => keysOf(option, prefix));
    return ofKinds(options, inner.def.discriminator as string, prefix);
  }
  if (inner.def.type !== "object" || isReference(inner)) return [];
  const seen = new Set<string>();
  return Object.entries(inner.def.shape as Record<string, Schema>).flatMap(([name, field]) => {
    const key = prefix === "" ? name : `${prefix}.${name}`;
    if (seen.has(key)) return [];
    seen.add(key);
    const below = keysOf(field, key);
    const { text, fallback, optional } = unwrap(field);
    const row: Row = {
      key,
      kind: kindOf(field),
      fallback: fallbackOf(field, fallback, optional, below.length > 0),
      text: (text ?? "").replaceAll("|", "\\|"),
    };
    return [row, ...below];
  });
}

/** Keys that all alternatives share stand once and first; the others say which have them. */
function ofKinds(options: readonly Schema[], discriminator: string, prefix: string): Row[] {
  const found = new Map<string, { readonly row: Row; readonly kinds: string[] }>();
  const kinds: string[] = [];
  const texts: string[] = [];
  for (const option of options) {
    const shape = unwrap(option).inner.def.shape as Record<string, Schema>;
    const { inner, text } = unwrap(shape[discriminator]);
    const kind = String(inner.def.values[0]);
    kinds.push(kind);
    texts.push(`${kind}: ${text ?? ""}`);
    for (const row of keysOf(option, prefix)) {
      if (row.key === `${prefix}.${discriminator}`) continue;
      const before = found.get(JSON.stringify(row));
      if (before === undefined) found.set(JSON.stringify(row), { row, kinds: [kind] });
      else before.kinds.push(kind);
    }
  }
  const first = unwrap((unwrap(options[0]).inner.def.shape as Record<string, Schema>)[discriminator]);
  const all = [...found.values()];
  return [
    {
      key: `${prefix}.${discriminator}`,
      kind: kinds.map((kind) => `\`${kind}\``).join(", "),
      fallback: first.optional ? `\`"${kinds[0]}"\`` : "required",
      text: texts.map((text) => text.replace(/\.$/, "")).join("; "),
    },
    ...all.filter((one) => one.kinds.length === kinds.length).map(({ row }) => row),
    ...all
      .filter((one) => one.kinds.length < kinds.length)
      .map(({ row, kinds }) => ({ ...row, text: `(${kinds.join(", ")}) ${row.text}` })),
  ];
}

/** How a secret is named: one of three keys. */
function isReference(object: Schema): boolean {
  return Object.keys(object.def.shape as object).join() === "secret,env,file";
}

const alternatives = (union: Schema): Schema[] =>
  (union.def.options as Schema[]).filter((option) => unwrap(option).inner.def.type === "object");

/** Peels default, optional, pipe: what is inside, the outermost description, the default. */
function unwrap(schema: Schema): {
  inner: Schema;
  text: string | undefined;
  fallback: unknown;
  optional: boolean;
  units: string | undefined;
} {
  let inner = schema;
  let text: string | undefined;
  let units: string | undefined;
  let fallback: unknown;
  let optional = false;
  for (;;) {
    text ??= inner.description as string | undefined;
    units ??= inner.meta?.()?.unit as string | undefined;
    const def = inner.def as { type: string; innerType?: Schema; in?: Schema; defaultValue?: unknown };
    if (def.type === "default" || def.type === "prefault") fallback ??= def.defaultValue;
    if (def.type === "optional") optional = true;
    const next = def.innerType ?? def.in;
    if (next === undefined) return { inner, text, fallback, optional, units };
    inner = next;
  }
}

function kindOf(schema: Schema): string {
  const { inner, units } = unwrap(schema);
  if (units !== undefined) return units.replace(/^a /, "");
  switch (inner.def.type as string) {
    case "enum":
      return Object.values(inner.def.entries as Record<string, string>)
        .map((v) => `\`${v}\``)
        .join(", ");
    case "literal":
      return (inner.def.values as unknown[]).map((v) => `\`${String(v)}\``).join(", ");
    case "array":
      return "list";
    case "object":
      return isReference(inner) ? "a secret: `{ secret }`, `{ env }` or `{ file }`" : "section";
    case "union": {
      const kinds = (inner.def.options as Schema[]).map(kindOf);
      return [...new Set(kinds)].join(" or ");
    }
    default:
      return inner.def.type as string;
  }
}

function fallbackOf(schema: Schema, fallback: unknown, optional: boolean, section: boolean): string {
  if (section) return "";
  if (fallback === undefined) return optional ? "–" : "required";
  const kind = kindOf(schema);
  if (typeof fallback === "number" && kind === "duration") return formatDuration(fallback);
  if (typeof fallback === "number" && kind === "size") return formatBytes(fallback);
  return `\`${JSON.stringify(fallback)}\``;
}
