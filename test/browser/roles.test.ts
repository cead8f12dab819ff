/** Nobody sees a button that he may not press, nor a way to a page that is not his. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWithBrowser, openScene, type Scene } from "./scene.ts";

const OPERATORS =
  /^(Add a client|Invite an agent|New key|New account|New password|Limits|Suspend|Resume|Offboard|Revoke|Take back|Save|Pause|Scan.*|Ask for .*|Release|Discard|Add a webhook|New webhook|Tell again.*)$/;

const PLACES = [
  "/",
  "/clients",
  "/clients/acme/overview",
  "/clients/acme/agents",
  "/clients/acme/access",
  "/clients/acme/settings",
  "/clients/acme/audit",
  "/agents",
  "/deliveries",
  "/quarantine",
  "/webhooks",
  "/audit",
];

describeWithBrowser("roles", () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await openScene({ sftp: true });
    const { site } = scene;
    await site.command("client", "add", "acme");
    await site.command("key", "add", "--client", "acme", "--name", "till");
    await site.command("agent", "invite", "--client", "acme", "--name", "hq-01");
  });
  afterAll(async () => await scene?.end());

  const seenOn = async (page: Page, place: string): Promise<readonly string[]> => {
    await page.goto(place);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await expect.poll(() => page.getByLabel("Loading").count()).toBe(0);
    return (await page.getByRole("button").allInnerTexts()).filter((words) => OPERATORS.test(words.trim()));
  };

  test("a viewer reads everything, and is offered no act", async () => {
    const { page } = await scene.as("viewer");
    for (const place of PLACES) expect([place, await seenOn(page, place)]).toEqual([place, []]);
  });

  test("an operator is offered the acts of his role", async () => {
    const { page } = await scene.as("operator");
    expect(await seenOn(page, "/clients")).toEqual(["Add a client"]);
    expect(await seenOn(page, "/clients/acme/agents")).toEqual(["Invite an agent", "Take back"]);
    expect(await seenOn(page, "/clients/acme/access")).toEqual([
      "New key",
      "Limits",
      "Revoke",
      "New account",
      "Add a webhook",
    ]);
    expect(await seenOn(page, "/clients/acme/settings")).toEqual(["Save", "Suspend", "Offboard"]);
  });

  test("what the receiver keeps from an operator, it keeps from a page that asks anyway", async () => {
    const { page } = await scene.as("operator");
    const status = await page.evaluate(async () => (await fetch("/api/people")).status);
    expect(status).toBe(403);
  });

  test("nobody comes in without signing in, and goes on to where he wanted", async () => {
    const { page } = await scene.window();
    await page.goto("/clients/acme/audit");
    await page.waitForURL(/\/sign-in\?to=/);
    await page.getByLabel("Email").fill("operator@example.com");
    await page.getByLabel(/^Password\b/).fill("not the password at all");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByRole("alert").waitFor();
    await page.getByLabel(/^Password\b/).fill("rivers carry what they are given");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.waitForURL("**/clients/acme/audit");
  });
});
