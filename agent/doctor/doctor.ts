/** All checks in the order in which one leads to the next: the way to the receiver, this host, the sources. */
import { join } from "node:path";
import { type AgentSettings, isCertified, isNear } from "../config.ts";
import type { Identity } from "../identity/identity.ts";
import { authoritiesOf, readAuthority, trustByDefault } from "../identity/trust.ts";
import { owned } from "../owner.ts";
import type { Secrets } from "../secret/secrets.ts";
import { addressOf, checkAddress } from "./address.ts";
import { checkAfter } from "./after.ts";
import { askReceiver, checkAuthorised, notAsked } from "./authorised.ts";
import { checkClock } from "./clock.ts";
import { checkDataFolder } from "./data-folder.ts";
import { checkDns } from "./dns.ts";
import { checkEvents } from "./events.ts";
import { type Finding, fail, reasonOf, warn } from "./finding.ts";
import { checkFolder } from "./folder.ts";
import { checkInotify, countFolders, inotifyLimits } from "./inotify.ts";
import { checkProxy, proxyAddress } from "./proxy.ts";
import { checkRemote } from "./remote.ts";
import { checkSpace } from "./space.ts";
import { checkTcp } from "./tcp.ts";
import { checkTimes } from "./times.ts";
import { checkTls } from "./tls.ts";

export interface Patient {
  readonly data: string;
  /** Undefined when this folder never enrolled. */
  readonly identity: Identity | undefined;
  readonly settings: AgentSettings;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly secrets: Pick<Secrets, "read">;
}

/** Each finding as soon as it is made. */
export async function* examine(patient: Patient): AsyncGenerator<Finding> {
  const { identity } = patient;
  const { sources, limits } = patient.settings;
  if (identity === undefined)
    yield fail(
      "identity",
      `${patient.data} is not enrolled`,
      "ask the receiver's operator for a code and run: tributary-agent enroll CODE",
    );
  else {
    yield* examineWay({ ...patient, identity });
    yield* await checkDataFolder(patient.data, join(patient.data, "key"));
    const copies = sources.some((source) => !isNear(source) || source.capture === "copy");
    yield await checkSpace(patient.data, copies ? limits.spool : 0);
    if (sources.length === 0)
      yield warn(
        "sources",
        "agent.yaml names none, so nothing is captured",
        "tributary-agent add-folder PATH --name SOURCE",
      );
  }
  if (sources.some(isCertified)) trustByDefault(authorityOf(patient.settings));
  const readable: string[] = [];
  const refusals = identity === undefined ? [] : await owned(sources, identity.clients, patient.data);
  for (const [i, source] of sources.entries()) {
    const refused = refusals[i]?.refused;
    if (refused !== undefined) {
      const { says, todo } = refused;
      yield fail(`source ${source.name}`, `it ${says}`, `${todo} (in agent.yaml)`);
      continue;
    }
    if (!isNear(source)) {
      yield* checkRemote(source, patient.secrets);
      continue;
    }
    const found = await checkFolder(source.name, source.path);
    yield found;
    if (found.level !== "ok") continue;
    readable.push(source.path);
    yield source.kind === "share" ? checkTimes(source) : await checkEvents(source);
    const after = await checkAfter(source);
    if (after !== undefined) yield after;
  }
  const inotify = await inotifyLimits();
  if (inotify && readable.length > 0)
    yield checkInotify(inotify, await countFolders(readable, inotify.watches * 2));
}

/** Those of them that change nothing and ask no source for anything but its folder on this host. */
export async function* examineQuietly(
  patient: Patient & { readonly identity: Identity },
): AsyncGenerator<Finding> {
  const { sources, limits } = patient.settings;
  yield* await checkDataFolder(patient.data, join(patient.data, "key"));
  const copies = sources.some((source) => !isNear(source) || source.capture === "copy");
  yield await checkSpace(patient.data, copies ? limits.spool : 0);
  yield* examineWay(patient);
  for (const source of sources) if (isNear(source)) yield await checkFolder(source.name, source.path);
}

/** Ends at the first link that is broken: what lies behind it would only fail for the same reason. */
async function* examineWay({
  identity,
  settings,
  env,
}: Patient & { readonly identity: Identity }): AsyncGenerator<Finding> {
  const address = addressOf(identity.url);
  yield checkAddress(identity.url);
  if (address === undefined) return;
  const url = new URL(identity.url);
  const { finding, proxy } = checkProxy(url, settings.proxy, env);
  yield finding;
  if (finding.level === "fail") return;
  const first = proxy === undefined ? address : proxyAddress(proxy);
  const dns = await checkDns(first.host);
  yield dns;
  if (dns.level === "fail") return;
  const tcp = await checkTcp(proxy === undefined ? "the receiver" : "the proxy", first);
  yield tcp;
  if (tcp.level === "fail") return;
  let ca: string | undefined;
  try {
    ca = readAuthority(settings.tls.ca);
  } catch (error) {
    yield fail("tls", reasonOf(error), "correct tls.ca in agent.yaml");
    return;
  }
  const authorities = authoritiesOf(identity.trust, ca);
  const way = { url, proxy, ca };
  const tls = await checkTls(way, authorities, Date.now());
  yield tls;
  if (tls.level === "fail") return;
  try {
    let reply = await askReceiver(identity, way, authorities, Date.now());
    yield checkClock(reply.date, Date.now());
    const theirs = Date.parse(reply.date ?? "");
    // As the agent does: a wrong clock of this host is made up for with the receiver's time.
    if (reply.code === "token-expired" && !Number.isNaN(theirs))
      reply = await askReceiver(identity, way, authorities, theirs);
    yield checkAuthorised(reply, identity.agentId);
  } catch (error) {
    yield notAsked(error);
  }
}

/** One that cannot be read is found with the way to the receiver, and refused by `run`. */
function authorityOf({ tls }: AgentSettings): string | undefined {
  try {
    return readAuthority(tls.ca);
  } catch {
    return undefined;
  }
}
