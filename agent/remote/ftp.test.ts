import { execFile } from "node:child_process";
import { mkdir, readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { PROFTPD, type Proftpd, type ProftpdOptions, startProftpd } from "../../test/servers/proftpd.ts";
import { describeWithPrograms } from "../../test/servers/servers.ts";
import type { FtpSettings } from "./ftp/settings.ts";
import { ftp } from "./ftp.ts";
import { remoteContract, type Yard } from "./remote.contract.ts";
import type { Remote } from "./remote.ts";

interface Form {
  readonly server?: ProftpdOptions;
  readonly settings?: Partial<FtpSettings>;
}

const LIST = { deny: ["MLSD", "MLST"] } as const;

/** Forms in which the same server can be met. */
const forms: Readonly<Record<string, Form>> = {
  "FTPS, explicit": { server: { tls: "required", sessionReuse: "required" } },
  "FTPS, implicit, in a folder": {
    server: { sessionReuse: "required" },
    settings: { tls: "implicit", path: "/far/b c" },
  },
  "FTP, in a folder below where the login lands": { settings: { tls: "none", path: "far" } },
  "FTPS, LIST": { server: LIST },
  // Ahead of UTC: the suite compares the times of states with its own clock.
  "FTP, LIST in Tokyo's time": { server: { ...LIST, zone: "Asia/Tokyo" }, settings: { tls: "none" } },
  "FTP, LIST without MDTM": { server: { deny: [...LIST.deny, "MDTM"] }, settings: { tls: "none" } },
  "FTP without REST": { server: { deny: ["REST"] }, settings: { tls: "none" } },
};

describeWithPrograms("FTP servers", [PROFTPD, "/usr/lib/proftpd/mod_tls.so"], () => {
  if (process.getuid?.() !== 0) return;
  for (const [name, form] of Object.entries(forms)) remoteContract(name, () => yardOf(form));

  test("in another zone the listing's time stands for the file's, and the file's own is told when it is opened", async () => {
    const { server, remote } = await started({ server: { ...LIST, zone: "America/New_York" } });
    await at(server, "a", "2026-06-01T12:00:07Z");
    const entry = await remote.look(Buffer.from("a"));
    if (entry?.kind !== "file") throw new Error("no file");
    expect(entry.state.mtimeNs).toBe(ns("2026-06-01T08:00:00Z"));
    await using file = await remote.open(Buffer.from("a"), entry.state);
    expect(file.modifiedNs).toBe(ns("2026-06-01T12:00:07Z"));
    expect(file.state.fileId).toBe(entry.state.fileId);
  });

  test("without MDTM the file's time is the listing's, in the zone that the settings name", async () => {
    const { server, remote } = await started({
      server: { deny: [...LIST.deny, "MDTM"], zone: "America/New_York" },
      settings: { listTimeZone: "America/New_York" },
    });
    await at(server, "a", "2026-06-01T12:00:07Z");
    const entry = await remote.look(Buffer.from("a"));
    if (entry?.kind !== "file") throw new Error("no file");
    expect(entry.state.fileId).toBeUndefined();
    await using file = await remote.open(Buffer.from("a"), entry.state);
    expect(file.modifiedNs).toBe(ns("2026-06-01T12:00:00Z"));
  });

  test.for(["MLSD", "LIST"])(
    "names that FTP cannot say are refused, and no other file is taken for them: %s",
    async (kind) => {
      const { server, remote } = await started({ server: kind === "LIST" ? LIST : {} });
      for (const name of ["n\nl", "c\rr", " lead", "trail ", "-l", "g*b", ".hid", "[a]", "a -> b", "plain"])
        await writeFile(join(server.root, name), name);
      await writeFile(Buffer.concat([Buffer.from(`${server.root}/ff`), Buffer.of(0xff)]), "1");
      const entries = (
        await Array.fromAsync(remote.list(Buffer.alloc(0), new AbortController().signal))
      ).flat();
      const of = (which: string) =>
        entries
          .filter((one) => one.kind === which)
          .map((one) => one.name.toString("latin1"))
          .sort();
      expect(of("refused")).toEqual(["c\rr", "ff\xff", "n\nl"]);
      expect(of("file")).toEqual([" lead", "-l", ".hid", "[a]", "a -> b", "g*b", "plain", "trail "]);
      for (const entry of entries) {
        if (entry.kind !== "file") continue;
        await using file = await remote.open(entry.name, entry.state);
        expect(String(Buffer.concat(await Array.fromAsync(file.bytes(0))))).toBe(String(entry.name));
      }
      await expect(remote.look(Buffer.from("n\nl"))).rejects.toThrow("cannot say");
    },
  );

  test("a server that takes but two connections of this user is read by two", async () => {
    const { server, remote } = await started({ server: { settings: ["MaxClientsPerUser 2"] } });
    const names = Array.from({ length: 20 }, (_, i) => `f${i}`);
    for (const name of names) await writeFile(join(server.root, name), name);
    const read = async (name: string) => {
      const entry = await remote.look(Buffer.from(name));
      if (entry?.kind !== "file") throw new Error("no file");
      await using file = await remote.open(Buffer.from(name), entry.state);
      return String(Buffer.concat(await Array.fromAsync(file.bytes(0))));
    };
    expect(await Promise.all(names.map(read))).toEqual(names);
  });

  test.for(["MLSD", "LIST"])(
    "a name with CR LF in it is refused, and the others are files: %s",
    async (kind) => {
      const { server, remote } = await started({ server: kind === "LIST" ? LIST : {} });
      for (const name of ["a\r\nb", "plain", "z"]) await writeFile(join(server.root, name), "1");
      const entries = (
        await Array.fromAsync(remote.list(Buffer.alloc(0), new AbortController().signal))
      ).flat();
      expect(entries.map((one) => `${one.kind} ${one.name}`).sort()).toEqual([
        "file plain",
        "file z",
        "refused a",
      ]);
    },
  );
});

test("its library is loaded when a source is connected, and not before", async () => {
  const script = `
    const { ftp } = await import(${JSON.stringify(new URL("./ftp.ts", import.meta.url))});
    const { createRequire } = await import("node:module");
    const loaded = () => Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes("basic-ftp"));
    console.log(loaded());
    await ftp.connect(ftp.settings.parse({ name: "a", kind: "ftp", host: "127.0.0.1" }), { parallel: 1 });
    console.log(loaded());`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], {
    cwd: import.meta.dirname,
  });
  expect(stdout).toBe("false\ntrue\n");
});

