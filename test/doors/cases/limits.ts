/** How much a client may bring, and who may bring it: refused by the same name at every door. */
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "vitest";
import { startProxy } from "../../network/proxy.ts";
import { until } from "../../site/process.ts";
import type { Case } from "../conformance.ts";
import { codeOf, type Sender } from "../door.ts";
import type { Scene } from "../scene.ts";
import type { Sin } from "../sins.ts";

const path = Buffer.from;

/** The client may never have more than this of what the sin is about. */
const QUOTAS = [
  ["a file over the client's largest", "--file"],
  ["bytes over the client's storage", "--stored"],
  ["bytes over the client's day", "--day"],
] as const satisfies readonly (readonly [Sin, string])[];

const revokedAt = ({ door }: Scene): Sin => `a revoked ${door.bearer}`;

/** What the sender's next files come to, until one is refused; the receiver may take 5 s to hear of it. */
async function untilRefused(sender: Sender): Promise<unknown> {
  let tries = 0;
  return await until(
    "a revoked sender is refused",
    async () => {
      tries += 1;
      const outcomes = await sender.send([{ path: path(`revoked/${tries}`), bytes: path(`${tries}`) }]);
      return outcomes.find(({ kind }) => kind === "problem");
    },
    { withinMs: 5000, everyMs: 200 },
  );
}

export const limits: readonly Case[] = [
  ...QUOTAS.map(
    ([sin, bound]): Case => ({
      name: `limits: ${sin}, and a small one behind it`,
      run: async (_, room) => {
        const scene = await room(`quota${bound}`);
        await scene.site.command("client", "quota", scene.client, bound, "1KB");
        await scene.refused(sin, { path: path("large"), bytes: Buffer.alloc(2000, "large") });
        await scene.bring({ path: path("small"), bytes: path("small") });
      },
    }),
  ),
  {
    name: "limits: a suspended client",
    run: async (_, room) => {
      const scene = await room("suspended");
      await scene.bring({ path: path("before"), bytes: path("before") });
      await scene.site.command("client", "suspend", scene.client);
      const outcomes = await (await scene.sender()).send([{ path: path("late"), bytes: path("late") }]);
      const code = codeOf(scene.door, "a suspended client");
      expect(outcomes).toMatchObject([{ kind: "problem", code }]);
      // Nobody may ask for it over the network meanwhile.
      const entries = await scene.site.history("--client", scene.client);
      expect(entries.map((entry) => entry.pathEncoded)).toEqual(["before"]);
    },
  },
  {
    name: "limits: a key that is for another source, and one that may only read",
    needs: ["rights"],
    run: async (scene) => {
      const [elsewhere, reading] = await Promise.all([
        scene.enter({ rights: { source: "elsewhere" } }),
        scene.enter({ rights: { acts: "read" } }),
      ]);
      const file = { path: path("limits/not-allowed"), bytes: path("x") };
      await scene.refused("a source that the key is not for", file, elsewhere);
      await scene.refused("a key that may only read", file, reading);
    },
  },
  {
    name: "limits: who is revoked loses what is under way within 5 s, and is refused from then on",
    run: async (scene) => {
      const proxy = await startProxy({ target: { host: "127.0.0.1", port: scene.port } });
      try {
        const sender = await scene.enter({ port: proxy.port });
        await scene.bring({ path: path("revoked/before"), bytes: path("before") }, sender);
        // At this rate it would be under way for minutes.
        proxy.set({ bandwidth: 100_000 });
        const file = { path: path("revoked/large"), bytes: randomBytes(15 * 2 ** 20) };
        const { up } = proxy.bytes;
        const sending = sender.send([file]);
        await until("its bytes are under way", () => proxy.bytes.up > up + 100_000);
        await scene.site.command(...sender.revocation);
        const code = codeOf(scene.door, revokedAt(scene));
        const [outcome] = await Promise.race([sending, pause(6000, [])]);
        proxy.set({});
        // Cut, or told why.
        expect(outcome, "still under way").toBeDefined();
        if (outcome?.kind !== "lost") expect(outcome).toMatchObject({ kind: "problem", code });
        expect(await untilRefused(sender)).toMatchObject({ code });
        expect(await scene.entries(file.path)).toEqual([]);
      } finally {
        await proxy.stop();
      }
    },
  },
];
