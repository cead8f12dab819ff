/** The receiver's commands over a real ledger file and a lake in memory that can be made to rot. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseCode } from "@tributary/shared/code.ts";
import type { Entry } from "@tributary/shared/protocol.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readSite, type SiteOptions } from "../config.ts";
import { openKeys } from "../identity/keys.ts";
import { type MemoryLake, memoryLake } from "../lake/memory.ts";
import { createLedger } from "../ledger/commit.ts";
import type { Capture } from "../ledger/ledger.ts";
import { removal, sign, version } from "../ledger/samples.ts";
import { createSegments } from "../ledger/segments.ts";
import { openSqlite } from "../ledger/sqlite.ts";
import { accept } from "../people/invitations.ts";
import type { OpenSite, SiteLedger } from "../site.ts";
import { ManifestTail, unwrittenSegmentsOf } from "../tail/manifest.ts";
import { createProgram } from "./program.ts";

let dir: string;
let lake: MemoryLake;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tributary-commands-"));
  lake = memoryLake();
  process.exitCode = undefined;
});
afterEach(() => {
  process.exitCode = undefined;
  rmSync(dir, { recursive: true, force: true });
});

async function openLedger(options: SiteOptions): Promise<SiteLedger> {
  const site = readSite(options);
  const database = await openSqlite(resolve(site.data, "ledger.sqlite"));
  return { ...site, database, close: () => database.close() };
}

async function open(options: SiteOptions): Promise<OpenSite> {
  const site = await openLedger(options);
  const siteKeys = await openKeys({ db: site.database.db, folder: site.keys, hosts: ["localhost"] });
  const close = async (): Promise<void> => {
    siteKeys.close();
    await site.close();
  };
  return { ...site, siteKeys, lake, close };
}

interface Ran {
  readonly out: Buffer;
  /** What was said to people. */
  readonly err: string;
  readonly code: string | number | null | undefined;
}

/** Runs a command of the program in this process; its output and exit code. */
async function run(...args: string[]): Promise<Ran> {
  const program = createProgram({
    open,
    openLedger,
    serve: async () => 0,
    sweep: () => expect.fail("swept"),
    release: () => expect.fail("released"),
    discard: () => expect.fail("discarded"),
  });
  const caught = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const real = { stdout: process.stdout.write, stderr: process.stderr.write };
  for (const stream of ["stdout", "stderr"] as const)
    process[stream].write = ((chunk: string | Buffer, ...rest: unknown[]) => {
      caught[stream].push(Buffer.from(chunk));
      const done = rest.find((one) => typeof one === "function") as (() => void) | undefined;
      done?.();
      return true;
    }) as typeof process.stdout.write;
  try {
    await program.parseAsync([...args, "--data", dir], { from: "user" });
    const [out, err] = [Buffer.concat(caught.stdout), Buffer.concat(caught.stderr).toString()];
    return { out, err, code: process.exitCode };
  } finally {
    for (const stream of ["stdout", "stderr"] as const) process[stream].write = real[stream];
  }
}

const text = async (...args: string[]): Promise<string> => (await run(...args)).out.toString().trim();
const entries = async (...args: string[]): Promise<Entry[]> =>
  (await text("history", "--json", ...args))
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Entry);

/** One commit as ingest makes it: bytes, rows, manifest. */
async function deliver(...parts: (readonly [Capture, string?])[]): Promise<void> {
  const { database, close } = await openLedger({ data: dir });
  for (const [capture, content] of parts) {
    if (capture.kind !== "version") continue;
    const staged = await lake.stage([Buffer.from(content ?? "")] as unknown as AsyncIterable<Uint8Array>);
    await lake.publish(staged, capture.key as string, {});
  }
  const { segment } = await createLedger(database).commit(
    parts.map(([capture]) => capture),
    sign,
  );
  const tail = new ManifestTail(lake, createSegments(database), unwrittenSegmentsOf(database.db));
  if (segment) await tail.write(segment);
  await tail.flush();
  await close();
}

