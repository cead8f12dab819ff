import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, onTestFinished } from "vitest";
import { ledgerContract } from "./ledger.contract.ts";
import { openSqlite } from "./sqlite.ts";

const newPlace = async () => {
  const folder = mkdtempSync(join(tmpdir(), "tributary-ledger-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return async () => {
    const database = await openSqlite(join(folder, "ledger.sqlite"));
    onTestFinished(() => database.close());
    return database;
  };
};

describe("sqlite", () => ledgerContract(newPlace));
