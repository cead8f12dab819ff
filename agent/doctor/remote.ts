/** A source away from this host, link by link: its server, the way in, what is listed, whether its files can be read. */
import { displayPath } from "@tributary/shared/path.ts";
import { formatBytes } from "@tributary/shared/units.ts";
import type { RemoteSourceSettings } from "../remote/kinds.ts";
import { kindNamed } from "../remote/kinds.ts";
import type { Remote, RemoteFile } from "../remote/remote.ts";
import type { Secrets } from "../secret/secrets.ts";
import { join, ROOT } from "../source/bytes.ts";
import { checkDns } from "./dns.ts";
import { type Finding, fail, ok, reasonOf, warn } from "./finding.ts";
import { checkTcp } from "./tcp.ts";
import { checkTimes } from "./times.ts";

/** Folders that are looked into for a file to read. */
const MOST_FOLDERS = 20;

export async function* checkRemote(
  settings: RemoteSourceSettings,
  secrets: Pick<Secrets, "read">,
): AsyncGenerator<Finding> {
  const kind = kindNamed(settings.kind);
  if (kind === undefined) return;
  const check = `source ${settings.name}`;
  const address = kind.address(settings);
  if (address !== undefined) {
    const dns = await checkDns(address.host);
    if (dns.level === "fail") return yield { ...dns, check };
    const tcp = await checkTcp("its server", address);
    if (tcp.level === "fail") return yield { ...tcp, check };
  }
  const warnings: Finding[] = [];
  try {
    await using remote = await kind.connect(settings, {
      secrets,
      parallel: 1,
      warn: (text) => warnings.push(warn(check, text, "see docs/sources")),
    });
    await remote.identity();
    yield* warnings.splice(0);
    yield ok(check, `${kind.where(settings)} can be listed`);
    yield* await checkReading(check, remote);
  } catch (error) {
    yield* warnings.splice(0);
    yield fail(check, reasonOf(error), "repair it, then run doctor again");
  }
  yield checkTimes(settings);
}

/** The beginning of the first file that is found. */
async function checkReading(check: string, remote: Remote): Promise<Finding[]> {
  const waiting: Buffer[] = [ROOT];
  for (let looked = 0; looked < MOST_FOLDERS; looked += 1) {
    const folder = waiting.shift();
    if (folder === undefined) break;
    for await (const entries of remote.list(folder, new AbortController().signal))
      for (const entry of entries) {
        const path = join(folder, entry.name);
        if (entry.kind === "folder" && waiting.length < MOST_FOLDERS) waiting.push(path);
        if (entry.kind !== "file" || entry.state.size === 0) continue;
        await using file: RemoteFile = await remote.open(path, entry.state);
        for await (const piece of file.bytes(0)) {
          if (piece.length === 0) continue;
          const size = formatBytes(entry.state.size);
          return [ok(check, `its files can be read (tried: ${displayPath(path)}, ${size})`)];
        }
        return [
          warn(
            check,
            `${displayPath(path)} has ${formatBytes(entry.state.size)}, and gives none`,
            "ask the server's administrator",
          ),
        ];
      }
  }
  return [
    warn(check, "no file was found to try whether it can be read", "put one there, and run doctor again"),
  ];
}
