/** Pages go on by themselves: what others did is shown, and a receiver that was away is found again. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { caller } from "../site/caller.ts";
import { describeWithBrowser, openScene, type Scene } from "./scene.ts";

const LOST = "Not connected: what is shown may be old.";

describeWithBrowser("open pages", () => {
  let scene: Scene;
  beforeAll(async () => {
    scene = await openScene();
    await scene.site.command("client", "add", "acme");
  });
  afterAll(async () => await scene?.end());

  test("show what was done on the command line, and what arrived", async () => {
    const window = await scene.as("viewer");
    const { page } = window;
    await page.goto("/clients");
    await page.getByRole("link", { name: "acme" }).waitFor();
    await scene.site.command("client", "add", "globex");
    await page.getByRole("link", { name: "globex" }).waitFor();

    await page.goto("/");
    const arrived = page.getByRole("region", { name: "Arrived today" });
    const key = await scene.site.command("key", "add", "--client", "acme");
    const program = caller(scene.site, key.split("\n")[0] as string);
    try {
      expect((await program.put("pos", "a.csv", Buffer.from("1"))).status).toBe(201);
    } finally {
      await program.close();
    }
    await expect.poll(() => arrived.innerText(), { timeout: 15_000 }).toMatch(/\b1\b/);
    await window.close();
  });

  test("a list of deliveries says what came, and stays as it is until it is asked", async () => {
    const window = await scene.as("viewer");
    const { page } = window;
    const key = await scene.site.command("key", "add", "--client", "acme");
    const program = caller(scene.site, key.split("\n")[0] as string);
    try {
      await program.put("pos", "first.csv", Buffer.from("1"));
      await page.goto("/deliveries");
      await page.getByText("first.csv").waitFor();
      const row = page.getByRole("row").filter({ hasText: "first.csv" });
      const before = await row.boundingBox();
      await program.put("pos", "second.csv", Buffer.from("2"));
      const more = page.getByRole("button", { name: "1 new" });
      await more.waitFor();
      expect(await row.boundingBox()).toEqual(before);
      expect(await page.getByText("second.csv").count()).toBe(0);
      await more.click();
      await page.getByText("second.csv").waitFor();
      await more.waitFor({ state: "hidden" });
    } finally {
      await program.close();
    }
    await window.close();
  });

  test("say that the receiver is away, and go on when it is back, whatever a proxy answers meanwhile", async () => {
    const window = await scene.as("viewer");
    const { page } = window;
    await page.goto("/clients");
    await page.getByRole("link", { name: "acme" }).waitFor();
    await window.whileAway(async () => {
      await scene.stop();
      await page.getByText(LOST).waitFor();
      let refused = 0;
      await page.route("**/api/live", async (route) => {
        refused += 1;
        await route.fulfill({ status: 502, body: "bad gateway" });
      });
      await expect.poll(() => refused, { timeout: 20_000 }).toBeGreaterThan(0);
      await page.unroute("**/api/live");
      await scene.start();
      await page.getByText(LOST).waitFor({ state: "hidden", timeout: 20_000 });
    });
    await scene.site.command("client", "add", "initech");
    await page.getByRole("link", { name: "initech" }).waitFor();
  });
});
