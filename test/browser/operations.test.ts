/** Acts on a real agent, on files that inspection holds back, and on webhooks. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EICAR, type FakeClamd, fakeClamd } from "../../receiver/inspection/fake-clamd.ts";
import { caller } from "../site/caller.ts";
import { freePort, type Running } from "../site/process.ts";
import type { Agent } from "../site/site.ts";
import { recorded, setBack, told } from "./beside.ts";
import { describeWithBrowser, openScene, type Scene } from "./scene.ts";

describeWithBrowser("operations", () => {
  let scene: Scene;
  let clamd: FakeClamd;
  let made: Agent;
  let agent: Running;
  let page: Page;
  let folder: string;
  beforeAll(async () => {
    clamd = await fakeClamd();
    const { host, port } = clamd.address as { host: string; port: number };
    scene = await openScene({
      receiver: {
        heartbeat: "1s",
        inspect: { clamd: `${host}:${port}` },
        webhooks: { allow: ["127.0.0.1"] },
      },
    });
    const { site } = scene;
    await site.command("client", "add", "acme");
    folder = join(site.dir, "exports");
    mkdirSync(folder);
    made = await site.agent("hq-01", {
      clients: ["acme"],
      settings: { sources: [{ name: "exports", path: folder, settle: "200ms" }] },
    });
    agent = await made.run();
    page = (await scene.as("admin")).page;
  });
  afterAll(async () => {
    await agent?.stop();
    await scene?.end();
    await clamd?.stop();
  });

  const audited = async (words: string): Promise<void> => {
    await page.goto("/audit");
    await page.getByRole("cell", { name: words }).first().waitFor();
  };
  const came = async () => (await scene.site.history("--client", "acme")).map(({ path }) => path);
  const openAgent = async (): Promise<void> => {
    await page.goto("/agents");
    await page.getByRole("link", { name: "hq-01" }).first().click();
    await page.getByRole("heading", { level: 1, name: "hq-01" }).waitFor();
  };

  test("an agent is asked for a check, and tells that it was done", async () => {
    await openAgent();
    await page.getByRole("button", { name: "Ask for a check of all" }).click();
    await page.getByText("look through all sources").first().waitFor();
    await page.getByText("looked through exports (0 files)").waitFor({ timeout: 30_000 });
    await audited("agent asked to scan");
  });

  test("an agent rests while it is paused: what appears waits, and arrives when it is resumed", async () => {
    await openAgent();
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
    await page.getByText("It rests: it captures, and sends nothing.").waitFor({ timeout: 30_000 });
    writeFileSync(join(folder, "paused.csv"), "1");
    await page.getByText("1 held up").waitFor({ timeout: 30_000 });
    expect(await scene.site.history("--client", "acme")).toEqual([]);
    await page.getByRole("button", { name: "Resume" }).click();
    await expect
      .poll(async () => (await scene.site.history("--client", "acme")).length, { timeout: 30_000 })
      .toBe(1);
    await audited("agent paused");
    await audited("agent resumed");
  });

  test("what an agent has for a client that is suspended waits until it is resumed", async () => {
    const confirm = async (label: string): Promise<void> => {
      await page.goto("/clients/acme/settings");
      await page.getByRole("button", { name: label, exact: true }).click();
      await page.getByRole("dialog").getByRole("button", { name: label, exact: true }).click();
      await page.getByRole("dialog").waitFor({ state: "hidden" });
    };
    await confirm("Suspend");
    writeFileSync(join(folder, "suspended.csv"), "1");
    await agent.said(/suspended\.csv not delivered yet: .* is suspended/);
    expect(await came()).not.toContain("suspended.csv");
    await confirm("Resume");
    expect(await told(page, "clients.get", "/api/clients/acme")).toMatchObject({ state: "active" });
    // It tries again within a quarter of a minute; the tests after this one go on meanwhile.
  });

  test("an agent is limited", async () => {
    await openAgent();
    await page.getByLabel("Largest file").fill("2 GB");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("Saved; in force within 2 seconds.").waitFor();
    const { items } = await told(page, "agents.list", "/api/agents");
    const id = items[0]?.id as string;
    expect(await told(page, "agents.get", `/api/agents/${id}`)).toMatchObject({ limits: { file: 2e9 } });
    expect(await recorded(page, "agent.limit")).toMatchObject({
      ...{ after: { limits: { file: 2e9 } }, subject: { id } },
    });
  });

  test("an agent that falls silent needs attention, with what to do, until it speaks again", async () => {
    await agent.stop();
    // Who is silent for two minutes counts as such.
    setBack(scene.site, "UPDATE agents SET last_seen_at = last_seen_at - 600000");
    await expect
      .poll(async () => (await told(page, "overview.get", "/api/overview")).silent, { timeout: 40_000 })
      .toBe(1);
    await page.goto("/");
    await page.getByText(/^the agent hq-01 is silent since /i).waitFor();
    await page.getByText(/^Is its host on, and does the service run\?/).waitFor();
    await page.getByRole("link", { name: "Agents silent: 1" }).click();
    await page.waitForURL("**/agents?only=silent");
    await page.getByRole("link", { name: "hq-01" }).first().click();
    await page.getByRole("alert").getByText("Silent", { exact: true }).waitFor();
    expect(await told(page, "overview.get", "/api/overview")).toMatchObject({ silent: 1, agents: 1 });
    agent = await made.run();
    await page.getByRole("alert").waitFor({ state: "hidden", timeout: 30_000 });
    await page.goto("/");
    await page.getByRole("link", { name: "Agents silent: 0" }).waitFor();
    await expect.poll(came, { timeout: 30_000 }).toContain("suspended.csv");
  });

  test("an agent makes diagnostics, which are downloaded", async () => {
    await openAgent();
    await page.getByRole("button", { name: "Ask for diagnostics" }).click();
    const link = page.getByRole("link", { name: /^Download \(/ });
    await link.waitFor({ timeout: 45_000 });
    const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
    expect(download.suggestedFilename()).toMatch(/\w/);
    await audited("agent asked for diagnostics");
  });

  test("a file that inspection found something in is released with a reason, another is discarded", async () => {
    const key = (await scene.site.command("key", "add", "--client", "acme")).split("\n")[0] as string;
    const program = caller(scene.site, key);
    try {
      for (const name of ["one.bin", "two.bin"]) await program.put("mail", name, Buffer.from(EICAR + name));
    } finally {
      await program.close();
    }
    await page.goto("/quarantine");
    const rowOf = (name: string) => page.getByRole("row").filter({ hasText: name });
    await rowOf("one.bin").getByRole("button", { name: "Release" }).click();
    const dialog = page.getByRole("dialog");
    expect(await dialog.getByRole("button", { name: "Release" }).isDisabled()).toBe(true);
    await dialog.getByLabel(/^Why/).fill("a test signature");
    await dialog.getByRole("button", { name: "Release" }).click();
    await rowOf("one.bin").waitFor({ state: "hidden" });
    await rowOf("two.bin").getByRole("button", { name: "Discard" }).click();
    await dialog.getByLabel(/^Why/).fill("spam");
    await dialog.getByRole("button", { name: "Discard" }).click();
    await rowOf("two.bin").waitFor({ state: "hidden" });
    const paths = await came();
    expect(paths).toContain("one.bin");
    expect(paths).not.toContain("two.bin");
    const { items } = await told(page, "quarantine.list", "/api/quarantine?all=true");
    expect(items.map(({ path, state }) => `${path} ${state}`).toSorted()).toEqual([
      "one.bin released",
      "two.bin discarded",
    ]);
    await audited("file released from quarantine");
    await audited("file in quarantine discarded");
  });

  test("a webhook shows its secret once, and is revoked", async () => {
    const port = await freePort();
    await page.goto("/webhooks");
    await page.getByRole("button", { name: "Add a webhook" }).first().click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel(/^Address/).fill(`http://127.0.0.1:${port}/told`);
    await dialog.getByLabel(/^Name/).fill("lake-reader");
    await dialog.getByRole("button", { name: "Add a webhook" }).click();
    await dialog.getByText(/^whsec_/).waitFor();
    await dialog.getByRole("button", { name: "Done" }).click();
    await page.getByRole("link", { name: "lake-reader" }).first().click();
    await page.getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("dialog").last().getByRole("button", { name: "Revoke" }).click();
    await expect.poll(() => page.getByRole("dialog").count()).toBeLessThan(2);
    await audited("webhook added");
    await audited("webhook revoked");
  });

  test("an agent is revoked, and is told so", async () => {
    await openAgent();
    await page.getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("dialog").getByText("This revokes 1 agent.").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await page.getByText("It is shut out.").waitFor();
    expect((await told(page, "agents.list", "/api/agents")).items).toMatchObject([{ state: "revoked" }]);
    await audited("agent revoked");
  });
});
