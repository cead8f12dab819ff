/** Whole receivers in this process that tell endpoints on loopback of what arrives. */
import { createHmac } from "node:crypto";
import { rmSync } from "node:fs";
import { entry } from "@tributary/shared/protocol.ts";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test } from "vitest";
import { requireSecretsKey } from "../identity/rotation.ts";
import { closeSecret } from "../identity/secretskey.ts";
import { sqlitePlace } from "../ledger/place.contract.ts";
import { type Rig, type RigOptions, startRig } from "../rig.ts";
import { allowedOf } from "./address.ts";
import { type Endpoint, startEndpoint, status } from "./endpoint.place.ts";
import { createSender } from "./https.ts";
import { addWebhook, type NewWebhook, replayWebhook, revokeWebhook } from "./register.ts";
import { listWebhooks } from "./standing.ts";
import { ownerOf, type Send } from "./webhook.ts";

function openSender(): Send {
  const sender = createSender({ allowed: allowedOf(["127.0.0.1"]) });
  onTestFinished(() => sender.close());
  return sender.send;
}

async function start(options: RigOptions = {}): Promise<Rig> {
  const rig = await startRig({ send: openSender(), ...options });
  onTestFinished(() => rig.stop());
  return rig;
}

async function add(rig: Rig, endpoint: Endpoint, more: Partial<NewWebhook> = {}) {
  const key = await requireSecretsKey(rig.database.db, `${rig.folder}/keys`);
  return await addWebhook(rig.database.db, { url: new URL(endpoint.url), ...more }, (secret, id) =>
    closeSecret(key, secret, ownerOf(id)),
  );
}

const put = async (rig: Rig, path: string, client = "acme"): Promise<string> => {
  rig.gate.add(client, { kind: "key", clients: [client] });
  const answer = await rig.ask("PUT", `/v1/files/pos/${path}`, { authorization: `Bearer ${client}` }, path);
  expect(answer.status).toBe(201);
  return answer.json.versionId as string;
};

