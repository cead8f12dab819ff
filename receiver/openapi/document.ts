/** The OpenAPI 3.1 document, made from the operations and the schemas of the wire. */
import { PROBLEMS, type ProblemCode } from "@tributary/shared/problems.ts";
import { HEADER } from "@tributary/shared/protocol.ts";
import type { z } from "zod";
import { type Answer, type Content, type Operation, type Parameter, problemsOf } from "./operation.ts";
import { ANSWER_HEADERS, headerName } from "./parameters.ts";
import { type JsonSchema, namedSchemas, schemaOf } from "./schemas.ts";

type Json = Readonly<Record<string, unknown>>;

interface DocumentOptions {
  readonly version: string;
  /** Objects may have more members than are named: see `namedSchemas`. */
  readonly open: boolean;
}

export interface ApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  readonly [other: string]: unknown;
}

const ABOUT = `Send files to a Tributary receiver, and read what it holds.

All calls are HTTPS, JSON in UTF-8, failures RFC 9457 problems whose \`code\` is stable. Every answer has \`X-Request-Id\`.
Answers may get more members: ignore what you do not know. Only a 2xx with a receipt is a promise: without it send the
same again, with the same \`Idempotency-Key\`.`;

const SECURITY = {
  key: {
    type: "http",
    scheme: "bearer",
    description:
      "An API key (`trbk_…`), made by the operator with `tributary-receiver key add --client NAME`. It may write, unless it was made with other scopes: `--scope write,read,remove`; with `--source S` it is for that source alone.",
  },
  agent: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: "A token of at most 2 minutes that an enrolled agent signs for each request.",
  },
} as const;

/** `servers` is left to whoever serves it. */
export function documentOf(operations: readonly Operation[], options: DocumentOptions): ApiDocument {
  const schema = (one: z.ZodType): JsonSchema => schemaOf(one, options.open);
  const paths: Record<string, Record<string, Json>> = {};
  for (const operation of operations) {
    const path = paths[operation.path] ?? {};
    path[operation.method.toLowerCase()] = operationObject(operation, schema);
    paths[operation.path] = path;
  }
  return {
    openapi: "3.1.1",
    info: { title: "Tributary", version: options.version, description: ABOUT },
    tags: [...new Set(operations.map(({ group }) => group))].map((name) => ({ name })),
    paths,
    components: {
      schemas: namedSchemas(options.open),
      headers: Object.fromEntries(
        Object.keys(ANSWER_HEADERS).map((name) => [headerName(name), headerObject(name, true, schema)]),
      ),
      securitySchemes: SECURITY,
    },
  };
}

type SchemaOf = (schema: z.ZodType) => JsonSchema;

function operationObject(operation: Operation, schema: SchemaOf): Json {
  const { id, group, summary, description, parameters, body, answers } = operation;
  return {
    operationId: id,
    tags: [group],
    summary,
    description: description.join("\n\n"),
    security: securityOf(operation),
    parameters: parameters.map((parameter) => parameterObject(parameter, schema)),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            description: body.description,
            required: true,
            content: contentObject(body.content, schema),
          },
        }),
    responses: {
      ...Object.fromEntries(answers.map((answer) => [answer.status, answerObject(answer, schema)])),
      ...problemObjects(problemsOf(operation), schema),
    },
  };
}

/** Names of scopes as OpenAPI 3.1 allows them outside OAuth: what the key must have been given. */
function securityOf({ access }: Operation): readonly Json[] {
  switch (access.kind) {
    case "everybody":
      return [];
    case "agent":
      return [{ agent: [] }];
    case "credentials": {
      const key = { key: access.scope === undefined ? [] : [access.scope] };
      // What an agent brought it does not read again.
      return access.scope === "read" ? [key] : [key, { agent: [] }];
    }
  }
}

function parameterObject(
  { name, in: place, required, schema, description, example }: Parameter,
  of: SchemaOf,
): Json {
  return {
    ...{ name, in: place, required, description, schema: of(schema) },
    ...(example === undefined ? {} : { example: of(schema).type === "integer" ? Number(example) : example }),
  };
}

/** Where a limit of requests is in force, on every answer. */
const LIMITS = ["ratelimit", "ratelimit-policy"];

function answerObject(answer: Answer, schema: SchemaOf): Json {
  const { description, headers = [], optionalHeaders = [], content } = answer;
  return {
    description,
    headers: headerObjects([HEADER.requestId, ...headers], [...optionalHeaders, ...LIMITS], schema),
    ...(content.length === 0 ? {} : { content: contentObject(content, schema) }),
  };
}

function contentObject(content: readonly Content[], schema: SchemaOf): Json {
  return Object.fromEntries(content.map((one) => [one.type, mediaObject(one, schema)]));
}

/** JSON Schema says nothing of bytes, so those are left open (OpenAPI 3.1.1, 4.8.14.3); of lines, each is the schema. */
function mediaObject(content: Content, schema: SchemaOf): Json {
  switch (content.kind) {
    case "json":
      return { schema: schema(content.schema) };
    case "lines":
      return { schema: schema(content.schema), "x-each": "line" };
    case "events":
      return { schema: schema(content.schema), "x-each": "event" };
    case "text":
      return { schema: { type: "string" } };
    case "bytes":
      return {};
  }
}

function headerObjects(
  names: readonly string[],
  optional: readonly string[],
  schema: SchemaOf,
): Readonly<Record<string, Json>> {
  return {
    ...Object.fromEntries(
      names.map((name) => [headerName(name), { $ref: `#/components/headers/${headerName(name)}` }]),
    ),
    ...Object.fromEntries(optional.map((name) => [headerName(name), headerObject(name, false, schema)])),
  };
}

function headerObject(name: string, required: boolean, schema: SchemaOf): Json {
  const known = ANSWER_HEADERS[name];
  if (known === undefined) throw new Error(`${name}: a header that nobody has described`);
  return { description: known.description, required, schema: schema(known.schema) };
}

const WITH_STATUS: Readonly<Record<number, readonly string[]>> = {
  401: ["www-authenticate"],
  416: ["content-range"],
};

/** One answer for each status, with the codes that come under it. */
function problemObjects(codes: ReadonlySet<ProblemCode>, schema: SchemaOf): Readonly<Record<string, Json>> {
  const byStatus = Map.groupBy(codes, (code) => PROBLEMS[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      String(status),
      {
        description: group.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join("; "),
        headers: headerObjects(
          [HEADER.requestId, "cache-control", ...(WITH_STATUS[status] ?? [])],
          ["retry-after", ...LIMITS],
          schema,
        ),
        content: {
          "application/problem+json": {
            schema: {
              allOf: [{ $ref: "#/components/schemas/Problem" }],
              properties: { status: { const: status }, code: { enum: group } },
            },
          },
        },
      },
    ]),
  );
}
