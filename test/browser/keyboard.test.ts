/// <reference lib="dom" />
/** Everything can be done without a pointer. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWithBrowser, openScene, type Scene } from "./scene.ts";

describeWithBrowser("the keyboard", () => {
  let scene: Scene;
  let page: Page;
  beforeAll(async () => {
    scene = await openScene();
    await scene.site.command("client", "add", "acme");
    page = (await scene.as("admin")).page;
  });
  afterAll(async () => await scene?.end());

  /** What has the focus, as somebody who cannot see it is told. */
  const focused = (): Promise<string> =>
    page.evaluate(() => {
      const at = document.activeElement as HTMLElement;
      const label = at.getAttribute("aria-label") ?? (at as HTMLInputElement).labels?.[0]?.textContent;
      return (label ?? at.textContent ?? "").trim();
    });

  test("/ goes to the search, Escape leaves it, Enter searches", async () => {
    await page.goto("/clients");
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.keyboard.press("/");
    expect(await focused()).toBe("Search");
    await page.keyboard.press("Escape");
    expect(await focused()).not.toBe("Search");
    await page.keyboard.press("/");
    await page.keyboard.type("acme");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/search?q=acme");
  });

  test.each([
    ["c", "/clients"],
    ["a", "/agents"],
    ["d", "/deliveries"],
    ["q", "/quarantine"],
    ["w", "/webhooks"],
    ["u", "/audit"],
    ["s", "/settings"],
  ])("g %s goes to %s", async (key, path) => {
    await page.goto("/");
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press(key);
    await page.waitForURL((url) => url.pathname.startsWith(path));
    await page.keyboard.press("g");
    await page.keyboard.press("o");
    await page.waitForURL((url) => url.pathname === "/");
  });

  test("letters in a field are letters", async () => {
    await page.goto("/clients");
    await page.getByLabel("Filter").pressSequentially("ga/");
    expect(await page.getByLabel("Filter").inputValue()).toBe("ga/");
    expect(new URL(page.url()).pathname).toBe("/clients");
  });

  test("the first stop leads past the menu to the page", async () => {
    await page.goto("/clients");
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("Skip to the page");
  });

  test("a dialog begins at its field, keeps the focus, reaches all, and gives it back", async () => {
    await page.goto("/clients");
    const opener = page.getByRole("button", { name: "Add a client" });
    await opener.focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    await expect.poll(focused).toMatch(/^Name/);
    const seen = new Set<string>();
    for (let stop = 0; stop < 6; stop += 1) {
      await page.keyboard.press("Tab");
      expect(await dialog.evaluate((box) => box.contains(document.activeElement))).toBe(true);
      seen.add(await focused());
    }
    expect(seen).toContain("Add");
    expect([...seen].some((name) => name.startsWith("Name"))).toBe(true);
    expect(seen.size).toBeGreaterThanOrEqual(3);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    await expect.poll(focused).toBe("Add a client");
  });

  test("an act is done by keys alone", async () => {
    await page.goto("/clients");
    await page.getByRole("button", { name: "Add a client" }).focus();
    await page.keyboard.press("Enter");
    await expect.poll(focused).toMatch(/^Name/);
    await page.keyboard.type("globex");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/clients/globex/agents");
  });
});
