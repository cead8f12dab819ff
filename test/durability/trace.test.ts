/** Durability is not proved by kill -9: the page cache survives it. Here the system calls say what was on disk before the receipt left. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { entryHead, padding, TRAILER } from "@tributary/shared/tar.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Caller, caller } from "../site/caller.ts";
import { type Running, run } from "../site/process.ts";
import { makeSite, type Site } from "../site/site.ts";
import { attach, type Call, parse, type Strace, straceMissing } from "../site/strace.ts";

const missing = straceMissing();
if (missing && process.env.CI) throw new Error(`CI needs strace: ${missing}`);
const CALLS =
  "trace=openat,write,writev,pwrite64,pwritev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,mkdir,mkdirat,sendto,sendmsg";

async function attachTo(running: Running, options: readonly string[]): Promise<Strace> {
  const trace = await attach(running.pid, options);
  if (trace === undefined) throw new Error(`ended before it could be traced:\n${running.stderr()}`);
  return trace;
}

describe.skipIf(missing !== undefined)(
  `what is on disk before a receipt leaves${missing ? ` (skipped: ${missing})` : ""}`,
  () => {
    let site: Site;
    let receiver: Running;
    let api: Caller;
    beforeAll(async () => {
      site = await makeSite();
      await site.command("client", "add", "demo");
      const key = await site.command("key", "add", "--client", "demo", "--scope", "write,remove");
      receiver = await site.serve();
      api = caller(site, key);
      expect((await api.put("warm", "up.txt", Buffer.from("up"))).status).toBe(201);
    });
    afterAll(async () => {
      await api?.close();
      await receiver?.stop();
      site?.remove();
    });

    const traced = async (work: () => Promise<number>): Promise<Call[]> => {
      const trace = await attachTo(receiver, ["-e", CALLS]);
      const status = await work();
      // Another round trip: what answered the first has returned to the tracer by then.
      await api.call("GET", "/healthz");
      const calls = await trace.detach();
      expect(status).toBeLessThan(300);
      return calls;
    };
    /** Index of the write that answers: the first on a socket of our listener, whose connection is there already. */
    const answerAt = (calls: readonly Call[]): number =>
      calls.findIndex(
        (call) =>
          /^(write|writev|sendto|sendmsg)$/.test(call.name) && call.text.includes(`127.0.0.1:${site.port}`),
      );
    const syncs = (calls: readonly Call[], path: RegExp): number[] =>
      calls.flatMap((call, i) =>
        /^f(data)?sync$/.test(call.name) && call.ok && path.test(call.text) ? [i] : [],
      );

    test.for([
      ["a small file", 10],
      ["a file of 3 MB", 3_000_000],
    ] as const)("%s: bytes, folders, ledger, manifest, and only then the receipt", async ([, size]) => {
      const calls = await traced(
        async () => (await api.put("pos", `day/${size}.csv`, Buffer.alloc(size, "x"))).status,
      );
      const answer = answerAt(calls);
      const renamed = calls.findIndex(
        (call) => /^rename/.test(call.name) && call.text.includes("source=pos"),
      );
      const ledger = syncs(calls, /ledger\.sqlite/);
      const manifest = calls.findIndex(
        (call) => /^(rename|link)/.test(call.name) && call.text.includes("/manifest/"),
      );
      const folderOfObject = syncs(calls, /date=\d{4}-\d\d-\d\d>?\)?$|date=[\d-]+>/).filter(
        (i) => i > renamed,
      );
      const bytes = syncs(calls, /\.staging\//).filter((i) => i < renamed);
      const manifestSynced = syncs(calls, /manifest/).filter((i) => i > manifest);
      const trail = calls.map((call, i) => `${i} ${call.name}(${call.text.slice(0, 160)})`).join("\n");
      expect(bytes.length, trail).toBeGreaterThan(0);
      expect(folderOfObject.length, trail).toBeGreaterThan(0);
      expect(ledger.length, trail).toBeGreaterThan(0);
      expect(manifestSynced.length, trail).toBeGreaterThan(0);
      // bytes -> name -> folder -> ledger -> manifest -> its folder -> receipt
      expect(Math.min(...bytes), trail).toBeLessThan(renamed);
      const commit = Math.max(...ledger.filter((i) => i < manifest));
      expect(Math.min(...folderOfObject), trail).toBeLessThan(commit);
      expect(Math.max(...ledger.filter((i) => i < manifest)), trail).toBeGreaterThan(renamed);
      expect(manifest, trail).toBeGreaterThan(0);
      expect(Math.min(...manifestSynced), trail).toBeLessThan(answer);
    });

    test("a bundle of 50 files: one sync of the journal, the names, ledger, manifest, and only then the first line", async () => {
      const names = (round: number) => Array.from({ length: 50 }, (_, i) => `many/${round}/${i}.csv`);
      // Threads, journals and the day's folder are there then.
      for (const round of [1, 2]) await api.call("POST", "/v1/bundles/pos", { body: tarOf(names(round)) });
      const calls = await traced(
        async () => (await api.call("POST", "/v1/bundles/pos", { body: tarOf(names(3)) })).status,
      );
      const trail = calls.map((call, i) => `${i} ${call.name}(${call.text.slice(0, 160)})`).join("\n");
      const answer = answerAt(calls);
      const renames = calls.flatMap((call, i) =>
        /^rename/.test(call.name) && call.ok && call.text.includes("source=pos") ? [i] : [],
      );
      const journal = syncs(calls, /\.staging\/journal\//);
      const writes = calls.flatMap((call, i) =>
        /^p?write/.test(call.name) && call.text.includes(".staging/journal/") ? [i] : [],
      );
      expect(renames, trail).toHaveLength(50);
      expect(journal.length, trail).toBeGreaterThan(0);
      // Threads take shares of it, each with a journal of its own.
      const first = Math.min(...renames);
      expect(Math.min(...writes), trail).toBeLessThan(Math.min(...journal));
      expect(Math.min(...journal), trail).toBeLessThan(first);
      for (const name of names(3)) {
        const own = name.split("/").slice(1).join("/");
        expect(
          calls.filter((call) => call.ok && /^f(data)?sync$/.test(call.name) && call.text.includes(own)),
          own,
        ).toEqual([]);
      }
      const ledger = syncs(calls, /ledger\.sqlite/);
      const manifest = calls.findIndex(
        (call) => /^(rename|link)/.test(call.name) && call.text.includes("/manifest/"),
      );
      const commit = Math.max(...ledger.filter((i) => i < manifest));
      const manifestSynced = Math.min(...syncs(calls, /manifest/).filter((i) => i > manifest));
      expect(manifest, trail).toBeGreaterThan(0);
      // What is in one commit was all in the journal before; the first line waits for the first commit alone.
      const named = renames.filter((i) => i < commit);
      expect(named.length, trail).toBeGreaterThan(0);
      expect(Math.max(...journal.filter((i) => i < commit)), trail).toBeLessThan(commit);
      expect(Math.max(...named), trail).toBeLessThan(commit);
      expect(commit, trail).toBeLessThan(manifest);
      expect(manifestSynced, trail).toBeLessThan(answer);
      expect(answer, trail).toBeGreaterThan(commit);
    });
  },
);