const put = (path: string, content: string, more = {}): readonly [Capture, string] => [
  version(path, content, more),
  content,
];

describe("clients, agents, keys", () => {
  test.for([
    ["agent", "list"],
    ["agent", "revoke", "x"],
    ["key", "list"],
    ["key", "add", "--client", "x"],
    ["webhook", "list"],
    ["webhook", "add", "https://127.0.0.1/"],
    ["client", "list"],
    ["client", "suspend", "x"],
    ["agent", "invite", "--client", "x"],
    ["authority", "next"],
    ["authority", "switch"],
    ["authority", "public"],
    ["receipts", "rotate"],
    ["history"],
    ["get", "x"],
    ["verify"],
    ["sweep"],
    ["backup", "x"],
  ])("%s %s where no site is makes none", async (args) => {
    await expect(run(...args)).rejects.toThrow(/holds no site.*--data.*--config/);
    expect(readdirSync(dir)).toEqual([]);
  });

  test("a database that was never begun holds no site either", async () => {
    // What main.ts opens for it is a ledger like any other; only its emptiness tells.
    writeFileSync(join(dir, "receiver.yaml"), "ledger: { kind: postgres, url: postgres://ledger/empty }\n");
    await expect(run("authority", "next")).rejects.toThrow(/PostgreSQL database .* holds no site/);
    expect(existsSync(join(dir, "keys"))).toBe(false);
    await run("client", "add", "acme");
    await run("agent", "invite", "--client", "acme");
    expect(existsSync(join(dir, "keys"))).toBe(true);
  });

  test("a client's life", async () => {
    await run("client", "add", "acme");
    await expect(run("client", "add", "acme")).rejects.toThrow(/already/);
    await expect(run("client", "add", "Not A Slug")).rejects.toMatchObject({ code: "usage" });
    await run("client", "suspend", "acme");
    expect(JSON.parse(await text("client", "list", "--json"))).toMatchObject({
      name: "acme",
      suspended: true,
    });
    await run("client", "resume", "acme");
    await run("client", "quota", "acme", "--day", "1GiB", "--file", "20MB");
    expect(JSON.parse(await text("client", "list", "--json"))).toMatchObject({
      suspended: false,
      quotas: { stored: null, day: 2 ** 30, file: 20e6 },
    });
    await run("client", "quota", "acme", "--day", "default");
    expect(JSON.parse(await text("client", "list", "--json")).quotas).toMatchObject({
      day: null,
      file: 20e6,
    });
    await expect(run("client", "quota", "acme", "--day", "much")).rejects.toThrow(/--day "much"/);
    await expect(run("client", "suspend", "nobody")).rejects.toThrow(/client list/);
  });

  test("a webhook's life", async () => {
    await run("client", "add", "acme");
    const add = (...args: string[]) => run("webhook", "add", ...args);
    await expect(add("hooks.example.com")).rejects.toThrow(/"hooks.example.com" is no address.*https:/);
    await expect(add("ftp://hooks.example.com/")).rejects.toThrow(/is no address/);
    await expect(add("https://me:secret@127.0.0.1/")).rejects.toThrow(/user or a password/);
    await expect(add("https://10.1.2.3/in")).rejects.toThrow(
      "10.1.2.3 is a private address; allow it with webhooks: { allow: [10.1.2.3] } in receiver.yaml",
    );
    await expect(add("https://localhost/in")).rejects.toThrow(
      /localhost has the address .*loopback address; allow/,
    );
    await expect(add("https://no-such-host.invalid/")).rejects.toThrow(/cannot be resolved/);
    expect(await text("webhook", "list", "--json")).toBe("");
    writeFileSync(join(dir, "receiver.yaml"), "webhooks: { allow: [127.0.0.0/8] }\n");
    await expect(add("http://127.0.0.1/in", "--client", "nobody")).rejects.toThrow(/client add nobody/);
    const added = await add(
      "http://127.0.0.1:9/in",
      "--client",
      "acme",
      "--source",
      "pos",
      "--name",
      "loader",
    );
    expect(added.out.toString()).toMatch(/^whsec_[A-Za-z0-9+/]{43}=\n$/);
    expect(added.err).toMatch(/shown only now/);
    const [hook] = (await text("webhook", "list", "--json")).split("\n").map((line) => JSON.parse(line));
    expect(hook).toMatchObject({
      ...{ url: "http://127.0.0.1:9/in", client: "acme", source: "pos", name: "loader", state: "active" },
      ...{ lag: 0, waiting: 0, dead: 0, lastSuccessAt: null, lastFailure: null },
    });
    expect(JSON.stringify(hook)).not.toContain("whsec");
    const ledger = readFileSync(join(dir, "ledger.sqlite")).toString("latin1");
    expect(ledger).not.toContain(added.out.toString().trim().slice(6));
    expect(await text("webhook", "list", "--dead")).toBe("");
    await expect(run("webhook", "replay", hook.id, "--from", "soon")).rejects.toMatchObject({
      code: "cursor-invalid",
    });
    await expect(run("webhook", "replay", hook.id, "--dead", "x")).rejects.toThrow(/webhook list --dead/);
    expect((await run("webhook", "replay", hook.id, "--from", "beginning", "--dead")).err).toMatch(
      /0 dead letters/,
    );
    await run("webhook", "revoke", hook.id);
    expect(JSON.parse(await text("webhook", "list", "--json"))).toMatchObject({
      id: hook.id,
      state: "revoked",
    });
    await expect(run("webhook", "revoke", "x")).rejects.toThrow(/webhook list/);
  });

  test.for(["10.0.0.0/33", "a b", "10.0.0.0/8/8", "http://a", "300.1.1.1", "fe80::1%eth0"])(
    "webhooks.allow takes no %s",
    async (place) => {
      writeFileSync(join(dir, "receiver.yaml"), `webhooks: { allow: ["${place}"] }\n`);
      await expect(run("client", "add", "acme")).rejects.toThrow(/webhooks.allow.0: expected a host/);
    },
  );

  test("limits of a client and of a key: set, shown, taken back", async () => {
    await run("client", "add", "acme");
    await run("client", "limit", "acme", "--requests", "600", "--uploads", "20");
    expect(JSON.parse(await text("client", "list", "--json")).limits).toEqual({
      requests: "600/m",
      uploads: 20,
    });
    expect(await text("client", "list")).toContain("requests 600/m, uploads 20");
    await run("client", "limit", "acme", "--requests", "default");
    expect(await text("client", "limit", "acme")).toMatch(/acme\s+uploads 20$/);
    const added = ["key", "add", "--client", "acme", "--requests", "10/s", "--largest", "1MiB"];
    const id = (await text(...added)).split("_")[1] as string;
    await run("key", "limit", id, "--day", "5GB", "--uploads", "2");
    expect(JSON.parse(await text("key", "list", "--json"))).toMatchObject({
      limits: { requests: "10/s", uploads: 2, day: 5e9, file: 2 ** 20 },
      dayBytes: 0,
    });
    expect(await text("key", "limit", id, "--requests", "default")).toContain("uploads 2, day 5.0 GB");
    await expect(run("key", "limit", id, "--requests", "often")).rejects.toThrow(
      /600\/m or 10\/s, or default/,
    );
    await expect(run("key", "limit", id, "--uploads", "0")).rejects.toMatchObject({ code: "usage" });
    await expect(run("key", "limit", "nobody", "--uploads", "1")).rejects.toThrow(/key list/);
    await expect(run("agent", "limit", id, "--uploads", "1")).rejects.toThrow(/agent list/);
    await expect(run("client", "limit", "nobody", "--uploads", "1")).rejects.toThrow(/client list/);
  });

  test("the code of an invitation is alone on standard output", async () => {
    await run("client", "add", "acme");
    const code = await text("agent", "invite", "--client", "acme", "--expires", "1h");
    expect(parseCode(code)).toMatchObject({ url: "https://127.0.0.1:8443" });
    await expect(run("agent", "invite", "--client", "nobody")).rejects.toThrow(/client add nobody/);
    await expect(run("agent", "invite")).rejects.toMatchObject({ code: "usage" });
    await expect(run("agent", "invite", "--client", "acme", "--expires", "soon")).rejects.toThrow(/24h/);
  });

  test("an invitation carries publicUrl, and no address that nobody can reach", async () => {
    await run("client", "add", "acme");
    const invite = () => text("agent", "invite", "--client", "acme");
    writeFileSync(join(dir, "receiver.yaml"), "publicUrl: https://receiver.example.com\n");
    expect(parseCode(await invite()).url).toBe("https://receiver.example.com");
    writeFileSync(join(dir, "receiver.yaml"), 'listen: { ingest: "0.0.0.0:8443" }\n');
    expect(parseCode(await invite()).url).not.toContain("0.0.0.0");
    writeFileSync(join(dir, "receiver.yaml"), 'listen: { ingest: "127.0.0.1:0" }\n');
    await expect(invite()).rejects.toThrow(/port 0/);
  });

  test("the line of --install is alone on standard output, and without packages no code is made", async () => {
    await run("client", "add", "acme");
    const invite = (system: string) =>
      run("agent", "invite", "--client", "acme", "--install", system).then(({ out, err }) => ({
        out: out.toString(),
        err,
      }));
    await expect(invite("linux")).rejects.toThrow(
      /no tributary-agent_VERSION_amd64.deb or .* in .*install; put/,
    );
    await expect(invite("mac")).rejects.toMatchObject({ code: "usage" });
    const { database, close } = await openLedger({ data: dir });
    expect(await database.db.selectFrom("invitations").selectAll().execute()).toEqual([]);
    await close();

    mkdirSync(join(dir, "install"));
    writeFileSync(join(dir, "install", "tributary-agent_0.1.0_amd64.deb"), "deb");
    writeFileSync(join(dir, "install", "tributary-agent-0.1.0-x64.msi"), "msi");
    writeFileSync(join(dir, "receiver.yaml"), "publicUrl: https://Receiver.example.com:8443/\n");
    const linux = await invite("linux");
    expect(linux.out).toMatch(
      /^u='https:\/\/receiver.example.com:8443\/install';.* "[0-9a-f]{64} {2}-" .*;echo trb1_[\w-]+\|sh -c "\$s" tributary "\$u" -k\n$/,
    );
    expect(linux.out.length).toBeLessThan(1000);
    expect(linux.err).toContain("not for hosts that need tributary-agent-VERSION-1.x86_64.rpm");
    const windows = await invite("windows");
    expect(windows.out).toMatch(/^.*'https:\/\/receiver.example.com:8443\/install\/'.* -Code trb1_[\w-]+\n$/);
    expect(windows.err).not.toContain("not for");
  });

  test("a key is shown once and can be taken back", async () => {
    await run("client", "add", "acme");
    const key = await text("key", "add", "--client", "acme", "--scope", "write,read", "--source", "pos");
    expect(key).toMatch(/^trbk_[0-9a-f]{16}_\S+$/);
    const id = key.split("_")[1] as string;
    expect(JSON.parse(await text("key", "list", "--json"))).toMatchObject({
      id,
      source: "pos",
      revokedAt: null,
    });
    await run("key", "revoke", id);
    expect(JSON.parse(await text("key", "list", "--json")).revokedAt).not.toBeNull();
    await expect(run("key", "add", "--client", "acme", "--scope", "all")).rejects.toThrow(
      /write, read, remove/,
    );
  });

  test("authority and receipt key move", async () => {
    await run("client", "add", "acme");
    await expect(run("authority", "switch")).rejects.toThrow(/authority next/);
    const next = await text("authority", "next");
    expect(next).toMatch(/^[0-9a-f]{64}$/);
    expect(await text("authority", "next")).toBe(next);
    expect(await text("authority", "switch")).toBe(next);
    expect(await text("receipts", "rotate")).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });
});

