/** A webhook whose endpoint fails for real: what a person sees of it, and what telling it again brings. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startEndpoint, status } from "../../receiver/webhooks/endpoint.place.ts";
import { caller } from "../site/caller.ts";
import { freePort, until } from "../site/process.ts";
import { recorded, setBack, told } from "./beside.ts";
import { describeWithBrowser, openScene, type Scene } from "./scene.ts";

describeWithBrowser("webhooks", () => {
  let scene: Scene;
  let page: Page;
  let port: number;
  let id: string;
  beforeAll(async () => {
    scene = await openScene({ receiver: { webhooks: { allow: ["127.0.0.1"] } } });
    const { site } = scene;
    await site.command("client", "add", "acme");
    port = await freePort();
    page = (await scene.as("admin")).page;
  });
  afterAll(async () => await scene?.end());

  const deadLetters = async () => (await told(page, "deadletters.list", "/api/dead-letters")).items;
  /** In what is open of the webhook, and then in what asks whether it is meant. */
  const confirm = async (label: string): Promise<void> => {
    const press = { name: label, exact: true };
    await page.getByRole("dialog", { name: "loader" }).getByRole("button", press).click();
    const asked = page.getByRole("dialog").filter({ has: page.getByRole("button", { name: "Cancel" }) });
    await asked.getByRole("button", press).click();
  };
  const openWebhook = async (): Promise<void> => {
    await page.goto("/webhooks");
    await page.getByRole("link", { name: "loader" }).click();
    await page.getByRole("dialog", { name: "loader" }).waitFor();
  };

  test("an endpoint that fails to the last try leaves dead letters, which need attention and say why", async () => {
    const endpoint = await startEndpoint(undefined, port);
    endpoint.answer = status(500);
    await page.goto("/clients/acme/access");
    await page.getByRole("button", { name: "Add a webhook" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel(/^Address/).fill(endpoint.url);
    await dialog.getByLabel(/^Name/).fill("loader");
    await dialog.getByRole("button", { name: "Add a webhook" }).click();
    await dialog.getByText(/^whsec_/).waitFor();
    await dialog.getByRole("button", { name: "Done" }).click();
    const [added] = (await told(page, "webhooks.list", "/api/webhooks?client=acme")).items;
    id = added?.id as string;

    const key = (await scene.site.command("key", "add", "--client", "acme")).split("\n")[0] as string;
    const program = caller(scene.site, key);
    try {
      for (const name of ["first.csv", "second.csv"]) await program.put("pos", name, Buffer.from(name));
    } finally {
      await program.close();
    }
    await openWebhook();
    await page.getByText("it answered 500").first().waitFor();
    await page.getByText("2, told in vain, and told again later").waitFor();
    // Nine tries take three days; the tenth is made now.
    expect(setBack(scene.site, "UPDATE webhook_events SET tries = 9, due_at = 0 WHERE webhook = ?", id)).toBe(
      2,
    );
    for (const name of ["first.csv", "second.csv"])
      await page.getByRole("row").filter({ hasText: name }).getByText("10 tries").waitFor();
    expect((await deadLetters()).map(({ path, tries }) => `${path} ${tries}`).toSorted()).toEqual([
      "first.csv 10",
      "second.csv 10",
    ]);
    await page.goto("/");
    await page.getByText("2 entries were told in vain").waitFor();
  });

  test("one dead letter is sent again, then all others, then everything from the beginning", async () => {
    const endpoint = await startEndpoint(undefined, port);
    // At least once: what was told and not recorded yet when something is sent again comes another time.
    const times = (name: string): number => endpoint.got.filter(({ path }) => path === name).length;
    await openWebhook();
    const row = page.getByRole("row").filter({ hasText: "first.csv" });
    await row.getByRole("button", { name: "Send again" }).click();
    await page.getByRole("dialog", { name: "first.csv" }).getByRole("button", { name: "Send again" }).click();
    await row.waitFor({ state: "hidden" });
    await until("the one", () => times("first.csv") > 0);
    expect(times("second.csv")).toBe(0);
    expect((await deadLetters()).map(({ path }) => path)).toEqual(["second.csv"]);

    await page.getByRole("button", { name: "Send dead letters again" }).click();
    await page
      .getByRole("dialog", { name: "Send 1 dead letter again" })
      .getByRole("button", { name: "Send dead letters again" })
      .click();
    await until("the other", () => times("second.csv") > 0);
    await page.getByText("None.", { exact: true }).waitFor();
    expect(await deadLetters()).toEqual([]);
    expect(await recorded(page, "webhook.replay")).toMatchObject({ subject: { kind: "webhook", id } });

    await page.getByRole("button", { name: "Replay" }).click();
    const dialog = page.getByRole("dialog", { name: "Replay loader" });
    await dialog.getByLabel("From where").fill("some day");
    await dialog.getByRole("button", { name: "Replay" }).click();
    await dialog.getByRole("alert").waitFor();
    const before = [times("first.csv"), times("second.csv")] as const;
    await dialog.getByLabel("From where").fill("beginning");
    await dialog.getByRole("button", { name: "Replay" }).click();
    await dialog.waitFor({ state: "hidden" });
    await until("both once more", () => times("first.csv") > before[0] && times("second.csv") > before[1]);
    expect(times("first.csv") + times("second.csv")).toBe(endpoint.got.length);
    await page.getByText("up to date").first().waitFor();
    await page.goto("/");
    await page.getByText("Nothing needs you.").waitFor();
  });

  test("what is revoked is told nothing more, and shown only when it is asked for", async () => {
    await openWebhook();
    await confirm("Revoke");
    await page.getByText("revoked", { exact: false }).first().waitFor();
    await page.goto("/webhooks");
    await page.getByRole("button", { name: "Show 1 revoked" }).click();
    await page.getByRole("row").filter({ hasText: "loader" }).waitFor();
    expect((await told(page, "webhooks.list", "/api/webhooks")).items).toMatchObject([
      { id, state: "revoked" },
    ]);
  });
});
