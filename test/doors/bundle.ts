/** `POST /v1/bundles/{source}`: a tar stream of all files, plain or packed, answered line by line. */
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type BundleLine, PAX, ROUTE } from "@tributary/shared/protocol.ts";
import type { Door, Outcome, Sending } from "./door.ts";
import { clientHeader, holdKey, type KeyHolder, lost, OF_PROGRAMS, outcomeIn } from "./keyed.ts";
import { tarOf } from "./tar.ts";

export const bundle: Door = {
  ...OF_PROGRAMS,
  name: "bundle",
  channels: () => ["bundle"],
  cannot: {
    sizes: "what stands behind the size of an entry's header is the next entry: the tar is another one then",
  },
  otherwise: {},
  unspeakable: (path) =>
    /^\.\/+[^/]/.test(path.toString("latin1"))
      ? "the ./ that `tar c .` writes before every name is no part of it here"
      : undefined,
  async enter(at) {
    const holder = await holdKey(at);
    return { ...holder, send: async (files) => await carried(holder, at.source, files) };
  },
};

/** In turn: all three are the same bundle. */
const PACKINGS = [(tar: Buffer) => tar, gzipSync, zstdCompressSync];
let bundles = 0;

/** A bundle is for one client: files of several go in several. */
async function carried(
  { api }: KeyHolder,
  source: string,
  files: readonly Sending[],
): Promise<readonly Outcome[]> {
  const tar = tarOf(
    files.map(({ path, bytes, captureId, declared }) => ({
      path,
      bytes,
      records: {
        ...(captureId === undefined ? {} : { [PAX.captureId]: captureId }),
        ...(declared?.sha256 === undefined ? {} : { [PAX.sha256]: declared.sha256 }),
      },
    })),
  );
  bundles += 1;
  const pack = PACKINGS[bundles % PACKINGS.length] as (typeof PACKINGS)[number];
  const client = files[0]?.client;
  let answer: { readonly status: number; readonly body: unknown };
  try {
    answer = await api.call("POST", `${ROUTE.bundles}/${source}`, {
      headers: {
        "content-type": "application/x-tar",
        ...clientHeader(client === undefined ? {} : { client }),
      },
      body: pack(tar),
    });
  } catch (cause) {
    return files.map(() => lost(cause));
  }
  if (answer.status !== 200) return files.map(() => outcomeIn(answer));
  return named(linesOf(answer.body), files.length);
}

/** One line alone was read as JSON already. A line that was cut is none. */
function linesOf(body: unknown): readonly BundleLine[] {
  if (typeof body !== "string") return [body as BundleLine];
  return body
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as BundleLine);
}

/** An entry without a line of its own shares what ended the bundle; without that, nobody knows. */
function named(lines: readonly BundleLine[], count: number): Outcome[] {
  const outcomes = Array.from(
    { length: count },
    (): Outcome => ({ kind: "lost", why: "the answer was cut" }),
  );
  for (const line of lines) {
    if ("end" in line) continue;
    if (line.entry !== null) outcomes[line.entry - 1] = outcomeOfLine(line);
    else
      for (const [i, { kind }] of outcomes.entries()) if (kind === "lost") outcomes[i] = outcomeOfLine(line);
  }
  return outcomes;
}

function outcomeOfLine(line: Exclude<BundleLine, { end: true }>): Outcome {
  return "problem" in line
    ? outcomeIn({ status: line.problem.status, body: line.problem })
    : outcomeIn({ status: 200, body: line });
}
