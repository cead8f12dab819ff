/** The accounts of the SFTP door as an operator keeps them, by the commands alone: the door need not run. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../site/process.ts";
import { makeSite, type Site } from "../site/site.ts";

interface Account {
  readonly user: string;
  readonly [name: string]: unknown;
}

describe("SFTP accounts by commands", { timeout: 120_000 }, () => {
  let site: Site;
  beforeAll(async () => {
    site = await makeSite({
      receiver: {
        listen: { ingest: "127.0.0.1:8443", sftp: "0.0.0.0:2222" },
        publicUrl: "https://in.example",
      },
    });
    await site.command("client", "add", "demo");
  });
  afterAll(() => site.remove());

  const keygen = (...args: string[]) => execFileSync("ssh-keygen", args, { encoding: "utf8" });
  function newKey(name: string, type = "ed25519"): { file: string; fingerprint: string } {
    const file = join(site.dir, name);
    keygen("-q", "-t", type, "-N", "", "-C", `${name}@shop`, "-f", file);
    return { file: `${file}.pub`, fingerprint: /SHA256:\S+/.exec(keygen("-l", "-f", file))?.[0] ?? "" };
  }
  const sftp = async (args: readonly string[], stdin = "") =>
    await run("receiver", ["sftp", ...args, ...site.at], { stdin });
  const accounts = async (): Promise<Account[]> =>
    (await site.command("sftp", "list", "--json"))
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Account);
  const account = async (user: string) => (await accounts()).filter((one) => one.user === user).at(-1);

  test("added with keys of several files and a password; nothing secret is printed", async () => {
    const [one, two] = [newKey("one"), newKey("two", "ecdsa")];
    const options = [
      "--client",
      "demo",
      "--user",
      "till",
      "--public-key",
      one.file,
      "--public-key",
      two.file,
    ];
    const more = ["--access", "read-write", "--history", "--day", "1GiB", "--password-stdin"];
    const password = "correct horse battery";
    const added = await sftp(["add", ...options, ...more], `${password}\n`);
    expect(added.code, added.stderr).toBe(0);
    expect(added.stdout).toMatch(/^[0-9a-f]{16}\n$/);
    expect(added.stderr).toContain("sftp -P 2222 till@in.example");
    expect(added.stdout + added.stderr).not.toContain(password);
    expect(await account("till")).toMatchObject({
      ...{ id: added.stdout.trim(), client: "demo", source: null, defaultSource: "sftp", password: true },
      ...{ access: "read-write", removals: "record", history: true, receipts: false, revokedAt: null },
      limits: { day: 2 ** 30 },
    });
    const { stdout } = await sftp(["list"]);
    expect(stdout).toMatch(/till +demo +- +read-write +2 keys and password +day 1\.1 GB +- /);
    const ledger = readFileSync(join(site.dir, "receiver", "ledger.sqlite"));
    expect(ledger.includes(password)).toBe(false);
  });

  test("keys and password are exchanged, limits set, the account revoked and its name given anew", async () => {
    const [old, fresh] = [newKey("old"), newKey("fresh")];
    await site.command("sftp", "add", "--client", "demo", "--user", "shop", "--public-key", old.file);
    expect((await sftp(["key", "add", "shop", "--public-key", fresh.file])).stderr).toContain(
      fresh.fingerprint,
    );
    await site.command("sftp", "key", "remove", "shop", old.fingerprint);
    expect(await account("shop")).toMatchObject({
      keys: [{ fingerprint: fresh.fingerprint, comment: "fresh@shop" }],
    });
    const last = await sftp(["key", "remove", "shop", fresh.fingerprint]);
    expect([last.code, last.stderr]).toEqual([1, expect.stringContaining("sftp revoke shop")]);
    expect((await sftp(["password", "shop", "--password-stdin"], "a long password")).code).toBe(0);
    expect(await account("shop")).toMatchObject({ password: true });
    expect((await sftp(["password", "shop", "--none"])).code).toBe(0);
    expect(await account("shop")).toMatchObject({ password: false });
    expect((await sftp(["password", "shop"])).code).toBe(2);
    expect(await site.command("sftp", "limit", "shop", "--uploads", "2")).toContain("uploads 2");
    await site.command("sftp", "revoke", "shop");
    await site.command("sftp", "add", "--client", "demo", "--user", "shop", "--public-key", fresh.file);
    const both = (await accounts()).filter((one) => one.user === "shop");
    expect(both.map((one) => one["revokedAt"] === null)).toEqual([false, true]);
    expect(both[0]?.["id"]).not.toBe(both[1]?.["id"]);
  });

  test("what is wrong is said, with what to do, and makes no account", async () => {
    const { file } = newKey("good");
    const key = (name: string) => ["--public-key", name];
    const cases: readonly (readonly [readonly string[], string, number, RegExp])[] = [
      [[], "", 1, /--public-key FILE or --password-stdin/],
      [key(file.replace(/\.pub$/, "")), "", 1, /this is a private key/],
      [key(join(site.dir, "none.pub")), "", 1, /none\.pub.*no such file/],
      [["--password-stdin"], "short\n", 2, /shorter than 12/],
      [["--password-stdin"], "two lines of\npassword text\n", 2, /several lines/],
      [["--password-stdin"], "x".repeat(2000), 2, /longer than 1024/],
      [[...key(file), "--access", "all"], "", 2, /write, read-write/],
    ];
    const before = await accounts();
    for (const [options, stdin, code, why] of cases) {
      const ran = await sftp(["add", "--client", "demo", "--user", "wrong", ...options], stdin);
      expect([options, ran.code, ran.stderr]).toEqual([options, code, expect.stringMatching(why)]);
    }
    expect(await accounts()).toEqual(before);
  });

  test("host keys are told beforehand, as known_hosts has them, and replaced only when it is asked for", async () => {
    const lines = await sftp(["host-key"]);
    expect(lines.stdout).toMatch(
      /^\[in\.example\]:2222 ssh-ed25519 \S+\n\[in\.example\]:2222 ecdsa-sha2-nistp256 \S+\n$/,
    );
    const known = join(site.dir, "known_hosts");
    writeFileSync(known, lines.stdout);
    const shown = keygen("-l", "-F", "[in.example]:2222", "-f", known);
    const fingerprints = [...lines.stderr.matchAll(/SHA256:\S+/g)].map(([one]) => one);
    for (const fingerprint of fingerprints) expect(shown).toContain(fingerprint);
    expect((await sftp(["host-key"])).stdout).toBe(lines.stdout);
    const replaced = await sftp(["host-key", "--replace", "--json"]);
    expect(replaced.stdout).not.toContain(fingerprints[0]);
    expect(replaced.stderr).toMatch(/restart/);
    expect(JSON.parse(replaced.stdout.split("\n")[0] ?? "")).toMatchObject({ algorithm: "ssh-ed25519" });
  });

  test("accounts and their keys come back from a backup", async () => {
    const file = join(site.dir, "ledger.backup");
    await site.command("backup", file);
    const elsewhere = site.variant("restored", {});
    expect((await run("receiver", ["restore", file, ...elsewhere])).code).toBe(0);
    const { stdout } = await run("receiver", ["sftp", "list", "--json", ...elsewhere]);
    expect(stdout.trim()).toBe(await site.command("sftp", "list", "--json"));
  });
});