const tarOf = (names: readonly string[], captures?: string): Buffer =>
  Buffer.concat([
    ...names.flatMap((name) => {
      const bytes = Buffer.from(`the bytes of ${name}`);
      const records: [string, string][] =
        captures === undefined ? [] : [["TRIBUTARY.captureId", `${captures}-${name.replaceAll("/", ".")}`]];
      const head = entryHead({ path: Buffer.from(name), size: bytes.length, mtimeNs: 0n, records });
      return [head, bytes, Buffer.alloc(padding(bytes.length))];
    }),
    TRAILER,
  ]);

describe.skipIf(missing !== undefined)(`a new site${missing ? ` (skipped: ${missing})` : ""}`, () => {
  test("the names of the folders that it made are on the disk: of lake, ledger and keys", async () => {
    const top = mkdtempSync(join(tmpdir(), "tributary-new-"));
    try {
      const [data, config, out] = [join(top, "a", "data"), join(top, "receiver.yaml"), join(top, "out")];
      const [keys, lake] = [join(top, "b", "keys"), join(top, "c", "d", "lake")];
      writeFileSync(config, JSON.stringify({ keys, lake: { kind: "directory", path: lake } }));
      const wrapper = ["strace", "-f", "-A", "-yy", "-e", "trace=fsync", "-o", out];
      const at = ["--data", data, "--config", config];
      // The first begins the ledger, the second keys and lake.
      for (const command of [["client", "add", "demo"], ["verify"]]) {
        const ran = await run("receiver", [...command, ...at], { wrapper });
        expect(ran.code, ran.stderr).toBe(0);
      }
      const synced = new Set(parse(readFileSync(out, "utf8")).map((call) => /<(.*)>/.exec(call.text)?.[1]));
      for (const folder of ["", "a", "b", "c", "c/d", "c/d/lake", "b/keys"])
        expect(synced, folder).toContain(join(top, folder).replace(/\/$/, ""));
    } finally {
      rmSync(top, { recursive: true, force: true });
    }
  });
});

