/** A real Chromium that trusts one site's authority, and nothing else that it would not trust anyway. */
import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { keepCalls } from "./made-calls.ts";

/** Debian's. */
export const CHROMIUM = "/usr/bin/chromium";

/**
 * `ca`: a file of certificates. Their keys are named to Chromium rather than its errors ignored: passkeys work only where
 * the certificate is good.
 */
export async function openBrowser(ca: string): Promise<Browser> {
  const certificates =
    readFileSync(ca, "utf8").match(/-----BEGIN CERT[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  const keys = certificates.map((pem) =>
    createHash("sha256")
      .update(new X509Certificate(pem).publicKey.export({ type: "spki", format: "der" }))
      .digest("base64"),
  );
  return await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-dev-shm-usage",
      `--ignore-certificate-errors-spki-list=${keys.join(",")}`,
    ],
  });
}

/** A browser of somebody's own: a page, its cookies, and what went wrong in it. */
export interface Window {
  readonly page: Page;
  /** What no page may do: throw, complain on its console, break its own policy, or make the receiver fail. */
  readonly faults: readonly string[];
  /** While it runs, an absent receiver is no fault. */
  whileAway<T>(work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** What Chromium itself says of every refusal, which is judged by its status, and of a receiver that is away. */
const REFUSED = /^Failed to load resource: the server responded with a status of /;
const AWAY = /net::ERR_/;

export async function openWindow(browser: Browser, options: BrowserContextOptions = {}): Promise<Window> {
  const context = await browser.newContext({ locale: "en-GB", timezoneId: "Europe/Berlin", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  keepCalls(page);
  const faults: string[] = [];
  let away = false;
  const fault = (words: string): void => void (away || faults.push(words));
  page.on("pageerror", (error) => fault(`thrown: ${error.stack ?? error.message}`));
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() !== "error" || REFUSED.test(text)) return;
    if (!(away && AWAY.test(text))) faults.push(`console: ${text} (${message.location().url})`);
  });
  page.on("response", (response) => {
    // Where the receiver says when to ask again, the page does.
    const later = response.status() === 503 && response.headers()["retry-after"] !== undefined;
    if (response.status() >= 500 && !later)
      fault(`${response.status()} to ${response.request().method()} ${response.url()}`);
  });
  return {
    page,
    faults,
    whileAway: async (work) => {
      away = true;
      try {
        return await work();
      } finally {
        away = false;
      }
    },
    close: async () => await context.close(),
  };
}
