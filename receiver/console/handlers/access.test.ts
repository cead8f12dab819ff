/** Webhooks by the page, over the real ledger: adding one asks the ledger for the site's key, beside its own transaction. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { listAccounts } from "../../identity/sftp-accounts.ts";
import { type ConsoleScene, startConsole, type Visitor } from "../scene.ts";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ+8Rzn3sTFSZOG6KOGFxNU5BFuIyFJcyJcHzEJDcQjV ada";

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

test("what is asked of an account at once is done whole, or not at all", async () => {
  const made = await call("POST", "/api/clients/acme/accounts", { user: "acme-ftp", password: true });
  expect(made.status).toBe(200);
  const credentials = (body: object) => call("PUT", "/api/accounts/acme-ftp/credentials", body);
  const told = async () =>
    ((await call("GET", "/api/audit?act=sftp.credentials")).json["items"] as object[]).length;
  const half = await credentials({ addKeys: KEY, removeKey: `SHA256:${"A".repeat(43)}` });
  expect([half.status, half.json["code"]]).toEqual([404, "not-found"]);
  const [account] = await listAccounts(scene.db, { user: "acme-ftp" });
  expect([account?.keys, await told()]).toEqual([[], 0]);
  expect((await credentials({ addKeys: KEY, password: "none" })).status).toBe(200);
  expect(await told()).toBe(2);
});

test("a NUL in a text is refused with the name of the field, on every database", async () => {
  for (const [method, path, body, field] of [
    ["GET", "/api/audit?who=%00", undefined, "who"],
    ["GET", "/api/search?q=a%00b", undefined, "q"],
    ["POST", "/api/webhooks", { url: "https://example.com/", name: "a\0" }, "name"],
  ] as const) {
    const { status, json } = await call(method, path, body);
    expect([status, json["code"], json["detail"]]).toEqual([
      ...[400, "request-invalid"],
      expect.stringMatching(new RegExp(`^${field}: .*NUL`)),
    ]);
  }
});
