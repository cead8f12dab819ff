import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestProject } from "vitest/node";
import { startCeph } from "./ceph.ts";
import { startPostgres } from "./postgres.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where a test asks for a server: `GET <servers>/s3` answers when it runs. */
    readonly servers: string;
  }
}

interface Running {
  stop(): Promise<void>;
}

/**
 * Vitest's global setup: each real server runs once per test run, and only when the first test asks for it.
 * The answer is the server's address as JSON, or 500 and the reason why it did not start.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const starters = new Map<string, () => Promise<Running>>([
    ["/s3", startCeph],
    ["/postgres", startPostgres],
  ]);
  const started = new Map<string, Promise<Running>>();

  const desk = createServer((request, response) => {
    const path = request.url ?? "";
    const start = starters.get(path);
    if (start === undefined) return response.writeHead(404).end();
    const starting = started.get(path) ?? start();
    started.set(path, starting);
    starting.then(
      (server) => response.end(JSON.stringify(server)),
      (error: Error) => response.writeHead(500).end(error.message),
    );
  }).listen(0, "127.0.0.1");
  await once(desk, "listening");
  project.provide("servers", `http://127.0.0.1:${(desk.address() as AddressInfo).port}`);

  return async () => {
    desk.close();
    desk.closeAllConnections();
    const running = await Promise.allSettled(started.values());
    await Promise.all(running.flatMap((one) => (one.status === "fulfilled" ? [one.value.stop()] : [])));
  };
}
