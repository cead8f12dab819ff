import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redactor } from "@tributary/shared/redactor.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { setSecret } from "../secret/store.ts";
import { learnSecrets, secretFindings } from "./known-secrets.ts";

let dir: string;
let redactor: Redactor;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tributary-known-"));
  redactor = new Redactor();
  setSecret(dir, "pw", "hunter2-hunter2", new Date());
  writeFileSync(join(dir, "open"), "hunter3-hunter3\n", { mode: 0o644 });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const around = () => ({ data: dir, config: join(dir, "agent.yaml"), env: {}, redactor });
const sources = [
  { name: "bank", password: { secret: "pw" }, key: { secret: "nope" } },
  { name: "share", path: "/x", login: { user: { env: "NOPE" }, password: { file: "open" } } },
];

test("what the sources name is unsaid from then on; what is not there is no hindrance", async () => {
  await learnSecrets(around(), sources);
  expect(redactor.redact("hunter2-hunter2 hunter3-hunter3")).toBe("[secret] [secret]");
});

test("doctor says of each whether it is there, and what to do", async () => {
  const found = await secretFindings(around(), sources);
  expect(found.map(({ check, level, says }) => [check, level, says])).toEqual([
    ["secret bank", "ok", "password: the secret pw is there"],
    ["secret bank", "fail", expect.stringMatching(/^key: the secret nope is not set.*secret set nope/)],
    ["secret share", "warn", expect.stringMatching(/^login\.user: the environment variable NOPE is not set/)],
    process.platform === "win32"
      ? ["secret share", "ok", expect.anything()]
      : ["secret share", "warn", expect.stringMatching(/^login\.password: .*every account/)],
  ]);
  expect(JSON.stringify(found)).not.toContain("hunter");
});
