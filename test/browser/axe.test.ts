/// <reference lib="dom" />
/** What axe finds on every page: nothing serious, light and dark, wide and narrow, empty and filled. */
import axe from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeWithBrowser, openScene, type Scene } from "./scene.ts";
import { openScenery, placesOf, type Scenery } from "./scenery.ts";

const WIDE = { width: 1440, height: 900 };
const NARROW = { width: 390, height: 844 };
const SERIOUS = ["serious", "critical"];

interface Finding {
  readonly rule: string;
  readonly at: readonly string[];
}

/** The rest of the page stays as it is; colours alone change between light and dark. */
async function look(page: Page, rules?: readonly string[]): Promise<readonly Finding[]> {
  await page.evaluate(axe.source);
  const options = rules === undefined ? {} : { runOnly: { type: "rule" as const, values: [...rules] } };
  const { violations } = await page.evaluate(
    async (given) =>
      await (globalThis as unknown as { axe: typeof axe }).axe.run({ exclude: [["[data-axe-skip]"]] }, given),
    options,
  );
  return violations
    .filter(({ impact }) => SERIOUS.includes(impact ?? ""))
    .map(({ id, nodes }) => ({ rule: id, at: nodes.slice(0, 4).map(({ html }) => html.slice(0, 300)) }));
}

/** Resolves once the page has them. */
async function colours(page: Page, colorScheme: "light" | "dark"): Promise<void> {
  await page.emulateMedia({ colorScheme });
  await page.locator(`html[data-mantine-color-scheme=${colorScheme}]`).waitFor();
  await page.evaluate(() => Promise.all(document.getAnimations().map((one) => one.finished)));
}

/** `least`: each colour and each width once, not all four pairs of them. */
async function lookAll(
  page: Page,
  path: string,
  least = false,
): Promise<readonly (Finding & { readonly how: string })[]> {
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await page.setViewportSize(WIDE);
  await page.goto(path);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await expect.poll(() => page.getByLabel("Loading").count()).toBe(0);
  const found: (Finding & { readonly how: string })[] = [];
  const add = (how: string, findings: readonly Finding[]): void =>
    void found.push(...findings.map((finding) => ({ how, ...finding })));
  add("light, wide", await look(page));
  await colours(page, "dark");
  if (!least) add("dark, wide", await look(page, ["color-contrast"]));
  await page.setViewportSize(NARROW);
  add("dark, narrow", await look(page));
  if (least) return found;
  await colours(page, "light");
  add("light, narrow", await look(page, ["color-contrast"]));
  return found;
}

const PLACES = placesOf({ agentId: "none" });

describeWithBrowser("axe finds nothing serious", () => {
  describe("where there is nothing yet", () => {
    let scene: Scene;
    let page: Page;
    beforeAll(async () => {
      scene = await openScene();
      page = (await scene.as("admin")).page;
    });
    afterAll(async () => await scene?.end());

    test("before somebody is signed in", async () => {
      const stranger = (await scene.window()).page;
      expect(await lookAll(stranger, "/sign-in")).toEqual([]);
      expect(await lookAll(stranger, "/welcome")).toEqual([]);
    });
    test.each(PLACES.filter(([, path]) => !/acme|\/none/.test(path)))("%s", async (_name, path) => {
      expect(await lookAll(page, path, true)).toEqual([]);
    });
  });

  describe("where there is something, and trouble", () => {
    let scenery: Scenery;
    let page: Page;
    beforeAll(async () => {
      scenery = await openScenery();
      await scenery.trouble();
      page = (await scenery.scene.as("admin")).page;
    }, 120_000);
    afterAll(async () => await scenery?.end());

    test.each(PLACES)("%s", async (_name, path) => {
      expect(await lookAll(page, path.replace("none", scenery.agentId))).toEqual([]);
    });
    test("in a dialog", async () => {
      await page.setViewportSize(WIDE);
      await page.goto("/clients");
      await page.getByRole("button", { name: "Add a client" }).click();
      await page.getByRole("dialog").getByLabel("Name").waitFor();
      expect(await look(page)).toEqual([]);
    });
  });
});