describe.skipIf(missing !== undefined)(
  `an error from the disk never yields a receipt${missing ? ` (skipped: ${missing})` : ""}`,
  () => {
    let site: Site;
    let receiver: Running;
    let api: Caller;
    /** One pool thread, so that "the third fsync" is the same one each time. */
    const env = { UV_THREADPOOL_SIZE: "1" };
    const faults = (["fsync", "fdatasync", "rename", "mkdir", "pwrite64"] as const).flatMap((call) =>
      [1, 2, 3, 4].map((nth) => [call, call === "pwrite64" ? "ENOSPC" : "EIO", nth] as const),
    );
    beforeAll(async () => {
      site = await makeSite();
      await site.command("client", "add", "demo");
      const key = await site.command("key", "add", "--client", "demo");
      receiver = await site.serve({ env });
      api = caller(site, key);
    });
    afterAll(async () => {
      await api?.close();
      await receiver?.stop();
      site?.remove();
    });
    let met = 0;

    test.for(faults)("%s fails with %s at its call %i", async ([call, error, nth]) => {
      const [path, captureId] = [`${call}-${nth}.csv`, `capture-${call}-${nth}`];
      const bytes = Buffer.alloc(400_000, path);
      const trace = await attachTo(receiver, [
        "-e",
        `trace=${call}`,
        "-e",
        `inject=${call}:error=${error}:when=${nth}`,
      ]);
      const first = await api
        .put(`pos-${call}-${nth}`, path, bytes, { "idempotency-key": captureId })
        .catch((cause: unknown) => ({ status: 0, body: { cause } }));
      const calls = await trace.detach();
      const hit = calls.some((c) => !c.ok && c.name === call);
      if (hit) met += 1;
      // Refused, or delivered in spite of it; never half.
      expect([0, 200, 201, 500, 503, 507], JSON.stringify(first.body)).toContain(first.status);
      if (first.status < 200 || first.status >= 300) expect(first.body).not.toHaveProperty("receipt");
      if (receiver.exited()) receiver = await site.serve({ env });
      const second = await api.put(`pos-${call}-${nth}`, path, bytes, { "idempotency-key": captureId });
      expect(second.status, JSON.stringify(second.body)).toBeLessThan(300);
      if (first.status === 201) expect(second.body.receipt).toBe((first.body as { receipt: string }).receipt);
    });

    const COUNT = 50;
    const names = (call: string, nth: number) =>
      Array.from({ length: COUNT }, (_, i) => `${call}-${nth}/${i}`);
    const linesOf = (body: unknown): Record<string, unknown>[] =>
      typeof body === "string"
        ? body
            .split("\n")
            .filter((line) => line !== "")
            .map((line) => JSON.parse(line) as Record<string, unknown>)
        : [];
    const bundleFaults = (["fsync", "fdatasync", "pwrite64", "rename", "mkdir"] as const).flatMap((call) =>
      [1, 2, 3, 5, 20].map((nth) => [call, call === "pwrite64" ? "ENOSPC" : "EIO", nth] as const),
    );

    test.for(bundleFaults)("a bundle: %s fails with %s at its call %i", async ([call, error, nth]) => {
      const body = tarOf(names(call, nth), `bundle-${call}-${nth}`);
      const send = async () => {
        const answer = await api
          .call("POST", `/v1/bundles/bundle-${call}-${nth}`, { body })
          .catch((cause: unknown) => ({ status: 0, body: { cause } }));
        const lines = linesOf(answer.body);
        return new Map(
          lines.flatMap((line) => (line.receipt === undefined ? [] : [[line.path, line.receipt] as const])),
        );
      };
      const trace = await attachTo(receiver, [
        ...["-e", `trace=${call}`, "-e", `inject=${call}:error=${error}:when=${nth}`],
      ]);
      const first = await send();
      const calls = await trace.detach();
      if (calls.some((c) => !c.ok && c.name === call)) met += 1;
      if (receiver.exited()) receiver = await site.serve({ env });
      const second = await send();
      expect(second.size).toBe(COUNT);
      for (const [path, receipt] of first) expect(second.get(path), String(path)).toBe(receipt);
    });

    test("every file is there once, and everything verifies", async () => {
      const entries = await site.history("--client", "demo");
      expect(entries.map((e) => e.path).toSorted()).toEqual(
        [
          ...faults.map(([call, , nth]) => `${call}-${nth}.csv`),
          ...bundleFaults.flatMap(([call, , nth]) => names(call, nth)),
        ].toSorted(),
      );
      // Faults that no call met prove nothing.
      expect(met).toBeGreaterThan(20);
      await site.command("verify");
    });
  },
);

