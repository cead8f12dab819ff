/** Every command either only reads, or leaves a record of what it did: a new one cannot forget it. */
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { parseCode } from "@tributary/shared/code.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import type { Command } from "commander";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Act, type AuditLine, listAudit } from "../audit/audit.ts";
import { readSite, type SiteOptions } from "../config.ts";
import { redeem } from "../identity/invitations.ts";
import { openKeys } from "../identity/keys.ts";
import { testHost } from "../identity/scene.ts";
import { memoryLake } from "../lake/memory.ts";
import { createLedger } from "../ledger/commit.ts";
import { sign, version } from "../ledger/samples.ts";
import { createSegments } from "../ledger/segments.ts";
import { openSqlite } from "../ledger/sqlite.ts";
import { accept } from "../people/invitations.ts";
import type { OpenSite, SiteLedger } from "../site.ts";
import { ManifestTail, unwrittenSegmentsOf } from "../tail/manifest.ts";
import { createProgram, type ReceiverCommands } from "./program.ts";

/** They change nothing that is anybody's; the reason where that is not plain. */
const READING: Readonly<Record<string, string>> = {
  "agent list": "",
  audit: "",
  "client list": "",
  history: "",
  "key list": "",
  "person list": "",
  "person sessions": "",
  "quarantine list": "",
  serve: "what is done at its doors leaves records of its own",
  "sftp list": "",
  verify: "",
  "webhook list": "",
};

/** Runs a command, and gives the first line of its output. */
type Run = (...args: string[]) => Promise<string>;

interface Step {
  readonly act: Act;
  /** Of a deed that is more than one transaction: it is recorded before, too. */
  readonly asked?: true;
  readonly does: (run: Run, site: Site) => Promise<unknown>;
}

/** What a later command needs of an earlier one. */
interface Site {
  readonly dir: string;
  agent: string;
  key: string;
  webhook: string;
  held: readonly [string, string];
}

const act = (act: Act, does: Step["does"]): Step => ({ act, does });
const site = (act: Act, does: Step["does"]): Step => ({ act, asked: true, does });