describe("history and get", () => {
  beforeEach(async () => {
    await run("client", "add", "acme");
    await run("client", "add", "other");
    await deliver(put("a.csv", "one"));
    await deliver(put("a.csv", "two"), put("a%3Db.csv", "odd name"));
    await deliver([removal("a.csv")], put("a.csv", "theirs", { client: "other" }));
  });

  test("entries in commit order, by client, source, exact path, latest", async () => {
    expect((await entries()).map(({ client, kind, path }) => [client, kind, path])).toEqual([
      ["acme", "version", "a.csv"],
      ["acme", "version", "a.csv"],
      ["acme", "version", "a=b.csv"],
      ["acme", "removal", "a.csv"],
      ["other", "version", "a.csv"],
    ]);
    expect(await entries("--client", "acme", "--path", "a.csv")).toHaveLength(3);
    expect(await entries("--path", "a")).toHaveLength(0);
    expect(await entries("--path", "a=b.csv")).toHaveLength(1);
    expect(await entries("--path-encoded", "a%3Db.csv")).toHaveLength(1);
    expect((await entries("--latest", "--client", "acme")).map(({ path }) => path)).toEqual(["a=b.csv"]);
    expect(await entries("--source", "none")).toHaveLength(0);
  });

  test("as of a time", async () => {
    const [first] = await entries();
    expect(await entries("--as-of", (first as Entry).receivedAt)).toHaveLength(1);
    expect(await entries("--as-of", "2020-01-01T00:00:00Z")).toHaveLength(0);
    await expect(run("history", "--as-of", "yesterday")).rejects.toMatchObject({ code: "usage" });
  });

  test("a mistyped client or folder is told, and makes nothing", async () => {
    await expect(run("history", "--client", "acmee")).rejects.toThrow(/no client "acmee"/);
    const elsewhere = join(dir, "elsewhere");
    const program = createProgram({
      open,
      openLedger,
      serve: async () => 0,
      sweep: () => expect.fail("swept"),
      release: () => expect.fail("released"),
      discard: () => expect.fail("discarded"),
    });
    await expect(program.parseAsync(["history", "--data", elsewhere], { from: "user" })).rejects.toThrow(
      /no site/,
    );
    expect(existsSync(elsewhere)).toBe(false);
  });

  test("byte for byte, to standard output and to a file that is never replaced unasked", async () => {
    const second = (await entries())[1] as Entry;
    expect((await run("get", second.versionId)).out.toString()).toBe("two");
    const file = join(dir, "out.csv");
    await run("get", second.versionId, "--out", file);
    expect(readFileSync(file, "utf8")).toBe("two");
    writeFileSync(file, "mine");
    await expect(run("get", second.versionId, "--out", file)).rejects.toThrow(/--force/);
    expect(readFileSync(file, "utf8")).toBe("mine");
    await run("get", second.versionId, "--out", file, "--force");
    expect(readFileSync(file, "utf8")).toBe("two");
  });

  test("what has no content, or other content than was received, fails", async () => {
    const [first, , , gone] = await entries();
    await expect(run("get", (gone as Entry).versionId)).rejects.toThrow(/removal: it has no content/);
    await expect(run("get", "01a2052c-0000-7000-8000-000000000000")).rejects.toThrow(/no version/);
    const { versionId, key } = first as Entry;
    lake.objects.set(key as string, Buffer.from("One"));
    const file = join(dir, "out.csv");
    await expect(run("get", versionId, "--out", file)).rejects.toMatchObject({ code: "digest-mismatch" });
    expect(existsSync(file)).toBe(false);
    lake.objects.delete(key as string);
    await expect(run("get", versionId)).rejects.toMatchObject({ code: "lake-unavailable" });
  });
});

