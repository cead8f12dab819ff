/**
 * docs/examples/send.ps1 cannot be run here: PowerShell comes neither with npm nor with Debian. So it is read: by a
 * grammar of PowerShell, and its one request is held against the description of the wire.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { Language, type Node, Parser } from "web-tree-sitter";
import { OPERATIONS } from "../../receiver/openapi/operations.ts";
import { ROOT } from "../site/process.ts";

const text = readFileSync(join(ROOT, "docs", "examples", "send.ps1"), "latin1");
let parse: (text: string) => Node;
beforeAll(async () => {
  await Parser.init();
  const parser = new Parser();
  const grammar = createRequire(import.meta.url).resolve(
    "tree-sitter-powershell/tree-sitter-powershell.wasm",
  );
  parser.setLanguage(await Language.load(grammar));
  parse = (source) => {
    const tree = parser.parse(source);
    if (tree === null) throw new Error("it was not parsed");
    return tree.rootNode;
  };
});

const all = (kind: string): Node[] =>
  parse(text)
    .descendantsOfType(kind)
    .filter((node) => node !== null);

test("it is PowerShell, in letters that 5.1 and 7 read alike", () => {
  expect(parse(text).hasError).toBe(false);
  expect(parse(text.replace("catch {", "catch (")).hasError).toBe(true);
  // Without a byte order mark 5.1 takes a file for the system's code page.
  expect(Buffer.from(text, "latin1").every((byte) => byte < 0x80)).toBe(true);
});

test("it makes the request that the wire describes", () => {
  const [putFile] = OPERATIONS;
  const calls = all("command").filter((node) => node.text.startsWith("Invoke-RestMethod"));
  expect(calls).toHaveLength(1);
  const call = String(calls[0]?.text);
  expect(call).toContain(
    `-Method Put -Uri "$env:TRIBUTARY_URL/v1/files/$path" -Headers $headers -InFile $File`,
  );
  expect([putFile?.method, putFile?.path]).toEqual(["PUT", "/v1/files/{source}/{path}"]);
  const sent = all("hash_entry").map((node) => String(/^'([^']+)'/.exec(node.text)?.[1]));
  const known = putFile?.parameters.filter((one) => one.in === "header").map(({ name }) => name) ?? [];
  expect(sent).toEqual(["Authorization", "Idempotency-Key", "Repr-Digest"]);
  expect(["Authorization", ...known]).toEqual(expect.arrayContaining(sent));
});

test("it uses no word that only PowerShell 7 has", () => {
  for (const word of [
    "??",
    "&&",
    "||",
    "-Parallel",
    "-SkipCertificateCheck",
    "-SslProtocol",
    "-MaximumRetryCount",
  ])
    expect(text).not.toContain(word);
});
