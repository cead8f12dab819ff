/** `diagnostics`: a bundle for whoever helps from afar, also when nothing else works any more. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { ProblemError } from "@tributary/shared/problems.ts";
import { printable, result, say } from "@tributary/shared/terminal.ts";
import { formatBytes } from "@tributary/shared/units.ts";
import type { Command } from "commander";
import { noted, SITE } from "../audit/audit.ts";
import { readSite, receiverSettings, type Site, type SiteOptions } from "../config.ts";
import { type DiagnosticParts, makeDiagnostics } from "../diagnostics/diagnostics.ts";
import { hostParts, programPart } from "../diagnostics/host.ts";
import { ledgerParts } from "../diagnostics/ledger.ts";
import { listenerParts } from "../diagnostics/listeners.ts";
import { withoutSecrets } from "../diagnostics/settings.ts";
import { reason } from "../ledger/database.ts";
import type { OpenSite, SiteLedger } from "../site.ts";
import { requireSite, type Sites, siteCommand } from "./command.ts";
import { onCommand } from "./who.ts";

interface DiagnosticsOptions extends SiteOptions {
  readonly out?: string;
}

export function addDiagnosticsCommand(program: Command, sites: Sites): void {
  siteCommand(program, "diagnostics", "collects how this receiver is into one file, without secrets")
    .option("--out <file>", "the file; default: tributary-diagnostics-TIME.json.gz in this folder")
    .action(async (options: DiagnosticsOptions) => {
      const file = resolve(options.out ?? `tributary-diagnostics-${stamp(new Date())}.json.gz`);
      const bytes = await collect(sites, options);
      // Only for who asked for it: names of clients and files are in it.
      await writeFile(file, bytes, { flag: "wx", mode: 0o600 }).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code !== "EEXIST") throw cause;
        throw new ProblemError("usage", `${file} exists; name another --out`, { cause });
      });
      say(
        `${formatBytes(bytes.length)}; look into it with: zcat FILE | less\n` +
          "In it: versions, settings, how ledger, lake, listeners and certificate are, numbers of the ledger, what agents said last, refusals, metrics.\n" +
          "Names of clients, agents, hosts and of files with problems are in it. Not in it: passwords, keys, other secrets, contents of files.\n" +
          "Log lines are not in it either; add them with: journalctl -u tributary-receiver --since -1d",
      );
      result(file);
    });
}

const stamp = (at: Date): string => at.toISOString().replaceAll(/[-:]|\.\d+/g, "");

/** Whatever cannot be opened is a part that failed. */
async function collect(sites: Sites, options: SiteOptions): Promise<Buffer> {
  const site = attempt(() => readSite(options));
  if (!site.done) {
    const settings = (): Promise<never> => Promise.reject(site.why);
    return await makeDiagnostics({ ...programPart(), settings }, { secrets: [] });
  }
  const { settings, secrets } = withoutSecrets(receiverSettings, site.value.settings);
  const opened = await openWhatIsThere(sites, options);
  try {
    if (opened.site !== undefined) await record(opened.site);
    return await makeDiagnostics(
      {
        ...programPart(),
        settings: async () => ({ data: site.value.data, keys: site.value.keys, ...(settings as object) }),
        ...hostParts(site.value),
        ...listenerParts(site.value.settings),
        ...siteParts(site.value, opened),
      },
      { secrets },
    );
  } finally {
    await opened.site?.close();
  }
}

/** As on the page; but a bundle is most needed where nothing can be recorded any more. */
async function record({ database: { db } }: SiteLedger): Promise<void> {
  const deed = { act: "site.diagnostics", subject: SITE, before: null, after: null } as const;
  await noted(db, onCommand(db).who, deed).catch((error: unknown) =>
    say(
      `the audit log does not hold that this bundle was made: ${printable(reason(error))}; the bundle says how the ledger is`,
    ),
  );
}

interface Opened {
  readonly site: OpenSite | SiteLedger | undefined;
  /** Why the whole site, or even its ledger, could not be opened. */
  readonly failed: unknown;
}

async function openWhatIsThere(sites: Sites, options: SiteOptions): Promise<Opened> {
  try {
    await requireSite(sites, options);
    return { site: await sites.open(options), failed: undefined };
  } catch (failed) {
    const site = await requireSite(sites, options)
      .then(() => sites.openLedger(options))
      .catch(() => undefined);
    return { site, failed };
  }
}

function siteParts({ settings }: Site, { site, failed }: Opened): DiagnosticParts {
  const refuse = (): Promise<never> => Promise.reject(failed);
  const lake =
    site !== undefined && "lake" in site
      ? async () => {
          await site.lake.check();
          return { answers: true, freeBytes: (await site.lake.free()) ?? null };
        }
      : refuse;
  if (site === undefined) return { lake, ledger: refuse };
  const { database } = site;
  return { lake, ...ledgerParts({ database, kind: settings.ledger.kind, heartbeat: settings.heartbeat }) };
}

type Attempt<T> =
  | { readonly done: true; readonly value: T }
  | { readonly done: false; readonly why: unknown };

function attempt<T>(work: () => T): Attempt<T> {
  try {
    return { done: true, value: work() };
  } catch (why) {
    return { done: false, why };
  }
}
