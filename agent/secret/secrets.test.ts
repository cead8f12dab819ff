import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROBLEMS } from "@tributary/shared/problems.ts";
import { Redactor } from "@tributary/shared/redactor.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { SecretReference } from "./reference.ts";
import { openSecrets, type Secrets } from "./secrets.ts";
import { setSecret } from "./store.ts";

let dir: string;
let env: Record<string, string>;
let warnings: string[];
let redactor: Redactor;
let secrets: Secrets;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tributary-secrets-"));
  for (const folder of ["data", "settings"]) mkdirSync(join(dir, folder));
  env = {};
  warnings = [];
  redactor = new Redactor();
  const warn = (text: string) => void warnings.push(text);
  const [data, config] = [join(dir, "data"), join(dir, "settings", "agent.yaml")];
  secrets = openSecrets({ data, config, env, redactor, warn });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const put = (name: string, text: string | Uint8Array, mode = 0o600): string => {
  const file = join(dir, "settings", name);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
};
const posix = process.platform !== "win32";

test("from the store, the environment and a file; and unsaid from then on", async () => {
  setSecret(join(dir, "data"), "pw", "of the store", new Date());
  env["PW"] = "of the environment";
  put("pw", "of a file\n");
  expect(redactor.redact("of the store, of a file")).toBe("of the store, of a file");
  expect(await secrets.read({ secret: "pw" })).toBe("of the store");
  expect(await secrets.read({ env: "PW" })).toBe("of the environment");
  expect(await secrets.read({ file: "pw" })).toBe("of a file");
  expect(await secrets.read({ file: join(dir, "settings", "pw") })).toBe("of a file");
  expect(redactor.redact("of the store, of a file, of the environment")).toBe("[secret], [secret], [secret]");
});

test("each is read anew each time", async () => {
  const data = join(dir, "data");
  setSecret(data, "pw", "first", new Date());
  put("pw", "first");
  for (const reference of [{ secret: "pw" }, { file: "pw" }])
    expect(await secrets.read(reference)).toBe("first");
  setSecret(data, "pw", "second", new Date());
  put("pw", "second");
  for (const reference of [{ secret: "pw" }, { file: "pw" }])
    expect(await secrets.read(reference)).toBe("second");
  expect(redactor.redact("first second")).toBe("[secret] [secret]");
});

test.for<[string | Uint8Array, string]>([
  ["value\n", "value"],
  ["value\r\n", "value"],
  ["value\n\n", "value\n"],
  [" value ", " value "],
  ["\ufeffvalue\n", "value"],
  ["-----BEGIN KEY-----\nabc\n-----END KEY-----\n", "-----BEGIN KEY-----\nabc\n-----END KEY-----"],
  [`${"x".repeat(65_536)}\n`, "x".repeat(65_536)],
])("a file loses one newline and nothing else (case %#)", async ([text, value]) => {
  put("pw", text);
  expect(await secrets.read({ file: "pw" })).toBe(value);
});

const missing: readonly [what: string, reference: SecretReference, says: RegExp][] = [
  [
    "a secret that is not set",
    { secret: "nope" },
    /the secret nope is not set.*tributary-agent secret set nope$/,
  ],
  ["a variable that is not set", { env: "NOPE" }, /environment variable NOPE is not set.*set it/],
  ["an empty variable", { env: "EMPTY" }, /environment variable EMPTY is empty/],
  ["a file that is not there", { file: "nope" }, /settings.nope cannot be read.*ENOENT.*put it there/],
  ["a folder", { file: "folder" }, /settings.folder is no file/],
  ["an empty file", { file: "empty" }, /settings.empty is empty/],
  ["a file of a newline", { file: "newline" }, /settings.newline is empty/],
  ["a file that is no text", { file: "binary" }, /settings.binary is not UTF-8/],
  ["a file that is too large", { file: "large" }, /settings.large has more than 64 KiB/],
];
test.for(missing)("%s is `secret-missing`, with what to do", async ([, reference, says]) => {
  env["EMPTY"] = "";
  mkdirSync(join(dir, "settings", "folder"));
  put("empty", "");
  put("newline", "\n");
  put("binary", Buffer.from([0xff, 0xfe]));
  put("large", "hunter2".repeat(1e6));
  const refused = secrets.read(reference);
  await expect(refused).rejects.toMatchObject({
    code: "secret-missing",
    message: expect.stringMatching(says),
  });
  await expect(refused).rejects.not.toThrow(/hunter2/);
});

test("a damaged store is `secret-missing` too: it may be mended while a source waits", async () => {
  writeFileSync(join(dir, "data", "secrets.json"), "{");
  await expect(secrets.read({ secret: "pw" })).rejects.toMatchObject({
    code: "secret-missing",
    message: expect.stringMatching(/secrets\.json is damaged.*restore/),
  });
  expect(PROBLEMS["secret-missing"]).toMatchObject({ status: 0, retry: true });
});

test.runIf(posix)("a FIFO keeps nobody waiting", async () => {
  execFileSync("mkfifo", [join(dir, "settings", "fifo")]);
  await expect(secrets.read({ file: "fifo" })).rejects.toThrow(/is no file/);
});

test.runIf(posix)("a file that others may read is told once, and read; links are followed", async () => {
  put("own", "value", 0o600);
  const group = put("group", "value", 0o640);
  const all = put("all", "value", 0o604);
  symlinkSync("all", join(dir, "settings", "link"));
  for (const file of ["own", "group", "all", "group", "all", "link"])
    expect(await secrets.read({ file })).toBe("value");
  expect(warnings).toEqual([
    `the secret in ${group} can be read by its group; close it: chmod 600 ${group}`,
    `the secret in ${all} can be read by every account of this host; close it: chmod 600 ${all}`,
    expect.stringContaining("link can be read by every account"),
  ]);
});
