/** SFTP accounts on either database: who counts, who does not any more, and what is cut when that changes. */
import { generateKeyPairSync } from "node:crypto";
import type { ProblemError } from "@tributary/shared/problems.ts";
import { expect, onTestFinished, test } from "vitest";
import { addClient, resumeClient, setLimits, suspendClient } from "../ledger/clients.ts";
import type { Database } from "../ledger/schema.ts";
import type { Account } from "./account.ts";
import { openGate } from "./gate.ts";
import { hashPassword } from "./passwords.ts";
import { addAccount, limitAccount, listAccounts, type NewAccount, revokeAccount } from "./sftp-accounts.ts";
import { addAccountKeys, removeAccountKey, setAccountPassword } from "./sftp-credentials.ts";
import { openSftpLogin } from "./sftp-login.ts";
import { parsePublicKeys, type SshPublicKey } from "./ssh-public-key.ts";
import { fields } from "./ssh-wire.ts";

export function newSshKey(comment = "till"): SshPublicKey {
  const { x = "" } = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
  const blob = fields("ssh-ed25519", Buffer.from(x, "base64url"));
  return parsePublicKeys(`ssh-ed25519 ${blob.toString("base64")} ${comment}`, "test")[0] as SshPublicKey;
}

const patient = { waitMs: () => 0, wasRight: () => {}, wasWrong: () => {} };
const refusal = (code: string, why = /./) =>
  expect.objectContaining({ name: "ProblemError", code, message: expect.stringMatching(why) });

