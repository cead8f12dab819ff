/** A program at the API door: one keep-alive connection, an API key, the site's own authority. */
import { readFileSync } from "node:fs";
import { Pool } from "undici";
import type { Site } from "./site.ts";

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
  readonly body: any;
  readonly headers: Record<string, string | string[] | undefined>;
}

export interface Caller {
  put(
    source: string,
    path: string,
    body: Buffer,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
  call(
    method: string,
    path: string,
    options?: {
      readonly body?: Buffer | string | AsyncIterable<Uint8Array>;
      readonly headers?: Readonly<Record<string, string>>;
    },
  ): Promise<Answer>;
  close(): Promise<void>;
}

export function caller(site: Pick<Site, "port" | "ca">, key: string, port = site.port): Caller {
  const pool = new Pool(`https://127.0.0.1:${port}`, {
    connections: 8,
    connect: { ca: readFileSync(site.ca, "utf8") },
  });
  const call: Caller["call"] = async (method, path, { body, headers } = {}) => {
    const answer = await pool.request({
      method: method as "GET",
      path,
      headers: { authorization: `Bearer ${key}`, ...headers },
      body: (body ?? null) as never,
    });
    const text = await answer.body.text();
    let parsed: unknown = text;
    try {
      parsed = JSON.parse(text);
    } catch {
      // Not every answer is JSON.
    }
    return { status: answer.statusCode, body: parsed, headers: answer.headers };
  };
  return {
    call,
    put: async (source, path, body, headers = {}) =>
      await call("PUT", `/v1/files/${source}/${path}`, { body, headers }),
    close: async () => await pool.close(),
  };
}
