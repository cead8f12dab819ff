/** What there is to look at: clients in every state, agents that work and that do not, made by real processes where that is possible. */
import { chmodSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EICAR, fakeClamd } from "../../receiver/inspection/fake-clamd.ts";
import { caller } from "../site/caller.ts";
import { ok, type Running, until } from "../site/process.ts";
import type { SiteOptions } from "../site/site.ts";
import { openScene, type Scene } from "./scene.ts";

export interface Scenery {
  readonly scene: Scene;
  /** Of the agent that works. */
  readonly agentId: string;
  /** A share goes away, an agent is stopped, a key is refused, a client is suspended, files are held back. */
  trouble(): Promise<void>;
  end(): Promise<void>;
}

const SALES = "day,shop,sum\n2026-11-27,12,1034.20\n2026-11-28,12,998.00\n";

/** With a heartbeat short enough that a stopped agent counts as silent soon. */
export async function openScenery(options: SiteOptions = {}): Promise<Scenery> {
  const clamd = await fakeClamd();
  const { host, port } = clamd.address as { host: string; port: number };
  const scene = await openScene({
    sftp: true,
    ...options,
    receiver: { heartbeat: "1s", inspect: { clamd: `${host}:${port}` }, ...options.receiver },
  });
  const { site } = scene;
  const agents = new Map<string, Running>();

  const end = async (): Promise<void> => {
    for (const agent of agents.values()) await agent.stop();
    await scene.end();
    await clamd.stop();
  };
  try {
    return await fill();
  } catch (error) {
    await end().catch(() => {});
    throw error;
  }

  async function fill(): Promise<Scenery> {
    const folderOf = (name: string): string => {
      const folder = join(site.dir, name);
      mkdirSync(join(folder, "2026/11"), { recursive: true });
      return folder;
    };
    for (const client of ["acme", "globex", "initech"]) await site.command("client", "add", client);
    const hq = folderOf("pos-daily");
    const away = folderOf("erp");
    writeFileSync(join(hq, "2026/11/sales-27.csv"), SALES);
    writeFileSync(join(hq, "prices.json"), '{"milk": 1.19, "bread": 2.4}\n');
    writeFileSync(join(away, "orders.txt"), "first order\n");
    const sources = (...of: readonly (readonly [string, string])[]) => ({
      sources: of.map(([name, path]) => ({ name, path, settle: "200ms", rescan: "2s" })),
    });
    const [one, two] = [
      await site.agent("hq-01", {
        clients: ["acme"],
        settings: sources(["pos-daily", hq], ["erp", away]),
      }),
      await site.agent("store-02", { clients: ["globex"], settings: sources(["hr", folderOf("hr")]) }),
    ];
    agents.set("hq-01", await one.run());
    agents.set("store-02", await two.run());
    const key = (await site.command("key", "add", "--client", "acme", "--name", "till")).split(
      "\n",
    )[0] as string;
    const account = ["sftp", "add", "--client", "globex", "--user", "globex-erp", "--password-stdin"];
    await ok("receiver", [...account, ...site.at], { stdin: "a password of an account\n" });
    await site.command("agent", "invite", "--client", "globex", "--name", "store-03");
    await until("the first files", async () => (await site.history("--client", "acme")).length >= 3);
    writeFileSync(join(hq, "prices.json"), '{"milk": 1.29, "bread": 2.4}\n');
    await until("another version", async () => (await site.history("--client", "acme")).length >= 4);
    const list = await site.command("agent", "list", "--json");
    const agentId = (
      list.split("\n").map((line) => JSON.parse(line)) as { readonly id: string; readonly name: string }[]
    ).find(({ name }) => name === "hq-01")?.id as string;

    return {
      scene,
      agentId,
      async trouble() {
        const program = caller(site, key);
        try {
          await program.put("mail", "invoice.bin", Buffer.from(EICAR));
          await program.put("mail", "offer.bin", Buffer.from(`${EICAR}2`));
          const [id] = /\b[0-9a-f]{16}\b/.exec(await site.command("key", "list")) ?? [];
          await site.command("key", "revoke", id as string);
          await until("the key is refused", async () => {
            return (await program.put("mail", "late.txt", Buffer.from("late"))).status === 401;
          });
        } finally {
          await program.close();
        }
        renameSync(away, `${away}-gone`);
        writeFileSync(join(hq, "locked.csv"), "1");
        chmodSync(join(hq, "locked.csv"), 0);
        await agents.get("store-02")?.stop();
        agents.delete("store-02");
        await site.command("client", "suspend", "initech");
        await until(
          "the agent tells that its share is away",
          async () => /erp/.test(await site.command("agent", "list", "--json")),
          { everyMs: 500 },
        );
      },
      end,
    };
  }
}

/** Every address of the console that there is something at. */
export function placesOf({ agentId }: Pick<Scenery, "agentId">): readonly (readonly [string, string])[] {
  return [
    ["overview", "/"],
    ["clients", "/clients"],
    ...["overview", "files", "deliveries", "agents", "access", "settings", "audit"].map(
      (tab) => [`client-${tab}`, `/clients/acme/${tab}`] as const,
    ),
    ["agents", "/agents"],
    ["agent", `/agents/${agentId}`],
    ["deliveries", "/deliveries"],
    ["search", "/search?q=prices"],
    ["quarantine", "/quarantine"],
    ["webhooks", "/webhooks"],
    ["log", "/log"],
    ["settings-account", "/settings/account"],
    ["settings-people", "/settings/people"],
    ["settings-site", "/settings/site"],
    ["audit", "/audit"],
    ["nowhere", "/no-such-page"],
  ];
}
