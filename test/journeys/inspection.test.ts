/** Inspection before publication with a real clamd: what it finds something in waits for an operator, while it is away all waits. */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatDigest } from "@tributary/shared/digest.ts";
import { PARTS } from "@tributary/shared/protocol.ts";
import { entryHead, padding, TRAILER } from "@tributary/shared/tar.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { clamd as inspectorOf } from "../../receiver/inspection/clamd.ts";
import { EICAR } from "../../receiver/inspection/fake-clamd.ts";
import { type Clamd, startClamd } from "../servers/clamd.ts";
import { describeWithClamd } from "../servers/servers.ts";
import { type Caller, caller } from "../site/caller.ts";
import { type Running, run, until } from "../site/process.ts";
import { type Agent, get, makeSite, type Site } from "../site/site.ts";

const SIGNATURE = "Eicar-Test-Signature.UNOFFICIAL";
const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");

interface HeldFile {
  readonly id: string;
  readonly path: string;
  readonly finding: string;
  readonly state: string;
  readonly key: string;
  readonly reason: string | null;
}
interface AgentStatus {
  readonly queue: { readonly depth: number; readonly aside: number };
  readonly trouble: { readonly code: string } | null;
  readonly problems: readonly {
    readonly path: string;
    readonly code: string;
    readonly detail: string;
    readonly until: string | null;
  }[];
}

