import { ProblemError } from "@tributary/shared/problems.ts";
import { parseSettings } from "@tributary/shared/settings.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { z } from "zod";
import { referencesIn, secretReference } from "./reference.ts";

const settings = z.strictObject({
  sources: z.array(
    z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("sftp"), password: secretReference }),
      z.strictObject({ kind: z.literal("s3") }),
    ]),
  ),
});
const read = (password: string) =>
  parseSettings(`sources:\n  - kind: sftp\n    password: ${password}\n`, "agent.yaml", settings);

function refusal(password: string): string {
  try {
    read(password);
  } catch (error) {
    if (error instanceof ProblemError && error.code === "config-invalid") return error.message;
    throw error;
  }
  return expect.fail("it was taken");
}

test.for([{ secret: "bank-2.pw" }, { env: "BANK_PASSWORD" }, { file: "keys/bank" }])("%j", (reference) => {
  expect(read(JSON.stringify(reference)).sources).toEqual([{ kind: "sftp", password: reference }]);
});

test.for<[string, RegExp]>([
  ["hunter2", /tributary-agent secret set NAME.*\{ secret: NAME \}/],
  ["12345678", /tributary-agent secret set NAME/],
  ["[hunter2]", /tributary-agent secret set NAME/],
  ["{ hunter2 }", /expected one of \{ secret: NAME \}/],
  ["{ secret: a, hunter2: b }", /expected one of/],
  ["{ secret: a, env: B }", /expected one of/],
  ["{}", /expected one of/],
  ["", /expected one of/],
  ["{ secret: 'hunter2!' }", /expected a name/],
  ["{ secret: .hunter2 }", /expected a name/],
  [`{ secret: hunter2${"x".repeat(60)} }`, /expected a name/],
  ["{ env: hunter-2 }", /expected the name of an environment variable/],
  ["{ file: '' }", /expected the path/],
  ["*hunter2", /there is no such anchor/],
  ["!hunter2 x", /secret set NAME/],
  ["|hunter2", /Block scalar header includes extra characters$/],
  ['"hun\\qter2"', /Invalid escape sequence/],
  ["hunter2: x", /Nested mappings/],
  ["'hunter2", /Missing closing/],
  ["{hunter2", /./],
])("%s is refused with what to do, and not repeated", ([password, says]) => {
  const message = refusal(password);
  expect(message).toMatch(/^agent\.yaml:\d:\d+: /);
  expect(message).toMatch(says);
  expect(message).not.toMatch(/hunter2?|12345678/);
});

const secret = fc.string({ unit: "grapheme", minLength: 1 }).map((text) => `Zq7${text}`);

test("whatever stands there, as a value or as a key, no message repeats it", () => {
  fc.assert(
    fc.property(secret, fc.integer({ min: 0, max: 5 }), (text, how) => {
      const written = [
        stringify(text).trimEnd().replaceAll("\n", "\n      "),
        JSON.stringify(text),
        `{ ${JSON.stringify(text)}: x }`,
        text.replaceAll("\n", " "),
        `*${text.replaceAll("\n", " ")}`,
        `"\\q${text}`,
      ][how] as string;
      let message = "";
      try {
        read(written);
      } catch (error) {
        message = (error as Error).message;
      }
      expect(message).not.toContain("Zq7");
    }),
    { numRuns: 500 },
  );
});

test("references are found wherever they stand in the settings of a source", () => {
  const source = {
    name: "a",
    login: { password: { secret: "pw" }, keys: [{ file: "k" }] },
    path: "/x",
    n: 1,
  };
  expect([...referencesIn(source)]).toEqual([
    { at: "login.password", reference: { secret: "pw" } },
    { at: "login.keys.0", reference: { file: "k" } },
  ]);
});
