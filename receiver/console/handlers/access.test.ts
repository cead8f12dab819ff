/** Webhooks by the page, over the real ledger: adding one asks the ledger for the site's key, beside its own transaction. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ConsoleScene, startConsole, type Visitor } from "../scene.ts";

let scene: ConsoleScene;
let ada: Visitor;

beforeAll(async () => {
  scene = await startConsole();
  await scene.add("ada@example.com", { role: "operator" });
  ada = await scene.login("ada@example.com");
});
afterAll(async () => await scene.stop());

const call = (method: string, path: string, body?: unknown) => ada.ask(method, path, body);

test("a webhook is added, replayed and revoked; its secret is shown once", async () => {
  const added = await call("POST", "/api/webhooks", {
    url: "https://example.com/arrivals",
    name: "warehouse",
  });
  expect([added.status, added.json]).toEqual([
    200,
    { id: expect.any(String), secret: expect.stringMatching(/^whsec_/) },
  ]);
  const { id } = added.json as { id: string };
  const [listed] = (await call("GET", "/api/webhooks")).json["items"] as Record<string, unknown>[];
  expect(listed).toMatchObject({ id, name: "warehouse", state: "active", dead: 0 });
  expect(JSON.stringify(listed)).not.toContain("whsec_");
  expect((await call("POST", `/api/webhooks/${id}/replay`, { from: "beginning" })).json).toEqual({ dead: 0 });
  const nowhere = await call("POST", `/api/webhooks/${id}/replay`, { from: "2026-02-31" });
  expect([nowhere.status, nowhere.json["detail"]]).toEqual([400, expect.stringMatching(/expected a cursor/)]);
  const letters = await call("GET", `/api/dead-letters?webhook=${id}`);
  expect(letters.json).toEqual({ items: [], next: null });
  expect((await call("POST", `/api/webhooks/${id}/revoke`, {})).status).toBe(200);
  expect((await call("GET", "/api/webhooks")).json["items"]).toMatchObject([{ id, state: "revoked" }]);
  const acts = (await call("GET", `/api/audit?subjectKind=webhook&subject=${id}`)).json["items"];
  expect((acts as { act: string }[]).map(({ act }) => act)).toEqual([
    ...["webhook.revoke", "webhook.replay", "webhook.add"],
  ]);
});

test("an address that is none is refused in words, and nothing is kept", async () => {
  const before = (await call("GET", "/api/webhooks")).json["items"];
  for (const url of ["nowhere", "ftp://example.com/", "https://ada:secret@example.com/"])
    expect((await call("POST", "/api/webhooks", { url })).json["code"]).toBe("request-invalid");
  expect((await call("POST", "/api/webhooks", { url: "https://example.com/", client: "none" })).status).toBe(
    404,
  );
  expect((await call("GET", "/api/webhooks")).json["items"]).toEqual(before);
});
