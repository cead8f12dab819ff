/**
 * A bundle for whoever helps from afar: one JSON text, gzip'd, that says how a receiver is. Every part stands for itself:
 * one that fails, or hangs, is in it as its error.
 *   {"format":"tributary-diagnostics","version":1,"takenAt":…,"parts":{NAME:{"value":…}|{"error":{"code":…,"message":…}}}}
 * No secret and no content of a file is in it.
 */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { ProblemError } from "@tributary/shared/problems.ts";

/** Name -> what is looked at; anything that JSON holds. */
export type DiagnosticParts = Readonly<Record<string, () => Promise<unknown>>>;

export interface DiagnosticOptions {
  /** Texts that must not be in it, wherever they come from. */
  readonly secrets: readonly string[];
  readonly withinMs?: number;
  readonly now?: () => number;
}

const WITHIN_MS = 15_000;
const MOST_OF_A_PART = 16 * 2 ** 20;
/** A shorter one would black out half of the text and protects nothing. */
const LEAST_SECRET = 4;

/** Never fails for a part. */
export async function makeDiagnostics(parts: DiagnosticParts, options: DiagnosticOptions): Promise<Buffer> {
  const { withinMs = WITHIN_MS, now = Date.now } = options;
  const secrets = options.secrets
    .filter((one) => one.length >= LEAST_SECRET)
    .toSorted((a, b) => b.length - a.length);
  const takenAt = new Date(now()).toISOString();
  const looked = await Promise.all(
    Object.entries(parts).map(async ([name, look]) => [name, await told(look, withinMs, secrets)] as const),
  );
  const bundle = { format: "tributary-diagnostics", version: 1, takenAt, parts: Object.fromEntries(looked) };
  return await promisify(gzip)(`${JSON.stringify(bundle, null, 1)}\n`);
}

async function told(
  look: () => Promise<unknown>,
  withinMs: number,
  secrets: readonly string[],
): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${withinMs / 1000} s`)), withinMs);
  });
  try {
    const value = redacted(await Promise.race([Promise.resolve().then(look), late]), secrets);
    const { length } = JSON.stringify(value) ?? "";
    if (length > MOST_OF_A_PART) throw new Error(`more than fits: ${length} characters`);
    return { value: value ?? null };
  } catch (error) {
    const code = error instanceof ProblemError ? error.code : null;
    return {
      error: { code, message: redacted(error instanceof Error ? error.message : String(error), secrets) },
    };
  } finally {
    clearTimeout(timer);
  }
}

/** Names of keys too: whoever takes a password for a name has it there. */
function redacted(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === "string")
    return secrets.reduce((text, one) => text.replaceAll(one, "(secret)"), value);
  if (Array.isArray(value)) return value.map((one) => redacted(one, secrets));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [redacted(key, secrets), redacted(one, secrets)]),
    );
  return value;
}
