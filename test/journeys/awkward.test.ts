/** Odd as they are, these files are delivered; and what cannot be read never stands in the way of the others. */
import { execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { encodePath } from "@tributary/shared/path.ts";
import type { Entry } from "@tributary/shared/protocol.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Running, until } from "../site/process.ts";
import { deliveries } from "../site/receipts.ts";
import { type Agent, get, makeSite, peakMemory, type Site } from "../site/site.ts";

const sha256 = (bytes: Buffer | string): string => createHash("sha256").update(bytes).digest("hex");
const MIB = 2 ** 20;

describe("awkward, and delivered", () => {
  let site: Site;
  let receiver: Running;
  let agent: Agent;
  let running: Running;
  let folder: string;

  const settings = (sources: readonly object[] = []) => ({
    log: "warn",
    sources: [{ name: "odd", path: folder, settle: "200ms", rescan: "3s" }, ...sources],
  });
  beforeAll(async () => {
    site = await makeSite();
    await site.command("client", "add", "demo");
    folder = join(site.dir, "odd");
    mkdirSync(folder);
    receiver = await site.serve();
    agent = await site.agent("one", { clients: ["demo"], settings: settings() });
    running = await agent.run();
  });
  afterAll(async () => {
    await running?.stop();
    await receiver?.stop();
    site?.remove();
  });

  const entriesOf = async (pathEncoded: string): Promise<Entry[]> =>
    (await site.history("--client", "demo")).filter((e) => e.pathEncoded === pathEncoded);
  const explain = (cause: unknown): never => {
    throw new Error(`${cause}\n${running.stderr().slice(-3000)}`);
  };
  const arrived = async (pathEncoded: string, count = 1, withinMs = 30_000): Promise<Entry[]> =>
    await until(
      `${count} entries of ${pathEncoded}`,
      async () => {
        const entries = await entriesOf(pathEncoded);
        return entries.length >= count && entries;
      },
      { withinMs, everyMs: 300 },
    ).catch((cause) => {
      throw new Error(`${cause}\n${running.stderr().slice(-4000)}`);
    });

  test("every odd name, and names that are not UTF-8", async () => {
    const names = [
      "CON.txt",
      "nul",
      "trailing.",
      "trailing ",
      " leading",
      "new\nline",
      "tab\there",
      "a=b",
      "client=evil",
      "100%",
      "%41",
      "A",
      "a",
      "é",
      "e\u0301",
      "back\\slash",
      "colon:name",
      "C:x",
      "...",
      "..hidden",
      "-rf",
      "~",
      "quote'\"",
      "*?<>|",
      "\u202egnp.exe",
      "emoji 🏞️",
      "x".repeat(255),
      `${"ä".repeat(125)}.csv`,
      "\u0001\u001b[2J",
    ].map((name) => Buffer.from(name));
    const raw: Buffer[] = [
      Buffer.from([0xff, 0xfe, 0x2e, 0x63]),
      Buffer.from([0xed, 0xa0, 0x80]),
      Buffer.from([0x61, 0xc3]),
    ];
    // Three times as long when it is escaped in the request's target, and longer still in the token that is bound to it.
    const deep = Buffer.concat(
      Array.from({ length: 14 }, () => Buffer.from(`${"\xff".repeat(254)}/`, "latin1")),
    );
    mkdirSync(Buffer.concat([Buffer.from(`${folder}/`), deep]), { recursive: true });
    names.push(Buffer.concat([deep, Buffer.from("deep")]));
    for (const name of [...names, ...raw])
      writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), name]), name);
    const all = new Map([...names, ...raw].map((name) => [encodePath(name), name]));
    const entries = await until(
      "every name",
      async () => {
        const found = (await site.history("--client", "demo")).filter((e) => all.has(e.pathEncoded));
        return found.length >= all.size && found;
      },
      { everyMs: 500 },
    );
    expect(entries).toHaveLength(all.size);
    for (const entry of entries) {
      const name = all.get(entry.pathEncoded) as Buffer;
      expect(entry.sha256).toBe(sha256(name));
      if (raw.includes(name)) expect((await get(site, entry.versionId)).equals(name)).toBe(true);
    }
  }, 120_000);

  test("an empty file, a deep path, and a name that makes the key too long", async () => {
    writeFileSync(join(folder, "empty"), "");
    expect((await arrived("empty"))[0]).toMatchObject({ size: 0, sha256: sha256("") });
    const deep = Array.from({ length: 15 }, (_, i) => `${i}-${"d".repeat(200)}`).join("/");
    mkdirSync(join(folder, deep), { recursive: true });
    writeFileSync(join(folder, deep, "bottom.csv"), "deep");
    const [entry] = await arrived(`${deep}/bottom.csv`);
    expect(Buffer.byteLength(entry?.key as string)).toBeLessThanOrEqual(1000);
    expect(entry?.key).toMatch(/\/bottom\.csv$/);
    expect((await get(site, entry?.versionId as string)).toString()).toBe("deep");
  });

  test("the longest path that the system takes, each byte of it escaped", async () => {
    let path = Buffer.from(folder);
    while (path.length + 256 < 4090) {
      path = Buffer.concat([path, Buffer.from("/"), Buffer.alloc(255, 0xff)]);
      mkdirSync(path);
    }
    const file = Buffer.concat([path, Buffer.from("/"), Buffer.alloc(4094 - path.length, 0xff)]);
    writeFileSync(file, "long");
    const [entry] = await arrived(encodePath(file.subarray(folder.length + 1)));
    expect((await get(site, entry?.versionId as string)).toString()).toBe("long");
  }, 60_000);

  test("a link that leaves, a loop, a FIFO and a socket beside a file: only the file goes", async () => {
    mkdirSync(join(folder, "mixed"));
    writeFileSync(join(site.dir, "secret.txt"), "not yours");
    symlinkSync(join(site.dir, "secret.txt"), join(folder, "mixed", "out.txt"));
    symlinkSync("..", join(folder, "mixed", "loop"));
    symlinkSync("/etc", join(folder, "mixed", "etc"));
    execFileSync("mkfifo", [join(folder, "mixed", "fifo")]);
    writeFileSync(join(folder, "mixed", "plain.txt"), "plain");
    await arrived("mixed/plain.txt");
    const mixed = (await site.history("--client", "demo")).filter((e) => e.path.startsWith("mixed/"));
    expect(mixed.map((e) => e.path)).toEqual(["mixed/plain.txt"]);
    const skipped = await agent.command("scan", "--dry-run", "--json");
    expect(skipped).toMatch(/fifo/);
    expect(skipped).toMatch(/loop/);
  });

  test("a file that is written for a while is captured when it rests, whole", async () => {
    const file = openSync(join(folder, "growing.log"), "w");
    for (let i = 0; i < 20; i += 1) {
      writeSync(file, `line ${i}\n`);
      await new Promise((resolve) => setTimeout(resolve, 80));
    }
    closeSync(file);
    const whole = Array.from({ length: 20 }, (_, i) => `line ${i}\n`).join("");
    const entries = await arrived("growing.log");
    expect(entries.at(-1)?.sha256).toBe(sha256(whole));
    expect(entries).toHaveLength(1);
  });

  test("a file that changes while it is read and sent arrives only as states that were", {
    timeout: 90_000,
  }, async () => {
    const states = new Set<string>();
    const file = join(folder, "restless.bin");
    let bytes = randomBytes(30 * MIB);
    for (let i = 0; i < 6; i += 1) {
      bytes = Buffer.concat([bytes.subarray(0, -1), Buffer.from([i])]);
      bytes[i * MIB] = i;
      writeFileSync(join(site.dir, "half-made"), bytes);
      renameSync(join(site.dir, "half-made"), file);
      states.add(sha256(bytes));
      await new Promise((resolve) => setTimeout(resolve, 450));
    }
    const last = sha256(bytes);
    const entries = await until(
      "the last state",
      async () => {
        const found = await entriesOf("restless.bin");
        return found.at(-1)?.sha256 === last && found;
      },
      { withinMs: 60_000, everyMs: 500 },
    );
    expect(entries.filter((e) => !states.has(e.sha256 as string))).toEqual([]);
  });

  test.skipIf(process.getuid?.() !== 0)(
    "a file without permission is visible, does not block, and goes when it may be read; a read-only folder too",
    { timeout: 90_000 },
    async () => {
      // An agent under another account: permissions do not bind root.
      const { launch, ok } = await import("../site/process.ts");
      const exports = join(site.dir, "exports");
      mkdirSync(exports);
      chmodSync(site.dir, 0o755);
      writeFileSync(join(exports, "locked.csv"), "locked", { mode: 0o600 });
      writeFileSync(join(exports, "open.csv"), "open", { mode: 0o644 });
      chmodSync(exports, 0o555);
      const data = join(site.dir, "agent-nobody");
      mkdirSync(data);
      writeFileSync(
        join(data, "agent.yaml"),
        `sources: [{ name: limited, path: ${exports}, settle: 100ms, rescan: 2s }]\n`,
      );
      const code = await site.command("agent", "invite", "--client", "demo");
      await ok("agent", ["enroll", "-", "--data", data], { stdin: code });
      execFileSync("chown", ["-R", "nobody", data]);
      const limited = launch("agent", ["run", "--data", data], {
        wrapper: ["setpriv", "--reuid=nobody", "--clear-groups", "--"],
      });
      try {
        await arrived("open.csv");
        await until(
          "the locked file is shown",
          async () => (await ok("agent", ["status", "--json", "--data", data])).includes("locked.csv"),
          { everyMs: 500 },
        );
        expect(await entriesOf("locked.csv")).toEqual([]);
        chownSync(join(exports, "locked.csv"), 65534, 65534);
        await arrived("locked.csv");
      } finally {
        await limited.stop();
        chmodSync(exports, 0o755);
      }
    },
  );

  test("5 GiB, in bounded memory", { timeout: 1_000_000 }, async () => {
    const size = 5 * 2 ** 30;
    const file = openSync(join(site.dir, "half-made-large"), "w");
    ftruncateSync(file, size);
    writeSync(file, "head", 0);
    writeSync(file, "tail", size - 4);
    closeSync(file);
    renameSync(join(site.dir, "half-made-large"), join(folder, "five-gib.bin"));
    // How fast is measured elsewhere: a slow machine may take its time here.
    const [entry] = await arrived("five-gib.bin", 1, 900_000);
    expect(entry?.size).toBe(size);
    expect(peakMemory(running.pid)).toBeLessThan(200 * MIB);
    expect(peakMemory(receiver.pid)).toBeLessThan(200 * MIB);
    rmSync(join(folder, "five-gib.bin"));
  });

  test("a folder renamed while it is scanned, and 50,000 files in one folder", {
    timeout: 1_800_000,
  }, async () => {
    const many = join(site.dir, "many");
    mkdirSync(join(many, "one"), { recursive: true });
    for (let i = 0; i < 50_000; i += 1) writeFileSync(join(many, "one", `file-${i}`), String(i));
    agent.configure(settings([{ name: "many", path: many, settle: "100ms", rescan: "20s" }]));
    await new Promise((resolve) => setTimeout(resolve, 6500));
    renameSync(join(many, "one"), join(many, "two"));
    const before = deliveries(agent.data);
    await until("the receipts", () => deliveries(agent.data) >= before + 40_000, {
      withinMs: 1_200_000,
      everyMs: 2000,
    }).catch(explain);
    await until(
      "all under their new name",
      async () => {
        const latest = await site.history("--client", "demo", "--source", "many", "--latest");
        const under = latest.filter((e) => e.path.startsWith("two/"));
        return under.length === 50_000 && latest.length === 50_000;
      },
      { withinMs: 400_000, everyMs: 10_000 },
    ).catch(explain);
    agent.configure(settings());
    expect(running.exited()).toBe(false);
  });

  test("curl -T from a file, and from a pipe of unknown length", async () => {
    const key = await site.command("key", "add", "--client", "demo");
    const curl = async (...args: string[]): Promise<{ answer: string; status: string }> => {
      const child = spawn("curl", [
        "-sS",
        "--cacert",
        site.ca,
        "-H",
        `Authorization: Bearer ${key}`,
        "-w",
        "\n%{http_code}",
        ...args,
      ]);
      child.stdin.on("error", () => {});
      child.stdin.end("from a pipe");
      let text = "";
      child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
      await new Promise((resolve) => child.once("close", resolve));
      const at = text.lastIndexOf("\n");
      return { answer: text.slice(0, at), status: text.slice(at + 1) };
    };
    const piped = await curl("-T", "-", `${site.url}/v1/files/api/piped.txt`);
    expect(piped.status, piped.answer).toBe("201");
    expect(JSON.parse(piped.answer)).toMatchObject({
      size: 11,
      sha256: sha256("from a pipe"),
      path: "piped.txt",
    });
    writeFileSync(join(site.dir, "up load.csv"), "1;2");
    const file = await curl("-T", join(site.dir, "up load.csv"), `${site.url}/v1/files/api/up%20load.csv`);
    expect(file.status, file.answer).toBe("201");
    expect(
      (await curl("-T", join(site.dir, "up load.csv"), `${site.url}/v1/files/api/up%20load.csv`)).status,
    ).toBe("200");
  });

  test.skipIf(process.getuid?.() !== 0)(
    "the agent's disk full for a while: visible, and nothing is lost",
    { timeout: 120_000 },
    async () => {
      const { launch, ok } = await import("../site/process.ts");
      const disk = join(site.dir, "small-disk");
      mkdirSync(disk);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=12m", "tmpfs", disk]);
      const data = join(disk, "agent");
      const files = join(site.dir, "disk-files");
      mkdirSync(data);
      mkdirSync(files);
      writeFileSync(
        join(data, "agent.yaml"),
        `sources: [{ name: disk, path: ${files}, settle: 100ms, rescan: 2s }]\n`,
      );
      await ok("agent", ["enroll", "-", "--data", data], {
        stdin: await site.command("agent", "invite", "--client", "demo"),
      });
      const cramped = launch("agent", ["run", "--data", data]);
      try {
        writeFileSync(join(files, "before.txt"), "before");
        await arrived("before.txt");
        try {
          appendFileSync(join(disk, "filler"), Buffer.alloc(12 * MIB));
        } catch {
          // Full is what was wanted.
        }
        for (let i = 0; i < 300; i += 1) writeFileSync(join(files, `during-${i}.txt`), `during ${i}`);
        await new Promise((resolve) => setTimeout(resolve, 5000));
        rmSync(join(disk, "filler"));
        for (let i = 0; i < 300; i += 60) await arrived(`during-${i}.txt`, 1, 60_000);
        expect(await site.history("--client", "demo", "--source", "disk", "--latest")).toHaveLength(301);
      } finally {
        await cramped.stop();
        execFileSync("umount", [disk]);
      }
    },
  );

  test("everything still verifies", { timeout: 200_000 }, async () => {
    await site.command("verify");
    expect(readFileSync(site.ca, "utf8")).toMatch(/BEGIN CERTIFICATE/);
  });
});