describe("verify", () => {
  beforeEach(async () => {
    await run("client", "add", "acme");
    await run("client", "add", "other");
    await deliver(put("a.csv", "one"), put("b.csv", "two"));
    await deliver(put("c.csv", "three", { client: "other" }));
  });

  const object = (name: string): string =>
    [...lake.objects.keys()].find((key) => key.endsWith(name)) as string;
  const segments = (): string[] =>
    [...lake.objects.keys()].filter((key) => key.startsWith("manifest/")).sort();

  test("everything is as the ledger says", async () => {
    expect(await run("verify")).toMatchObject({ out: Buffer.alloc(0), code: undefined });
  });

  test.for<[string, () => unknown, RegExp]>([
    [
      "an altered object",
      () => lake.objects.set(object("a.csv"), Buffer.from("One")),
      /acme\/pos\/a\.csv: has the SHA-256/,
    ],
    [
      "a longer one",
      () => lake.objects.set(object("a.csv"), Buffer.from("one more")),
      /has 8 bytes, the ledger says 3/,
    ],
    ["a missing one", () => lake.objects.delete(object("b.csv")), /b\.csv: its object is missing/],
    [
      "a missing segment",
      () => lake.objects.delete(segments()[0] as string),
      /is missing in the lake, with 2 entries/,
    ],
    [
      "a segment that is no JSON",
      () => lake.objects.set(segments()[0] as string, Buffer.from("{oops\n")),
      /line 1 is no JSON/,
    ],
    [
      "a line that lacks",
      () => lake.objects.set(segments()[0] as string, Buffer.from(`${lines(segments()[0] as string)[0]}\n`)),
      /lacks the entry/,
    ],
    [
      "a line that lies",
      () =>
        lake.objects.set(
          segments()[0] as string,
          Buffer.from(
            lines(segments()[0] as string)
              .join("\n")
              .replace('"size":3', '"size":4'),
          ),
        ),
      /differs from the ledger in size/,
    ],
    [
      "a line that nobody knows",
      () =>
        lake.objects.set(
          "manifest/date=2026-01-31/01a2052c-0000-7000-8000-000000000000.jsonl",
          Buffer.from(strange()),
        ),
      /is not in the ledger/,
    ],
  ])("%s is one line, and exit code 1", async ([, rot, expected]) => {
    rot();
    const { out, code } = await run("verify");
    expect(code).toBe(1);
    const found = out.toString().trim().split("\n");
    expect(found.filter((line) => expected.test(line))).toHaveLength(1);
  });

  test("segments of other days count too, in the lake and in the ledger", async () => {
    const { database, close } = await openLedger({ data: dir });
    const [first, second] = segments() as [string, string];
    const moved = second.replace(/date=[^/]+/, "date=2020-02-29");
    lake.objects.set(moved, lake.objects.get(second) as Buffer);
    lake.objects.delete(second);
    const id = second.replace(/^.*\/|\.jsonl$/g, "");
    await database.db.updateTable("segments").set({ date: "2020-02-29" }).where("id", "=", id).execute();
    await close();
    expect((await run("verify")).code).toBeUndefined();
    for (const key of [moved, first]) lake.objects.delete(key);
    expect((await run("verify")).out.toString().trim().split("\n")).toEqual([
      `${moved}: is missing in the lake, with 1 entries`,
      `${first}: is missing in the lake, with 2 entries`,
    ]);
  });

  test("of one client looks at nothing of another", async () => {
    lake.objects.delete(object("c.csv"));
    expect((await run("verify", "--client", "acme")).code).toBeUndefined();
    expect((await run("verify", "--client", "other")).code).toBe(1);
    await expect(run("verify", "--client", "nobody")).rejects.toThrow(/no client/);
  });

  const lines = (key: string): string[] => (lake.objects.get(key) as Buffer).toString().trim().split("\n");
  const strange = (): string =>
    JSON.stringify({
      ...JSON.parse(lines(segments()[0] as string)[0] as string),
      versionId: "01a2052c-0000-7000-8000-000000000001",
      captureId: "x",
    });
});