/** A real full disk under the lake: refused with a problem, nothing recorded, and it goes on when there is room again. */
describe.skipIf(process.getuid?.() !== 0)("a full disk", () => {
  test("is said, loses nothing, and passes", async () => {
    const { execFileSync } = await import("node:child_process");
    const disk = mkdtempSync(join(tmpdir(), "tributary-disk-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", disk]);
    const site = await makeSite({
      receiver: { lake: { kind: "directory", path: join(disk, "lake") }, reserve: "8MiB" },
    });
    try {
      mkdirSync(join(disk, "lake"), { recursive: true });
      await site.command("client", "add", "demo");
      const receiver = await site.serve();
      const api = caller(site, await site.command("key", "add", "--client", "demo"));
      expect((await api.put("pos", "fits.bin", Buffer.alloc(4_000_000, 1))).status).toBe(201);
      const declared = await api.put("pos", "too-large.bin", Buffer.alloc(20_000_000, 2));
      expect(declared).toMatchObject({ status: 507, body: { code: "disk-reserve" } });
      expect(Number(declared.headers["retry-after"])).toBeGreaterThan(0);
      // Other files take the room that was seen, whatever was declared.
      execFileSync("dd", ["if=/dev/zero", `of=${join(disk, "other")}`, "bs=1M", "count=19"], {
        stdio: "ignore",
      });
      const full = await api.put("pos", "now-full.bin", Buffer.alloc(3_000_000, 3));
      expect([503, 507], JSON.stringify(full.body)).toContain(full.status);
      rmSync(join(disk, "other"));
      expect((await api.put("pos", "now-full.bin", Buffer.alloc(3_000_000, 3))).status).toBe(201);
      await api.close();
      await receiver.stop();
      expect((await site.history("--client", "demo")).map((e) => e.path)).toEqual([
        "fits.bin",
        "now-full.bin",
      ]);
      await site.command("verify");
    } finally {
      site.remove();
      execFileSync("umount", [disk]);
      rmSync(disk, { recursive: true });
    }
  });
});
