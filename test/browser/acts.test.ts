/** Each act at a page: the page shows it when it is done, and so does the audit. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { caller } from "../site/caller.ts";
import { recorded, told } from "./beside.ts";
import { describeWithBrowser, openScene, type Scene } from "./scene.ts";

describeWithBrowser("acts", () => {
  let scene: Scene;
  let page: Page;
  beforeAll(async () => {
    scene = await openScene({ sftp: true });
    page = (await scene.as("admin")).page;
    await page.goto("/clients");
    await page.getByRole("button", { name: "Add a client" }).click();
    await page.getByLabel("Name").fill("acme");
    await page.getByRole("dialog").getByRole("button", { name: "Add", exact: true }).click();
    await page.waitForURL("**/clients/acme/agents");
  });
  afterAll(async () => await scene?.end());

  const audited = async (words: string): Promise<void> => {
    await page.goto("/clients/acme/audit");
    await page.getByRole("cell", { name: words }).first().waitFor();
    await expect.poll(() => page.getByRole("cell", { name: "admin@example.com" }).count()).toBeGreaterThan(0);
  };
  /** Says what it will do, then does it. */
  const confirm = async (label: string): Promise<void> => {
    await page.getByRole("button", { name: label, exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: label, exact: true }).click();
    await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
  };

  test("a client that is there already is refused in words, in the dialog", async () => {
    await audited("client added");
    await page.goto("/clients");
    await page.getByRole("button", { name: "Add a client" }).click();
    await page.getByLabel("Name").fill("acme");
    await page.getByRole("dialog").getByRole("button", { name: "Add", exact: true }).click();
    await page.getByRole("dialog").getByRole("alert").getByText("acme").waitFor();
  });

  test("a client is suspended and resumed", async () => {
    await page.goto("/clients/acme/settings");
    await confirm("Suspend");
    await page.getByText("Suspended", { exact: true }).waitFor();
    expect(await told(page, "clients.get", "/api/clients/acme")).toMatchObject({ state: "suspended" });
    await confirm("Resume");
    await page.getByText("Suspended", { exact: true }).waitFor({ state: "hidden" });
    expect(await told(page, "clients.get", "/api/clients/acme")).toMatchObject({ state: "active" });
    await audited("client suspended");
    await audited("client resumed");
  });

  test("quotas are set, and what cannot be read is said beside the field", async () => {
    await page.goto("/clients/acme/settings");
    await page.getByLabel("Largest file").fill("lots");
    await page.getByText("expected a size such as 20 GB").waitFor();
    expect(await page.getByRole("button", { name: "Save" }).isDisabled()).toBe(true);
    await page.getByLabel("Largest file").fill("20 GB");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("in force within 2 seconds").waitFor();
    await page.reload();
    expect(await page.getByLabel("Largest file").inputValue()).toBe("20 GB");
    expect((await told(page, "clients.get", "/api/clients/acme")).quotas).toMatchObject({
      ...{ file: 20e9, day: null },
    });
    await audited("quotas of a client set");
  });

  /** Says what it is, and that it is set. */
  const limit = async (field: string, text: string): Promise<void> => {
    await page.getByRole("button", { name: "Limits" }).click();
    const dialog = page.getByRole("dialog", { name: /^Limits of / });
    await dialog.getByLabel(field).fill(text);
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByText("Saved; in force within 2 seconds.").waitFor();
    await page.keyboard.press("Escape");
    await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
  };

  test("a key is shown once, works, is limited, and works no more when it is revoked", async () => {
    await page.goto("/clients/acme/access");
    await page.getByRole("button", { name: "New key" }).click();
    await page.getByRole("dialog").getByLabel("Name").fill("till");
    await page.getByRole("dialog").getByRole("button", { name: "New key" }).click();
    const secret = await page
      .getByRole("dialog")
      .getByText(/^trbk_/)
      .innerText();
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByRole("cell", { name: "till" }).first().waitFor();
    const till = caller(scene.site, secret.trim());
    try {
      expect((await till.put("pos", "a.csv", Buffer.from("1"))).status).toBe(201);
      await limit("Largest file", "10 B");
      expect((await told(page, "keys.list", "/api/clients/acme/keys")).items).toMatchObject([
        { name: "till", limits: { file: 10, day: null } },
      ]);
      await expect
        .poll(async () => (await till.put("pos", "large.csv", Buffer.from("more than ten"))).body.code)
        .toBe("quota-file");
      expect(await recorded(page, "key.limit")).toMatchObject({
        ...{ before: { limits: { file: null } }, after: { limits: { file: 10 } } },
      });
      await confirm("Revoke");
      await page.getByText("No key yet.").waitFor();
      await page.getByRole("button", { name: "Show 1 revoked" }).click();
      await page.getByText(/^revoked/).waitFor();
      await expect
        .poll(async () => (await till.put("pos", "b.csv", Buffer.from("1"))).status, { timeout: 10_000 })
        .toBe(401);
    } finally {
      await till.close();
    }
    await audited("API key made");
    await audited("API key revoked");
  });

  test("an SFTP account has a password that is shown once, gets limits and another password, and is revoked", async () => {
    await page.goto("/clients/acme/access");
    await page.getByRole("button", { name: "New account" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("User name").fill("acme-till");
    await dialog.getByLabel("Make a password").check();
    await dialog.getByRole("button", { name: "New account" }).click();
    await dialog.getByText(`acme-till@`).waitFor();
    await dialog.getByText("This is shown only now.").waitFor();
    await dialog.getByRole("button", { name: "Done" }).click();
    await page.getByRole("cell", { name: "acme-till" }).first().waitFor();
    await limit("Uploads at once", "2");
    await limit("On one day (UTC)", "1.5 GB");
    const accounts = async () => (await told(page, "accounts.list", "/api/clients/acme/accounts")).items;
    expect(await accounts()).toMatchObject([{ user: "acme-till", limits: { uploads: 2, day: 1.5e9 } }]);
    expect(await recorded(page, "sftp.limit")).toMatchObject({
      after: { limits: { uploads: 2, day: 1.5e9 } },
    });
    await page.getByRole("button", { name: "New password" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "New password" }).click();
    await page.getByText("This is shown only now.").waitFor();
    await page.keyboard.press("Escape");
    await expect.poll(() => page.getByRole("dialog").count()).toBe(0);
    await confirm("Revoke");
    await page.getByText("No account yet.").waitFor();
    expect((await accounts())[0]?.revokedAt).not.toBeNull();
    for (const words of ["SFTP account made", "credentials of an account changed", "SFTP account revoked"])
      await audited(words);
  });

  test("an invitation is made and taken back", async () => {
    await page.goto("/clients/acme/agents");
    await page.getByRole("button", { name: "Invite an agent" }).click();
    await page.getByRole("dialog").getByLabel("Name").fill("hq-01");
    await page.getByRole("button", { name: "Make an invitation" }).click();
    await page.getByRole("button", { name: "Done" }).click();
    await page.getByText("Open invitations").waitFor();
    await confirm("Take back");
    await page.getByText("Open invitations").waitFor({ state: "hidden" });
    expect((await told(page, "invitations.list", "/api/clients/acme/invitations")).items).toEqual([]);
    await audited("agent invited");
    await audited("invitation taken back");
  });

  test("a client is offboarded only by whoever types its name, and shuts out who acts for it", async () => {
    const key = (await scene.site.command("key", "add", "--client", "acme")).split("\n")[0] as string;
    await page.goto("/clients/acme/settings");
    await page.getByRole("button", { name: "Offboard" }).click();
    const dialog = page.getByRole("dialog");
    expect(await dialog.getByRole("button", { name: "Offboard" }).isDisabled()).toBe(true);
    await dialog.getByText("This shuts out everybody who acts for this client: 1 API key.").waitFor();
    await dialog.getByLabel("Type acme to confirm").fill("acme");
    await dialog.getByRole("button", { name: "Offboard" }).click();
    await page.getByText("Offboarded", { exact: true }).waitFor();
    const program = caller(scene.site, key);
    try {
      await expect
        .poll(async () => (await program.put("pos", "late.csv", Buffer.from("1"))).status)
        .toBe(401);
    } finally {
      await program.close();
    }
    expect(await told(page, "clients.get", "/api/clients/acme")).toMatchObject({ state: "offboarded" });
    await audited("client offboarded");
    await page.goto("/audit");
    await page.getByRole("cell", { name: "client offboarded" }).waitFor();
  });
});