describe("rebuild, backup, restore", () => {
  const forget = (): void => {
    for (const end of ["", "-wal", "-shm", ".lock"])
      rmSync(join(dir, `ledger.sqlite${end}`), { force: true });
  };

  beforeEach(async () => {
    await (await open({ data: dir })).close();
    mkdirSync(join(dir, "lake"));
  });

  test("a rebuild where no site is makes none", async () => {
    const remove = (name: string): void => rmSync(join(dir, name), { recursive: true });
    forget();
    await expect(run("rebuild")).rejects.toThrow(/no manifest.*--data.*--config/);
    forget();
    remove("lake");
    await expect(run("rebuild")).rejects.toThrow(/no lake .*lake.*--data/);
    remove("keys");
    await expect(run("rebuild")).rejects.toThrow(/no keys .*keys.*--data/);
    expect(readdirSync(dir)).toEqual([]);
  });

  test("a site without any entry is rebuilt to one", async () => {
    await run("client", "add", "acme");
    expect((await run("rebuild")).err).toMatch(/^0 entries restored/m);
  });

  test("a restore into a folder that is not there makes none", async () => {
    const file = join(dir, "backup");
    await run("backup", file);
    rmSync(dir, { recursive: true });
    await expect(run("restore", file)).rejects.toThrow(/no folder/);
    expect(existsSync(dir)).toBe(false);
  });

  test("from the lake alone come all entries", async () => {
    await run("client", "add", "acme");
    await deliver(put("a.csv", "one"), put("b.csv", "two"));
    await deliver([removal("a.csv")]);
    const before = await text("history", "--json");
    await expect(run("rebuild")).rejects.toThrow(/--merge/);
    forget();
    await run("rebuild");
    expect(await text("history", "--json")).toBe(before);
    expect((await run("verify")).code).toBeUndefined();
  });

  test("a segment that is missing is told by rebuild and by verify, until it is back", async () => {
    await run("client", "add", "acme");
    for (const path of ["a", "b", "c"]) await deliver(put(path, path));
    const before = await text("history", "--json");
    const segment = [...lake.objects.keys()].filter((key) => key.startsWith("manifest/")).sort()[1] as string;
    const bytes = lake.objects.get(segment) as Buffer;
    lake.objects.delete(segment);
    forget();
    const { err, code } = await run("rebuild");
    expect(err).toMatch(/2 entries restored/);
    expect(err).toMatch(/^entries 2 to 2 are in no segment of the manifest$/m);
    expect(code).toBe(1);
    process.exitCode = undefined;
    const verified = await run("verify");
    expect(verified.out.toString()).toMatch(/^entries 2 to 2 are in no segment of the manifest/);
    expect(verified.code).toBe(1);
    process.exitCode = undefined;
    lake.objects.set(segment, bytes);
    expect((await run("rebuild", "--merge")).code).toBeUndefined();
    expect(await text("history", "--json")).toBe(before);
    expect((await run("verify")).code).toBeUndefined();
  });

  test("what a merge gave a new place is written to the manifest again", async () => {
    await run("client", "add", "acme");
    const file = join(dir, "backup");
    await run("backup", file);
    await deliver(put("lost.csv", "one"));
    forget();
    await run("restore", file);
    await deliver(put("newer.csv", "two"));
    await run("rebuild", "--merge");
    expect((await entries()).map(({ path }) => path)).toEqual(["newer.csv", "lost.csv"]);
    expect((await run("verify")).code).toBeUndefined();
    forget();
    expect((await run("rebuild")).code).toBeUndefined();
    expect((await run("verify")).code).toBeUndefined();
  });

  test("an old backup and a newer lake are joined", async () => {
    await run("client", "add", "acme");
    const key = await text("key", "add", "--client", "acme");
    await deliver(put("a.csv", "one"));
    const file = join(dir, "backup");
    await run("backup", file);
    await deliver(put("b.csv", "two"));
    const before = await text("history", "--json");
    await expect(run("restore", file)).rejects.toMatchObject({ code: "ledger-refused" });
    forget();
    await run("restore", file);
    expect(await entries()).toHaveLength(1);
    await run("rebuild", "--merge");
    expect(await text("history", "--json")).toBe(before);
    expect(await text("key", "list", "--json")).toContain(key.split("_")[1]);
    expect((await run("verify")).code).toBeUndefined();
  });

  test("what is no backup is refused", async () => {
    writeFileSync(join(dir, "text"), "not a backup");
    await expect(run("restore", join(dir, "text"))).rejects.toMatchObject({ code: "backup-invalid" });
    await expect(run("restore", join(dir, "missing"))).rejects.toMatchObject({ code: "backup-invalid" });
  });
});

