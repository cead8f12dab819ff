/** What a call is given: segments of its path, its query, its JSON body, as one object that its schema checks. */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { z } from "zod";
import { type Pace, readBody } from "../doors/body.ts";
import type { DoorEnv } from "../doors/door.ts";
import { targetBytes } from "../doors/target.ts";
import { CALLS, type CallName } from "./calls.ts";

type Env = DoorEnv["Bindings"];

const MOST_BODY = 256 * 1024;

/** Throws `request-invalid`, with what is wrong with which field, and what `bodyTextOf` throws. */
export async function inputOf<S extends z.ZodObject>(
  name: CallName,
  schema: S,
  env: Env,
  pace: Pace,
): Promise<z.output<S>> {
  const { method, path } = CALLS[name];
  const given = {
    ...(method === "GET" ? queryOf(env.target.query) : await bodyOf(env, pace)),
    ...segmentsOf(path, env.target.path),
  };
  const parsed = schema.safeParse(given);
  if (parsed.success) {
    const field = fieldWithNul(parsed.data, []);
    if (field === undefined) return parsed.data;
    throw new ProblemError(
      "request-invalid",
      `${field}: it holds a NUL character, which no text has; leave it out`,
    );
  }
  const what = parsed.error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join(".") || "the request"}: ${issue.message}`)
    .join("; ");
  throw new ProblemError("request-invalid", what);
}

/** The name of a text with a NUL: one of the databases takes none, and no name, reason or search needs one. */
function fieldWithNul(value: unknown, path: readonly string[]): string | undefined {
  if (typeof value === "string") return value.includes("\0") ? path.join(".") : undefined;
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, one] of Object.entries(value)) {
    const found = fieldWithNul(one, [...path, key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function segmentsOf(pattern: string, path: string): Record<string, string> {
  const given = path.split("/");
  return Object.fromEntries(
    pattern
      .split("/")
      .flatMap((segment, i) => (segment.startsWith(":") ? [[segment.slice(1), textOf(given[i] ?? "")]] : [])),
  );
}

function queryOf(query: string): Record<string, string> {
  const pairs = query.split("&").filter((pair) => pair !== "");
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf("=");
      const [name, value] = equals < 0 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
      return [textOf(name), textOf(value.replaceAll("+", " "))];
    }),
  );
}

function textOf(piece: string): string {
  try {
    return targetBytes(piece).toString("utf8");
  } catch (cause) {
    throw new ProblemError("request-invalid", "the address is not percent-encoded text", { cause });
  }
}

async function bodyOf(env: Env, pace: Pace): Promise<Record<string, unknown>> {
  const type = env.incoming.headers["content-type"] ?? "";
  // A form of another site can send text or a form without asking; JSON it cannot.
  if (!type.startsWith("application/json"))
    throw new ProblemError("request-invalid", "the body has to be JSON: content-type: application/json");
  const text = await bodyTextOf(env, pace);
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null && !Array.isArray(body))
      return body as Record<string, unknown>;
  } catch (cause) {
    throw new ProblemError("request-invalid", "the body is not JSON", { cause });
  }
  throw new ProblemError("request-invalid", "the body is not a JSON object");
}

/** A body whole. Throws `body-too-large`, `body-too-slow`, `length-mismatch`, `request-invalid`. */
export async function bodyTextOf({ incoming, outgoing }: Env, pace: Pace): Promise<string> {
  const { bytes, size: declared } = readBody(incoming, outgoing, pace);
  const tooLarge = () => new ProblemError("body-too-large", `the body is larger than ${MOST_BODY} bytes`);
  if ((declared ?? 0) > MOST_BODY) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > MOST_BODY) throw tooLarge();
    // A chunk is valid until the next one is asked for.
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks).toString("utf8");
}
