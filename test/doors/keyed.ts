/** A program with an API key: what all its doors have in common. */
import { randomUUID } from "node:crypto";
import { encodePath } from "@tributary/shared/path.ts";
import { HEADER, ROUTE } from "@tributary/shared/protocol.ts";
import { type Answer, type Caller, caller } from "../site/caller.ts";
import type { Door, Outcome, Sender, Threshold } from "./door.ts";

export interface KeyHolder extends Omit<Sender, "send"> {
  readonly api: Caller;
  readonly key: string;
}

/** What holds for every door of a program. */
export const OF_PROGRAMS = {
  bearer: "key",
  portOf: (site) => site.port,
  perseveres: false,
  unspeakable: () => undefined,
} as const satisfies Partial<Door>;

export async function holdKey({ site, port, client, source, rights }: Threshold): Promise<KeyHolder> {
  const acts = rights !== undefined && "acts" in rights ? rights.acts : "write,remove";
  const bound = rights !== undefined && "source" in rights ? ["--source", rights.source] : [];
  const key = await site.command("key", "add", "--client", client, "--scope", acts, ...bound);
  const bearer = key.split("_")[1] as string;
  const api = caller(site, key, port);
  return {
    api,
    key,
    bearer,
    revocation: ["key", "revoke", bearer],
    authorization: () => `Bearer ${key}`,
    close: () => api.close(),
    remove: async (path) =>
      await outcomeOf(
        api.call("POST", ROUTE.removals, {
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ source, pathEncoded: encodePath(path), captureId: randomUUID() }),
        }),
      ),
  };
}

/** The header that names a client, where one is named. */
export function clientHeader({ client }: { readonly client?: string }): Record<string, string> {
  return client === undefined ? {} : { [HEADER.client]: client };
}

export async function outcomeOf(call: Promise<Answer>): Promise<Outcome> {
  try {
    return outcomeIn(await call);
  } catch (cause) {
    return lost(cause);
  }
}

/** The connection's own failures have a code; any other is a fault of the test. */
export function lost(cause: unknown): Outcome {
  if (typeof (cause as NodeJS.ErrnoException).code !== "string") throw cause;
  return { kind: "lost", why: String(cause) };
}

export function outcomeIn({ status, body }: Pick<Answer, "status" | "body">): Outcome {
  if (status < 300 && typeof body.receipt === "string") return { kind: "receipt", receipt: body.receipt };
  if (typeof body.code === "string") return { kind: "problem", code: body.code, detail: body.detail };
  return { kind: "lost", why: `an answer that is none: ${status} ${JSON.stringify(body)}` };
}
