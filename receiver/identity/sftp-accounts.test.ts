import { describe, expect, onTestFinished, test } from "vitest";
import { openScene } from "./scene.ts";
import { newSshKey, sftpAccountsContract } from "./sftp-accounts.contract.ts";
import { addAccount, listAccounts, type NewAccount } from "./sftp-accounts.ts";

describe("sqlite", () => sftpAccountsContract(async () => (await openScene(onTestFinished)).db));

const keys = [newSshKey()];

test.for<[Partial<NewAccount>, string, RegExp]>([
  [{ client: "none" }, "not-found", /client add/],
  [{ keys: [] }, "request-invalid", /--public-key FILE or --password-stdin/],
  [{ user: "" }, "request-invalid", /not a user name/],
  [{ user: "Till" }, "request-invalid", /not a user name/],
  [{ user: "-till" }, "request-invalid", /not a user name/],
  [{ user: "till\n" }, "request-invalid", /not a user name/],
  [{ user: "t".repeat(64) }, "request-invalid", /not a user name/],
  [{ source: "../etc" }, "request-invalid", /not a source name/],
  [{ defaultSource: "A" }, "request-invalid", /not a source name/],
  [{ source: "pos", defaultSource: "other" }, "request-invalid", /bound to the source "pos"/],
  [{ history: true }, "request-invalid", /--access read-write/],
])("%j is refused: %s", async ([more, code, why]) => {
  const { db } = await openScene(onTestFinished);
  const wanted = { client: "bakery", user: "till", keys, ...more };
  await expect(addAccount(db, wanted)).rejects.toEqual(
    expect.objectContaining({ name: "ProblemError", code, message: expect.stringMatching(why) }),
  );
  expect(await listAccounts(db)).toEqual([]);
});
