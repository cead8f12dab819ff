/**
 * A bundle for whoever helps from afar: one JSON text, gzip'd, that says how a receiver is. Every part stands for itself:
 * one that fails, or hangs, is in it as its error.
 *   {"format":"tributary-diagnostics","version":1,"takenAt":…,"parts":{NAME:{"value":…}|{"error":{"code":…,"message":…}}}}
 * No secret and no content of a file is in it.
 */
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { ProblemError } from "@tributary/shared/problems.ts";
import { Redactor } from "@tributary/shared/redactor.ts";
import { unsaid } from "@tributary/shared/unsaid.ts";

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
const INSTEAD = "(secret)";
/** A shorter one would black out half of the text and protects nothing. */
const LEAST_SECRET = 4;

/** Never fails for a part. */
export async function makeDiagnostics(parts: DiagnosticParts, options: DiagnosticOptions): Promise<Buffer> {
  const { withinMs = WITHIN_MS, now = Date.now } = options;
  const redactor = new Redactor(INSTEAD);
  for (const one of options.secrets) if (one.length >= LEAST_SECRET) redactor.learn(one);
  const unsay = (value: unknown): unknown => unsaid(value, { redact: redactor.redact, instead: INSTEAD });
  const takenAt = new Date(now()).toISOString();
  const looked = await Promise.all(
    Object.entries(parts).map(async ([name, look]) => [name, await told(look, withinMs, unsay)] as const),
  );
  const bundle = { format: "tributary-diagnostics", version: 1, takenAt, parts: Object.fromEntries(looked) };
  return await promisify(gzip)(`${JSON.stringify(bundle, null, 1)}\n`);
}

async function told(
  look: () => Promise<unknown>,
  withinMs: number,
  unsay: (value: unknown) => unknown,
): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${withinMs / 1000} s`)), withinMs);
  });
  try {
    const value = unsay(await Promise.race([Promise.resolve().then(look), late]));
    const { length } = JSON.stringify(value) ?? "";
    if (length > MOST_OF_A_PART) throw new Error(`more than fits: ${length} characters`);
    return { value: value ?? null };
  } catch (error) {
    const code = error instanceof ProblemError ? error.code : null;
    return { error: { code, message: unsay(error instanceof Error ? error.message : String(error)) } };
  } finally {
    clearTimeout(timer);
  }
}
