/** Who guesses, who is right, and that the one never holds up the other. */
import { ProblemError } from "@tributary/shared/problems.ts";
import { expect, onTestFinished, test } from "vitest";
import { suspendClient } from "../ledger/clients.ts";
import { Guesses } from "../limits/guesses.ts";
import { hashPassword } from "./passwords.ts";
import { openScene } from "./scene.ts";
import { addAccount, revokeAccount } from "./sftp-accounts.ts";
import { setAccountPassword } from "./sftp-credentials.ts";
import { openSftpLogin } from "./sftp-login.ts";

const RIGHT = "correct horse battery";

async function openLoginScene(perUser = 3, perPlace = 5) {
  const { db } = await openScene(onTestFinished);
  const clock = { now: 0 };
  const now = () => clock.now;
  const login = openSftpLogin({
    db,
    perUser: new Guesses(now, perUser),
    perPlace: new Guesses(now, perPlace),
  });
  const passwordHash = await hashPassword(RIGHT);
  for (const user of ["till", "office"])
    await addAccount(db, { client: "bakery", user, keys: [], passwordHash });
  const attempt = async (user: string, password: string, address = "192.0.2.1") => {
    const answer = await login.byPassword(user, password, address);
    return answer instanceof ProblemError ? answer.code : answer.user;
  };
  return { db, clock, login, attempt };
}

test("right, wrong, unknown, without a password, far too long: one answer for all that are not right", async () => {
  const { db, login, attempt } = await openLoginScene();
  expect(await attempt("till", RIGHT)).toBe("till");
  const wrong = await login.byPassword("till", "wrong", "192.0.2.1");
  const unknown = await login.byPassword("nobody", RIGHT, "192.0.2.1");
  expect(unknown).toEqual(wrong);
  expect(await login.byPassword("till", "x".repeat(2000), "192.0.2.1")).toEqual(wrong);
  await revokeAccount(db, "till");
  expect(await login.byPassword("till", RIGHT, "192.0.2.9")).toEqual(wrong);
});

test("an unknown user takes as long as a wrong password", async () => {
  const { attempt } = await openLoginScene(1000, 1000);
  let [wrong, unknown] = [0, 0];
  // By turns, so that a machine that is busy is as busy for both.
  for (let i = 0; i < 10; i += 1) {
    const from = performance.now();
    await attempt("till", `guess ${i}`);
    const between = performance.now();
    await attempt("nobody", `guess ${i}`);
    wrong += between - from;
    unknown += performance.now() - between;
  }
  expect(unknown).toBeGreaterThan(wrong / 3);
  expect(unknown).toBeLessThan(wrong * 3);
});

test("wrong ones are counted by place and user; whoever was right passes, and other places and users do", async () => {
  const { clock, attempt } = await openLoginScene();
  expect(await attempt("till", RIGHT)).toBe("till");
  for (let i = 0; i < 3; i += 1) expect(await attempt("till", `guess ${i}`)).toBe("unauthenticated");
  expect(await attempt("till", "guess 4")).toBe("limit-requests");
  expect(await attempt("till", RIGHT)).toBe("till");
  expect(await attempt("office", RIGHT)).toBe("office");
  expect(await attempt("till", "guess 4", "192.0.2.2")).toBe("unauthenticated");
  clock.now = 60_000;
  expect(await attempt("till", "guess 4")).toBe("unauthenticated");
});

test("a place that tries many users runs out as a whole; one that is unknown waits, one that was right does not", async () => {
  const { clock, attempt } = await openLoginScene();
  expect(await attempt("till", RIGHT)).toBe("till");
  for (let i = 0; i < 5; i += 1) expect(await attempt(`user${i}`, "guess")).toBe("unauthenticated");
  expect(await attempt("user6", "guess")).toBe("limit-requests");
  expect(await attempt("office", RIGHT)).toBe("limit-requests");
  expect(await attempt("till", RIGHT)).toBe("till");
  expect(await attempt("office", RIGHT, "192.0.2.2")).toBe("office");
  expect(await attempt("office", RIGHT)).toBe("office");
  clock.now = 60_000;
  expect(await attempt("user7", "guess")).toBe("unauthenticated");
});

test("a network of IPv6 is one place", async () => {
  const { attempt } = await openLoginScene();
  for (let i = 0; i < 3; i += 1) await attempt("till", `guess ${i}`, `2001:db8:1:2::${i}`);
  expect(await attempt("till", "guess 4", "2001:db8:1:2:ffff::1")).toBe("limit-requests");
  expect(await attempt("till", "guess 4", "2001:db8:1:3::1")).toBe("unauthenticated");
});

test("many guesses at once are no more than one after the other", async () => {
  const { attempt } = await openLoginScene();
  const codes = await Promise.all(Array.from({ length: 40 }, (_, i) => attempt("till", `guess ${i}`)));
  const looked = codes.filter((code) => code === "unauthenticated").length;
  // Two are looked at at a time, so one more may be under way when the last one is counted.
  expect(looked).toBeGreaterThanOrEqual(3);
  expect(looked).toBeLessThanOrEqual(4);
  expect(codes.filter((code) => code === "limit-requests")).toHaveLength(40 - looked);
});

test("two hundred logins at once by one program are all let in", async () => {
  const { attempt } = await openLoginScene();
  const users = await Promise.all(Array.from({ length: 200 }, () => attempt("till", RIGHT)));
  expect(new Set(users)).toEqual(new Set(["till"]));
});

test("another password counts at once, and the one of before no more", async () => {
  const { db, attempt } = await openLoginScene();
  expect(await attempt("till", RIGHT)).toBe("till");
  await setAccountPassword(db, "till", await hashPassword("a new long one"));
  expect(await attempt("till", RIGHT)).toBe("unauthenticated");
  expect(await attempt("till", "a new long one")).toBe("till");
});

test("only the right one learns that its client is suspended", async () => {
  const { db, attempt } = await openLoginScene();
  await suspendClient(db, "bakery");
  expect(await attempt("till", RIGHT)).toBe("client-suspended");
  expect(await attempt("till", "wrong")).toBe("unauthenticated");
});