/** `newLedger` has the client `bakery`. */
export function sftpAccountsContract(newLedger: () => Promise<Database>): void {
  const scene = async () => {
    const db = await newLedger();
    await addClient(db, "dairy");
    const login = openSftpLogin({ db, perUser: patient, perPlace: patient });
    const key = newSshKey();
    const byKey = async (user: string, one = key) =>
      await login.byKey(user, Buffer.from(one.publicKey, "base64"));
    const add = async (more: Partial<NewAccount> = {}) =>
      await addAccount(db, { client: "bakery", user: "till", keys: [key], ...more });
    return { db, login, key, byKey, add };
  };

  test("an account is listed as it was made, and stands for its client with the acts that it has", async () => {
    const { db, byKey, add } = await scene();
    const id = await add();
    expect(await listAccounts(db)).toEqual([
      {
        ...{ id, user: "till", client: "bakery", source: null, defaultSource: "sftp", access: "write" },
        ...{ removals: "record", history: false, receipts: false, password: false, dayBytes: 0 },
        keys: [{ fingerprint: expect.stringMatching(/^SHA256:/), comment: "till" }],
        limits: { requests: null, uploads: null, day: null, file: null },
        ...{ lastLoginAt: null, lastLoginFrom: null, createdAt: expect.any(String), revokedAt: null },
      },
    ]);
    expect(await byKey("till")).toEqual({
      ...{ user: "till", defaultSource: "sftp", mayMakeSources: true, history: false, receipts: false },
      principal: {
        ...{ kind: "account", id, user: "till", clients: ["bakery"], source: undefined },
        acts: new Set(["write", "remove"]),
        proof: expect.stringMatching(/^SHA256:/),
      },
    });
    const all = { access: "read-write", history: true, receipts: true, removals: "refuse" } as const;
    await add({ user: "_office.2", source: "pos", limits: { day: 5 }, ...all });
    await setLimits(db, "bakery", { uploads: 3 });
    expect(await byKey("_office.2")).toMatchObject({
      ...{ defaultSource: "pos", mayMakeSources: false, history: true, receipts: true },
      principal: {
        ...{ source: "pos", acts: new Set(["write", "read"]), limits: { day: 5, file: null } },
        clientLimits: new Map([["bakery", { requests: null, uploads: 3 }]]),
      },
    });
  });

  test("a user name is one account's; after it was revoked it may be another's", async () => {
    const { db, byKey, add } = await scene();
    const first = await add();
    await expect(add({ client: "dairy" })).rejects.toEqual(refusal("request-invalid", /already/));
    expect(await listAccounts(db)).toHaveLength(1);
    await revokeAccount(db, "till", 1000);
    await revokeAccount(db, "till", 2000);
    expect((await listAccounts(db))[0]?.revokedAt).toBe(new Date(1000).toISOString());
    expect(await byKey("till")).toBeUndefined();
    const other = newSshKey();
    const second = await add({ client: "dairy", keys: [other] });
    expect(second).not.toBe(first);
    expect(await byKey("till")).toBeUndefined();
    expect(await byKey("till", other)).toMatchObject({ principal: { id: second, clients: ["dairy"] } });
    const twice = await Promise.allSettled([add({ user: "x" }), add({ user: "x" }), add({ user: "x" })]);
    expect(twice.filter((one) => one.status === "fulfilled")).toHaveLength(1);
    await expect(revokeAccount(db, "nobody")).rejects.toEqual(refusal("not-found"));
  });

  test("keys and passwords are exchanged; nobody is left without a way in", async () => {
    const { db, key, byKey, add } = await scene();
    await add();
    const other = newSshKey("new till");
    await expect(removeAccountKey(db, "till", key.fingerprint)).rejects.toEqual(
      refusal("forbidden", /nobody could log in/),
    );
    expect(await byKey("till")).toBeDefined();
    await addAccountKeys(db, "till", [other, { ...key, comment: "old till" }]);
    expect((await listAccounts(db))[0]?.keys).toEqual(
      [other, { ...key, comment: "old till" }]
        .map(({ fingerprint, comment }) => ({ fingerprint, comment }))
        .sort((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1)),
    );
    await removeAccountKey(db, "till", key.fingerprint);
    expect(await byKey("till")).toBeUndefined();
    expect(await byKey("till", other)).toBeDefined();
    await expect(removeAccountKey(db, "till", key.fingerprint)).rejects.toEqual(refusal("not-found"));
    await expect(setAccountPassword(db, "till", null)).resolves.toBeUndefined();
    await setAccountPassword(db, "till", await hashPassword("something long"));
    await removeAccountKey(db, "till", other.fingerprint);
    await expect(setAccountPassword(db, "till", null)).rejects.toEqual(refusal("forbidden"));
    for (const change of [
      () => addAccountKeys(db, "nobody", [key]),
      () => removeAccountKey(db, "nobody", key.fingerprint),
      () => setAccountPassword(db, "nobody", null),
      () => limitAccount(db, "nobody", {}),
    ])
      await expect(change()).rejects.toEqual(refusal("not-found"));
  });

  test("limits are the account's own", async () => {
    const { db, byKey, add } = await scene();
    const id = await add();
    expect(await limitAccount(db, "till", { uploads: 2, requests: { count: 5, perMs: 1000 } })).toBe(id);
    expect(await byKey("till")).toMatchObject({
      principal: { limits: { uploads: 2, requests: { count: 5, perMs: 1000 } } },
    });
    await limitAccount(db, "till", { uploads: null });
    expect((await listAccounts(db))[0]?.limits).toMatchObject({ uploads: null });
  });

  test("a login is remembered to the minute, and whenever it comes from elsewhere", async () => {
    const { db, byKey, add } = await scene();
    await add();
    const account = (await byKey("till")) as Account;
    const clock = { now: 1_000_000 };
    const at = openSftpLogin({ db, perUser: patient, perPlace: patient, now: () => clock.now });
    const last = async () => {
      const [view] = await listAccounts(db);
      return [Date.parse(view?.lastLoginAt ?? ""), view?.lastLoginFrom];
    };
    await at.loggedIn(account, "192.0.2.1");
    clock.now += 30_000;
    await at.loggedIn(account, "192.0.2.1");
    expect(await last()).toEqual([1_000_000, "192.0.2.1"]);
    await at.loggedIn(account, "192.0.2.2");
    expect(await last()).toEqual([1_030_000, "192.0.2.2"]);
    clock.now += 60_000;
    await at.loggedIn(account, "192.0.2.2");
    expect(await last()).toEqual([1_090_000, "192.0.2.2"]);
    // The clock was ahead, and was put right.
    clock.now = 500_000;
    await at.loggedIn(account, "192.0.2.2");
    expect(await last()).toEqual([500_000, "192.0.2.2"]);
  });

  test.for(["till\0", "\0", "", "Till", "till ", "x".repeat(64), "\ud800"])(
    "the user name %j is nobody's",
    async (user) => {
      const { login, byKey, add } = await scene();
      await add();
      expect(await byKey(user)).toBeUndefined();
      expect(await login.byPassword(user, "a password", "192.0.2.1")).toMatchObject({
        code: "unauthenticated",
      });
    },
  );

  test("sessions are cut: revoked, suspended, key or password taken away; the others go on", async () => {
    const { db, login, key, byKey, add } = await scene();
    const gate = openGate({ db, site: "s", pollMs: 20 });
    onTestFinished(() => gate.close());
    const told: string[] = [];
    const watch = (name: string, account: unknown, client = "bakery") => {
      const { principal } = account as Account;
      gate.watch(principal, [client], (reason) => told.push(`${name} ${reason.code}`));
    };
    const password = "something long";
    const passwordHash = await hashPassword(password);
    const second = newSshKey();
    for (const user of ["revoked", "keyed", "stays"]) await add({ user, keys: [key, second], passwordHash });
    await add({ user: "suspended", client: "dairy" });
    watch("revoked", await byKey("revoked"));
    watch("suspended", await byKey("suspended"), "dairy");
    watch("stays", await byKey("stays"));
    watch("first key", await byKey("keyed"));
    watch("second key", await byKey("keyed", second));
    watch("password", await login.byPassword("keyed", password, "192.0.2.1"));
    watch("password stays", await login.byPassword("stays", password, "192.0.2.1"));

    await revokeAccount(db, "revoked");
    await suspendClient(db, "dairy");
    await removeAccountKey(db, "keyed", key.fingerprint);
    await setAccountPassword(db, "keyed", await hashPassword(password));
    await expect
      .poll(() => [...told].sort(), { timeout: 5000 })
      .toEqual([
        "first key unauthenticated",
        "password unauthenticated",
        "revoked unauthenticated",
        "suspended client-suspended",
      ]);
    expect(((await byKey("suspended")) as ProblemError).code).toBe("client-suspended");
    await resumeClient(db, "dairy");
    expect(await byKey("suspended")).toMatchObject({ user: "suspended" });
    expect(told).toHaveLength(4);
  });
}
