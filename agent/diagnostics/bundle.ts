/**
 * Diagnostics: what somebody far away needs to help, as gzip'd JSON. In it are names of files, and the configuration, whose
 * secrets stand elsewhere; never content of files, keys, receipts or nonces. Every text goes through the redactor, and a
 * password in an address is taken out by its shape, known or not.
 */
import { arch, cpus, freemem, hostname, loadavg, platform, release, totalmem, uptime } from "node:os";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { isPackaged } from "@tributary/shared/packaged.ts";
import { displayPath } from "@tributary/shared/path.ts";
import { DIAGNOSTICS } from "@tributary/shared/protocol.ts";
import type { Redactor } from "@tributary/shared/redactor.ts";
import { unsaid } from "@tributary/shared/unsaid.ts";
import type { AgentSettings } from "../config.ts";
import { examineQuietly } from "../doctor/doctor.ts";
import type { Finding } from "../doctor/finding.ts";
import type { Identity } from "../identity/identity.ts";
import type { QueueStatus } from "../queue/status.ts";
import { referencesIn } from "../secret/reference.ts";
import type { Secrets } from "../secret/secrets.ts";
import { VERSION } from "../version.ts";

export interface BundleParts {
  readonly data: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly identity: Identity;
  readonly settings: AgentSettings;
  readonly queue: Pick<
    QueueStatus,
    "depth" | "sources" | "problems" | "problemCount" | "waiting" | "deliveries"
  >;
  /** What only the running agent knows; undefined beside it. */
  readonly live: Readonly<Record<string, unknown>> | undefined;
  /** The last lines, oldest first. */
  readonly log: readonly string[];
  readonly secrets: Pick<Secrets, "read">;
  readonly redactor: Redactor;
  readonly now: () => Date;
  /** What a bundle may have at most. */
  readonly most?: number;
}

/** Checks that have no answer by then are left out: a name server that is silent must not keep the rest. */
const EXAMINE_MS = 8_000;
const MOST_PROBLEMS = 100;
const MOST_PARCELS = 20;
const SHORTEST = 4;

const pack = promisify(gzip);

/** The JSON text, and it gzip'd: of at most `most` bytes, for which the log is cut first, then what there is of each source. */
export async function makeBundle(
  parts: BundleParts,
): Promise<{ readonly text: string; readonly gzip: Buffer }> {
  // Whatever they are, from here on they are not said.
  for (const { reference } of parts.settings.sources.flatMap((source) => [...referencesIn(source)]))
    await parts.secrets.read(reference).catch(() => undefined);
  for (const address of [parts.settings.proxy, parts.env["HTTPS_PROXY"], parts.env["https_proxy"]])
    parts.redactor.learn(passwordIn(address));
  const doctor = await findings(parts);
  const most = parts.most ?? DIAGNOSTICS.most;
  for (let share = 1; ; share /= 2) {
    const content = contentOf(parts, doctor, share);
    const text = JSON.stringify(unsaid(content, { redact: parts.redactor.redact }), undefined, 1);
    const bytes = await pack(text);
    const fits = bytes.length <= most && Buffer.byteLength(text) <= DIAGNOSTICS.mostUnpacked;
    if (fits || share < 2 ** -12) return { text, gzip: bytes };
  }
}

/** `share`: how much is told of what there may be too much of; 1 is all. */
function contentOf(parts: BundleParts, doctor: readonly Finding[], share: number) {
  const { identity, settings, queue, live, log } = parts;
  const { agentId, name, site, url, clients, heartbeatSeconds, pause } = identity;
  const some = <T>(all: readonly T[]): readonly T[] => all.slice(0, Math.ceil(all.length * share));
  return {
    format: "tributary-agent-diagnostics",
    takenAt: parts.now().toISOString(),
    whole: share === 1,
    agent: {
      ...{ version: VERSION, node: process.version, packaged: isPackaged(), data: parts.data },
      ...{ pid: process.pid, uptimeSeconds: Math.round(process.uptime()), memory: process.memoryUsage() },
      running: live !== undefined,
    },
    host: {
      ...{ name: hostname(), platform: platform(), arch: arch(), release: release(), cpus: cpus().length },
      ...{ uptimeSeconds: Math.round(uptime()), load: loadavg(), memory: [totalmem(), freemem()] },
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    },
    identity: { agentId, name, site, url, clients, heartbeatSeconds, pause: pause ?? null },
    configuration: { ...settings, sources: some(settings.sources) },
    queue: {
      ...queue.depth(),
      sources: some(queue.sources()),
      problemCount: queue.problemCount(),
      problems: some(queue.problems(MOST_PROBLEMS)).map((one) => ({ ...one, path: displayPath(one.path) })),
      waiting: queue
        .waiting(MOST_PARCELS)
        .slice(0, MOST_PARCELS)
        .map((one) => ({ ...one, path: displayPath(one.path) })),
      deliveries: queue
        .deliveries(MOST_PARCELS)
        .slice(0, MOST_PARCELS)
        .map(({ receipt: _, ...one }) => ({ ...one, path: displayPath(one.path) })),
    },
    live: live === undefined ? null : cutLists(live, share),
    doctor,
    log: log.slice(Math.floor(log.length * (1 - share))),
  };
}

function cutLists(live: Readonly<Record<string, unknown>>, share: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(live).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.slice(0, Math.ceil(value.length * share)) : (value as unknown),
    ]),
  );
}

/** As it was typed, where it is long enough to stand in no word by chance. */
function passwordIn(address: string | undefined): string {
  if (address === undefined || !URL.canParse(address)) return "";
  const { password } = new URL(address);
  return password.length < SHORTEST ? "" : password;
}

/** Those that change nothing, as far as they come within their time. */
async function findings({ data, identity, settings, env, secrets }: BundleParts): Promise<Finding[]> {
  const found: Finding[] = [];
  const patient = { data, identity, settings, env, secrets };
  const examine = async (): Promise<void> => {
    for await (const finding of examineQuietly(patient)) found.push(finding);
  };
  let late: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    late = setTimeout(resolve, EXAMINE_MS);
    late.unref();
  });
  await Promise.race([examine().catch(() => undefined), patience]);
  clearTimeout(late);
  return [...found];
}
