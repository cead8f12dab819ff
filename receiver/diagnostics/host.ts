/** What a receiver's host and configuration tell, without its ledger. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import {
  arch,
  availableParallelism,
  freemem,
  hostname,
  loadavg,
  platform,
  release,
  totalmem,
  uptime,
} from "node:os";
import { join, resolve } from "node:path";
import type { Site } from "../config.ts";
import { VERSION } from "../version.ts";
import type { DiagnosticParts } from "./diagnostics.ts";

export function hostParts({
  data,
  keys,
  settings,
}: Pick<Site, "data" | "keys" | "settings">): DiagnosticParts {
  const folders = {
    data,
    ...(settings.lake.kind === "directory" ? { lake: resolve(data, settings.lake.path ?? "lake") } : {}),
    ...(settings.lake.kind === "s3" ? { spool: join(data, "spool") } : {}),
  };
  const certificate = settings.tls === undefined ? join(keys, "ca.pem") : resolve(data, settings.tls.cert);
  return {
    room: async () => ({
      reserve: settings.reserve,
      ...Object.fromEntries(
        await Promise.all(Object.entries(folders).map(async ([name, path]) => [name, await roomOf(path)])),
      ),
    }),
    certificate: async () => ({ file: certificate, ...certificateView(readFileSync(certificate, "utf8")) }),
  };
}

/** Of this process, which need not be the one that serves. */
export const programPart = (): DiagnosticParts => ({
  program: async () => ({
    ...{
      version: VERSION,
      node: process.version,
      pid: process.pid,
      uptimeSeconds: Math.round(process.uptime()),
    },
    ...{ hostname: hostname(), platform: platform(), release: release(), arch: arch() },
    ...{ hostUptimeSeconds: Math.round(uptime()), load: loadavg(), processors: availableParallelism() },
    ...{ memory: { total: totalmem(), free: freemem(), ofProcess: process.memoryUsage() } },
    ...{
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      inContainer: process.env["container"] ?? null,
    },
  }),
});

async function roomOf(path: string): Promise<unknown> {
  try {
    const { bsize, blocks, bavail, files, ffree } = await statfs(path);
    return { path, bytes: blocks * bsize, freeBytes: bavail * bsize, inodes: files, freeInodes: ffree };
  } catch (error) {
    return { path, error: (error as Error).message };
  }
}

/** Of the first certificate in the PEM text; there is nothing secret about it. */
export function certificateView(pem: string | Buffer) {
  const { subject, issuer, subjectAltName, validFromDate, validToDate, fingerprint256 } = new X509Certificate(
    pem,
  );
  return {
    ...{ subject, issuer, subjectAltName: subjectAltName ?? null, fingerprint256 },
    ...{ validFrom: validFromDate.toISOString(), validTo: validToDate.toISOString() },
  };
}
