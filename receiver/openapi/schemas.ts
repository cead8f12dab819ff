/** The zod schemas of the wire as JSON Schema (2020-12, which is what OpenAPI 3.1 speaks), the large ones by name. */
import * as wire from "@tributary/shared/protocol.ts";
import { z } from "zod";

/** What zod makes, as far as it is read here. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string;
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly string[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Names that generated clients show to people. */
const NAMED: Readonly<Record<string, z.ZodType>> = {
  Delivery: wire.deliveryAnswer,
  Problem: wire.wireProblem,
  BundleLine: wire.bundleLine,
  BundleReceipt: wire.bundleReceipt,
  BundleProblem: wire.bundleProblem,
  BundleEnd: wire.bundleEnd,
  RemovalRequest: wire.removalRequest,
  UploadRequest: wire.uploadRequest,
  UploadCreated: wire.uploadCreated,
  UploadState: wire.uploadState,
  Part: wire.partAnswer,
  Clients: wire.clientPage,
  Entry: wire.entry,
  EntryPage: wire.entryPage,
  EventPage: wire.eventPage,
  EnrollRequest: wire.enrollRequest,
  EnrollAnswer: wire.enrollAnswer,
  HeartbeatRequest: wire.heartbeatRequest,
  HeartbeatAnswer: wire.heartbeatAnswer,
  SourceState: wire.sourceState,
  TrustSet: wire.trustSet,
  Command: wire.command,
  Jwks: wire.jwks,
};

const names = new Map(Object.entries(NAMED).map(([name, schema]) => [schema, name]));

const uri = (name: string): string => `#/components/schemas/${name}`;

/**
 * `open`: objects may have members that are not named here, as readers of tomorrow's answers must expect. Closed:
 * none, which is how the tests see that an answer says nothing undocumented.
 */
export function namedSchemas(open: boolean): Readonly<Record<string, JsonSchema>> {
  const registry = z.registry<{ id: string }>();
  for (const [schema, id] of names) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { ...optionsOf(open), uri });
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, plain(schema)]));
}

/** A reference where the schema has a name, else the schema itself. */
export function schemaOf(schema: z.ZodType, open: boolean): JsonSchema {
  const name = names.get(schema);
  return name === undefined ? plain(z.toJSONSchema(schema, optionsOf(open))) : { $ref: uri(name) };
}

function optionsOf(open: boolean) {
  return { target: "draft-2020-12", io: open ? "input" : "output", override: shorten } as const;
}

const SAFE = Number.MAX_SAFE_INTEGER;

/** What zod says of every date and every integer is three lines of regular expression and the range of a double. */
function shorten({ jsonSchema }: { readonly jsonSchema: Record<string, unknown> }): void {
  if (jsonSchema["format"] === "date-time") delete jsonSchema["pattern"];
  if (jsonSchema["maximum"] === SAFE) delete jsonSchema["maximum"];
  if (jsonSchema["minimum"] === -SAFE) delete jsonSchema["minimum"];
}

function plain({ $schema, $id, ...rest }: Readonly<Record<string, unknown>>): JsonSchema {
  return rest as JsonSchema;
}