describe("people", () => {
  const withConsole = (): void =>
    writeFileSync(join(dir, "receiver.yaml"), "console: { url: https://console.example.com }\n");
  const secretOf = (link: string): string => {
    const [, secret = ""] = /^https:\/\/console\.example\.com\/welcome#(trbp_[\w-]{43})$/.exec(link) ?? [];
    return secret;
  };
  const added = async (email: string, ...standing: string[]): Promise<void> => {
    const secret = secretOf(await text("person", "invite", "--email", email, "--name", "X", ...standing));
    const { database, close } = await openLedger({ data: dir });
    await accept(database.db, { secret, password: "correct horse battery" });
    await close();
  };
  const people = async () =>
    (await text("person", "list", "--json"))
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);

  test("a link stands on stdout alone, and needs a console to lead to", async () => {
    await run("client", "add", "acme");
    const invite = ["person", "invite", "--email", "ada@example.com", "--role", "viewer"];
    writeFileSync(join(dir, "receiver.yaml"), "listen: { console: off }\n");
    await expect(run(...invite)).rejects.toMatchObject({ code: "config-invalid" });
    expect(await people()).toEqual([]);
    withConsole();
    const { out, err } = await run(...invite);
    expect(secretOf(out.toString().trim())).not.toBe("");
    expect(err).toMatch(/^give it to ada@example.com; it is good once, until 2/);
    expect(err).not.toContain("trbp_");
    expect(await people()).toMatchObject([{ email: "ada@example.com", role: "viewer", state: "invited" }]);
  });

  test("roles, disabling, resets, sessions", async () => {
    await run("client", "add", "acme");
    withConsole();
    await added("Ada@example.com", "--role", "admin");
    await added("bob@example.com", "--role", "operator");
    await expect(run("person", "role", "ada@example.com", "viewer")).rejects.toMatchObject({
      code: "last-admin",
    });
    await expect(run("person", "disable", "ada@example.com")).rejects.toMatchObject({ code: "last-admin" });
    const { err } = await run("person", "role", "bob@example.com", "admin");
    expect(err).toBe("bob@example.com was operator and is admin now\n");
    await run("person", "disable", "ada@example.com");
    await expect(run("person", "role", "bob@example.com", "root")).rejects.toMatchObject({ code: "usage" });
    await expect(run("person", "role", "bob@example.com", "uploader")).rejects.toMatchObject({
      code: "usage",
    });
    await run("person", "role", "ada@example.com", "uploader", "--client", "acme");
    expect(await people()).toMatchObject([
      { email: "ada@example.com", role: "uploader", client: "acme", state: "disabled", password: true },
      { email: "bob@example.com", role: "admin", client: null, state: "enabled" },
    ]);
    await run("person", "enable", "ada@example.com");
    expect(await text("person", "list")).toMatch(/ada@example\.com +X +uploader +acme +enabled +password/);
    expect(secretOf(await text("person", "reset", "bob@example.com", "--second-factor"))).not.toBe("");
    expect(await text("person", "sessions", "bob@example.com", "--json")).toBe("");
    expect((await run("person", "sign-out", "bob@example.com")).err).toBe(
      "0 sessions of bob@example.com ended\n",
    );
    await expect(run("person", "disable", "eve@example.com")).rejects.toMatchObject({ code: "not-found" });
  });
});
