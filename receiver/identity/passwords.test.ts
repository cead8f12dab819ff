import { expect, test } from "vitest";
import { hashPassword, Passwords } from "./passwords.ts";

const PASSWORD = "correct horse battery staple";
const judging = { begin: () => {}, judged: () => {} };

test("a password is kept as OWASP has it, each time another, and only it is right", async () => {
  const [hash, again] = [await hashPassword(PASSWORD), await hashPassword(PASSWORD)];
  expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(again).not.toBe(hash);
  const passwords = new Passwords();
  const check = (password: string, of = hash) =>
    passwords.check({ id: "1", hash: of, password }, "here", judging);
  expect(await check(PASSWORD)).toBe(true);
  expect(await check(`${PASSWORD} `)).toBe(false);
  expect(await check("")).toBe(false);
  expect(await passwords.check({ id: "1", hash: undefined, password: PASSWORD }, "here", judging)).toBe(
    false,
  );
  expect(await check(PASSWORD, "damaged")).toBe(false);
});

test("what other programs made is read, whatever it cost them", async () => {
  // From the tests of the reference implementation, phc-winner-argon2.
  const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
  const passwords = new Passwords();
  expect(await passwords.check({ id: "1", hash, password: "password" }, "here", judging)).toBe(true);
  expect(await passwords.check({ id: "1", hash, password: "passwore" }, "here", judging)).toBe(false);
});

test("a right one is remembered for an hour from its last use, until the account has another", async () => {
  const clock = { now: 0 };
  const passwords = new Passwords(() => clock.now);
  const asked = { id: "1", hash: await hashPassword(PASSWORD), password: PASSWORD };
  expect(passwords.remembers(asked)).toBe(false);
  await passwords.check(asked, "here", judging);
  await passwords.check({ ...asked, password: "another one" }, "here", judging);
  clock.now = 3_599_999;
  expect(passwords.remembers(asked)).toBe(true);
  expect(passwords.remembers({ ...asked, password: "another one" })).toBe(false);
  expect(passwords.remembers({ ...asked, id: "2" })).toBe(false);
  expect(passwords.remembers({ ...asked, hash: await hashPassword(PASSWORD) })).toBe(false);
  expect(passwords.remembers({ ...asked, hash: undefined })).toBe(false);
  clock.now += 3_600_000;
  expect(passwords.remembers(asked)).toBe(false);
});

test("the same from one place at once is looked at once; whether it may be is asked when its turn comes", async () => {
  const passwords = new Passwords();
  const asked = { id: "1", hash: await hashPassword(PASSWORD), password: PASSWORD };
  let looks = 0;
  const counted = () => {
    looks += 1;
  };
  const all = await Promise.all(
    Array.from({ length: 200 }, () => passwords.check(asked, "here", { ...judging, begin: counted })),
  );
  expect(new Set(all)).toEqual(new Set([true]));
  expect(looks).toBe(1);
  const refuse = () => {
    throw new Error("not any more");
  };
  await expect(passwords.check(asked, "here", { ...judging, begin: refuse })).rejects.toThrow("not any more");
});

test("the process goes on while passwords are looked at", async () => {
  const passwords = new Passwords();
  const hash = await hashPassword(PASSWORD);
  let ticks = 0;
  const timer = setInterval(() => {
    ticks += 1;
  }, 1);
  const checks = Array.from({ length: 20 }, (_, i) =>
    passwords.check({ id: "1", hash, password: `guess ${i}` }, `place ${i}`, judging),
  );
  expect(await Promise.all(checks)).toEqual(checks.map(() => false));
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(20);
});

test("one that nobody waits for any more is not looked at; one that somebody does, or that has begun, is", async () => {
  const passwords = new Passwords(undefined, { atOnce: 1, each: 10, all: 10 });
  const hash = await hashPassword(PASSWORD);
  const judged: string[] = [];
  const ask = (password: string, gone?: AbortSignal) =>
    passwords.check(
      { id: "1", hash, password },
      "here",
      { begin: () => {}, judged: () => void judged.push(password) },
      gone,
    );
  const leavers = ["a", "b", "b", "c"].map((password) => {
    const gone = new AbortController();
    return { gone, answer: ask(password, gone.signal) };
  });
  const stays = ask("b");
  await new Promise((resolve) => setImmediate(resolve));
  for (const { gone } of leavers) gone.abort();
  const again = ask("c");
  await expect(leavers[3]?.answer).rejects.toMatchObject({ code: "busy" });
  expect(await Promise.all([leavers[0]?.answer, stays, again])).toEqual([false, false, false]);
  expect(judged).toEqual(["a", "b", "c"]);
  const before = new AbortController();
  before.abort();
  await expect(ask("d", before.signal)).rejects.toMatchObject({ code: "busy" });
});
