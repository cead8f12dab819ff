/**
 * For tests: whether a real answer is what the document says. Read from the document itself, not from what it is made
 * of, so that a mistake in either is seen. Objects are closed: a member that is not documented is wrong too.
 */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { documentOf } from "./document.ts";
import { routesOf } from "./operation.ts";
import { OPERATIONS } from "./operations.ts";

export interface SeenAnswer {
  readonly method: string;
  /** The raw target. */
  readonly path: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

interface Schema {
  readonly [member: string]: unknown;
}
interface Header {
  readonly required: boolean;
  readonly schema: Schema;
}
interface Response {
  readonly headers: Readonly<Record<string, { readonly $ref: string } | Header>>;
  readonly content?: Readonly<
    Record<string, { readonly schema?: Schema; readonly "x-each"?: "line" | "event" }>
  >;
}

const document = documentOf(OPERATIONS, { version: "0.0.0", open: false });
const ajv = new Ajv2020({ strict: false, allErrors: true });
formats.default(ajv);
ajv.addSchema({ $id: "wire:", ...document });

const templates = OPERATIONS.flatMap((operation) =>
  routesOf(operation).map((route) => {
    const [method, pattern = ""] = route.split(" ");
    const text = pattern.replaceAll(".", "\\.").replace(/\/\*$/, "(/.*)?").replaceAll(/:\w+/g, "[^/]+");
    return { operation, method, fits: new RegExp(`^${text}$`) };
  }),
);

/** Said by HTTP itself, or by the listener, on any answer. */
const HTTP_OWN = new Set([
  ...["date", "connection", "keep-alive", "transfer-encoding", "content-type", "content-length"],
  ...["strict-transport-security"],
]);

/** Of a request that no operation stands for. */
const ELSEWHERE: Readonly<Record<number, string>> = {
  404: "not-found",
  405: "method-not-allowed",
  503: "stopping",
};

/** One sentence for each thing that is wrong with it; none when it is as documented. */
export function conform(seen: SeenAnswer): readonly string[] {
  const path = seen.path.replace(/\?.*$/s, "");
  const method = seen.method === "HEAD" ? "GET" : seen.method;
  const found = templates.find((one) => one.method === method && one.fits.test(path));
  const where = `${seen.method} ${path.slice(0, 100)} -> ${seen.status}`;
  if (found === undefined) {
    const { code }: { code?: string } = seen.body.length === 0 ? {} : JSON.parse(seen.body.toString());
    const known = ELSEWHERE[seen.status];
    return known !== undefined && (known === code || seen.method === "HEAD")
      ? []
      : [`${where} ${code}: not described`];
  }
  const key = found.operation.method.toLowerCase();
  const responses = document.paths[found.operation.path]?.[key]?.["responses"] as Record<string, Response>;
  const response = responses[String(seen.status)];
  if (response === undefined) return [`${where}: this status is not described`];
  return [...headersWrong(seen, response), ...bodyWrong(seen, response)].map((what) => `${where}: ${what}`);
}

function headersWrong({ headers }: SeenAnswer, response: Response): readonly string[] {
  const described = new Map(
    Object.entries(response.headers).map(([name, header]) => [
      name.toLowerCase(),
      "$ref" in header ? (lookUp(header.$ref) as Header) : header,
    ]),
  );
  const unknown = Object.keys(headers).filter((name) => !described.has(name) && !HTTP_OWN.has(name));
  const wrong = [...described].flatMap(([name, { required, schema }]) => {
    const value = headers[name];
    if (value === undefined) return required ? [`it lacks the header ${name}`] : [];
    return wrongWith(`the header ${name}`, schema, value);
  });
  return [...unknown.map((name) => `the header ${name} is not described`), ...wrong];
}

function bodyWrong({ method, headers, body }: SeenAnswer, { content }: Response): readonly string[] {
  if (content === undefined) return body.length > 0 ? ["a body is not described"] : [];
  const type = String(headers["content-type"] ?? "").replace(/;.*$/, "");
  const described = content[type] ?? content["*/*"];
  if (described === undefined) return [`the content type "${type}" is not described`];
  const { schema } = described;
  if (method === "HEAD" || schema === undefined) return [];
  const text = body.toString("utf8");
  if (schema["type"] === "string") return [];
  const each = { line: /^(.*)\n/gm, event: /^data: (.*)$/gm };
  const kind = described["x-each"];
  const pieces =
    kind === undefined ? [text] : [...text.matchAll(each[kind])].map(([, piece]) => String(piece));
  return pieces.flatMap((piece) => wrongWith(kind ?? "body", schema, JSON.parse(piece)));
}

const checks = new WeakMap<Schema, ValidateFunction>();

function wrongWith(what: string, schema: Schema, value: unknown): readonly string[] {
  const check = checks.get(schema) ?? ajv.compile(absolute(schema));
  checks.set(schema, check);
  if (check(value)) return [];
  return (check.errors ?? []).map(
    ({ instancePath, message, params }) => `${what}${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}

/** References inside the document, from outside it. */
function absolute(schema: Schema): Schema {
  return JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"wire:#/')) as Schema;
}

function lookUp($ref: string): unknown {
  return $ref
    .slice(2)
    .split("/")
    .reduce<unknown>((value, name) => (value as Readonly<Record<string, unknown>>)[name], document);
}
