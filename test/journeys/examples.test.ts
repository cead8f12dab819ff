/** The programs of docs/examples, run as a user runs them against a real receiver: what they say, and what arrived. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { formatDigest } from "@tributary/shared/digest.ts";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { EXAMPLES, ONE_LINE } from "../../receiver/openapi/examples.ts";
import { type Caller, caller } from "../site/caller.ts";
import { ROOT, type Running, until } from "../site/process.ts";
import { get, makeSite, type Site } from "../site/site.ts";

let site: Site;
let receiver: Running;
let api: Caller;
let key: string;
let files: string;

beforeAll(async () => {
  site = await makeSite();
  await site.command("client", "add", "acme");
  key = await site.command("key", "add", "--client", "acme", "--scope", "write,read");
  receiver = await site.serve();
  api = caller(site, key);
  files = join(site.dir, "files");
  mkdirSync(files);
});
afterAll(async () => {
  await api?.close();
  await receiver?.stop();
  site?.remove();
});

const live = new Set<ChildProcess>();
afterEach(() => {
  for (const child of live) child.kill("SIGKILL");
});

/** As the documentation says it: by its name, the receiver, the key and its certificate in the environment. */
function start(example: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const program = join(ROOT, "docs", "examples", example);
  return example.endsWith(".mjs")
    ? launchAs(process.execPath, [program, ...args], env)
    : launchAs(program, args, env);
}

function launchAs(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(program, args, {
    cwd: files,
    env: {
      PATH: process.env["PATH"],
      TRIBUTARY_URL: site.url,
      TRIBUTARY_KEY: key,
      CURL_CA_BUNDLE: site.ca,
      SSL_CERT_FILE: site.ca,
      NODE_EXTRA_CA_CERTS: site.ca,
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  live.add(child);
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].on("data", (chunk: Buffer) => {
      said[stream] += chunk.toString();
    });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject).once("close", resolve);
  });
  void ended.finally(() => live.delete(child));
  return { said, ended, child };
}

async function run(example: string, ...args: string[]): Promise<string> {
  const { said, ended } = start(example, args);
  expect(await ended, said.stderr).toBe(0);
  return said.stdout;
}

/** Sent, received, and in the lake byte for byte. */
async function expectArrived(source: string, path: string, bytes: Buffer, stdout: string): Promise<void> {
  const answer = JSON.parse(stdout) as { versionId: string; status: string; receipt: string };
  expect(answer).toMatchObject({ status: "created", source, path, size: bytes.length });
  const [entry] = await site.history("--source", source, "--path", path);
  expect(entry).toMatchObject({
    versionId: answer.versionId,
    size: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  });
  expect(await get(site, answer.versionId)).toEqual(bytes);
}

const SENDERS = ["send.sh", "send.py", "send.mjs"];

describe("one file", () => {
  test("in one line, as the page and README say", async () => {
    const bytes = randomBytes(1000);
    writeFileSync(join(files, "sales.csv"), bytes);
    const { said, ended } = launchAs("sh", ["-c", ONE_LINE("$TRIBUTARY_URL")]);
    expect(await ended, said.stderr).toBe(0);
    await expectArrived("pos", "sales.csv", bytes, said.stdout);
  });

  test.for(SENDERS)("%s", async (example) => {
    const bytes = randomBytes(3_000_000);
    writeFileSync(join(files, "sales.csv"), bytes);
    await expectArrived(
      "pos",
      `2026/${example}`,
      bytes,
      await run(example, "sales.csv", `pos/2026/${example}`),
    );
  });

  test.for(["send.py", "send.mjs"])("%s, and a name that must be escaped", async (example) => {
    const name = "Größe 50%+#?.csv";
    writeFileSync(join(files, name), example);
    const stdout = await run(example, name, `${example.replace(".", "-")}/${name}`);
    await expectArrived(example.replace(".", "-"), name, Buffer.from(example), stdout);
  });

  test.for(SENDERS)("%s says why it is refused, at once, and fails", async (example) => {
    writeFileSync(join(files, "refused"), "x");
    const { said, ended } = start(example, ["refused", "pos/refused"], { TRIBUTARY_KEY: "trbk_wrong" });
    expect(await ended).not.toBe(0);
    expect(said.stdout + said.stderr).toContain("unauthenticated");
    expect(await site.history("--path", "refused")).toEqual([]);
  });

  test.for(SENDERS)("%s never comes before Retry-After", async (example) => {
    writeFileSync(join(files, "limited"), "limited");
    const times: number[] = [];
    const limited = createServer((request, response) => {
      request.resume().on("end", () => {
        times.push(performance.now());
        if (times.length === 1) response.writeHead(429, { "retry-after": "4" }).end();
        else response.writeHead(201).end("taken");
      });
    });
    await once(limited.listen(0, "127.0.0.1"), "listening");
    try {
      const { port } = limited.address() as AddressInfo;
      const { said, ended } = start(example, ["limited", "pos/limited"], {
        TRIBUTARY_URL: `http://127.0.0.1:${port}`,
      });
      expect(await ended, said.stderr).toBe(0);
      expect(said.stdout).toContain("taken");
      expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(3900);
    } finally {
      limited.close();
    }
  });

  test("each waits for a receiver that is away", async () => {
    writeFileSync(join(files, "patient"), "patient");
    await receiver.stop();
    const senders = SENDERS.map((example) => start(example, ["patient", `away/${example}`]));
    // Long enough for the first try of each; what they do then is wait.
    await new Promise((resolve) => setTimeout(resolve, 2000));
    expect(senders.map(({ child }) => child.exitCode)).toEqual(SENDERS.map(() => null));
    receiver = await site.serve();
    for (const { said, ended } of senders) expect(await ended, said.stderr).toBe(0);
    const arrived = await site.history("--source", "away");
    expect(arrived.map(({ path }) => path).toSorted()).toEqual(SENDERS.toSorted());
  });
});

