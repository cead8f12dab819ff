/** A client's files: as they were, with their versions, previews and receipts, byte for byte. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Entry } from "@tributary/shared/protocol.ts";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { caller } from "../site/caller.ts";
import { ROOT, type Running, until } from "../site/process.ts";
import { recorded, told } from "./beside.ts";
import { describeWithBrowser, openScene, type Scene } from "./scene.ts";

const FIRST = "day,shop\n2026-11-27,12\n";
const SECOND = "day,shop,sum\n2026-11-27,12,1034.20\n2026-11-28,12,998.00\n";
const THIRD = `${SECOND}2026-11-29,12,1.00\n`;
const sample = (name: string): Buffer => readFileSync(join(ROOT, "receiver/preview/fixtures", name));
const OTHERS = {
  "prices.json": '{"milk": 1.19, "bread": 2.4}\n',
  "notes.txt": "first line\n<script>alert(1)</script>\n",
  "orders.xlsx": sample("openpyxl.xlsx"),
  "types.parquet": sample("zstd.parquet"),
  "engine.bin": Buffer.from([0, 1, 2, 255, 254]),
} as const;

describeWithBrowser("files", () => {
  let scene: Scene;
  let agent: Running;
  let page: Page;
  let folder: string;
  beforeAll(async () => {
    scene = await openScene();
    const { site } = scene;
    await site.command("client", "add", "acme");
    folder = join(site.dir, "exports");
    mkdirSync(folder);
    const put = (name: string, bytes: string | Buffer) => writeFileSync(join(folder, name), bytes);
    put("gone.csv", "a,b\n1,2\n");
    const made = await site.agent("hq-01", {
      clients: ["acme"],
      settings: { sources: [{ name: "exports", path: folder, settle: "200ms", rescan: "2s" }] },
    });
    agent = await made.run();
    const arrived = async (count: number): Promise<void> =>
      void (await until(`${count} entries`, async () => (await entries()).length >= count, { everyMs: 200 }));
    // One after the other, so that the tree differs from instant to instant.
    await arrived(1);
    put("sales.csv", FIRST);
    await arrived(2);
    for (const [name, bytes] of Object.entries(OTHERS)) put(name, bytes);
    await arrived(7);
    put("sales.csv", SECOND);
    await arrived(8);
    rmSync(join(folder, "gone.csv"));
    await arrived(9);
    const key = (await site.command("key", "add", "--client", "acme", "--name", "till")).split("\n")[0];
    const program = caller(site, key as string);
    try {
      expect((await program.put("exports", "sales.csv", Buffer.from(THIRD))).status).toBe(201);
    } finally {
      await program.close();
    }
    page = (await scene.as("viewer")).page;
  });
  afterAll(async () => {
    await agent?.stop();
    await scene?.end();
  });

  const entries = (): Promise<Entry[]> => scene.site.history("--client", "acme");
  /** Newest first. */
  const versionsOf = async (name: string) =>
    (await told(page, "files.versions", `/api/clients/acme/files/exports/versions?path=${name}`)).items;
  const row = (name: string) => page.getByRole("row").filter({ hasText: name });
  const openFile = async (name: string): Promise<void> => {
    await page.goto("/clients/acme/files");
    await row(name).getByRole("link", { name }).click();
    await page.getByRole("dialog", { name }).waitFor();
  };
  const recordedOf = async (act: "file.preview" | "file.download") => (await recorded(page, act))?.subject.id;

  test("a file that was removed shows at an earlier instant, and the slider and the field go there", async () => {
    await page.goto("/clients/acme/files");
    await row("sales.csv").waitFor();
    expect(await row("gone.csv").count()).toBe(0);
    await page.getByLabel("Show removed").check();
    await row("gone.csv").getByText("removed").waitFor();
    await page.getByLabel("Show removed").uncheck();
    await row("gone.csv").waitFor({ state: "hidden" });

    const slider = page.getByRole("slider", { name: "The instant that is shown" });
    await slider.focus();
    await page.keyboard.press("Home");
    await row("gone.csv").waitFor();
    await page.getByText(/^As at /).waitFor();
    await row("sales.csv").waitFor({ state: "hidden" });
    const at = new URL(page.url()).searchParams.get("at") as string;
    const then = await told(page, "files.list", `/api/clients/acme/files/exports?at=${at}`);
    expect(then.items.map(({ name }) => name)).toEqual(["gone.csv"]);
    await page.getByRole("button", { name: "Back to now" }).click();
    await row("gone.csv").waitFor({ state: "hidden" });
    await row("sales.csv").waitFor();

    // The field knows seconds: the one in which it was removed had not ended when it still was there.
    const removal = (await versionsOf("gone.csv")).find(({ kind }) => kind === "removal");
    const second = new Date(Math.floor(Date.parse(removal?.receivedAt as string) / 1000) * 1000);
    const local = new Intl.DateTimeFormat("sv-SE", {
      ...{ timeZone: "Europe/Berlin", dateStyle: "short", timeStyle: "medium" },
    }).format(second);
    await page.getByLabel("Date and time").fill(local.replace(" ", "T"));
    await page.keyboard.press("Enter");
    await row("gone.csv").waitFor();
    await row("sales.csv").waitFor();
    expect(new URL(page.url()).searchParams.get("at")).toBe(second.toISOString());
    await row("sales.csv").getByRole("link", { name: "sales.csv" }).click();
    await page.getByText("shown at that instant").waitFor();
  });

  test("a file tells its versions, who brought each through which door, and what changed", async () => {
    await openFile("sales.csv");
    const versions = page.getByRole("list", { name: "Versions" }).getByRole("listitem");
    const moments = versions.filter({ has: page.locator("[aria-expanded]") });
    await expect.poll(() => moments.count()).toBe(3);
    await moments.nth(0).getByText("key till through API").waitFor();
    await moments.nth(0).getByText("newest").waitFor();
    await moments
      .nth(1)
      .getByText(/^agent hq-01 through agent/)
      .waitFor();
    await moments.nth(1).getByText("+33 B").waitFor();
    await moments
      .nth(2)
      .getByText(/^agent hq-01 through agent/)
      .waitFor();
    await page.getByRole("button", { name: "Compare with the version before" }).click();
    await page.getByText("Both have the same columns, in the same order.").waitFor();
    await page.getByText("1 rows are new or changed, 0 are gone or changed.").waitFor();
    await moments.nth(0).getByRole("button").first().click();
    await moments.nth(1).getByRole("button").first().click();
    await page.getByRole("button", { name: "Compare with the version before" }).click();
    await page.getByText("New columns: sum").waitFor();
    expect((await versionsOf("sales.csv")).map(({ versionId }) => versionId)).toEqual(
      (await entries())
        .filter(({ path }) => path === "sales.csv")
        .map(({ versionId }) => versionId)
        .reverse(),
    );
  });

  test("a file is downloaded byte for byte, and that is in the record", async () => {
    await openFile("orders.xlsx");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Download" }).first().click(),
    ]);
    expect(download.suggestedFilename()).toBe("orders.xlsx");
    expect(readFileSync(await download.path()).equals(OTHERS["orders.xlsx"])).toBe(true);
    const [newest] = await versionsOf("orders.xlsx");
    expect(await recordedOf("file.download")).toBe(newest?.versionId);
  });

  test("a receipt is verified by the receiver and by the browser, downloaded, and found again by all of it", async () => {
    await openFile("notes.txt");
    await page.getByRole("button", { name: "Verify" }).click();
    await page.getByText("It signed this receipt, and its ledger has it word for word.").waitFor();
    await page.getByText(/^The signature fits the public key .* is what stands here\.$/).waitFor();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Download" }).last().click(),
    ]);
    expect(download.suggestedFilename()).toBe("notes.txt.receipt.jws");
    const receipt = readFileSync(await download.path(), "utf8").trim();
    expect(receipt).toBe((await versionsOf("notes.txt"))[0]?.receipt);

    const [head, body, signature] = receipt.split(".") as [string, string, string];
    const search = page.getByRole("searchbox").or(page.getByLabel("Search")).first();
    await page.goto("/search");
    await search.fill(receipt);
    await page.keyboard.press("Enter");
    await page.getByText("It signed this receipt, and its ledger has it word for word.").waitFor();
    await page.getByRole("link", { name: "notes.txt" }).waitFor();
    const altered = signature.startsWith("A") ? `B${signature.slice(1)}` : `A${signature.slice(1)}`;
    await search.fill([head, body, altered].join("."));
    await page.keyboard.press("Enter");
    await page.getByText(/was not signed with it: what it says counts for nothing/).waitFor();
  });

  test.each([
    ["sales.csv", ["sum", "1034.20", "2026-11-29"]],
    ["prices.json", ['"milk": 1.19']],
    ["notes.txt", ["first line", "<script>alert(1)</script>"]],
    ["orders.xlsx", ["order", "placed", /Grüße/]],
    ["types.parquet", ["price", "-12345678901234567890.12", "Grüße"]],
  ] as const)("the first rows of %s are shown, and that is in the record", async (name, words) => {
    await openFile(name);
    await page.getByRole("button", { name: "Show first rows" }).first().click();
    const rows = page.getByRole("region", { name: "First rows" });
    for (const text of words) await rows.getByText(text).first().waitFor();
    expect(await recordedOf("file.preview")).toBe((await versionsOf(name))[0]?.versionId);
  });

  test("what is none of these is shown as the bytes that it begins with", async () => {
    await openFile("engine.bin");
    await page.getByRole("button", { name: "Show first rows" }).click();
    await page.getByText("No preview").waitFor();
    await page
      .getByRole("region", { name: "First rows" })
      .getByText(/00 01 02 ff fe/)
      .waitFor();
  });
});
