/** `get`: one version, byte for byte as it was sent, its digest checked on the way. */
import { createHash, randomUUID } from "node:crypto";
import { createWriteStream, existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { resolve } from "node:path";
import { Transform, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ProblemError } from "@tributary/shared/problems.ts";
import type { Entry } from "@tributary/shared/protocol.ts";
import { Progress, say } from "@tributary/shared/terminal.ts";
import { formatBytes } from "@tributary/shared/units.ts";
import type { Command } from "commander";
import { downloadOf } from "../administration/files.ts";
import { noted } from "../audit/audit.ts";
import type { SiteOptions } from "../config.ts";
import type { Lake } from "../lake/lake.ts";
import { createHistory } from "../ledger/history.ts";
import type { Database } from "../ledger/schema.ts";
import { type Sites, siteCommand, withSite } from "./command.ts";
import { onCommand } from "./who.ts";

interface GetOptions extends SiteOptions {
  readonly out?: string;
  readonly force?: boolean;
}

/** An entry that has content. */
type Version = Entry & { readonly key: string; readonly size: number; readonly sha256: string };

export function addGetCommand(program: Command, sites: Sites): void {
  siteCommand(
    program,
    "get <version>",
    "writes a version's content, byte for byte, to standard output or a file",
  )
    .option("--out <file>", "the file; it appears only when it is whole and its digest is right")
    .option("--force", "replace an existing file")
    .action((versionId: string, options: GetOptions) => {
      return withSite(sites, options, async ({ database: { db }, lake }) => {
        const version = contentOf(versionId, await createHistory(db).version(versionId));
        const remembering = { read: (key: string) => readRemembered(db, lake, version, key) };
        if (options.out === undefined) await copy(version, remembering, process.stdout, false);
        else await copyTo(resolve(options.out), version, remembering, options.force === true);
      });
    });
}

function contentOf(versionId: string, entry: Entry | undefined): Version {
  if (entry === undefined)
    throw new ProblemError("not-found", `there is no version ${versionId}; see: tributary-receiver history`);
  const { key, size, sha256 } = entry;
  if (key === null || size === null || sha256 === null)
    throw new ProblemError(
      "not-found",
      `${versionId} is a ${entry.kind}: it has no content; get the version before it`,
    );
  return { ...entry, key, size, sha256 };
}

/** Whoever takes a client's file along is remembered, as on the page: when there are bytes, and before the first leaves. */
async function readRemembered(db: Database, lake: Pick<Lake, "read">, version: Version, key: string) {
  const bytes = await lake.read(key);
  if (bytes === undefined) return undefined;
  try {
    await noted(db, onCommand(db).who, downloadOf(version));
    return bytes;
  } catch (error) {
    bytes.destroy();
    throw error;
  }
}

async function copyTo(
  file: string,
  version: Version,
  lake: Pick<Lake, "read">,
  force: boolean,
): Promise<void> {
  const refuse = (): void => {
    if (!force && existsSync(file))
      throw new ProblemError("usage", `${file} exists; name another --out, or replace it with --force`);
  };
  refuse();
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    await copy(version, lake, createWriteStream(temporary, { flags: "wx", flush: true }), true);
    refuse();
    await rename(temporary, file);
    say(`${file}: ${formatBytes(version.size)}, SHA-256 ${version.sha256}`);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function copy(version: Version, lake: Pick<Lake, "read">, to: Writable, end: boolean): Promise<void> {
  const bytes = await lake.read(version.key);
  if (bytes === undefined)
    throw new ProblemError(
      "lake-unavailable",
      `the lake holds no object ${version.key}; run: tributary-receiver verify`,
    );
  const hash = createHash("sha256");
  const progress = new Progress();
  let size = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      if (end) progress.show(() => `${formatBytes(size)} of ${formatBytes(version.size)}`);
      done(null, chunk);
    },
  });
  await pipeline(bytes, measure, to, { end });
  const sha256 = hash.digest("hex");
  if (size === version.size && sha256 === version.sha256) return;
  throw new ProblemError(
    "digest-mismatch",
    `${version.key} is not what was received: ${size} bytes, SHA-256 ${sha256}; the ledger says ${version.size} bytes, ${version.sha256}. What was written is not the version; restore the object from a backup of the lake`,
  );
}
