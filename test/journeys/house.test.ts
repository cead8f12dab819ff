/** House agents: several of them share the sources of several clients, one at a time looks through each, and whoever dies or sleeps is done without. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Entry } from "@tributary/shared/protocol.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWithPrograms } from "../servers/servers.ts";
import { SSHD, type Sshd, startSshd } from "../servers/sshd.ts";
import { type Running, run, until } from "../site/process.ts";
import { type Agent, makeSite, type Site } from "../site/site.ts";

const CLIENTS = ["acme", "bakery", "mill"];

interface House {
  readonly agent: Agent;
  running: Running;
}

interface Held {
  readonly client: string;
  readonly source: string;
}

describeWithPrograms("house agents", [SSHD], () => {
  let sshd: Sshd;
  let site: Site;
  let receiver: Running;
  let sources: readonly Readonly<Record<string, unknown>>[];
  const houses = new Map<string, House>();

  beforeAll(async () => {
    sshd = await startSshd();
    site = await makeSite();
    for (const client of CLIENTS) await site.command("client", "add", client);
    receiver = await site.serve();
    const key = join(site.dir, "id");
    writeFileSync(key, sshd.privateKey, { mode: 0o600 });
    const hostKey = (await sshd.hostKeys()).map(({ fingerprint }) => fingerprint);
    // Two of each client's own: three agents are not needed to see that two share six.
    sources = CLIENTS.flatMap((client) =>
      ["in", "out"].map((name) => ({
        ...{ name, client, kind: "sftp", host: "127.0.0.1", port: sshd.port, user: sshd.username },
        ...{ privateKey: { file: key }, hostKey, path: `${sshd.seen}/${client}/${name}`, every: "1s" },
      })),
    );
    for (const client of CLIENTS)
      for (const name of ["in", "out"]) mkdirSync(join(sshd.root, client, name), { recursive: true });
  });
  afterAll(async () => {
    for (const { running } of houses.values()) await running.stop();
    await receiver.stop();
    await sshd.stop();
    site.remove();
  });

  async function house(name: string): Promise<House> {
    const agent = await site.agent(name, { clients: CLIENTS, settings: { sources } });
    const one = { agent, running: await agent.run() };
    houses.set(name, one);
    return one;
  }
  const write = (client: string, name: string, file: string, text: string): void =>
    writeFileSync(join(sshd.root, client, name, file), text);
  const everywhere = (file: string, text: string): void => {
    for (const client of CLIENTS) for (const name of ["in", "out"]) write(client, name, file, text);
  };
  const history = async (): Promise<Entry[]> => await site.history();
  const arrived = async (file: string, count: number, within = 90_000): Promise<void> =>
    void (await until(
      `${count} entries of ${file}`,
      async () => (await history()).filter(({ path }) => path === file).length >= count,
      { withinMs: within, everyMs: 300 },
    ));
  async function holding(): Promise<Map<string, readonly Held[]>> {
    const { stdout } = await run("receiver", ["agent", "list", "--json", ...site.at]);
    const agents = stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as { name: string; leases: readonly Held[] });
    return new Map(agents.map(({ name, leases }) => [name, leases]));
  }
  const counts = async (): Promise<number[]> =>
    [...(await holding()).values()].map(({ length }) => length).sort((a, b) => a - b);
  const words = (): string =>
    [...houses].map(([name, { running }]) => `${name}: ${running.stderr().slice(-3000)}`).join("\n");

  test("one alone looks through all of them; a second one gets its half within a minute; each file is there once", async () => {
    await house("one");
    everywhere("first.csv", "1");
    await arrived("first.csv", 6);
    expect(await counts()).toEqual([6]);
    await house("two");
    await until("they share", async () => (await counts()).join() === "3,3", {
      withinMs: 60_000,
      everyMs: 300,
    }).catch((cause: Error) => {
      throw new Error(`${cause.message}\n${words()}`);
    });
    everywhere("second.csv", "2");
    await arrived("second.csv", 6);
    const entries = await history();
    expect(entries).toHaveLength(12);
    expect(new Set(entries.map(({ agentId }) => agentId)).size).toBe(2);
  });

  test("status of each says whose a source is", async () => {
    const status = JSON.parse((await houses.get("one")?.agent.command("status", "--json")) as string);
    expect(status.configured).toHaveLength(6);
  });

  test("who is killed is done without within a minute, and nothing is there twice", async () => {
    const two = houses.get("two") as House;
    await two.running.kill();
    const from = performance.now();
    everywhere("third.csv", "3");
    await arrived("third.csv", 6);
    expect(performance.now() - from).toBeLessThan(60_000);
    expect(await history()).toHaveLength(18);
    two.running = await two.agent.run();
    await until("they share again", async () => (await counts()).join() === "3,3", {
      withinMs: 60_000,
      everyMs: 300,
    });
    everywhere("fourth.csv", "4");
    await arrived("fourth.csv", 6);
    await pause(3_000);
    expect(await history()).toHaveLength(24);
  });

  test("who sleeps and wakes up late does no harm", async () => {
    const two = houses.get("two") as House;
    const held = (await holding()).get("two") as readonly Held[];
    expect(held.length).toBe(3);
    // Captured by it, on its way or about to be, when it falls asleep.
    for (const { client, source } of held) write(client, source, "asleep.csv", "before");
    await pause(2_500);
    process.kill(two.running.pid, "SIGSTOP");
    try {
      for (const { client, source } of held) write(client, source, "asleep.csv", "after");
      await until(
        "the other one brought them",
        async () => {
          const newest = new Map(
            (await history())
              .filter(({ path }) => path === "asleep.csv")
              .map(({ client, source, size }) => [`${client}/${source}`, size]),
          );
          return held.every(({ client, source }) => newest.get(`${client}/${source}`) === "after".length);
        },
        { withinMs: 90_000 },
      );
    } finally {
      process.kill(two.running.pid, "SIGCONT");
    }
    await until("they share again", async () => (await counts()).join() === "3,3", {
      withinMs: 90_000,
      everyMs: 300,
    });
    await pause(5_000);
    for (const { client, source } of held) {
      const sizes = (await site.history("--client", client, "--source", source, "--path", "asleep.csv")).map(
        ({ size }) => size,
      );
      // What it had captured and not brought is lost to nobody: it comes late, and behind it what lies there since.
      const [before, after] = ["before".length, "after".length];
      expect([[before, after], [after], [after, before, after]], words()).toContainEqual(sizes);
    }
  });

  test("removals are told by whoever has the source by then, once", async () => {
    for (const client of CLIENTS) rmSync(join(sshd.root, client, "in", "first.csv"));
    await until(
      "three removals",
      async () => (await history()).filter(({ kind }) => kind === "removal").length === 3,
      { withinMs: 60_000 },
    );
    await pause(3_000);
    expect((await history()).filter(({ kind }) => kind === "removal")).toHaveLength(3);
  });
});
