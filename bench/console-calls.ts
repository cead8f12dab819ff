/**
 * `console-calls.ts FILE|postgres:URL [ROUNDS]`: a real receiver over a ledger that console-data.ts filled: how long each
 * call of the console takes at the server, how large the first load is, and how soon the first page is painted in Chromium.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, launch, ok } from "@tributary/test/site/process.ts";
import { chromium } from "playwright-core";
import { planSite, randomOf } from "./console-plan.ts";
import { consoleVisitor } from "./console-visitor.ts";

const [ledger = "", text = "30"] = process.argv.slice(2);
const rounds = Number(text);
const EMAIL = "bench@example.com";
const random = randomOf(5);
const plan = planSite(1000, 7);
const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;

const dir = mkdtempSync(join(tmpdir(), "tributary-console-bench-"));
// The site's keys are made at its first start, and the ledger remembers them from then on.
const keys = ledger.startsWith("postgres:") ? join(dir, "keys") : `${ledger}.keys`;
const [ingest, port] = [await freePort(), await freePort()];
const config = join(dir, "receiver.yaml");
writeFileSync(
  config,
  JSON.stringify({
    listen: { ingest: `127.0.0.1:${ingest}`, console: `127.0.0.1:${port}` },
    ledger: ledger.startsWith("postgres:")
      ? { kind: "postgres", url: ledger }
      : { kind: "sqlite", path: ledger },
    ...{ reserve: "64MiB", keys },
  }),
);
// The ledger has entries, and this lake none of their bytes: nothing that is measured reads any.
mkdirSync(join(dir, "lake"));
writeFileSync(join(dir, "lake", ".tributary.json"), "{}");
const at = ["--data", dir, "--config", config];
const visitor = consoleVisitor(port);
const { ask } = visitor;

async function measure(name: string, pathOf: () => string): Promise<void> {
  const taken: number[] = [];
  let bytes = 0;
  for (let i = 0; i < rounds; i += 1) {
    const path = pathOf();
    const from = performance.now();
    const answer = await ask("GET", path);
    taken.push(performance.now() - from);
    bytes += answer.bytes;
    if (answer.status !== 200)
      throw new Error(`${path} answers ${answer.status}: ${answer.body.slice(0, 300)}`);
  }
  taken.sort((a, b) => a - b);
  const of = (part: number): string =>
    (taken[Math.min(taken.length - 1, Math.floor(part * taken.length))] ?? 0).toFixed(0);
  process.stdout.write(
    `| ${name} | ${of(0.5)} | ${of(0.95)} | ${of(1)} | ${Math.round(bytes / rounds / 1000)} |\n`,
  );
}

const receiver = launch("receiver", ["serve", ...at]);
try {
  await receiver.said(/ready/, 600_000);
  const link = /welcome#(\S+)/.exec(receiver.stderr())?.[1];
  const reset = link ?? (await ok("receiver", ["person", "reset", EMAIL, ...at])).split("#")[1] ?? "";
  await visitor.signIn(EMAIL, reset, link !== undefined);
  const agents = JSON.parse((await ask("GET", "/api/agents")).body) as { items: { id: string }[] };
  const feed = () => pick(plan.feeds);
  const instant = (): string => new Date(Date.now() - random() * 80 * 86_400_000).toISOString();
  const some = JSON.parse((await ask("GET", "/api/deliveries?limit=200&kind=version")).body) as {
    items: {
      client: string;
      source: string;
      pathEncoded: string;
      versionId: string;
      sha256: string;
      channel: string;
    }[];
  };
  const file = () => pick(some.items);
  process.stdout.write("| call | p50 ms | p95 ms | max ms | kB |\n|---|---|---|---|---|\n");
  await measure("overview.get", () => "/api/overview");
  await measure("overview.punctuality", () => "/api/punctuality?limit=50");
  await measure("overview.client", () => `/api/clients/${feed().client}/overview`);
  await measure("clients.list", () => "/api/clients");
  await measure("agents.list", () => "/api/agents");
  await measure("agents.get", () => `/api/agents/${pick(agents.items).id}`);
  await measure("deliveries.list", () => "/api/deliveries");
  await measure("… of a client", () => `/api/deliveries?client=${feed().client}`);
  await measure("… of a feed", () => {
    const { client, source } = feed();
    return `/api/deliveries?client=${client}&source=${source}`;
  });
  await measure(
    "… by channel",
    () => `/api/deliveries?channel=${pick(["push", "api", "sftp", "bundle", "tus"])}`,
  );
  await measure("… removals", () => "/api/deliveries?kind=removal");
  await measure("… until a time", () => `/api/deliveries?to=${instant()}`);
  await measure(
    "… client, channel, removal, time",
    () =>
      `/api/deliveries?client=${feed().client}&channel=${pick(["push", "api", "sftp"])}&kind=removal&to=${instant()}`,
  );
  await measure("… by digest", () => `/api/deliveries?digest=${file().sha256.slice(0, 12)}`);
  await measure("newer.count", () => "/api/deliveries/newer?after=1");
  await measure("files.bounds", () => `/api/clients/${feed().client}/file-bounds`);
  await measure("files.sources", () => `/api/clients/${file().client}/files`);
  await measure("files.list (first look at a client)", () => {
    const { client, source } = file();
    return `/api/clients/${client}/files/${source}`;
  });
  await measure("files.list as at", () => {
    const { client, source } = file();
    return `/api/clients/${client}/files/${source}?at=${instant()}`;
  });
  await measure("files.versions", () => {
    const { client, source, pathEncoded } = file();
    return `/api/clients/${client}/files/${source}/versions?path=${encodeURIComponent(pathEncoded)}`;
  });
  await measure("search: a digest", () => `/api/search?q=${file().sha256.slice(0, 10)}`);
  await measure(
    "search: a name",
    () => `/api/search?q=${encodeURIComponent(file().pathEncoded.split("/").at(-1) ?? "")}`,
  );
  await measure("search: .csv", () => "/api/search?q=.csv");
  await measure("audit.list", () => "/api/audit");
  await measure("quarantine.list", () => "/api/quarantine");
  await measure("webhooks.list", () => "/api/webhooks");
  await paint();
} finally {
  await receiver.stop();
  visitor.close();
  rmSync(dir, { recursive: true, force: true });
}

/** With nothing kept by the browser, and then again. */
async function paint(): Promise<void> {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  await context.addCookies(
    visitor
      .cookie()
      .split("; ")
      .map((one) => {
        const equals = one.indexOf("=");
        return {
          name: one.slice(0, equals),
          value: one.slice(equals + 1),
          url: visitor.origin,
          secure: true,
        };
      }),
  );
  for (const kept of [false, true, true]) {
    const page = await context.newPage();
    let bytes = 0;
    const session = await context.newCDPSession(page);
    await session.send("Network.enable");
    session.on("Network.loadingFinished", ({ encodedDataLength }) => {
      bytes += encodedDataLength;
    });
    const from = performance.now();
    await page.goto(`${visitor.origin}/`);
    await page.getByRole("heading", { level: 1 }).waitFor();
    const heading = performance.now() - from;
    const first = await page.evaluate(
      () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN,
    );
    process.stdout.write(
      `\n${kept ? "again" : "first load"}: painted after ${first.toFixed(0)} ms, its heading after ${heading.toFixed(0)} ms, ${Math.round(bytes / 1000)} kB\n`,
    );
    await page.close();
  }
  await browser.close();
}