describe("a large file in parts: send-large.sh", () => {
  const PART = 8 * 2 ** 20;
  const puts = async (): Promise<number> => {
    const { body } = await api.call("GET", "/metrics");
    const counts = String(body).matchAll(/^tributary_request_seconds_count\{.*method="PUT".*\} (\d+)$/gm);
    return [...counts].reduce((total, [, count]) => total + Number(count), 0);
  };

  test("arrives whole; run again it gives the same receipt", async () => {
    const bytes = randomBytes(2 * PART + 12_345);
    writeFileSync(join(files, "large.bin"), bytes);
    const stdout = await run("send-large.sh", "large.bin", "pos", "nightly/large.bin");
    await expectArrived("pos", "nightly/large.bin", bytes, stdout);
    const again = await run("send-large.sh", "large.bin", "pos", "nightly/large.bin");
    expect(JSON.parse(again).receipt).toBe(JSON.parse(stdout).receipt);
  });

  test("after a break only the missing parts are sent", async () => {
    const bytes = randomBytes(2 * PART + 1);
    const file = join(files, "broken-off.bin");
    writeFileSync(file, bytes);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const captureId = `${sha256}-${Math.floor(statSync(file).mtimeMs / 1000)}`;
    const { body } = await api.call("POST", "/v1/uploads", {
      body: JSON.stringify({
        source: "pos",
        pathEncoded: "broken-off.bin",
        size: bytes.length,
        sha256,
        captureId,
      }),
    });
    const second = bytes.subarray(PART, 2 * PART);
    await api.call("PUT", `/v1/uploads/${body.uploadId}/parts/2`, {
      body: second,
      headers: { "content-digest": formatDigest(createHash("sha256").update(second).digest("hex")) },
    });
    const before = await puts();
    const stdout = await run("send-large.sh", "broken-off.bin", "pos", "broken-off.bin");
    await expectArrived("pos", "broken-off.bin", bytes, stdout);
    expect((await puts()) - before).toBe(2);
  });
});

describe("a folder in one request: send-folder.sh", () => {
  test("all its files arrive, and it says so", async () => {
    const folder = join(files, "folder");
    mkdirSync(join(folder, "deeper"), { recursive: true });
    for (const name of ["one", "two", "deeper/three"]) writeFileSync(join(folder, name), name);
    const lines = (await run("send-folder.sh", "folder", "bundled")).trim().split("\n");
    expect(JSON.parse(lines.at(-1) ?? "")).toEqual({ end: true, complete: true, delivered: 3, refused: 0 });
    const arrived = await site.history("--source", "bundled");
    expect(arrived.map(({ path }) => path).toSorted()).toEqual(["deeper/three", "one", "two"]);
    for (const { path, versionId } of arrived) expect((await get(site, versionId)).toString()).toBe(path);
  });

  test("what is refused makes it fail, and the rest arrives", async () => {
    mkdirSync(join(files, "mixed"));
    writeFileSync(join(files, "mixed", "file"), "taken");
    symlinkSync("file", join(files, "mixed", "link"));
    const { said, ended } = start("send-folder.sh", ["mixed", "mixed"]);
    expect(await ended).toBe(1);
    expect(said.stdout).toContain('"code":"entry-refused"');
    expect((await site.history("--source", "mixed")).map(({ path }) => path)).toEqual(["file"]);
  });

  test("a key that is none is said, and makes it fail", async () => {
    const { said, ended } = start("send-folder.sh", ["mixed", "mixed"], { TRIBUTARY_KEY: "trbk_wrong" });
    expect(await ended).not.toBe(0);
    expect(said.stdout + said.stderr).toContain("unauthenticated");
  });
});

describe("following what arrives", () => {
  const put = async (path: string): Promise<string> =>
    (await api.put("events", path, Buffer.from(path))).body.versionId as string;
  const ids = (stdout: string): string[] =>
    stdout
      .trim()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => (JSON.parse(line) as { versionId: string }).versionId);

  test("follow.py prints what is new since the last time, once", async () => {
    const before = await put("py-1");
    expect(ids(await run("follow.py", "place-py")).at(-1)).toBe(before);
    expect(ids(await run("follow.py", "place-py"))).toEqual([]);
    const [one, two] = [await put("py-2"), await put("py-3")];
    expect(ids(await run("follow.py", "place-py"))).toEqual([one, two]);
  });

  test("follow.mjs prints what arrives as it arrives, and goes on where it was killed", async () => {
    const before = await put("node-1");
    const first = start("follow.mjs", ["place-node"]);
    await until("what was there", () => ids(first.said.stdout).at(-1) === before);
    const live = await put("node-2");
    await until("what arrives", () => ids(first.said.stdout).at(-1) === live);
    first.child.kill("SIGKILL");
    await first.ended;
    const missed = await put("node-3");
    const second = start("follow.mjs", ["place-node"]);
    await until("what was missed", () => ids(second.said.stdout).at(-1) === missed);
    // Killed between the line and its place, it says the last one once more.
    expect(ids(second.said.stdout).filter((id) => id !== live)).toEqual([missed]);
  });
});

test("the page shows these programs and no others", () => {
  expect(EXAMPLES.map(({ file }) => file).toSorted()).toEqual(
    readdirSync(join(ROOT, "docs", "examples")).toSorted(),
  );
});