test("where it is, for people and for doctor; TLS unless it is said otherwise, and that is said", async () => {
  const parse = (more: object) => ftp.settings.parse({ name: "a", kind: "ftp", host: "h.example", ...more });
  const told = (more: object) => [ftp.where(parse(more)), ftp.address(parse(more)), ftp.root(parse(more))];
  expect(told({})).toEqual(["ftps://h.example:21", { host: "h.example", port: 21 }, ""]);
  expect(told({ tls: "implicit", path: "/in" })).toEqual([
    "ftps://h.example:990/in",
    { host: "h.example", port: 990 },
    "/in",
  ]);
  expect(told({ tls: "none", port: 2121, host: "::1", path: "in" })).toEqual([
    "ftp://[::1]:2121/in",
    { host: "::1", port: 2121 },
    "in",
  ]);
  for (const wrong of [
    { password: "secret" },
    { tls: false },
    { host: "ftp://h" },
    { path: "a\nb" },
    { pasv: true },
  ])
    expect(ftp.settings.safeParse({ name: "a", kind: "ftp", host: "h", ...wrong }).success).toBe(false);
  const warnings: string[] = [];
  const tools = {
    secrets: { read: () => Promise.resolve("") },
    parallel: 1,
    warn: (text: string) => void warnings.push(text),
  };
  for (const tls of ["explicit", "none"])
    await (await ftp.connect(parse({ tls }), tools))[Symbol.asyncDispose]();
  expect(warnings).toEqual([expect.stringContaining("in the clear")]);
});

const ns = (text: string): bigint => BigInt(Date.parse(text)) * 1_000_000n;

async function at(server: Proftpd, name: string, time: string): Promise<void> {
  await writeFile(join(server.root, name), "1");
  await utimes(join(server.root, name), new Date(time), new Date(time));
}

async function started(form: Form): Promise<{ readonly server: Proftpd; readonly remote: Remote }> {
  const server = await startProftpd(form.server);
  onTestFinished(server.stop);
  const remote = await connected(server, form);
  onTestFinished(() => remote[Symbol.asyncDispose]());
  return { server, remote };
}

async function connected(server: Proftpd, { settings = {} }: Form): Promise<Remote> {
  const ca = join(server.root, "..", "authority.pem");
  await writeFile(ca, server.authority);
  const tls = settings.tls ?? "explicit";
  const raw = {
    name: "far",
    kind: "ftp",
    host: "127.0.0.1",
    port: tls === "implicit" ? server.implicitPort : server.port,
    user: server.username,
    password: { secret: "far" },
    ca,
    ...settings,
  };
  return await ftp.connect(ftp.settings.parse(raw), {
    secrets: { read: () => Promise.resolve(server.password) },
    parallel: 4,
    warn: () => undefined,
  });
}

async function yardOf(form: Form): Promise<Yard> {
  const server = await startProftpd(form.server);
  const root = join(server.root, form.settings?.path ?? "");
  await mkdir(root, { recursive: true });
  const on = (path: Buffer): Buffer => Buffer.concat([Buffer.from(`${root}/`), path]);
  return {
    connect: () => connected(server, form),
    root: form.settings?.path ?? "/",
    async write(path, bytes) {
      await mkdir(dirname(on(path).toString("latin1")), { recursive: true });
      const before = await stat(on(path)).catch(() => undefined);
      await writeFile(on(path), bytes);
      // What comes later is told by a later minute: listings know no more of time.
      const later = new Date((before?.mtimeMs ?? 0) + 61_000);
      if (before !== undefined) await utimes(on(path), later, later);
    },
    remove: (path) => rm(on(path)),
    async paths() {
      const all = await readdir(root, { recursive: true, withFileTypes: true });
      return all
        .filter((one) => one.isFile())
        .map((one) => join(one.parentPath, one.name).slice(root.length + 1));
    },
    async away() {
      await server.halt();
      return () => server.resume();
    },
    cut: () => server.dropConnections(),
    folders: true,
    anyBytes: true,
    close: () => server.stop(),
  };
}