/** In an order in which each finds what it needs. */
const STEPS: Readonly<Record<string, Step>> = {
  "client add": act("client.add", (run) => run("client", "add", "acme")),
  "client suspend": act("client.suspend", (run) => run("client", "suspend", "acme")),
  "client resume": act("client.resume", (run) => run("client", "resume", "acme")),
  "client quota": act("client.quota", (run) => run("client", "quota", "acme", "--day", "1GB")),
  "client limit": act("client.limit", (run) => run("client", "limit", "acme", "--uploads", "3")),
  "agent invite": act("agent.invite", async (run, it) => {
    const { secret } = parseCode(await run("agent", "invite", "--client", "acme"));
    await inLedger(it, async ({ db }) => {
      it.agent = (await redeem(db, testHost().enrolment(secret))).agentId;
    });
  }),
  "agent limit": act("agent.limit", (run, it) => run("agent", "limit", it.agent, "--day", "1GB")),
  "agent pause": act("agent.pause", (run, it) => run("agent", "pause", it.agent)),
  "agent resume": act("agent.resume", (run, it) => run("agent", "resume", it.agent)),
  "agent scan": act("agent.scan", (run, it) => answered(it, run("agent", "scan", it.agent))),
  "agent diagnostics": act("agent.diagnostics", (run, it) =>
    answered(it, run("agent", "diagnostics", it.agent)),
  ),
  "agent revoke": act("agent.revoke", (run, it) => run("agent", "revoke", it.agent)),
  "key add": act("key.add", async (run, it) => {
    it.key = (await run("key", "add", "--client", "acme")).split("_")[1] as string;
  }),
  "key limit": act("key.limit", (run, it) => run("key", "limit", it.key, "--uploads", "3")),
  "key revoke": act("key.revoke", (run, it) => run("key", "revoke", it.key)),
  "sftp add": act("sftp.add", (run, it) =>
    run("sftp", "add", "--client", "acme", "--user", "acme-ftp", "--public-key", publicKey(it, "one")),
  ),
  "sftp limit": act("sftp.limit", (run) => run("sftp", "limit", "acme-ftp", "--day", "1GB")),
  "sftp key add": act("sftp.credentials", (run, it) =>
    run("sftp", "key", "add", "acme-ftp", "--public-key", publicKey(it, "two")),
  ),
  "sftp key remove": act("sftp.credentials", async (run) => {
    const [fingerprint = ""] = /SHA256:[^"\s,]+/.exec(await run("sftp", "list", "--json")) ?? [];
    await run("sftp", "key", "remove", "acme-ftp", fingerprint);
  }),
  "sftp password": act("sftp.credentials", (run) => run("sftp", "password", "acme-ftp", "--none")),
  "sftp host-key": site("sftp.host-key", (run) => run("sftp", "host-key", "--replace")),
  "sftp revoke": act("sftp.revoke", (run) => run("sftp", "revoke", "acme-ftp")),
  "webhook add": act("webhook.add", async (run, it) => {
    await run("webhook", "add", "https://198.51.100.1/arrivals");
    const [, id = ""] = /"id":"([0-9a-f]+)"/.exec(await run("webhook", "list", "--json")) ?? [];
    it.webhook = id;
  }),
  "webhook replay": act("webhook.replay", (run, it) => run("webhook", "replay", it.webhook, "--dead")),
  "webhook revoke": act("webhook.revoke", (run, it) => run("webhook", "revoke", it.webhook)),
  "person invite": act("person.invite", (run, it) => comes(run, it, "ada@example.com")),
  "person role": act("person.role", async (run, it) => {
    await comes(run, it, "bob@example.com");
    await run("person", "role", "bob@example.com", "viewer");
  }),
  "person disable": act("person.disable", (run) => run("person", "disable", "bob@example.com")),
  "person enable": act("person.enable", (run) => run("person", "enable", "bob@example.com")),
  "person reset": act("person.reset", (run) => run("person", "reset", "bob@example.com")),
  "person sign-out": act("person.sign-out", (run) => run("person", "sign-out", "bob@example.com")),
  "quarantine release": site("quarantine.release", (run, it) =>
    run("quarantine", "release", it.held[0], "--reason", "a false alarm"),
  ),
  "quarantine delete": site("quarantine.delete", (run, it) =>
    run("quarantine", "delete", it.held[1], "--reason", "it is one"),
  ),
  "authority next": site("site.authority", (run) => run("authority", "next")),
  "authority switch": site("site.authority", (run) => run("authority", "switch", "--force")),
  "authority public": site("site.authority", (run) => run("authority", "public")),
  "receipts rotate": site("site.receipts", (run) => run("receipts", "rotate")),
  diagnostics: act("site.diagnostics", (run, { dir }) => run("diagnostics", "--out", join(dir, "bundle.gz"))),
  get: act("file.download", async (run, it) => run("get", await keep(it), "--out", join(it.dir, "kept"))),
  sweep: site("site.sweep", (run) => run("sweep")),
  "client offboard": act("client.offboard", (run) => run("client", "offboard", "acme", "--yes")),
  rebuild: site("site.rebuild", (run) => run("rebuild", "--merge")),
  backup: site("site.backup", (run, { dir }) => run("backup", join(dir, "backup"))),
  restore: site("site.restore", (run, { dir }) => {
    for (const end of ["", "-wal", "-shm", ".lock"])
      rmSync(join(dir, `ledger.sqlite${end}`), { force: true });
    return run("restore", join(dir, "backup"));
  }),
};

/** Words of all commands that do something. */
function leaves(command: Command, words: readonly string[] = []): string[] {
  const own = command.commands.filter((one) => one.name() !== "help");
  if (own.length === 0) return [words.join(" ")];
  return own.flatMap((one) => leaves(one, [...words, one.name()]));
}

const lake = memoryLake();

async function openLedger(options: SiteOptions): Promise<SiteLedger> {
  const read = readSite(options);
  const database = await openSqlite(resolve(read.data, "ledger.sqlite"));
  return { ...read, database, close: () => database.close() };
}

async function open(options: SiteOptions): Promise<OpenSite> {
  const opened = await openLedger(options);
  const siteKeys = await openKeys({ db: opened.database.db, folder: opened.keys, hosts: ["localhost"] });
  const close = async (): Promise<void> => {
    siteKeys.close();
    await opened.close();
  };
  return { ...opened, siteKeys, lake, close };
}

const parts: ReceiverCommands = {
  ...{ open, openLedger },
  serve: () => expect.fail("served"),
  sweep: async () => ({ uploads: 1, multiparts: 0, objects: 2, skipped: 0 }),
  release: async (_site, versionId) =>
    ({ status: "committed", client: "acme", source: "pos", path: "a", versionId }) as never,
  discard: async () =>
    ({ file: { client: "acme", source: "pos", path: "a", size: 1 }, before: false }) as never,
};

async function inLedger<T>({ dir }: Pick<Site, "dir">, work: (at: SiteLedger["database"]) => Promise<T>) {
  const { database, close } = await openLedger({ data: dir });
  try {
    return await work(database);
  } finally {
    await close();
  }
}

const records = ({ dir }: Site): Promise<readonly AuditLine[]> =>
  inLedger({ dir }, async ({ db }) => (await listAudit(db, { limit: 200 })).toReversed());

/** Plays the agent: whatever it is asked, it has done. */
async function answered(it: Site, running: Promise<unknown>): Promise<void> {
  const waiting = async (): Promise<boolean> =>
    await inLedger(it, async ({ db }) => {
      const asked = await db
        .selectFrom("agent_commands")
        .selectAll()
        .where("done_at", "is", null)
        .executeTakeFirst();
      if (asked === undefined) return false;
      const body = gzipSync('{"a":1}');
      const bundle = { id: uuidv7(), agent_id: it.agent, command_id: asked.id, created_at: Date.now() };
      await db
        .insertInto("agent_diagnostics")
        .values({ ...bundle, size: body.length, body: body.toString("base64") })
        .execute();
      const outcome = JSON.stringify({ ok: true, detail: "done" });
      await db
        .updateTable("agent_commands")
        .set({ sent_at: Date.now(), done_at: Date.now(), outcome })
        .where("id", "=", asked.id)
        .execute();
      return true;
    });
  running.catch(() => {});
  await expect.poll(waiting).toBe(true);
  await running;
}

/** An ssh-ed25519 key in a file (RFC 8709, 4). */
function publicKey({ dir }: Site, name: string): string {
  const { x = "" } = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
  const field = (bytes: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const blob = Buffer.concat([field(Buffer.from("ssh-ed25519")), field(Buffer.from(x, "base64url"))]);
  const file = join(dir, `${name}.pub`);
  writeFileSync(file, `ssh-ed25519 ${blob.toString("base64")} ${name}\n`);
  return file;
}

/** A version whose bytes are there; its id. */
async function keep({ dir }: Site): Promise<string> {
  const kept = version("kept", "kept");
  await inLedger({ dir }, async (database) => {
    const { segment } = await createLedger(database).commit([kept], sign);
    const tail = new ManifestTail(lake, createSegments(database), unwrittenSegmentsOf(database.db));
    if (segment) await tail.write(segment);
    await tail.flush();
  });
  lake.objects.set(String(kept.key), Buffer.from("kept"));
  return kept.versionId;
}

async function comes(run: Run, it: Site, email: string): Promise<void> {
  const link = await run("person", "invite", "--email", email, "--role", "admin", "--name", "X");
  const given = { secret: link.split("#")[1] as string, password: "correct horse battery" };
  await inLedger(it, ({ db }) => accept(db, given));
}

/** Its output and what it says are kept from the report of the tests. */
async function runIn(dir: string, args: readonly string[]): Promise<string> {
  const real = { stdout: process.stdout.write, stderr: process.stderr.write };
  let out = "";
  for (const stream of ["stdout", "stderr"] as const)
    process[stream].write = ((chunk: string | Buffer, ...rest: unknown[]) => {
      if (stream === "stdout") out += chunk.toString();
      const done = rest.find((one) => typeof one === "function") as (() => void) | undefined;
      done?.();
      return true;
    }) as typeof process.stdout.write;
  try {
    await createProgram(parts).parseAsync([...args, "--data", dir], { from: "user" });
    return out.trim();
  } finally {
    for (const stream of ["stdout", "stderr"] as const) process[stream].write = real[stream];
    process.exitCode = undefined;
  }
}

async function newSite(): Promise<{ it: Site; run: Run }> {
  const dir = mkdtempSync(join(tmpdir(), "tributary-recorded-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(
    join(dir, "receiver.yaml"),
    "console: { url: https://console.example.com }\nwebhooks: { allow: [198.51.100.1] }\n",
  );
  mkdirSync(join(dir, "lake"));
  await (await open({ data: dir })).close();
  const held = [1, 2].map((i) => version(`bad${i}`, "x", { finding: "Eicar" }));
  await inLedger({ dir }, async (database) => {
    await createLedger(database).commit(held, sign);
  });
  const ids = held.map(({ versionId }) => versionId) as [string, string];
  return {
    it: { dir, agent: "", key: "", webhook: "", held: ids },
    run: (...args) => runIn(dir, args),
  };
}

describe("every command", () => {
  test("either only reads, or has an act", () => {
    expect(leaves(createProgram(parts)).toSorted()).toEqual(
      [...Object.keys(READING), ...Object.keys(STEPS)].toSorted(),
    );
  });

  test("leaves its record, by whom it was called, when it has succeeded", { timeout: 60_000 }, async () => {
    const { it, run } = await newSite();
    for (const [words, { act, asked, does }] of Object.entries(STEPS)) {
      const before = new Set(words === "restore" ? [] : (await records(it)).map(({ id }) => id));
      await does(run, it);
      const made = (await records(it)).filter(({ id }) => !before.has(id));
      const left = made.filter((line) => line.act === act).map(({ outcome }) => outcome);
      const wanted = asked ? ["asked", "done"] : ["done"];
      expect([words, left.slice(-wanted.length)]).toEqual([words, wanted]);
      expect([words, made.at(-1)]).toMatchObject([words, { act, who: { kind: "command" } }]);
      expect(made.at(-1)?.who.name).not.toBe("");
    }
  });

  test("that only reads leaves none, and neither does one that failed", { timeout: 60_000 }, async () => {
    const { it, run } = await newSite();
    await run("client", "add", "acme");
    await comes(run, it, "ada@example.com");
    const kept = await keep(it);
    const before = await records(it);
    const asks: Readonly<Record<string, readonly string[]>> = {
      serve: [],
      "person sessions": ["ada@example.com"],
    };
    for (const words of Object.keys(READING)) {
      if (words === "serve") continue;
      await run(...words.split(" "), ...(asks[words] ?? []));
    }
    await run("client", "quota", "acme");
    await run("client", "offboard", "acme");
    for (const key of lake.objects.keys()) if (key.startsWith("raw/")) lake.objects.delete(key);
    await expect(run("get", kept)).rejects.toMatchObject({ code: "lake-unavailable" });
    await expect(run("client", "suspend", "nobody")).rejects.toMatchObject({ code: "not-found" });
    await expect(run("key", "add", "--client", "nobody")).rejects.toMatchObject({ code: "not-found" });
    await expect(run("person", "disable", "ada@example.com")).rejects.toMatchObject({ code: "last-admin" });
    expect(await records(it)).toEqual(before);
  });
});

describe("audit", () => {
  test("lists who did what, newest first, with what it was before and after", async () => {
    const { run } = await newSite();
    await run("client", "add", "acme");
    await run("client", "add", "other");
    await run("client", "suspend", "acme");
    const all = (await run("audit", "--json")).split("\n").map((line) => JSON.parse(line) as AuditLine);
    expect(all.map(({ act, client }) => `${act} ${client}`)).toEqual([
      ...["client.suspend acme", "client.add other", "client.add acme"],
    ]);
    expect(all[0]).toMatchObject({
      ...{ outcome: "done", subject: { kind: "client", id: "acme" }, before: { suspendedAt: null } },
      after: { suspendedAt: expect.stringContaining("Z") },
    });
    expect((await run("audit", "--json", "--client", "other")).split("\n")).toHaveLength(1);
    expect((await run("audit", "--json", "--act", "client.add")).split("\n")).toHaveLength(2);
    expect(await run("audit", "--json", "--act", "key.add")).toBe("");
    const table = await run("audit");
    expect(table.split("\n")[0]).toMatch(/AT +WHO +ACT +OUTCOME +SUBJECT +CLIENT +BEFORE +AFTER/);
    expect(table).toMatch(/client\.suspend +done +client acme +acme +\{"suspendedAt":null/);
  });

  test("lists more than one page of it", async () => {
    const { it, run } = await newSite();
    await inLedger(it, async ({ db }) => {
      for (let page = 0; page < 11; page += 1)
        await db
          .insertInto("audit")
          .values(
            Array.from({ length: 50 }, () => ({
              ...{ id: uuidv7(), at: Date.now(), who_kind: "command", who: "x", who_name: "x" },
              ...{ address: null, request_id: null, act: "key.add", outcome: "done" as const },
              ...{ subject_kind: "key", subject: "k", client: null, before: null, after: null },
            })),
          )
          .execute();
    });
    const ids = (await run("audit", "--json")).split("\n").map((line) => (JSON.parse(line) as AuditLine).id);
    expect(new Set(ids).size).toBe(550);
    expect(ids).toEqual(ids.toSorted().toReversed());
  });
});
