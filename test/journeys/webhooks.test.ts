/** Arrivals told outward by real processes: signed, again after outages and kills, replayed, and no more once revoked. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test } from "vitest";
import { issueServerCertificate, makeAuthority } from "../../receiver/identity/certificate.ts";
import { startEndpoint, status } from "../../receiver/webhooks/endpoint.place.ts";
import type { DeadLetterView, WebhookView } from "../../receiver/webhooks/standing.ts";
import { caller } from "../site/caller.ts";
import { type Running, run, until } from "../site/process.ts";
import { makeSite } from "../site/site.ts";

async function setUp() {
  const site = await makeSite({
    receiver: { webhooks: { allow: ["127.0.0.1"], ca: "hooks-ca.pem" } },
  });
  onTestFinished(() => site.remove());
  const authority = await makeAuthority("Hooks authority", Date.now());
  writeFileSync(join(site.dir, "receiver", "hooks-ca.pem"), authority.cert);
  const tls = await issueServerCertificate(authority, ["127.0.0.1"], Date.now());
  await site.command("client", "add", "demo");
  const key = await site.command("key", "add", "--client", "demo");
  const running: { receiver: Running } = { receiver: await site.serve() };
  onTestFinished(async () => void (await running.receiver.stop()));
  const put = async (path: string): Promise<string> => {
    const door = caller(site, key);
    const answer = await door.put("pos", path, Buffer.from(path));
    await door.close();
    expect(answer.status).toBe(201);
    return (answer.body as { versionId: string }).versionId;
  };
  const list = async (): Promise<WebhookView[]> =>
    (await site.command("webhook", "list", "--json"))
      .split("\n")
      .map((line) => JSON.parse(line) as WebhookView);
  return { site, tls, put, list, running };
}

test("added, told, down, back, killed, replayed, revoked", async () => {
  const { site, tls, put, list, running } = await setUp();
  await put("before.csv");
  const endpoint = await startEndpoint(tls);
  const ids = (): (string | undefined)[] =>
    endpoint.got.map(({ headers }) => headers["webhook-id"] as string);

  const refused = await run("receiver", ["webhook", "add", "https://169.254.169.254/latest", ...site.at]);
  expect([refused.code, refused.stdout]).toEqual([1, ""]);
  expect(refused.stderr).toContain(
    "is a link-local address; allow it with webhooks: { allow: [169.254.169.254] }",
  );
  const secret = await site.command("webhook", "add", endpoint.url, "--client", "demo", "--name", "loader");
  const [{ id }] = (await list()) as [WebhookView];

  const first = await put("first.csv");
  await until("the first event", () => endpoint.got.length === 1);
  const headers = endpoint.got[0]?.headers as Record<string, string>;
  expect(new Webhook(secret).verify(endpoint.got[0]?.body as string, headers)).toMatchObject({
    type: "version.created",
    data: { versionId: first, client: "demo", source: "pos", path: "first.csv" },
  });

  await endpoint.close();
  const missed = [await put("second.csv"), await put("third.csv")];
  await until("the failure in words", async () => (await list())[0]?.lastFailure?.includes("ECONNREFUSED"), {
    everyMs: 500,
  });
  await running.receiver.kill();
  running.receiver = await site.serve();
  missed.push(await put("fourth.csv"));
  const back = await startEndpoint(tls, endpoint.port);
  await until("what was missed", () => new Set(back.got.map(({ path }) => path)).size === 3, {
    withinMs: 60_000,
  });
  expect(new Set(back.got.map(({ headers }) => headers["webhook-id"]))).toEqual(new Set(missed));
  await until("all is well", async () => {
    const [view] = await list();
    return view?.state === "active" && view.lag === 0 && view.waiting === 0;
  });

  // Killed when the endpoint has the event, before anybody has recorded that.
  let killing: Promise<void> | undefined;
  back.answer = (response) => {
    killing = running.receiver.kill();
    void killing.then(() => response.destroy());
  };
  const killedAt = await put("fifth.csv").catch(() => undefined);
  await until("the kill", () => killing !== undefined);
  await killing;
  back.answer = status(204);
  running.receiver = await site.serve();
  await until("told again", () => back.got.filter(({ path }) => path === "fifth.csv").length === 2, {
    withinMs: 60_000,
  });
  const fifth = back.got
    .filter(({ path }) => path === "fifth.csv")
    .map(({ headers }) => headers["webhook-id"]);
  expect(fifth).toEqual([killedAt ?? fifth[0], killedAt ?? fifth[0]]);
  expect(ids()).toEqual([first]);

  const seen = back.got.length;
  await site.command("webhook", "replay", id, "--from", "beginning");
  const all = ["before.csv", "fifth.csv", "first.csv", "fourth.csv", "second.csv", "third.csv"];
  await until("everything once more", () => back.got.length === seen + all.length);
  expect(
    back.got
      .slice(seen)
      .map(({ path }) => path)
      .sort(),
  ).toEqual(all);

  await site.command("webhook", "revoke", id);
  await new Promise((go) => setTimeout(go, 5000));
  await put("after.csv");
  await new Promise((go) => setTimeout(go, 2000));
  expect(back.got.map(({ path }) => path)).not.toContain("after.csv");
  expect((await list())[0]).toMatchObject({ state: "revoked" });
  expect(running.receiver.stderr()).not.toContain(secret);
});

test("an endpoint that hangs or redirects holds up nothing else, and a stop does not wait for it", async () => {
  const { site, tls, put, list, running } = await setUp();
  const [hanging, redirecting, elsewhere, good] = (await Promise.all(
    Array.from({ length: 4 }, () => startEndpoint(tls)),
  )) as [Awaited<ReturnType<typeof startEndpoint>>, ...Awaited<ReturnType<typeof startEndpoint>>[]] & {
    length: 4;
  };
  hanging.answer = () => {};
  redirecting!.answer = status(302, { location: elsewhere!.url });
  for (const endpoint of [hanging, redirecting, good]) await site.command("webhook", "add", endpoint!.url);
  for (const path of ["a", "b", "c"]) await put(path);
  await until("the good one is told", () => good!.got.length === 3);
  await until("the redirect is told in words", async () =>
    (await list()).some(({ lastFailure }) => lastFailure?.includes("redirects are not followed")),
  );
  expect(elsewhere!.got).toEqual([]);
  const from = performance.now();
  expect(await running.receiver.stop()).toBe(0);
  expect(performance.now() - from).toBeLessThan(15_000);
  const dead = await site.command("webhook", "list", "--dead", "--json");
  expect(
    dead
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as DeadLetterView),
  ).toEqual([]);
});
