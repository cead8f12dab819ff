/** What a call is given: segments of its path, its query, its JSON body, as one object that its schema checks. */
import { ProblemError } from "@tributary/shared/problems.ts";
import type { z } from "zod";
import type { DoorEnv } from "../doors/door.ts";
import { targetBytes } from "../doors/target.ts";
import { CALLS, type CallName } from "./calls.ts";

type Env = Pick<DoorEnv["Bindings"], "incoming" | "target">;

const MOST_BODY = 256 * 1024;

/** Throws `request-invalid`, with what is wrong with which field. */
export async function inputOf<S extends z.ZodObject>(
  name: CallName,
  schema: S,
  env: Env,
): Promise<z.output<S>> {
  const { method, path } = CALLS[name];
  const given = {
    ...(method === "GET" ? queryOf(env.target.query) : await bodyOf(env)),
    ...segmentsOf(path, env.target.path),
  };
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const what = parsed.error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join(".") || "the request"}: ${issue.message}`)
    .join("; ");
  throw new ProblemError("request-invalid", what);
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

async function bodyOf({ incoming }: Env): Promise<Record<string, unknown>> {
  const type = incoming.headers["content-type"] ?? "";
  // A form of another site can send text or a form without asking; JSON it cannot.
  if (!type.startsWith("application/json"))
    throw new ProblemError("request-invalid", "the body has to be JSON: content-type: application/json");
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MOST_BODY)
      throw new ProblemError("request-invalid", `the body is larger than ${MOST_BODY} bytes`);
    chunks.push(chunk);
  }
  try {
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (typeof body === "object" && body !== null && !Array.isArray(body))
      return body as Record<string, unknown>;
  } catch (cause) {
    throw new ProblemError("request-invalid", "the body is not JSON", { cause });
  }
  throw new ProblemError("request-invalid", "the body is not a JSON object");
}
