/** A receiver and an agent with sources in one yard, and what both say of them. */
import { createHash, randomBytes } from "node:crypto";
import { encodePath } from "@tributary/shared/path.ts";
import type { Entry } from "@tributary/shared/protocol.ts";
import { expect } from "vitest";
import { type Caller, caller } from "../site/caller.ts";
import { type Ran, type Running, run, until } from "../site/process.ts";
import { type Agent, makeSite, type Site } from "../site/site.ts";
import type { Yard } from "./yard.ts";

export interface Problem {
  readonly source: string;
  readonly path: string;
  readonly code: string;
  readonly detail: string;
}

export interface Status {
  readonly queue: { readonly depth: number };
  readonly sources: readonly { readonly name: string; readonly lastScanAt: string | null }[];
  readonly problems: readonly Problem[];
}

export interface Stage {
  readonly yard: Yard;
  readonly site: Site;
  readonly agent: Agent;
  /** The sources that there are from now on. The running agent takes them up by itself. */
  sources(...all: readonly Readonly<Record<string, unknown>>[]): void;
  agentRuns(): Running;
  /** Another process with the same memory, once the one before has ended. */
  agentAgain(): Promise<void>;
  receiverStops(): Promise<void>;
  receiverRuns(): Promise<void>;
  /** What the ledger has of a source, in its order. */
  entries(source: string): Promise<readonly Entry[]>;
  /** Resolves to all entries of the source once the newest of each of these paths is these bytes, or its removal (null). */
  arrived(source: string, files: Files): Promise<readonly Entry[]>;
  status(): Promise<Status>;
  /** Resolves to the first problem of a source that fits. */
  problem(source: string, fits: (problem: Problem) => boolean): Promise<Problem>;
  /** Resolves once nothing is wrong with a source. */
  well(source: string): Promise<void>;
  command(...args: string[]): Promise<Ran>;
  /** Waits for a condition; what both sides said is in the error. */
  until<T>(what: string, condition: () => Promise<T | undefined | false> | T | undefined | false): Promise<T>;
  end(): Promise<void>;
}

/** Path below the source -> its bytes, or null: it is gone. */
export type Files = Readonly<Record<string, Buffer | null>>;

export const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
/** Bytes like no others. */
export const bytesOf = (size: number): Buffer => randomBytes(size);

const CLIENT = "demo";
/** As soon as may be. */
const EVERY = "2s";
const patient = { withinMs: Number(process.env.PATIENCE ?? 90_000), everyMs: 500 };

/** `make` is given the host's folder. */
export async function stageWith<Of extends Yard>(
  make: (own: string) => Promise<Of>,
): Promise<Stage & { readonly yard: Of }> {
  const site = await makeSite();
  const yard = await make(site.dir);
  await site.command("client", "add", CLIENT);
  let receiver = await site.serve();
  const api: Caller = caller(site, await site.command("key", "add", "--client", CLIENT, "--scope", "read"));
  const agent = await site.agent("one", { clients: [CLIENT], settings: { sources: [] } });
  let running = await agent.run();
  await running.said(/, receiver https:/);

  const command = (...args: string[]): Promise<Ran> => run("agent", [...args, "--data", agent.data]);
  const stage: Stage & { readonly yard: Of } = {
    ...{ yard, site, agent, command },
    sources: (...all) => agent.configure({ sources: all.map((one) => ({ every: EVERY, ...one })) }),
    agentRuns: () => running,
    async agentAgain() {
      await running.ended;
      running = await agent.run();
    },
    async receiverStops() {
      await receiver.stop();
    },
    async receiverRuns() {
      receiver = await site.serve();
    },
    async entries(source) {
      const { status, body } = await api.call("GET", `/v1/versions?source=${source}&limit=1000`);
      if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
      return (body as { entries: Entry[] }).entries;
    },
    async until(what, condition) {
      return await until(what, condition, patient).catch(async (cause: Error) => {
        const { stdout } = await command("status");
        throw new Error(`${cause.message}\n${stdout}\n${running.stderr().slice(-3000)}`);
      });
    },
    async arrived(source, files) {
      const wanted = Object.entries(files);
      return await stage.until(`${source} arrives`, async () => {
        const entries = await stage.entries(source);
        const newest = new Map(entries.map((entry) => [entry.pathEncoded, entry.sha256]));
        const here = ([path, bytes]: readonly [string, Buffer | null]): boolean =>
          newest.get(encoded(path)) === (bytes === null ? null : sha256(bytes));
        return wanted.every(here) && entries;
      });
    },
    async status() {
      const { code, stdout, stderr } = await command("status", "--json");
      if (code !== 0) throw new Error(stderr);
      return JSON.parse(stdout) as Status;
    },
    problem: (source, fits) =>
      stage.until(`a problem of ${source}`, async () =>
        (await stage.status()).problems.find((one) => one.source === source && fits(one)),
      ),
    async well(source) {
      await stage.until(`${source} is well`, async () =>
        (await stage.status()).problems.every((one) => one.source !== source),
      );
    },
    async end() {
      await running.stop();
      await api.close();
      await receiver.stop();
      await yard.stop();
      site.remove();
    },
  };
  return stage;
}

/** A name in a test is text; where it is none, its bytes as latin1 behind a NUL, which no path has. */
export function nameOf(path: string): Buffer {
  return path.startsWith("\0") ? Buffer.from(path.slice(1), "latin1") : Buffer.from(path);
}
const encoded = (path: string): string => encodePath(nameOf(path));

/** Every byte of these entries lies in the lake as the ledger says; none repeats the one before it. */
export async function sound(site: Site, entries: readonly Entry[]): Promise<void> {
  const before = new Map<string, string | null>();
  for (const { pathEncoded, sha256, key } of entries) {
    expect([pathEncoded, sha256]).not.toEqual([pathEncoded, before.get(pathEncoded)]);
    before.set(pathEncoded, sha256);
    if (key !== null) expect(await site.lake.sha256(key)).toBe(sha256);
  }
}
