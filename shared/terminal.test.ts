import { readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { ProblemError } from "./problems.ts";
import { fail } from "./terminal.ts";

const write = process.stderr.write.bind(process.stderr);
afterEach(() => {
  process.stderr.write = write;
});

/** What `fail` says of what `work` throws. */
function said(work: () => unknown, words?: (text: string) => string): string {
  let text = "";
  try {
    work();
  } catch (error) {
    process.stderr.write = (chunk: string | Uint8Array) => {
      text += String(chunk);
      return true;
    };
    fail("program", error, words);
  }
  process.stderr.write = write;
  return text;
}

test("what the system refuses is said in one line with what to do; a fault of ours shows its stack", () => {
  expect(said(() => readFileSync("/no/such/file"))).toMatch(
    /^program: ENOENT: .*'\/no\/such\/file'; there is no such file or folder: [^\n]*\n$/,
  );
  expect(
    said(() => {
      throw new TypeError("ours");
    }),
  ).toMatch(/TypeError: ours\n +at /);
});

test("what may not be said of it is left out, wherever it stands", () => {
  const words = (text: string): string => text.replaceAll("hunter2", "[secret]");
  const thrown = (error: Error) =>
    said(() => {
      throw error;
    }, words);
  expect(thrown(new TypeError("ours: hunter2"))).toMatch(/TypeError: ours: \[secret\]\n +at /);
  expect(thrown(new ProblemError("usage", "hunter2 is wrong"))).toBe("program: [secret] is wrong\n");
  expect(said(() => readFileSync("/no/such/hunter2"), words)).toMatch(/ENOENT: .*\/no\/such\/\[secret\]/);
});
