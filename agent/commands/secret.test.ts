import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SecretStore } from "../secret/store.ts";
import { readSecret } from "./secret-input.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tributary-secret-command-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function secret(words: readonly string[], stdin: string | Buffer = ""): Promise<Ran> {
  const program = join(import.meta.dirname, "..", "bin.js");
  const child = spawn(process.execPath, [program, "secret", ...words, "--data", dir]);
  const [out, err]: Buffer[][] = [[], []];
  child.stdout.on("data", (chunk) => out?.push(chunk));
  child.stderr.on("data", (chunk) => err?.push(chunk));
  child.stdin.on("error", () => {}).end(stdin);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout: Buffer.concat(out ?? []).toString(), stderr: Buffer.concat(err ?? []).toString() };
}

const get = (name: string): string | undefined => new SecretStore(dir).get(name);
const settings = (text: string): void => writeFileSync(join(dir, "agent.yaml"), text);

const USED = `sources:
  - { name: bank, kind: sftp, password: { secret: pw }, privateKey: { secret: not-yet } }
  - { name: store, client: acme, kind: s3, accessKey: { env: KEY }, secretAccessKey: { secret: pw } }
`;

test("set, list, remove; the value is in no output and no file", async () => {
  const ran = await secret(["set", "pw"], "hunter2-hunter2\n");
  expect(ran).toEqual({
    code: 0,
    stdout: "",
    stderr: "the secret pw is set; in agent.yaml: { secret: pw }\n",
  });
  expect(get("pw")).toBe("hunter2-hunter2");
  expect((await secret(["set", "key"], "-----BEGIN KEY-----\nabc\n-----END KEY-----\n")).code).toBe(0);
  expect(get("key")).toBe("-----BEGIN KEY-----\nabc\n-----END KEY-----");
  settings(USED);
  const [table, json] = [await secret(["list"]), await secret(["list", "--json"])];
  expect(table.stdout).toMatch(
    /^NAME +SETAT +SOURCES\nkey +2\S+Z\npw +2\S+Z +bank,acme\/store\nnot-yet +- +bank\n$/,
  );
  expect(
    json.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([
    { name: "key", setAt: expect.stringMatching(/Z$/), sources: [] },
    { name: "pw", setAt: expect.stringMatching(/Z$/), sources: ["bank", "acme/store"] },
    { name: "not-yet", setAt: null, sources: ["bank"] },
  ]);
  expect(await secret(["remove", "pw"])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/the secret pw is used by bank, acme\/store in .*--force/),
  });
  expect(get("pw")).toBe("hunter2-hunter2");
  expect(await secret(["remove", "key"])).toMatchObject({ code: 0 });
  expect(await secret(["remove", "pw", "--force"])).toMatchObject({ code: 0 });
  expect(await secret(["remove", "pw"])).toMatchObject({ code: 2 });
  expect(await secret(["remove", "pw", "--force"])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/there is no secret pw; see: tributary-agent secret list/),
  });
  for (const name of readdirSync(dir)) expect(readFileSync(join(dir, name), "latin1")).not.toMatch(/hunter2/);
  for (const said of [table, json]) expect(said.stdout + said.stderr).not.toContain("hunter2");
});

test.for<[string, string | Buffer, RegExp]>([
  ["hunter2!", "x", /NAME: expected a name.*standard input/],
  ["pw", "", /the secret is empty/],
  ["pw", "\n", /the secret is empty/],
  ["pw", Buffer.from([0xff, 0x68]), /the secret is not UTF-8/],
  ["pw", "hunter2".repeat(100_000), /the secret has more than 64 KiB/],
])("wrong usage ends with 2 and repeats nothing (case %#)", async ([name, stdin, says]) => {
  const ran = await secret(["set", name], stdin);
  expect(ran).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(says) });
  expect(ran.stderr).not.toContain("hunter2");
  expect(readdirSync(dir)).toEqual([]);
});

test("a mistake elsewhere in agent.yaml is no hindrance; one that hides the sources is, but for --force", async () => {
  await secret(["set", "pw"], "value");
  settings(`${USED}unknown: true\n`);
  expect((await secret(["list"])).stdout).toMatch(/pw .*bank,acme\/store/);
  settings("sources: [");
  expect((await secret(["remove", "pw"])).code).toBe(2);
  expect((await secret(["remove", "pw", "--force"])).code).toBe(0);
});

test("many `set` and `remove` at once: each of them counts", async () => {
  await secret(["set", "gone"], "value");
  const names = ["a", "b", "c", "d", "e", "f"];
  const ran = await Promise.all([
    ...names.map((name) => secret(["set", name], `of ${name}`)),
    secret(["remove", "gone"]),
  ]);
  expect(ran.map(({ code }) => code)).toEqual(ran.map(() => 0));
  expect(names.map(get)).toEqual(names.map((name) => `of ${name}`));
  expect(get("gone")).toBeUndefined();
});

/** What somebody types, each line once it is asked for; and what the terminal shows. */
async function typed(...lines: readonly string[]): Promise<{ value: Promise<string>; shown: () => string }> {
  const input = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: () => input,
  }) as never as NodeJS.ReadStream;
  const prompt = new PassThrough();
  let shown = "";
  prompt.on("data", (chunk) => (shown += chunk));
  const value = readSecret(input, prompt);
  value.catch(() => {});
  for (const [i, line] of lines.entries()) {
    await expect.poll(() => shown.split(": ").length - 1).toBe(i + 1);
    (input as never as PassThrough).write(line);
  }
  return { value, shown: () => shown };
}

test("on a terminal it is asked for twice, and shown nowhere", async () => {
  const { value, shown } = await typed("huntx\u007fer2 \u{1f511}\r", "hunter2 \u{1f511}\r");
  expect(await value).toBe("hunter2 \u{1f511}");
  expect(shown()).toBe("the secret (it is not shown): \nthe same again: \n");
});

test.for<[string, readonly string[], RegExp]>([
  [
    "another the second time",
    ["hunter2\r", "hunter3\r"],
    /the two are not the same.*private key.*standard input/,
  ],
  ["several lines", ["hunter2\rhunter3\r"], /the two are not the same/],
  ["Ctrl-C", ["hun\u0003"], /nothing was set/],
  ["Ctrl-D", ["hunter2\r", "\u0004"], /nothing was set/],
  ["nothing", ["\r", "\r"], /the secret is empty/],
])("%s is refused", async ([, lines, says]) => {
  const { value } = await typed(...lines);
  await expect(value).rejects.toMatchObject({ code: "usage", message: expect.stringMatching(says) });
});
