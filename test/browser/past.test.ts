/** What pages show is what they say: of an instant, of what came since, of what is not there yet. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Caller, caller } from "../site/caller.ts";
import type { Window } from "./browser.ts";
import { describeWithBrowser, openScene, type Scene } from "./scene.ts";

describeWithBrowser("pages of files", () => {
  let scene: Scene;
  let window: Window;
  let page: Page;
  let program: Caller;
  beforeAll(async () => {
    scene = await openScene();
    await scene.site.command("client", "add", "acme");
    const key = await scene.site.command("key", "add", "--client", "acme");
    program = caller(scene.site, key.split("\n")[0] as string);
    window = await scene.as("operator");
    page = window.page;
  });
  afterAll(async () => {
    await program?.close();
    await scene?.end();
  });
  const put = async (name: string, text: string): Promise<void> => {
    expect((await program.put("pos", name, Buffer.from(text))).status).toBe(201);
  };

  test("a file opened as at an instant is what it was then, however much came since", async () => {
    await put("prices.csv", "the price of then\n");
    const [first] = await scene.site.history("--client", "acme");
    await sleep(20);
    const at = new Date().toISOString();
    await sleep(20);
    for (let i = 0; i < 60; i += 1) await put("prices.csv", `${i}\n`);
    await page.goto(`/clients/acme/files?source=pos&at=${encodeURIComponent(at)}`);
    await page.getByRole("link", { name: "prices.csv" }).click();
    const drawer = page.getByRole("dialog");
    await drawer.getByText("shown at that instant").waitFor();
    const open = drawer.locator('a[href$="/content"]');
    await expect.poll(() => open.count()).toBe(1);
    expect(await open.getAttribute("href")).toContain(String(first?.versionId));
    // So does a link to a version that is far back, without an instant.
    const file = encodeURIComponent("acme/pos/prices.csv");
    await page.goto(`/clients/acme/files?source=pos&file=${file}&version=${first?.versionId}`);
    await drawer.getByText("the version of this link").waitFor();
    expect(await open.getAttribute("href")).toContain(String(first?.versionId));
    // And where a link names none of its versions, none is open.
    await page.goto(
      `/clients/acme/files?source=pos&file=${file}&version=0199f0b2-0000-7000-8000-000000000000`,
    );
    await drawer.getByText("This file has no version as the link names it.").waitFor();
    expect(await open.count()).toBe(0);
  });

  test("what came since is said, and shown when it is asked for", async () => {
    await page.goto("/clients/acme/files?source=pos");
    await page.getByRole("link", { name: "prices.csv" }).waitFor();
    await put("new.csv", "1");
    const more = page.getByRole("button", { name: "1 new in pos" });
    await more.waitFor();
    expect(await page.getByRole("link", { name: "new.csv" }).count()).toBe(0);
    await more.click();
    await page.getByRole("link", { name: "new.csv" }).waitFor();
    await more.waitFor({ state: "hidden" });
  });

  test("what is being prepared is waited for in words, and is no failure", { timeout: 90_000 }, async () => {
    let asked = 0;
    await page.route("**/api/clients/acme/file-bounds", async (route) => {
      asked += 1;
      if (asked > 6) await route.continue();
      else
        await route.fulfill({
          status: 503,
          headers: { "retry-after": "1" },
          contentType: "application/problem+json",
          body: JSON.stringify({ code: "preparing", detail: "the history of acme is read; ask again" }),
        });
    });
    await page.goto("/clients/acme/files?source=pos");
    await page.getByRole("status").getByText("The history of acme is read").waitFor();
    await page.getByRole("link", { name: "prices.csv" }).waitFor({ timeout: 60_000 });
    expect(await page.getByRole("alert").count()).toBe(0);
    await page.unroute("**/api/clients/acme/file-bounds");
  });

  test("a look into a file is asked for once, also when the receiver was away", {
    timeout: 90_000,
  }, async () => {
    let looks = 0;
    page.on("request", (request) => {
      if (request.url().endsWith("/preview")) looks += 1;
    });
    const file = encodeURIComponent("acme/pos/new.csv");
    await page.goto(`/clients/acme/files?source=pos&file=${file}`);
    await page.getByRole("button", { name: "Show first rows" }).click();
    await page.getByRole("region", { name: "First rows" }).waitFor();
    const ready = page.waitForResponse((response) => response.url().endsWith("/api/live"), {
      timeout: 60_000,
    });
    await window.whileAway(async () => {
      await scene.stop();
      await scene.start();
      await ready;
      await page.getByText("Not connected").waitFor({ state: "hidden", timeout: 30_000 });
    });
    await put("later.csv", "1");
    await page
      .getByRole("button", { name: "1 new in pos", includeHidden: true })
      .waitFor({ state: "attached" });
    expect(looks).toBe(1);
  });

  test("offboarding waits for its numbers, and forgets what was typed", async () => {
    await page.route("**/api/clients/acme/offboarding", async (route) => {
      await route.fulfill({
        status: 404,
        contentType: "application/problem+json",
        body: JSON.stringify({ code: "not-found", detail: "it cannot be said" }),
      });
    });
    await page.goto("/clients/acme/settings");
    await page.getByRole("button", { name: "Offboard" }).click();
    const dialog = page.getByRole("dialog");
    const confirm = dialog.getByRole("button", { name: "Offboard" });
    await dialog.getByText("it cannot be said").waitFor();
    await dialog.getByLabel("Type acme to confirm").fill("acme");
    expect(await confirm.isDisabled()).toBe(true);
    await page.unroute("**/api/clients/acme/offboarding");
    await dialog.getByRole("button", { name: "Cancel" }).last().click();
    await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
    await page.getByRole("button", { name: "Offboard" }).click();
    await dialog.getByText("1 API key").waitFor();
    expect(await dialog.getByLabel("Type acme to confirm").inputValue()).toBe("");
    expect(await confirm.isDisabled()).toBe(true);
    await dialog.getByLabel("Type acme to confirm").fill("acme");
    await expect.poll(() => confirm.isEnabled()).toBe(true);
  });

  test("a bound that nobody touched stays to the byte", async () => {
    await scene.site.command("client", "quota", "acme", "--stored", "50GiB");
    await page.goto("/clients/acme/settings");
    await expect.poll(() => page.getByLabel("Stored in all").inputValue()).toBe("50 GiB");
    await page.getByLabel("Largest file").fill("1,000 GB");
    await page.getByText("without a sign between thousands").waitFor();
    await page.getByLabel("Largest file").fill("20 GB");
    const sent = page.waitForRequest((request) => request.method() === "PUT");
    await page.getByRole("button", { name: "Save" }).click();
    expect((await sent).postDataJSON()).toEqual({ file: 20e9 });
    await page.getByText("in force within 2 seconds").waitFor();
    expect(await page.getByLabel("Stored in all").inputValue()).toBe("50 GiB");
  });
});