describeWithClamd("a real clamd", () => {
  let clamd: Clamd;
  let site: Site;
  let receiver: Running;
  let api: Caller;
  let agent: Agent;
  let running: Running;
  let folder: string;

  beforeAll(async () => {
    clamd = await startClamd("Eicar-Test-Signature", EICAR);
    site = await makeSite({ receiver: { inspect: { clamd: clamd.socket } } });
    await site.command("client", "add", "demo");
    receiver = await site.serve();
    api = caller(site, await site.command("key", "add", "--client", "demo", "--scope", "write,read"));
    folder = join(site.dir, "files");
    mkdirSync(folder);
    agent = await site.agent("one", {
      clients: ["demo"],
      settings: { sources: [{ name: "files", path: folder, settle: "200ms" }] },
    });
    running = await agent.run();
  });
  afterAll(async () => {
    await running?.stop();
    await api?.close();
    await receiver?.stop();
    await clamd?.stop();
    site?.remove();
  });

  const held = async (...more: string[]): Promise<HeldFile[]> => {
    const text = await site.command("quarantine", "list", "--client", "demo", "--json", ...more);
    return text === "" ? [] : text.split("\n").map((line) => JSON.parse(line) as HeldFile);
  };
  const heldAs = async (path: string): Promise<HeldFile | undefined> =>
    (await held()).find((file) => file.path === path);
  const versions = async (source: string): Promise<string[]> =>
    (await site.history("--source", source)).map(({ path }) => path).toSorted((a, b) => (a < b ? -1 : 1));
  const raw = (): string[] => {
    const root = join(site.dir, "receiver", "lake", "raw");
    if (!existsSync(root)) return [];
    return readdirSync(root, { recursive: true, withFileTypes: true }).flatMap((entry) =>
      entry.isFile() ? [entry.name] : [],
    );
  };
  const status = async (): Promise<AgentStatus> =>
    JSON.parse(await agent.command("status", "--json")) as AgentStatus;
  const release = async (id: string, ...more: string[]) =>
    await run("receiver", ["quarantine", "release", id, "--reason", "a test", ...more, ...site.at]);

  test("what it does not take is larger, however much of it was written when it hung up", async () => {
    const inspector = inspectorOf({
      address: { path: clamd.socket },
      largest: 1e9,
      sessions: 4,
      withinMs: 30_000,
    });
    const bytes = randomBytes(60_000_000);
    async function* chunked() {
      for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
    }
    const verdicts = await Promise.all(
      Array.from({ length: 12 }, () => inspector.inspect(chunked(), bytes.length)),
    );
    expect(new Set(verdicts.map(({ kind }) => kind))).toEqual(new Set(["larger"]));
  });

  test("it is named at the start", () => {
    expect(receiver.stderr()).toMatch(/inspection: ClamAV 1\..* at \/.*ctl/);
  });

  test("a file in one request: held, listed, released, and its sender has the receipt", async () => {
    const id = randomUUID();
    const put = async () =>
      await api.put("api", "dir/report.txt", Buffer.from(EICAR), { "idempotency-key": id });
    const refused = await put();
    expect([refused.status, refused.body.code]).toEqual([422, "quarantined"]);
    expect(refused.body.detail).toContain(SIGNATURE);
    expect((await api.put("api", "clean.txt", Buffer.from("clean"))).status).toBe(201);
    const file = await heldAs("dir/report.txt");
    expect(file).toMatchObject({ finding: SIGNATURE, state: "held" });
    expect(refused.body.detail).toContain(file?.id);
    expect(await versions("api")).toEqual(["clean.txt"]);
    expect(raw()).not.toContain("report.txt");
    expect((await run("receiver", ["get", String(file?.id), ...site.at])).code).toBe(1);

    expect((await run("receiver", ["quarantine", "release", String(file?.id), ...site.at])).code).toBe(2);
    const released = await release(String(file?.id));
    expect([released.code, released.stdout.trim()]).toEqual([0, file?.id]);
    expect((await release(String(file?.id))).stderr).toMatch(/was released already, at .*: a test/);
    const receipt = await put();
    expect(receipt.body).toMatchObject({ status: "created", versionId: file?.id, captureId: id });
    expect((await get(site, String(file?.id))).toString()).toBe(EICAR);
    expect(await heldAs("dir/report.txt")).toBeUndefined();
    expect(await held("--all")).toMatchObject([{ id: file?.id, state: "released", reason: "a test" }]);
    expect(existsSync(join(site.dir, "receiver", "lake", String(file?.key)))).toBe(false);
  });

  test("in a bundle among clean ones, which all arrive", async () => {
    const files = Array.from({ length: 40 }, (_, i) => [
      `${i}.txt`,
      i % 10 === 3 ? `${i} ${EICAR}` : `clean ${i}`,
    ]);
    const pieces = files.flatMap(([path = "", text = ""]) => {
      const bytes = Buffer.from(text);
      const head = entryHead({ path: Buffer.from(path), size: bytes.length, mtimeNs: 0n, records: [] });
      return [head, bytes, TRAILER.subarray(0, padding(bytes.length))];
    });
    const answer = await api.call("POST", "/v1/bundles/bundled", {
      headers: { "content-type": "application/x-tar" },
      body: Buffer.concat([...pieces, TRAILER]),
    });
    expect(answer.status).toBe(200);
    expect(String(answer.body).match(/"code":"quarantined"/g)).toHaveLength(4);
    expect(await versions("bundled")).toHaveLength(36);
    expect((await held()).map(({ path }) => path)).toEqual(
      expect.arrayContaining(["3.txt", "13.txt", "23.txt", "33.txt"]),
    );
  });

  test("in parts, across their border; a larger file than it takes is held unread", async () => {
    const across = Buffer.concat([randomBytes(PARTS.smallest - 20), Buffer.from(EICAR), randomBytes(1000)]);
    const larger = randomBytes(26_000_000);
    const send = async (path: string, content: Buffer): Promise<Awaited<ReturnType<Caller["call"]>>> => {
      const begun = await api.call("POST", "/v1/uploads", {
        body: JSON.stringify({
          ...{ source: "parts", pathEncoded: path, size: content.length },
          ...{ sha256: sha256(content), captureId: randomUUID() },
        }),
      });
      const { uploadId, partSize } = begun.body as { uploadId: string; partSize: number };
      for (let at = 0; at < content.length; at += partSize) {
        const bytes = content.subarray(at, at + partSize);
        await api.call("PUT", `/v1/uploads/${uploadId}/parts/${at / partSize + 1}`, {
          headers: { "content-digest": formatDigest(sha256(bytes)) },
          body: bytes,
        });
      }
      return await api.call("POST", `/v1/uploads/${uploadId}/complete`);
    };
    expect((await send("across.bin", across)).body.code).toBe("quarantined");
    expect((await send("larger.bin", larger)).body.code).toBe("quarantined");
    expect((await send("clean.bin", randomBytes(PARTS.smallest + 1))).body.status).toBe("created");
    expect((await heldAs("across.bin"))?.finding).toBe(SIGNATURE);
    expect((await heldAs("larger.bin"))?.finding).toBe("too large to be inspected (26.0 MB)");
    expect(raw().filter((name) => name.endsWith(".bin"))).toEqual(["clean.bin"]);
    const file = await heldAs("larger.bin");
    expect((await release(String(file?.id))).code).toBe(0);
    expect(sha256(await get(site, String(file?.id)))).toBe(sha256(larger));
  });

  test("through an agent: nothing but the one file waits, and it is done once that is released", async () => {
    writeFileSync(join(folder, "bad.txt"), `${EICAR} of the agent`);
    for (let i = 0; i < 20; i += 1) writeFileSync(join(folder, `good-${i}.txt`), `good ${i}`);
    const file = await until("held", async () => await heldAs("bad.txt"));
    await until("the others", async () => (await versions("files")).length === 20);
    const waiting = await until("set aside", async () => {
      const now = await status();
      return now.queue.aside === 1 && now.queue.depth === 0 ? now : undefined;
    });
    expect(waiting.problems).toMatchObject([{ path: "bad.txt", code: "quarantined" }]);
    expect(Date.parse(String(waiting.problems[0]?.until)) - Date.now()).toBeGreaterThan(3_000_000);

    // Its path goes on: a newer, clean state of the file is not held up.
    writeFileSync(join(folder, "other.txt"), `${EICAR} other`);
    const other = await until("held", async () => await heldAs("other.txt"));
    writeFileSync(join(folder, "other.txt"), "cleaned");
    await until("cleaned", async () => (await versions("files")).includes("other.txt"));
    const refused = await release(other.id);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/newer version .*--over-newer/),
    ]);

    expect((await release(file.id)).code).toBe(0);
    expect((await agent.command("retry", "bad.txt")).toString()).toBe("");
    await until("done", async () => {
      const { queue, problems } = await status();
      return queue.aside === 0 && queue.depth === 0 && problems.length === 0;
    });
    expect(running.stderr()).toMatch(/bad\.txt.*delivered \(created\)|"kind":"ParcelDelivered".*bad\.txt/s);
    const [entry] = (await site.history("--source", "files")).filter(({ path }) => path === "bad.txt");
    expect(entry).toMatchObject({ versionId: file.id, channel: expect.stringMatching(/push|bundle/) });
  });

  test("discarded: its bytes are gone, and the agent says why, sets it aside for good, and sends the next state", async () => {
    writeFileSync(join(folder, "virus.txt"), `${EICAR} virus`);
    const file = await until("held", async () => await heldAs("virus.txt"));
    await until("set aside", async () => (await status()).queue.aside === 1);
    const at = ["quarantine", "delete", file.id, ...site.at];
    expect((await run("receiver", at)).stderr).toMatch(/required option '--reason <text>'/);
    const empty = await run("receiver", [...at, "--reason", "  "]);
    expect([empty.code, empty.stderr]).toEqual([2, expect.stringMatching(/--reason: expected/)]);
    const gone = await run("receiver", [...at, "--reason", "a virus; call us"]);
    expect([gone.code, gone.stdout.trim(), gone.stderr.trim()]).toEqual([
      ...[0, file.id, "demo/files/virus.txt is discarded, its 74 B are gone"],
    ]);
    expect((await run("receiver", [...at, "--reason", "again"])).stderr).toMatch(
      /was discarded already, at .*: a virus; call us; none of its bytes are left/,
    );
    expect(existsSync(join(site.dir, "receiver", "lake", file.key))).toBe(false);
    expect((await release(file.id)).stderr).toMatch(/was discarded, at .*: a virus; call us/);
    await agent.command("retry", "virus.txt");
    const told = await until("told", async () => {
      const { problems } = await status();
      return problems.find(({ path, code }) => path === "virus.txt" && code === "discarded");
    });
    expect(told).toMatchObject({ until: null, detail: expect.stringContaining("a virus; call us") });
    expect(existsSync(join(folder, "virus.txt"))).toBe(true);
    writeFileSync(join(folder, "virus.txt"), "cleaned");
    await until("cleaned", async () => (await versions("files")).includes("virus.txt"));
    await until("nothing aside", async () => (await status()).problems.length === 0);
  });

  test("killed: nothing is taken, nothing is lost, and all arrives when it is back", async () => {
    await clamd.kill();
    const api503 = await api.put("api", "away.txt", Buffer.from("away"));
    expect([api503.status, api503.body.code, api503.headers["retry-after"]]).toEqual([
      ...[503, "inspection-unavailable", "10"],
    ]);
    await until("not ready", async () => (await api.call("GET", "/readyz")).status === 503);
    const before = [await versions("files"), raw().length, (await held()).length];
    for (let i = 0; i < 30; i += 1) writeFileSync(join(folder, `away-${i}.txt`), `away ${i}`);
    writeFileSync(join(folder, "away-bad.txt"), `${EICAR} while away`);
    const kept = await until("kept by the agent", async () => {
      const now = await status();
      return now.queue.depth === 31 && now.trouble?.code === "inspection-unavailable" ? now : undefined;
    });
    expect(kept.queue.aside).toBe(0);
    expect([await versions("files"), raw().length, (await held()).length]).toEqual(before);

    await clamd.start();
    await until(
      "all are there",
      async () => (await versions("files")).length === (before[0] as string[]).length + 30,
      {
        withinMs: 60_000,
      },
    );
    await until("held", async () => await heldAs("away-bad.txt"));
    expect((await api.put("api", "away.txt", Buffer.from("away"))).status).toBe(201);
    await until("ready", async () => (await api.call("GET", "/readyz")).status === 200);
  });

  test("what is held is verified too, and comes back with a backup", async () => {
    const ran = await run("receiver", ["verify", ...site.at]);
    expect([ran.code, ran.stderr]).toEqual([0, expect.stringMatching(/everything is as the ledger says/)]);
    const [file] = await held();
    writeFileSync(join(site.dir, "receiver", "lake", String(file?.key)), "rotten");
    const differs = await run("receiver", ["verify", ...site.at]);
    expect([differs.code, differs.stdout]).toEqual([1, expect.stringContaining(String(file?.id))]);
    const backup = join(site.dir, "backup.gz");
    await site.command("backup", backup);
    const other = site.variant("other", {
      lake: { kind: "directory", path: join(site.dir, "receiver", "lake") },
    });
    expect((await run("receiver", ["restore", backup, ...other])).code).toBe(0);
    const list = await run("receiver", ["quarantine", "list", ...other]);
    expect([list.code, list.stdout]).toEqual([0, expect.stringContaining(String(file?.id))]);
    const rebuilt = site.variant("rebuilt", {
      lake: { kind: "directory", path: join(site.dir, "receiver", "lake") },
    });
    const told = await run("receiver", ["rebuild", ...rebuilt]);
    expect([told.code, told.stderr]).toEqual([
      0,
      expect.stringMatching(/what lies in quarantine\/ is in no manifest/),
    ]);
    expect((await run("receiver", ["quarantine", "list", ...rebuilt])).stdout).toBe("");
  });
});
