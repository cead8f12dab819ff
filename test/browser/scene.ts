/** A site with a console, a browser that trusts it, and people who sit before it. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterEach, expect } from "vitest";
import { describeWithPrograms } from "../servers/servers.ts";
import type { Running } from "../site/process.ts";
import { makeSite, type Site, type SiteOptions } from "../site/site.ts";
import { CHROMIUM, openBrowser, openWindow, type Window } from "./browser.ts";

export type PersonRole = "viewer" | "operator" | "admin";
export const PASSWORD = "rivers carry what they are given";

export interface Scene {
  readonly site: Site;
  readonly url: string;
  readonly browser: Browser;
  /** The one-time link of the first administrator, as `serve` printed it. */
  readonly firstLink: string;
  /** A window of nobody yet. */
  window(options?: BrowserContextOptions): Promise<Window>;
  /** A window of somebody who is signed in; a person is invited at the first time. */
  as(role: PersonRole, options?: BrowserContextOptions): Promise<Window>;
  stop(): Promise<void>;
  start(): Promise<void>;
  end(): Promise<void>;
}

/** Of this process, for the pictures of what failed. */
const open = new Set<Window>();

/** A `describe` that needs Chromium. What its windows showed when a test failed lies in a folder that is named then. */
export function describeWithBrowser(name: string, tests: () => void): void {
  describeWithPrograms(name, [CHROMIUM], () => {
    afterEach(async ({ task }) => {
      if (task.result?.state !== "fail") return;
      const folder = mkdtempSync(join(tmpdir(), "tributary-pictures-"));
      for (const [index, { page }] of [...open].entries())
        await page.screenshot({ path: join(folder, `${index}.png`) }).catch(() => {});
      console.log(`${task.name}: what its windows showed is in ${folder}`);
    });
    tests();
  });
}

/** `given`: a site that was made before, with a console. */
export async function openScene(options: SiteOptions = {}, given?: Site): Promise<Scene> {
  const site = given ?? (await makeSite({ console: true, ...options }));
  const url = site.consoleUrl as string;
  let receiver: Running = await site.serve();
  const firstLink = /first administrator: (\S+)/.exec(receiver.stderr())?.[1] ?? "";
  const browser = await openBrowser(site.ca);
  const windows: Window[] = [];
  const known = new Set<PersonRole>();
  const window: Scene["window"] = async (more = {}) => {
    const opened = await openWindow(browser, { baseURL: url, ...more });
    windows.push(opened);
    open.add(opened);
    opened.page.once("close", () => open.delete(opened));
    return opened;
  };
  return {
    ...{ site, url, browser, firstLink, window },
    async as(role, more) {
      const opened = await window(more);
      const { page } = opened;
      const email = `${role}@example.com`;
      if (known.has(role)) {
        await page.goto("/sign-in");
        await page.getByLabel("Email").fill(email);
        await page.getByLabel(/^Password\b/).fill(PASSWORD);
        await page.getByRole("button", { name: "Sign in", exact: true }).click();
      } else {
        const invite = ["person", "invite", "--email", email, "--role", role, "--name", `Ada ${role}`];
        await page.goto(await site.command(...invite));
        await choosePassword(opened);
        known.add(role);
      }
      await page.getByRole("navigation", { name: "Main" }).waitFor({ state: "attached" });
      return opened;
    },
    stop: async () => void (await receiver.stop()),
    start: async () => {
      receiver = await site.serve();
    },
    async end() {
      await browser.close();
      await receiver.stop();
      site.remove();
      const faults = windows.flatMap((one) => one.faults);
      expect(faults, receiver.stderr().slice(-3000)).toEqual([]);
    },
  };
}

/** On the page that a link leads to. */
export async function choosePassword({ page }: Pick<Window, "page">, password = PASSWORD): Promise<void> {
  await page.getByLabel("A password").fill(password);
  await page.getByLabel("The same password again").fill(password);
  await page.getByRole("button", { name: "Begin" }).click();
}
