import { Validator } from "@seriousme/openapi-schema-validator";
import { PROBLEMS } from "@tributary/shared/problems.ts";
import { describe, expect, test } from "vitest";
import { conform, type SeenAnswer } from "./conform.ts";
import { documentOf } from "./document.ts";
import { problemsOf } from "./operation.ts";
import { OPERATIONS, operationsOf } from "./operations.ts";

const document = documentOf(OPERATIONS, { version: "1.2.3", open: true });

describe("the document", () => {
  test("is valid OpenAPI 3.1, and every reference leads somewhere", async () => {
    const validator = new Validator();
    expect(await validator.validate({ ...structuredClone(document) })).toEqual({ valid: true });
    expect(validator.version).toBe("3.1");
    const broken = { ...structuredClone(document), paths: { "/x": { get: { responses: 7 } } } };
    expect((await new Validator().validate(broken)).valid).toBe(false);
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)];
    expect(references.length).toBeGreaterThan(100);
    const found = (path: string): unknown =>
      path
        .split("/")
        .reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], document);
    expect(references.map(([, path]) => String(path)).filter((path) => found(path) === undefined)).toEqual(
      [],
    );
  });

  test("names each operation once, and its path's parameters are those that it declares", () => {
    const ids = OPERATIONS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { path, parameters } of OPERATIONS)
      expect(
        parameters.filter((one) => one.in === "path").map(({ name }) => name),
        path,
      ).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
  });

  test("has every problem that travels, with the calls that answer it", () => {
    const travels = Object.entries(PROBLEMS).filter(([, { status }]) => status !== 0);
    const answered = new Set<string>(OPERATIONS.flatMap((operation) => [...problemsOf(operation)]));
    // Of an address that takes other methods: no call answers it.
    answered.add("method-not-allowed");
    // Of the console, whose calls are no interface for programs.
    for (const code of ["link-spent", "second-factor-required", "last-admin", "path-newer", "preparing"])
      answered.add(code);
    expect(travels.map(([code]) => code).filter((code) => !answered.has(code))).toEqual([]);
  });

  test("knows all routes of an application, or says which one it does not", () => {
    expect(operationsOf(["PUT /v1/files/*", "GET /healthz"]).map(({ id }) => id)).toEqual([
      "putFile",
      "healthz",
    ]);
    expect(() => operationsOf(["GET /healthz", "POST /v1/nowhere"])).toThrow(
      /^POST \/v1\/nowhere: not described/,
    );
  });
});

describe("the check of answers sees", () => {
  const problem = (code: string, more = {}) => ({ type: "t", title: "t", status: 400, code, ...more });
  const part = { number: 1, size: 3, sha256: "0".repeat(64) };
  const good: SeenAnswer = {
    method: "PUT",
    path: "/v1/uploads/x/parts/1",
    status: 200,
    headers: { "content-type": "application/json", "x-request-id": "r", date: "now" },
    body: Buffer.from(JSON.stringify(part)),
  };
  const refused = (code: string, more: Partial<SeenAnswer> = {}): SeenAnswer => ({
    ...good,
    status: 400,
    headers: { "content-type": "application/problem+json", "x-request-id": "r", "cache-control": "no-store" },
    body: Buffer.from(JSON.stringify(problem(code))),
    ...more,
  });
  const json = (value: unknown): Partial<SeenAnswer> => ({ body: Buffer.from(JSON.stringify(value)) });

  test("nothing in what is as described", () => {
    expect(conform(good)).toEqual([]);
    expect(conform(refused("digest-invalid"))).toEqual([]);
    expect(conform(refused("not-found", { method: "GET", path: "/v2", status: 404 }))).toEqual([]);
  });

  test.for<[string, SeenAnswer, RegExp]>([
    [
      "a missing member",
      { ...good, ...json({ number: 1, size: 3 }) },
      /must have required property 'sha256'/,
    ],
    ["a member that is not described", { ...good, ...json({ ...part, extra: 1 }) }, /additional.*extra/],
    ["a member of another type", { ...good, ...json({ ...part, size: "3" }) }, /body\/size must be integer/],
    [
      "a digest that is none",
      { ...good, ...json({ ...part, sha256: "abc" }) },
      /body\/sha256 must match pattern/,
    ],
    ["a status that is not described", { ...good, status: 202 }, /-> 202: this status is not described/],
    ["a code that this call has not", refused("code-used"), /body\/code must be equal to one of/],
    ["a code under another status", refused("capture-conflict"), /body\/code must be equal to one of/],
    ["a code that nobody has", refused("who-knows"), /body\/code must be equal to one of/],
    [
      "a header that lacks",
      { ...good, headers: { "content-type": "application/json" } },
      /lacks the header x-request-id/,
    ],
    [
      "a header that is not described",
      { ...good, headers: { ...good.headers, "x-new": "1" } },
      /x-new is not described/,
    ],
    [
      "a header of another shape",
      refused("digest-invalid", { headers: { ...refused("").headers, "retry-after": "soon" } }),
      /retry-after must match/,
    ],
    [
      "another content type",
      { ...good, headers: { ...good.headers, "content-type": "text/html" } },
      /"text\/html" is not described/,
    ],
    [
      "a body where none is described",
      { ...good, method: "DELETE", path: "/v1/uploads/x", status: 204 },
      /a body is not described/,
    ],
    ["a call that is not described", { ...good, path: "/v1/nowhere" }, /-> 200 undefined: not described/],
    [
      "a wrong line among many",
      {
        ...good,
        method: "POST",
        path: "/v1/bundles/pos",
        headers: { ...good.headers, "content-type": "application/x-ndjson" },
        body: Buffer.from('{"end":true,"complete":true,"delivered":0,"refused":0}\n{"end":true}\n'),
      },
      /line must have required property/,
    ],
  ])("%s", ([, seen, what]) => {
    expect(conform(seen).join("\n")).toMatch(what);
  });
});
