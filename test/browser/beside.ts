/// <reference lib="dom" />
/** What the receiver has, beside what its pages show. */
import { join } from "node:path";
import Database from "better-sqlite3";
import type { Page } from "playwright-core";
import type { AuditLine } from "../../receiver/audit/audit.ts";
import type { Answers } from "../../receiver/console/answers.ts";
import type { Site } from "../site/site.ts";

/** As the person before this page may ask it. */
export async function told<K extends keyof Answers>(page: Page, _call: K, path: string): Promise<Answers[K]> {
  return await page.evaluate(async (address) => {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`${answer.status} to ${address}`);
    return await answer.json();
  }, path);
}

/** The newest record of an act, of whoever's page this is; undefined: nobody did that. */
export async function recorded(page: Page, act: AuditLine["act"]): Promise<AuditLine | undefined> {
  return (await told(page, "audit.list", `/api/audit?act=${act}&limit=1`)).items[0];
}

/** Sets the ledger's facts back, where nobody can wait for the hours that they take; how many rows it changed. */
export function setBack(site: Pick<Site, "dir">, sql: string, ...values: readonly unknown[]): number {
  const db = new Database(join(site.dir, "receiver", "ledger.sqlite"), { timeout: 5000 });
  try {
    return db.prepare(sql).run(...values).changes;
  } finally {
    db.close();
  }
}
