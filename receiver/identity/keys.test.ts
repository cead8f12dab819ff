import { X509Certificate } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { connect } from "node:tls";
import { verifyReceipt } from "@tributary/shared/receipt.ts";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { fingerprint, issueServerCertificate, makeAuthority, validUntil } from "./certificate.ts";
import { redeem } from "./invitations.ts";
import { hostsOf, type KeysSettings, openKeys, type SiteKeys } from "./keys.ts";
import {
  announcePublic,
  nextAuthority,
  requireSecretsKey,
  rotateReceipts,
  switchAuthority,
} from "./rotation.ts";
import { openScene, type Scene, testHost } from "./scene.ts";
import { closeSecret } from "./secretskey.ts";

const DAY = 86_400_000;
const refusal = (code: string) => expect.objectContaining({ name: "ProblemError", code });

async function openSite(more: Partial<KeysSettings> = {}, start?: number) {
  const scene = await openScene(onTestFinished);
  if (start !== undefined) scene.clock.now = start;
  const keysFolder = join(scene.folder, "keys");
  return { scene, keysFolder, keys: await open(scene, keysFolder, more) };
}

async function open(scene: Scene, folder: string, more: Partial<KeysSettings> = {}) {
  const hosts = hostsOf([], "till-server.bakery.test");
  const now = () => scene.clock.now;
  const keys = await openKeys({ db: scene.db, folder, hosts, now, pollMs: 20, ...more });
  onTestFinished(() => keys.close());
  return keys;
}

/** The certificate that a client sees who trusts only `ca`; rejects when it does not verify. */
function dial(port: number, ca: string, servername = "localhost"): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, ca, servername }, () => {
      const seen = socket.getPeerX509Certificate()?.toString() ?? "";
      socket.destroy();
      resolve(seen);
    });
    socket.on("error", reject);
  });
}

