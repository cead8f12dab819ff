/** What an administrator does to people, and people to their own accounts: seen by both, and by the receiver. */
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { recorded, told } from "./beside.ts";
import type { Window } from "./browser.ts";
import { choosePassword, describeWithBrowser, openScene, PASSWORD, type Scene } from "./scene.ts";
import { codeOf } from "./totp.ts";

const ANOTHER = "another river carries it all the same";
const inside = (page: Page) => page.getByRole("navigation", { name: "Main" }).waitFor();

describeWithBrowser("people", () => {
  let scene: Scene;
  let page: Page;
  let operator: Window;
  beforeAll(async () => {
    scene = await openScene();
    operator = await scene.as("operator");
    page = (await scene.as("admin")).page;
  });
  afterAll(async () => await scene?.end());

  const openPerson = async (email: string): Promise<Locator> => {
    await page.goto(`/settings/people?person=${email}`);
    const drawer = page.getByRole("dialog").first();
    await drawer.getByText(email).first().waitFor();
    return drawer;
  };
  const personOf = async (email: string) =>
    (await told(page, "people.list", "/api/people")).items.find((one) => one.email === email);
  const confirm = async (within: Locator, label: string, title: RegExp): Promise<void> => {
    await within.getByRole("button", { name: label, exact: true }).click();
    const asked = page.getByRole("dialog", { name: title });
    await asked.getByRole("button", { name: label, exact: true }).click();
    await asked.waitFor({ state: "hidden" });
  };
  const isOut = async (of: Page): Promise<void> => {
    await of.goto("/clients");
    await of.waitForURL(/\/sign-in/);
  };
  const signIn = async (of: Page, email: string, password: string): Promise<void> => {
    await of.goto("/sign-in");
    await of.getByLabel("Email").fill(email);
    await of.getByLabel(/^Password\b/).fill(password);
    await of.getByRole("button", { name: "Sign in", exact: true }).click();
  };
  const chooseRole = async (drawer: Locator, role: string): Promise<void> => {
    await drawer.getByRole("combobox", { name: "Role" }).click();
    await page.getByRole("option", { name: role, exact: true }).click();
    await drawer.getByRole("button", { name: "Change the role" }).click();
  };

  test("get another role, and with their next click what goes with it; the last administrator stays one", async () => {
    await operator.page.goto("/clients");
    await operator.page.getByRole("button", { name: "Add a client" }).waitFor();
    const drawer = await openPerson("operator@example.com");
    await chooseRole(drawer, "viewer");
    await drawer.getByText("Changed; in force with the next click of this person.").waitFor();
    await operator.page.goto("/clients");
    await operator.page.getByText("No clients yet").waitFor();
    expect(await operator.page.getByRole("button", { name: "Add a client" }).count()).toBe(0);
    expect(await personOf("operator@example.com")).toMatchObject({ role: "viewer" });
    expect(await recorded(page, "person.role")).toMatchObject({
      ...{ before: { role: "operator" }, after: { role: "viewer" } },
      subject: { id: "operator@example.com" },
    });

    const own = await openPerson("admin@example.com");
    await chooseRole(own, "viewer");
    await own.getByRole("alert").waitFor();
    expect(await personOf("admin@example.com")).toMatchObject({ role: "admin" });
  });

  test("get a link to a new password that takes a lost phone's second factor away", async () => {
    const own = operator.page;
    await own.goto("/settings/account");
    await own.getByRole("button", { name: "Set it up" }).click();
    await own.getByLabel("Your password").fill(PASSWORD);
    await own.getByRole("button", { name: "Go on" }).click();
    const secret = await own.getByLabel("Or type it into the app:", { exact: true }).innerText();
    await own.getByLabel("The six digits that it shows now").fill(codeOf(secret));
    await own.getByRole("button", { name: "Check the code" }).click();
    await own.getByRole("button", { name: "I have kept them" }).click();
    expect(await personOf("operator@example.com")).toMatchObject({ totp: true });

    const drawer = await openPerson("operator@example.com");
    await drawer.getByRole("button", { name: "Link to a new password" }).click();
    const asked = page.getByRole("dialog", { name: "A link to a new password for operator@example.com" });
    await asked.getByLabel("Take the authenticator app and the passkeys away, too").check();
    await asked.getByRole("button", { name: "Link to a new password" }).click();
    const shown = page.getByRole("dialog", { name: "One-time link" });
    const link = await shown.getByText(/\/welcome#/).innerText();
    await shown.getByRole("button", { name: "Done" }).click();
    // Nothing changes until it is followed.
    await own.goto("/clients");
    await inside(own);

    const fresh = await scene.window();
    await fresh.page.goto(link.trim());
    await fresh.page.getByRole("heading", { name: "A new password" }).waitFor();
    await choosePassword(fresh, ANOTHER);
    await inside(fresh.page);
    await isOut(own);
    expect(await personOf("operator@example.com")).toMatchObject({ totp: false });
    expect(await recorded(page, "person.reset")).toMatchObject({ after: { alsoSecondFactor: true } });
    await signIn(own, "operator@example.com", PASSWORD);
    await own.getByRole("alert").waitFor();
    await signIn(own, "operator@example.com", ANOTHER);
    await inside(own);
    await fresh.close();
  });

  test("are signed out everywhere", async () => {
    const drawer = await openPerson("operator@example.com");
    await drawer.getByRole("button", { name: "Sign out everywhere" }).click();
    const asked = page.getByRole("dialog", { name: "Sign operator@example.com out everywhere" });
    await asked.getByText("Ends 2 sessions. This person can sign in again.").waitFor();
    await asked.getByRole("button", { name: "Sign out everywhere" }).click();
    await drawer.getByText("Not signed in anywhere now.").waitFor();
    await isOut(operator.page);
    const id = (await personOf("operator@example.com"))?.id as string;
    expect((await told(page, "people.sessions", `/api/people/${id}/sessions`)).items).toEqual([]);
    expect(await recorded(page, "person.sign-out")).toMatchObject({ after: { ended: 2 } });
  });

  test("cannot come in while they are disabled, and can when they are enabled again", async () => {
    const drawer = await openPerson("operator@example.com");
    await confirm(drawer, "Disable", /^Disable/);
    await signIn(operator.page, "operator@example.com", ANOTHER);
    await operator.page.getByRole("alert").waitFor();
    expect((await personOf("operator@example.com"))?.disabledAt).not.toBeNull();
    await confirm(drawer, "Enable", /^Enable/);
    await drawer.getByRole("button", { name: "Disable" }).waitFor();
    await signIn(operator.page, "operator@example.com", ANOTHER);
    await inside(operator.page);
    expect((await personOf("operator@example.com"))?.disabledAt).toBeNull();
    expect(await recorded(page, "person.enable")).toMatchObject({ subject: { id: "operator@example.com" } });
  });

  test("do not come in by a link that was taken back", async () => {
    await page.goto("/settings/people");
    await page.getByRole("button", { name: "Invite a person" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel(/^Email/).fill("kim@example.com");
    await dialog.getByRole("button", { name: "Invite a person" }).click();
    const link = await dialog.getByText(/\/welcome#/).innerText();
    await dialog.getByRole("button", { name: "Done" }).click();
    const row = page.getByRole("row").filter({ hasText: "kim@example.com" });
    await confirm(row, "Take back", /^Take the link of kim@example.com back/);
    await page.getByText("Open links").waitFor({ state: "hidden" });
    expect((await told(page, "people.list", "/api/people")).links).toEqual([]);
    expect(await recorded(page, "person.withdraw")).toMatchObject({ subject: { id: "kim@example.com" } });
    const kim = await scene.window();
    await kim.page.goto(link.trim());
    await kim.page.getByRole("alert").waitFor();
    expect(await kim.page.getByLabel("A password").count()).toBe(0);
    await kim.close();
  });

  test("change their own name and password, and end a session that is elsewhere", async () => {
    const own = operator.page;
    await own.goto("/settings/account");
    await own.getByRole("textbox", { name: /^Name/ }).fill("Grace Operator");
    await own.getByRole("button", { name: "Save" }).click();
    await own.getByText("Saved.").waitFor();
    await own.getByRole("button", { name: "Grace Operator: your account" }).waitFor();

    await own.getByLabel(/^The password of now/).fill("not the one of now");
    await own.getByLabel(/^A new password/).fill(PASSWORD);
    await own.getByRole("button", { name: "Change the password" }).click();
    await own.getByText("That is not your password.").waitFor();
    await own.getByLabel(/^The password of now/).fill(ANOTHER);
    await own.getByRole("button", { name: "Change the password" }).click();
    await own.getByText("Changed. All your other sessions have ended.").waitFor();

    const elsewhere = await scene.as("operator");
    await own.reload();
    await own.getByRole("button", { name: "End it" }).click();
    const asked = own.getByRole("dialog", { name: "End this session" });
    await asked.getByRole("button", { name: "End it" }).click();
    await expect.poll(() => own.getByRole("button", { name: "End it" }).count()).toBe(0);
    await isOut(elsewhere.page);
    const id = (await personOf("operator@example.com"))?.id as string;
    expect((await told(page, "people.sessions", `/api/people/${id}/sessions`)).items).toHaveLength(1);
    expect(await recorded(page, "person.rename")).toMatchObject({ after: { name: "Grace Operator" } });
    expect(await recorded(page, "person.login")).toMatchObject({ after: { changed: "password" } });
    expect(await recorded(page, "person.sign-out")).toMatchObject({ who: { name: "operator@example.com" } });
  });

  test("are found in the audit by who, by what and by when, with an address for a colleague", async () => {
    await page.goto("/audit");
    const rows = page.getByRole("row").filter({ has: page.getByRole("cell") });
    await page.getByLabel("Who", { exact: true }).fill("operator@example.com");
    await page.waitForURL(/who=operator/);
    await page.getByRole("cell", { name: "person joined" }).first().waitFor();
    await expect.poll(() => rows.filter({ hasText: "role changed" }).count()).toBe(0);
    await page.getByRole("combobox", { name: "What" }).fill("name changed");
    await page.getByRole("option", { name: "name changed" }).click();
    await expect.poll(() => rows.count()).toBe(1);
    await rows.getByText("Ada operator → Grace Operator").last().waitFor();
    expect(new URL(page.url()).searchParams.get("act")).toBe("person.rename");
    await page.getByLabel("To", { exact: true }).fill("2026-01-31");
    await page.getByText("Nothing was done yet that matches.").waitFor();
    const colleague = await scene.as("admin");
    await colleague.page.goto(page.url().replace(/&to=[^&]*/, ""));
    await colleague.page.getByText("Ada operator → Grace Operator").last().waitFor();
  });
});
