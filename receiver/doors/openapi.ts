/** `GET /openapi.json` and `GET /docs`: the wire for programs and for people who write them. For everybody. */
import { createHash } from "node:crypto";
import { ROUTE } from "@tributary/shared/protocol.ts";
import { Hono } from "hono";
import { documentOf } from "../openapi/document.ts";
import type { Operation } from "../openapi/operation.ts";
import { PAGE_POLICY, pageOf } from "../openapi/page.ts";
import { VERSION } from "../version.ts";
import { isKnown } from "./content.ts";
import { type DoorContext, type DoorEnv, header } from "./door.ts";

export interface OpenapiDoor {
  readonly publicUrl: string | undefined;
  /** Those that this receiver has; asked for once all doors are there. */
  readonly operations: () => readonly Operation[];
}

export function openapiDoor(door: OpenapiDoor): Hono<DoorEnv> {
  const rest = once(() => JSON.stringify(documentOf(door.operations(), { version: VERSION, open: true })));
  const page = once(() => pageOf(door.operations(), VERSION));
  return new Hono<DoorEnv>()
    .get(ROUTE.openapi, (c) => {
      const servers = JSON.stringify([{ url: addressOf(c, door.publicUrl) ?? "/" }]);
      return answer(c, `{"servers":${servers},${rest().slice(1)}`, { "content-type": "application/json" });
    })
    .get(ROUTE.docs, (c) => {
      const text = page()(addressOf(c, door.publicUrl) ?? "https://receiver.example.com");
      return answer(c, text, {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": PAGE_POLICY,
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
      });
    });
}

/** Kept by whoever asks, and asked for again by its digest: a new version of the receiver says something else. */
function answer(c: DoorContext, text: string, own: Readonly<Record<string, string>>): Response {
  const etag = `"${createHash("sha256").update(text).digest("hex")}"`;
  const headers = { ...own, "cache-control": "no-cache", etag };
  return isKnown(c, etag) ? c.body(null, 304, headers) : c.body(text, 200, headers);
}

/** What stands in `Host` is the asker's own word, and goes into a page: nothing but a name and a port passes. */
function addressOf(c: DoorContext, publicUrl: string | undefined): string | undefined {
  if (publicUrl !== undefined) return publicUrl.replace(/\/$/, "");
  const host = header(c, "host") ?? "";
  return /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?$/i.test(host) ? `https://${host}` : undefined;
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
