/** JSON Schema as tables for people. */
import { captureKey, sha256Hex, slug, uuid } from "@tributary/shared/protocol.ts";
import { type Html, html, prose } from "./html.ts";
import { type JsonSchema, schemaOf } from "./schemas.ts";

const REF = "#/components/schemas/";

/** What a regular expression means, in a word. */
const MEANINGS = new Map(
  Object.entries({ slug, UUID: uuid, "SHA-256 in hex": sha256Hex, id: captureKey }).map(([word, schema]) => [
    schemaOf(schema, true).pattern,
    word,
  ]),
);

/** The anchor of a named object. */
const anchorOf = (name: string): string => `object-${name}`;

/** A section for each named object. */
export function objectSections(schemas: Readonly<Record<string, JsonSchema>>): Html {
  return html`${Object.entries(schemas).map(
    ([name, schema]) =>
      html`<section class="object" id="${anchorOf(name)}"><h3>${name}</h3>${bodyOf(schema)}</section>`,
  )}`;
}

function bodyOf(schema: JsonSchema): Html {
  const variants = schema.anyOf ?? schema.oneOf;
  if (variants) return html`<p>One of: ${joined(variants.map(typeOf), ", ")}</p>`;
  return membersTable(schema);
}

function membersTable(schema: JsonSchema): Html {
  const properties = schema.properties ?? {};
  const required = new Set(schema.required);
  const rows = Object.entries(properties).map(
    ([name, member]) =>
      html`<tr><th scope="row"><code>${name}</code>${
        required.has(name) ? "" : html` <small>optional</small>`
      }</th><td>${typeOf(member)}</td><td>${meaningOf(member)}</td></tr>`,
  );
  return html`<div class="wide"><table><thead><tr><th>member</th><th>type</th><th>meaning</th></tr></thead><tbody>${rows}</tbody></table></div>`;
}

function meaningOf(schema: JsonSchema): Html {
  const inner = schema.anyOf?.find((one) => one.description !== undefined);
  return prose(schema.description ?? inner?.description ?? "");
}

/** A type in a few words: `string or null`, `list of Entry`. */
export function typeOf(schema: JsonSchema): Html {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.slice(REF.length);
    return html`<a href="#${anchorOf(name)}">${name}</a>`;
  }
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`;
  if (schema.enum)
    return joined(
      schema.enum.map((value) => html`<code>${value}</code>`),
      " or ",
    );
  const variants = schema.anyOf ?? schema.oneOf;
  if (variants) return joined(variants.map(typeOf), " or ");
  return plainType(schema);
}

function plainType(schema: JsonSchema): Html {
  switch (schema.type) {
    case "array":
      return html`list of ${typeOf(schema.items ?? {})}`;
    case "object": {
      const members = Object.keys(schema.properties ?? {});
      return html`{ ${joined(
        members.map((name) => html`<code>${name}</code>`),
        ", ",
      )} }`;
    }
    case "string":
      return html`${schema.format === "date-time" ? "time" : (MEANINGS.get(schema.pattern) ?? "string")}`;
    case "integer":
      return html`integer${bounds(schema)}`;
    default:
      return html`${schema.type ?? "anything"}`;
  }
}

function bounds({ minimum, maximum }: JsonSchema): string {
  return minimum !== undefined && maximum !== undefined ? `, ${minimum} to ${maximum}` : "";
}

function joined(pieces: readonly Html[], by: string): Html {
  return html`${pieces.map((piece, i) => html`${i === 0 ? "" : by}${piece}`)}`;
}
