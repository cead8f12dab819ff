/** From a receiver that nobody has used to the first file, as somebody clicks it, with a real agent. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Locator } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launch, ok, type Running } from "../site/process.ts";
import { choosePassword, describeWithBrowser, openScene, type Scene } from "./scene.ts";

describeWithBrowser("a first start", () => {
  let scene: Scene;
  let agent: Running | undefined;
  beforeAll(async () => {
    scene = await openScene();
  });
  afterAll(async () => {
    await agent?.stop();
    await scene?.end();
  });

  test("leads to the first file: account, client, invitation, agent, file", async () => {
    const begun = performance.now();
    const { page } = await scene.window();
    let clicks = 0;
    const click = async (what: Locator): Promise<void> => {
      clicks += 1;
      await what.click();
    };

    await page.goto(scene.firstLink);
    await page.getByText("You become the first administrator of this site.").waitFor();
    await page.getByLabel("Your name").fill("Ada Example");
    await page.getByLabel("Your email").fill("ada@example.com");
    clicks += 1;
    await choosePassword({ page });

    await click(page.getByRole("link", { name: "Clients" }).first());
    await page.getByText("No clients yet").waitFor();
    await click(page.getByRole("button", { name: "Add a client" }));
    await page.getByLabel("Name").fill("acme");
    await click(page.getByRole("dialog").getByRole("button", { name: "Add", exact: true }));

    await click(page.getByRole("button", { name: "Invite an agent" }));
    await click(page.getByRole("button", { name: "Make an invitation" }));
    await page.getByText("waiting for its first word…", { exact: true }).waitFor();
    await click(page.getByRole("tab", { name: "Code alone" }));
    const code = await page.getByLabel("Code alone").and(page.locator("code,pre")).innerText();

    // What the client's administrator types on his host.
    const data = join(scene.site.dir, "agent");
    const folder = join(scene.site.dir, "exports");
    mkdirSync(folder);
    await ok("agent", ["enroll", "-", "--data", data], { stdin: code });
    await ok("agent", ["add-folder", folder, "--name", "exports", "--settle", "200ms", "--data", data]);
    agent = launch("agent", ["run", "--data", data]);
    await page.getByRole("dialog").getByText("is connected").waitFor();
    await click(page.getByRole("button", { name: "Done" }));

    writeFileSync(join(folder, "sales.csv"), "day,sum\n1,10\n");
    await click(page.getByRole("tab", { name: "Overview" }));
    await page.getByRole("link", { name: "exports" }).first().waitFor({ timeout: 30_000 });
    await click(page.getByRole("link", { name: "Overview" }).first());
    const arrived = page.getByRole("region", { name: "Arrived today" });
    await expect.poll(() => arrived.innerText(), { timeout: 15_000 }).toMatch(/\b1\b/);
    await click(page.getByRole("link", { name: "Deliveries" }).first());
    await page.getByText("sales.csv").first().waitFor();
    await page.goto("/clients/acme/files");
    await page.getByText("exports").first().waitFor();
    expect(await scene.site.history("--client", "acme")).toHaveLength(1);

    const seconds = (performance.now() - begun) / 1000;
    console.log(`first start to first file: ${clicks} clicks, ${seconds.toFixed(1)} s`);
    expect(clicks).toBeLessThanOrEqual(12);
    expect(seconds).toBeLessThan(110);
  });
});