test("a file that arrives is told, signed so that others' libraries verify it", async () => {
  const [rig, endpoint] = [await start(), await startEndpoint()];
  await put(rig, "before.csv");
  const { secret } = await add(rig, endpoint);
  const versionId = await put(rig, "day/a b.csv".replace(" ", "%20"));
  await expect.poll(() => endpoint.got).toHaveLength(1);
  const [got] = endpoint.got as [(typeof endpoint.got)[0]];
  const headers = got.headers as Record<string, string>;
  expect(headers).toMatchObject({
    "webhook-id": versionId,
    "content-type": "application/json",
    "user-agent": expect.stringMatching(/^Tributary\//),
  });
  const body = new Webhook(secret).verify(got.body, headers) as Record<string, unknown>;
  expect(body).toMatchObject({
    type: "version.created",
    data: { versionId, path: "day/a b.csv", client: "acme" },
  });
  expect(Object.keys(body.data as object).sort()).toEqual(Object.keys(entry.shape).sort());
  expect(body.timestamp).toBe((body.data as { receivedAt: string }).receivedAt);
  // The algorithm written down once more, from the specification alone.
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${got.body}`;
  expect(headers["webhook-signature"]).toBe(
    `v1,${createHmac("sha256", key).update(signed).digest("base64")}`,
  );
  expect(() => new Webhook(secret).verify(`${got.body} `, headers)).toThrow();
});

test("its cursor is one of /v1/events: who reads on from there misses nothing", async () => {
  const [rig, endpoint] = [await start(), await startEndpoint()];
  await add(rig, endpoint);
  await put(rig, "a");
  await expect.poll(() => endpoint.got).toHaveLength(1);
  await put(rig, "b");
  const { cursor } = JSON.parse(endpoint.got[0]?.body ?? "") as { cursor: string };
  const answer = await rig.ask("GET", `/v1/events?cursor=${cursor}`, { authorization: "Bearer reader" });
  expect((answer.json.events as { path: string }[]).map(({ path }) => path)).toEqual(["b"]);
});

test("a removal is told as one; a webhook of one client or source hears of no other", async () => {
  const [rig, all, other] = [await start(), await startEndpoint(), await startEndpoint()];
  await add(rig, all);
  await add(rig, other, { client: "other", source: "pos" });
  await put(rig, "a");
  const removal = JSON.stringify({ source: "pos", pathEncoded: "a", captureId: "c1" });
  const headers = { authorization: "Bearer reader", "content-type": "application/json" };
  expect((await rig.ask("POST", "/v1/removals", headers, removal)).status).toBe(201);
  await put(rig, "b", "other");
  await expect.poll(() => all.got).toHaveLength(3);
  await expect.poll(() => other.got).toHaveLength(1);
  expect(all.got.map(({ body }) => (JSON.parse(body) as { type: string }).type)).toEqual([
    "version.created",
    "removal.created",
    "version.created",
  ]);
  expect(other.got[0]?.path).toBe("b");
});

test("an entry whose manifest segment the lake does not take is not told before it is there", async () => {
  let away = true;
  const rig = await start({
    wrap: (lake) => ({
      ...lake,
      stage: (bytes, ...rest) => lake.stage(bytes, ...rest),
      publish: async (staged, key, metadata) => {
        if (away && key.startsWith("manifest/")) throw new Error("the lake is away");
        return await lake.publish(staged, key, metadata);
      },
    }),
  });
  const endpoint = await startEndpoint();
  await add(rig, endpoint);
  const answer = await rig.ask("PUT", "/v1/files/pos/a", { authorization: "Bearer key" }, "a");
  expect(answer.status).toBe(503);
  expect(await rig.entries()).toBe(1);
  await new Promise((go) => setTimeout(go, 1500));
  expect(endpoint.got).toHaveLength(0);
  away = false;
  await expect.poll(() => endpoint.got, { timeout: 10_000 }).toHaveLength(1);
});

test("a suspended client's own webhook rests until it is resumed; one for all is told on", async () => {
  const [rig, own, central] = [await start(), await startEndpoint(), await startEndpoint()];
  const { id } = await add(rig, own, { client: "acme" });
  await add(rig, central);
  await put(rig, "first");
  await expect.poll(() => [own.got.length, central.got.length]).toEqual([1, 1]);
  const suspend = (at: number | null) =>
    rig.database.db.updateTable("clients").set({ suspended_at: at }).where("name", "=", "acme").execute();
  await suspend(1);
  await expect
    .poll(async () => (await listWebhooks(rig.database.db)).map(({ state }) => state))
    .toContain("suspended");
  await replayWebhook(rig.database.db, id, { from: "beginning" });
  await put(rig, "second", "other");
  await expect.poll(() => central.got).toHaveLength(2);
  await new Promise((go) => setTimeout(go, 1500));
  expect(own.got).toHaveLength(1);
  await suspend(null);
  await expect.poll(() => own.got.map(({ path }) => path)).toEqual(["first", "first"]);
});

test("410 ends it visibly; replay takes it up where it was, and nothing is missing", async () => {
  const [rig, endpoint] = [await start(), await startEndpoint()];
  const { id } = await add(rig, endpoint);
  endpoint.answer = status(410);
  await put(rig, "a");
  await expect
    .poll(async () => (await listWebhooks(rig.database.db))[0])
    .toMatchObject({ state: "gone", lag: 1 });
  await put(rig, "b");
  endpoint.answer = status(204);
  await replayWebhook(rig.database.db, id, {});
  await expect.poll(() => endpoint.got.slice(1).map(({ path }) => path)).toEqual(["a", "b"]);
  await expect
    .poll(async () => (await listWebhooks(rig.database.db))[0])
    .toMatchObject({ state: "active", lag: 0, lastFailure: expect.stringContaining("410") });
});

test("replay from the beginning tells everything once more under the same ids; a revoked one hears nothing", async () => {
  const [rig, endpoint] = [await start(), await startEndpoint()];
  await put(rig, "before");
  const { id } = await add(rig, endpoint);
  const versionId = await put(rig, "a");
  await expect.poll(() => endpoint.got).toHaveLength(1);
  await replayWebhook(rig.database.db, id, { from: "beginning" });
  await expect.poll(() => endpoint.got.map(({ path }) => path)).toEqual(["a", "before", "a"]);
  expect(endpoint.got[2]?.headers["webhook-id"]).toBe(versionId);
  await revokeWebhook(rig.database.db, id);
  await new Promise((go) => setTimeout(go, 1500));
  await put(rig, "after");
  await new Promise((go) => setTimeout(go, 500));
  expect(endpoint.got).toHaveLength(3);
  await expect(replayWebhook(rig.database.db, id, {})).rejects.toMatchObject({ code: "request-invalid" });
});

test("thousands arrive, each once and those of a path in order, while a few fail", {
  timeout: 60_000,
}, async () => {
  const [rig, endpoint] = [await start(), await startEndpoint()];
  await add(rig, endpoint);
  let count = 0;
  endpoint.answer = (response) => status(++count % 50 === 0 ? 500 : 204)(response);
  const wanted = 600;
  await Promise.all(
    Array.from({ length: 20 }, async (_, lane) => {
      for (let n = 0; n < wanted / 20; n += 1)
        await rig.ask(
          "PUT",
          `/v1/files/pos/lane-${lane % 5}`,
          { authorization: "Bearer key" },
          `${lane} ${n}`,
        );
    }),
  );
  const seqs = () => new Set(endpoint.got.map(({ body }) => (JSON.parse(body) as { seq: number }).seq));
  await expect.poll(() => seqs().size, { timeout: 40_000 }).toBe(wanted);
  await expect
    .poll(async () => (await listWebhooks(rig.database.db))[0], { timeout: 20_000 })
    .toMatchObject({ lag: 0, waiting: 0, dead: 0 });
  const firsts = endpoint.got.filter(
    (got, i) =>
      endpoint.got.findIndex(({ headers }) => headers["webhook-id"] === got.headers["webhook-id"]) === i,
  );
  for (let lane = 0; lane < 5; lane += 1) {
    const own = firsts
      .filter(({ path }) => path === `lane-${lane}`)
      .map(({ body }) => (JSON.parse(body) as { seq: number }).seq);
    expect(own).toEqual([...own].sort((a, b) => a - b));
  }
});

test("of two receivers one tells at a time; the other goes on when the first stops", {
  timeout: 30_000,
}, async () => {
  const place = await sqlitePlace();
  const one = await startRig({ send: openSender(), database: await place.open() });
  onTestFinished(() => {
    one.keys.close();
    rmSync(one.folder, { recursive: true, force: true });
  });
  const endpoint = await startEndpoint();
  await add(one, endpoint);
  await put(one, "first");
  await expect.poll(() => endpoint.got).toHaveLength(1);
  const two = await startRig({ send: openSender(), database: await place.open(), keysOf: one });
  onTestFinished(() => two.stop());
  for (let i = 0; i < 10; i += 1) await put(i % 2 === 0 ? one : two, `f${i}`);
  await expect.poll(() => endpoint.got).toHaveLength(11);
  await one.receiver.stop();
  const from = performance.now();
  await put(two, "after");
  await expect.poll(() => endpoint.got, { timeout: 10_000 }).toHaveLength(12);
  // Not the whole lease: it was given back.
  expect(performance.now() - from).toBeLessThan(8000);
  expect(new Set(endpoint.got.map(({ headers }) => headers["webhook-id"])).size).toBe(12);
});

test("what a scrape tells of webhooks", async () => {
  const [rig, endpoint] = [await start(), await startEndpoint()];
  const { id } = await add(rig, endpoint);
  endpoint.answer = status(500);
  await put(rig, "a");
  await expect.poll(async () => (await listWebhooks(rig.database.db))[0]?.waiting).toBe(1);
  const { body } = await rig.ask("GET", "/metrics");
  for (const line of [
    `tributary_webhook_attempts_total{webhook="${id}",outcome="failed"}`,
    `tributary_webhook_waiting{webhook="${id}"} 1`,
    `tributary_webhook_lag_entries{webhook="${id}"} 0`,
    `tributary_webhook_dead_letters{webhook="${id}"} 0`,
    `tributary_webhook_up{webhook="${id}"} 1`,
  ])
    expect(body.toString()).toContain(line);
});
