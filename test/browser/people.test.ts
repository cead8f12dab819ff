/** Every way in, in a browser: authenticator app, backup code, passkey, the company's login; and who looks after people. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openProvider } from "../../receiver/people/oidc-provider.ts";
import { freePort } from "../site/process.ts";
import type { Window } from "./browser.ts";
import { choosePassword, describeWithBrowser, openScene, PASSWORD, type Scene } from "./scene.ts";
import { codeOf } from "./totp.ts";

const inside = (page: Page) => page.getByRole("navigation", { name: "Main" }).waitFor();

async function signOut({ page }: Window): Promise<void> {
  await page.getByRole("button", { name: /your account/i }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.waitForURL("**/sign-in");
}

async function givePassword({ page }: Window, email: string): Promise<void> {
  await page.getByLabel("Email").fill(email);
  await page.getByLabel(/^Password\b/).fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

describeWithBrowser("people", () => {
  describe("with accounts of their own", () => {
    let scene: Scene;
    beforeAll(async () => {
      scene = await openScene();
    });
    afterAll(async () => await scene?.end());

    test("set up an authenticator app, come in with its code, and with a backup code once", async () => {
      const window = await scene.as("viewer");
      const { page } = window;
      await page.goto("/settings/account");
      await page.getByRole("button", { name: "Set it up" }).click();
      await page.getByLabel("Your password").fill(PASSWORD);
      await page.getByRole("button", { name: "Go on" }).click();
      const secret = await page.getByLabel("Or type it into the app:", { exact: true }).innerText();
      await page.getByLabel("The six digits that it shows now").fill("000000");
      await page.getByRole("button", { name: "Check the code" }).click();
      await page.getByRole("dialog").getByRole("alert").waitFor();
      await page.getByLabel("The six digits that it shows now").fill(codeOf(secret));
      await page.getByRole("button", { name: "Check the code" }).click();
      const codes = await page
        .getByRole("dialog")
        .getByLabel("Backup codes", { exact: true })
        .and(page.locator("pre"))
        .innerText();
      const [backup = ""] = codes.split("\n");
      await page.getByRole("button", { name: "I have kept them" }).click();

      await signOut(window);
      await givePassword(window, "viewer@example.com");
      await page.getByRole("heading", { name: "Second step" }).waitFor();
      await page.getByLabel("Code of your authenticator app").fill(codeOf(secret, 1));
      await page.getByRole("button", { name: "Go on" }).click();
      await inside(page);

      for (const good of [true, false]) {
        await signOut(window);
        await givePassword(window, "viewer@example.com");
        await page.getByRole("button", { name: "Use one of your backup codes instead" }).click();
        await page.getByLabel("Backup code").fill(backup);
        await page.getByRole("button", { name: "Go on" }).click();
        if (good) await inside(page);
        else await page.getByRole("alert").waitFor();
      }
    });

    test("register a passkey, and come in with it alone", async () => {
      const window = await scene.as("operator");
      const { page } = window;
      const cdp = await page.context().newCDPSession(page);
      await cdp.send("WebAuthn.enable");
      await cdp.send("WebAuthn.addVirtualAuthenticator", {
        options: {
          protocol: "ctap2",
          transport: "internal",
          hasResidentKey: true,
          hasUserVerification: true,
          isUserVerified: true,
          automaticPresenceSimulation: true,
        },
      });
      await page.goto("/settings/account");
      await page.getByRole("button", { name: "Add a passkey" }).click();
      await page.getByRole("dialog").getByLabel("Name").fill("laptop");
      await page.getByRole("dialog").getByRole("button", { name: "Add a passkey" }).click();
      await page.getByRole("cell", { name: "laptop" }).waitFor();

      await signOut(window);
      await page.getByRole("button", { name: "Sign in with a passkey" }).click();
      await inside(page);
      await page.goto("/settings/account");
      await page.getByText("passkey", { exact: true }).first().waitFor();
      await page.getByRole("button", { name: "Delete", exact: true }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
      await page.getByText("None yet.").waitFor();
    });

    test("are invited, get another role, and are disabled, by an administrator; and the audit tells", async () => {
      const admin = await scene.as("admin");
      const { page } = admin;
      await page.goto("/settings/people");
      await page.getByRole("button", { name: "Invite a person" }).click();
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel(/^Email/).fill("grace@example.com");
      await dialog.getByRole("button", { name: "Invite a person" }).click();
      const link = await dialog
        .getByText(/\/welcome#/)
        .first()
        .innerText();
      await page.keyboard.press("Escape");

      const grace = await scene.window();
      await grace.page.goto(link.trim());
      await grace.page.getByLabel("Your name").fill("Grace");
      await choosePassword(grace);
      await inside(grace.page);

      await page.goto("/audit");
      await page.getByRole("cell", { name: "person invited" }).first().waitFor();
      await page.getByRole("cell", { name: "person joined" }).first().waitFor();

      await page.goto("/settings/people");
      await page.getByText("grace@example.com").first().click();
      await page.getByRole("button", { name: "Disable" }).click();
      await page
        .getByRole("dialog", { name: /^Disable/ })
        .getByRole("button", { name: "Disable" })
        .click();
      await page.getByRole("dialog").getByRole("button", { name: "Enable" }).first().waitFor();
      await grace.page.goto("/clients");
      await grace.page.waitForURL(/\/sign-in/);
    });

    test("and no page of people for an operator", async () => {
      const { page } = await scene.as("operator");
      await page.goto("/settings/people");
      await page.getByText("People are looked after by administrators").waitFor();
      expect(await page.getByRole("button", { name: "Invite a person" }).count()).toBe(0);
    });
  });

  test("of a company's login come in by its button, and strangers do not", async () => {
    const port = await freePort();
    const origin = `https://localhost:${port}`;
    const provider = await openProvider(`${origin}/api/auth/callback/corp`);
    provider.accounts.set("ada", { email: "ada@example.com", email_verified: true, name: "Ada" });
    provider.accounts.set("eve", { email: "eve@example.com", email_verified: true, name: "Eve" });
    const oidc = [{ id: "corp", name: "Example Corp", ...provider.client }];
    const scene = await openScene({ console: port, receiver: { console: { oidc } } });
    try {
      await scene.as("admin");
      await scene.site.command("person", "invite", "--email", "ada@example.com", "--role", "viewer");
      const { page } = await scene.window();
      provider.keyboard = "ada";
      await page.goto("/clients");
      await page.getByRole("button", { name: "Sign in with Example Corp" }).click();
      await inside(page);
      expect(new URL(page.url()).pathname).toBe("/clients");

      const stranger = await scene.window();
      provider.keyboard = "eve";
      await stranger.page.goto("/sign-in");
      await stranger.page.getByRole("button", { name: "Sign in with Example Corp" }).click();
      await stranger.page.waitForURL(/\/sign-in\?error=/);
      await stranger.page.getByRole("alert").waitFor();
    } finally {
      await scene.end();
    }
  });
});