async function listen(keys: Awaited<ReturnType<typeof open>>): Promise<number> {
  const server = createServer({ ...(await keys.certificate()) }, (_request, answer) => answer.end("ok"));
  onTestFinished(keys.onCertificate((credentials) => server.setSecureContext(credentials)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

const claims: Parameters<SiteKeys["signReceipt"]>[0] = {
  ...{ client: "bakery", source: "pos", pathEncoded: "a.csv", captureId: "c1" },
  ...{ versionId: "0198c0de-0000-7000-8000-000000000000", size: 0, sha256: "0".repeat(64) },
  ...{ status: "created", receivedAt: "2026-01-31T05:00:00.000Z", channel: "push", agentId: null },
};

describe("the folder", () => {
  test.skipIf(process.platform === "win32")(
    "is for its owner alone, and so is every file, also when copied",
    async () => {
      const { scene, keysFolder } = await openSite();
      const modes = () => [
        statSync(keysFolder).mode & 0o777,
        ...readdirSync(keysFolder).map((name) => statSync(join(keysFolder, name)).mode & 0o777),
      ];
      expect(modes()).toEqual([0o700, ...readdirSync(keysFolder).map(() => 0o600)]);
      expect(readdirSync(keysFolder)).toHaveLength(5);
      const open0 = modes();
      chmodSync(keysFolder, 0o755);
      for (const name of readdirSync(keysFolder)) chmodSync(join(keysFolder, name), 0o644);
      await open(scene, keysFolder);
      expect(modes()).toEqual(open0);
    },
  );

  test("is made once: a second start is the same site", async () => {
    const { scene, keysFolder, keys } = await openSite();
    const again = await open(scene, keysFolder);
    expect([again.site, again.jwks(), again.trust()]).toEqual([keys.site, keys.jwks(), keys.trust()]);
  });

  test("two that start at once make one site", async () => {
    const scene = await openScene(onTestFinished);
    const folder = join(scene.folder, "keys");
    const sites = await Promise.all([1, 2, 3].map(() => open(scene, folder)));
    expect(new Set(sites.map((keys) => `${keys.site} ${keys.codeTrust()}`)).size).toBe(1);
    expect(sites[0]?.jwks().keys).toHaveLength(1);
  });

  test("of another site is refused, and so is an empty one; neither is touched", async () => {
    const { scene } = await openSite();
    const { keysFolder: others } = await openSite();
    const before = readdirSync(others);
    await expect(open(scene, others)).rejects.toEqual(refusal("keys-refused"));
    expect(readdirSync(others)).toEqual(before);
    const empty = join(scene.folder, "empty");
    await expect(open(scene, empty)).rejects.toEqual(refusal("keys-refused"));
    expect(readdirSync(empty)).toEqual([]);
  });

  test.for(["authority.pem", "receipt-", "site.json"])("without its %s is refused", async (prefix) => {
    const { scene, keysFolder } = await openSite();
    const name = readdirSync(keysFolder).find((file) => file.startsWith(prefix)) as string;
    rmSync(join(keysFolder, name));
    await expect(open(scene, keysFolder)).rejects.toEqual(refusal("keys-refused"));
    expect(existsSync(join(keysFolder, name))).toBe(false);
  });

  test("with a forged authority of the same site is refused", async () => {
    const { scene, keysFolder } = await openSite();
    const forged = await makeAuthority("Tributary authority", Date.now());
    writeFileSync(join(keysFolder, "authority.pem"), forged.key + forged.cert);
    await expect(open(scene, keysFolder)).rejects.toEqual(refusal("keys-refused"));
  });

  test("a ledger that was lost learns the keys that are there", async () => {
    const { keysFolder, keys } = await openSite();
    const rebuilt = await openScene(onTestFinished);
    expect((await open(rebuilt, keysFolder)).site).toBe(keys.site);
    await expect(open(rebuilt, join(rebuilt.folder, "new"))).rejects.toEqual(refusal("keys-refused"));
  });
});

describe("the key for secrets", () => {
  test("is there from the first start, closes for one owner, and opens nothing that was altered", async () => {
    const { scene, keysFolder, keys } = await openSite();
    expect(statSync(join(keysFolder, "secrets.key")).mode & 0o777).toBe(0o600);
    const key = await requireSecretsKey(scene.db, keysFolder);
    const closed = closeSecret(key, "whsec_x", "webhook:1");
    expect(closed).not.toBe(closeSecret(key, "whsec_x", "webhook:1"));
    expect(keys.openSecret(closed, "webhook:1")).toBe("whsec_x");
    for (const [text, owner] of [
      [closed, "webhook:2"],
      [`${closed.slice(0, -4)}AAAA`, "webhook:1"],
      ["", "webhook:1"],
    ] as const)
      expect(keys.openSecret(text, owner)).toBeUndefined();
  });

  test("a site of before starts without it, gets it when it is needed, and its running receiver sees it", async () => {
    const { scene, keysFolder } = await openSite();
    rmSync(join(keysFolder, "secrets.key"));
    await scene.db.deleteFrom("site_keys").where("kind", "=", "secrets").execute();
    const keys = await open(scene, keysFolder);
    expect(existsSync(join(keysFolder, "secrets.key"))).toBe(false);
    expect(keys.openSecret("x", "webhook:1")).toBeUndefined();
    const key = await requireSecretsKey(scene.db, keysFolder);
    expect(await requireSecretsKey(scene.db, keysFolder)).toEqual(key);
    await vi.waitFor(() => expect(keys.openSecret(closeSecret(key, "a", "o"), "o")).toBe("a"));
    await open(scene, keysFolder);
  });

  test("another one, a damaged one, or none where the site has one, is refused", async () => {
    const { scene, keysFolder } = await openSite();
    const file = join(keysFolder, "secrets.key");
    writeFileSync(file, `${Buffer.alloc(32).toString("base64url")}\n`);
    await expect(open(scene, keysFolder)).rejects.toThrow(/secrets key .* is unknown to the ledger/);
    await expect(requireSecretsKey(scene.db, keysFolder)).rejects.toEqual(refusal("keys-refused"));
    writeFileSync(file, "short\n");
    await expect(open(scene, keysFolder)).rejects.toThrow(/secrets.key .* is damaged/);
    rmSync(file);
    await expect(open(scene, keysFolder)).rejects.toThrow(/lacks this site's secrets key/);
    await expect(requireSecretsKey(scene.db, keysFolder)).rejects.toEqual(refusal("keys-refused"));
    expect(existsSync(file)).toBe(false);
  });
});

describe("TLS", () => {
  test("a client with ca.pem and nothing else verifies the receiver, by each of its names", async () => {
    const { keysFolder, keys } = await openSite();
    const port = await listen(keys);
    const ca = readFileSync(join(keysFolder, "ca.pem"), "utf8");
    for (const name of ["localhost", "till-server.bakery.test"])
      expect(fingerprint(await dial(port, ca, name))).toBe(fingerprint((await keys.certificate()).cert));
    await expect(dial(port, ca, "other.test")).rejects.toThrow(/altnames/);
    const stranger = await makeAuthority("Tributary authority", Date.now());
    await expect(dial(port, stranger.cert)).rejects.toThrow(/certificate/);
  });

  test("the chain ends in the authority that codes pin", async () => {
    const { keys } = await openSite();
    const chain = (await keys.certificate()).cert.split(/(?=-----BEGIN)/);
    expect(chain).toHaveLength(2);
    expect(keys.codeTrust()).toBe(fingerprint(chain[1] as string));
  });

  test("certificates begin 48 h in the past and live 397 days and ten years", async () => {
    const { keys, scene } = await openSite();
    const [leaf, authority] = (await keys.certificate()).cert
      .split(/(?=-----BEGIN)/)
      .map((pem) => new X509Certificate(pem));
    for (const one of [leaf, authority])
      expect((scene.clock.now - (one?.validFromDate.getTime() ?? 0)) / DAY).toBeCloseTo(2, 3);
    const days = (one: typeof leaf) =>
      ((one?.validToDate.getTime() ?? 0) - (one?.validFromDate.getTime() ?? 0)) / DAY;
    expect(days(leaf)).toBeCloseTo(397, 3);
    expect(days(authority)).toBeCloseTo(3654, 3);
    expect([leaf?.ca, authority?.ca]).toEqual([false, true]);
  });

  test("is issued when it is first asked for, once, of the authority that is current then", async () => {
    const hosts = ["localhost"];
    let issued = 0;
    hosts.map = (...each: Parameters<typeof hosts.map>) => {
      issued += 1;
      return Array.prototype.map.apply(hosts, each) as never;
    };
    const { scene, keysFolder, keys } = await openSite({ hosts });
    const next = await nextAuthority(scene.db, keysFolder, scene.clock.now);
    await switchAuthority(scene.db, keysFolder, scene.clock.now);
    await keys.refresh();
    expect([issued, keys.codeTrust()]).toEqual([0, next.fingerprint]);
    const [one, two] = await Promise.all([keys.certificate(), keys.certificate()]);
    expect([issued, one]).toEqual([1, two]);
    expect(fingerprint(one.cert.split(/(?=-----BEGIN)/)[1] as string)).toBe(next.fingerprint);
  });

  test("a certificate that ends soon is renewed and served without a restart", async () => {
    const { keysFolder, keys, scene } = await openSite({}, Date.now() - 370 * DAY);
    const port = await listen(keys);
    const ca = readFileSync(join(keysFolder, "ca.pem"), "utf8");
    const first = await dial(port, ca);
    expect(validUntil(first)).toBeLessThan(Date.now() + 30 * DAY);
    scene.clock.now = Date.now();
    await vi.waitFor(async () => expect(await dial(port, ca)).not.toBe(first), { timeout: 5000 });
    expect(validUntil(await dial(port, ca))).toBeGreaterThan(Date.now() + 300 * DAY);
  });

  test("a configured certificate is served, announced as the system's, and taken anew when its files change", async () => {
    const scene = await openScene(onTestFinished);
    const tls = { cert: join(scene.folder, "cert.pem"), key: join(scene.folder, "key.pem") };
    const company = await makeAuthority("Company", Date.now());
    const write = async () => {
      const issued = await issueServerCertificate(company, ["localhost"], Date.now());
      writeFileSync(tls.cert, issued.cert);
      writeFileSync(tls.key, issued.key);
    };
    await write();
    const problems: string[] = [];
    const onProblem = (message: string) => void problems.push(message);
    const keys = await open(scene, join(scene.folder, "keys"), { tls, onProblem });
    expect(keys.trust()).toEqual({ authorities: [], system: true });
    expect(keys.codeTrust()).toBe("system");
    const port = await listen(keys);
    const first = await dial(port, company.cert);
    writeFileSync(tls.cert, "half of a certif");
    await vi.waitFor(() => expect(problems.join()).toMatch(/cannot be used/), { timeout: 5000 });
    expect(await dial(port, company.cert)).toBe(first);
    await write();
    await vi.waitFor(async () => expect(await dial(port, company.cert)).not.toBe(first), { timeout: 5000 });
    const other = await makeAuthority("Other", Date.now());
    writeFileSync(tls.key, other.key);
    await expect(open(scene, join(scene.folder, "keys"), { tls })).rejects.toEqual(refusal("config-invalid"));
    writeFileSync(tls.key, "");
    await expect(open(scene, join(scene.folder, "keys"), { tls })).rejects.toEqual(refusal("config-invalid"));
  });

  test("names: as it is reached, without doubles, wildcards and brackets", () => {
    expect(hostsOf(["0.0.0.0", "[::1]", "Receiver.Example.com", undefined, "10.0.0.7"], "h")).toEqual([
      ...["localhost", "127.0.0.1", "::1", "receiver.example.com", "10.0.0.7", "h"],
    ]);
  });
});

describe("trust that moves", () => {
  test("next is announced by the running receiver, switch serves it, the old one stays for 90 days", async () => {
    const { scene, keysFolder, keys } = await openSite();
    const port = await listen(keys);
    const ca = () => readFileSync(join(keysFolder, "ca.pem"), "utf8");
    const oldCa = ca();
    const till = testHost();
    const { agentId } = await redeem(scene.db, till.enrolment(await scene.secret(["bakery"])));
    await redeem(scene.db, testHost().enrolment(await scene.secret(["mill"], { name: "asleep" })));
    await scene.secret(["mill"]);
    await expect(switchAuthority(scene.db, keysFolder, scene.clock.now)).rejects.toEqual(
      refusal("not-found"),
    );

    const next = await nextAuthority(scene.db, keysFolder, scene.clock.now);
    expect(next.made).toBe(true);
    expect(await nextAuthority(scene.db, keysFolder, scene.clock.now)).toEqual({ ...next, made: false });
    await vi.waitFor(() => expect(keys.trust().authorities).toHaveLength(2), { timeout: 5000 });
    expect(keys.trust().authorities.map(fingerprint)).toEqual([keys.codeTrust(), next.fingerprint]);
    const known = ca();
    await dial(port, oldCa);

    scene.clock.now += 60_000;
    await scene.db
      .updateTable("agents")
      .set({ last_seen_at: scene.clock.now })
      .where("id", "=", agentId)
      .execute();
    expect(await switchAuthority(scene.db, keysFolder, scene.clock.now)).toMatchObject({
      ...{ fingerprint: next.fingerprint, agents: 2, openCodes: 1 },
      agentsBehind: [{ name: "asleep" }],
    });
    await vi.waitFor(() => expect(keys.codeTrust()).toBe(next.fingerprint), { timeout: 5000 });
    await dial(port, known);
    await expect(dial(port, oldCa)).rejects.toThrow();
    expect(keys.trust().authorities).toHaveLength(2);
    expect(keys.trust().authorities[1]).toBe(oldCa);
    const retired = readdirSync(keysFolder).find((name) => name.startsWith("authority-retired-"));
    expect(readFileSync(join(keysFolder, retired as string), "utf8")).not.toContain("PRIVATE");

    expect((await open(scene, keysFolder)).trust().authorities).toHaveLength(2);
    scene.clock.now += 91 * DAY;
    expect((await open(scene, keysFolder)).trust().authorities.map(fingerprint)).toEqual([next.fingerprint]);
  });

  test("a public certificate is announced before it is there", async () => {
    const { scene, keysFolder, keys } = await openSite();
    expect(keys.trust().system).toBe(false);
    await announcePublic(scene.db, keysFolder, scene.clock.now);
    await vi.waitFor(() => expect(keys.trust().system).toBe(true), { timeout: 5000 });
    expect(keys.trust().authorities).toHaveLength(1);
  });

  test("nobody rotates another site's folder", async () => {
    const { scene } = await openSite();
    const { keysFolder: others } = await openSite();
    for (const rotate of [nextAuthority, rotateReceipts, announcePublic])
      await expect(rotate(scene.db, others)).rejects.toEqual(refusal("keys-refused"));
  });
});

describe("receipts", () => {
  test("verify with the published keys, and bear the site's name", async () => {
    const { keys } = await openSite();
    expect(verifyReceipt(keys.signReceipt(claims), keys.jwks())).toEqual({ iss: keys.site, ...claims });
    const { keys: other } = await openSite();
    expect(() => verifyReceipt(keys.signReceipt(claims), other.jwks())).toThrow(refusal("receipt-invalid"));
  });

  test("a new key is published at once, signs when all agents can know it, and the old one stays", async () => {
    const { scene, keysFolder, keys } = await openSite();
    const old = keys.signReceipt(claims);
    const before = keys.jwks();
    scene.clock.now += DAY;
    const { kid, signsFrom } = await rotateReceipts(scene.db, keysFolder, scene.clock.now);
    await vi.waitFor(() => expect(keys.jwks().keys).toHaveLength(2), { timeout: 5000 });
    expect(keys.jwks().keys[0]?.kid).toBe(kid);
    expect(verifyReceipt(keys.signReceipt(claims), before)).toBeDefined();
    scene.clock.now = signsFrom;
    const signed = keys.signReceipt(claims);
    expect(() => verifyReceipt(signed, before)).toThrow(refusal("receipt-invalid"));
    const later = await open(scene, keysFolder);
    for (const receipt of [old, signed]) expect(verifyReceipt(receipt, later.jwks())).toBeDefined();
  });

  test("a foreign key dropped into the folder is neither published nor used, and is reported", async () => {
    const problems: string[] = [];
    const { scene, keysFolder, keys } = await openSite({
      onProblem: (message) => void problems.push(message),
    });
    const { keysFolder: others } = await openSite();
    const name = readdirSync(others).find((file) => file.startsWith("receipt-")) as string;
    cpSync(join(others, name), join(keysFolder, name));
    await vi.waitFor(() => expect(problems.join()).toMatch(/unknown to the ledger/), { timeout: 5000 });
    expect(keys.jwks().keys).toHaveLength(1);
    await expect(open(scene, keysFolder)).rejects.toEqual(refusal("keys-refused"));
    const renamed = join(scene.folder, "renamed");
    mkdirSync(renamed);
    cpSync(others, renamed, { recursive: true });
    cpSync(join(renamed, name), join(renamed, name.replace(/Z-.*/, `Z-${"A".repeat(43)}.pem`)));
    const fresh = await openScene(onTestFinished);
    await expect(open(fresh, renamed)).rejects.toEqual(refusal("config-invalid"));
  });
});
