/** A site that inspects, whose held files are released or discarded by commands that are killed at every step. */
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { EICAR, fakeClamd } from "../../receiver/inspection/fake-clamd.ts";
import { caller } from "../site/caller.ts";
import { type Ran, run } from "../site/process.ts";
import { makeSite, type Site } from "../site/site.ts";

/** One pool thread, so that "the third fsync" is the same one each time. */
const env = { UV_THREADPOOL_SIZE: "1" };

export interface Step {
  /** Of the file that is held, too. */
  readonly name: string;
  readonly call: string;
  readonly nth: number;
}

/** `calls`: kind of system call -> how many of them are tried; more than the command makes. */
export function stepsOf(calls: Readonly<Record<string, number>>): readonly Step[] {
  return Object.entries(calls).flatMap(([call, most]) =>
    Array.from({ length: most }, (_, i) => ({ name: `${call}-${i + 1}`, call, nth: i + 1 })),
  );
}

export interface HeldFile {
  /** The same capture again: what its sender is told now. */
  put(): Promise<{ readonly status: number; readonly body: Record<string, unknown> }>;
  readonly id: string;
  /** `quarantine <verb>` of it; `killed` at that step. */
  command(killed?: Step): Promise<Ran>;
}

export interface HeldSite {
  readonly site: Site;
  /** A file with a virus arrives and is held. */
  hold(name: string, verb: "release" | "delete"): Promise<HeldFile>;
  /** Names of the files below an area of the lake. */
  objects(area: "raw" | "quarantine"): readonly string[];
  close(): Promise<void>;
}

export async function heldSite(): Promise<HeldSite> {
  const clamd = await fakeClamd();
  const { host, port } = clamd.address as { host: string; port: number };
  const site = await makeSite({ receiver: { inspect: { clamd: `${host}:${port}` } } });
  await site.command("client", "add", "demo");
  const receiver = await site.serve();
  const api = caller(site, await site.command("key", "add", "--client", "demo"));
  return {
    site,
    async hold(name, verb) {
      const captureId = randomUUID();
      const put = async () =>
        await api.put("pos", name, Buffer.from(`${EICAR} ${name}`), { "idempotency-key": captureId });
      const { body } = await put();
      if (body.code !== "quarantined") throw new Error(`${name} is not held: ${JSON.stringify(body)}`);
      const id = /\(([0-9a-f-]{36})\)/.exec(body.detail as string)?.[1] as string;
      const line = ["quarantine", verb, id, "--reason", "a test", ...site.at];
      return {
        put,
        id,
        async command(killed) {
          if (killed === undefined) return await run("receiver", line, { env });
          const { call, nth } = killed;
          const inject = `inject=${call}:signal=SIGKILL:when=${nth}`;
          const wrapper = ["strace", "-f", "-o", "/dev/null", "-e", `trace=${call}`, "-e", inject];
          return await run("receiver", line, { env, wrapper });
        },
      };
    },
    objects(area) {
      const root = join(site.dir, "receiver", "lake", area);
      if (!existsSync(root)) return [];
      return readdirSync(root, { recursive: true, withFileTypes: true }).flatMap((one) =>
        one.isFile() ? [one.name] : [],
      );
    },
    async close() {
      await api.close();
      await receiver.stop();
      await clamd.stop();
      site.remove();
    },
  };
}
