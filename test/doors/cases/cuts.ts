/** The network ends at any byte: nothing half is ever there, and what is sent again is there once. */
import { randomBytes } from "node:crypto";
import type { Entry } from "@tributary/shared/protocol.ts";
import { expect } from "vitest";
import { type Faults, startProxy, type TcpProxy } from "../../network/proxy.ts";
import { until } from "../../site/process.ts";
import type { Case } from "../conformance.ts";
import type { Outcome, Sender, Sending } from "../door.ts";
import { type Scene, sha256 } from "../scene.ts";

/** More than a connection carries otherwise, so that a cut inside it is one inside the file. */
const SIZE = 400_000;

/** Where each connection ends; `down`: what the busiest connection of a whole delivery brought back, or a little less. */
const CUTS: Readonly<Record<string, (down: number) => Faults>> = {
  "while it greets": () => ({ cut: { up: 300 } }),
  "in the headers": () => ({ cut: { up: 1_000 } }),
  "at the beginning of the body": () => ({ cut: { up: 20_000 } }),
  "in the middle of the body, hard": () => ({ reset: { up: SIZE / 2 } }),
  "near the end of the body": () => ({ cut: { up: SIZE - 1_000 } }),
  "before the answer": (down) => ({ cut: { down: Math.floor(down * 0.55) } }),
  "in the answer, hard": (down) => ({ reset: { down: down - 300 } }),
  "at the last byte of the answer": (down) => ({ cut: { down: down - 1 } }),
};
const IN_THE_BODY = /greets|headers|body/;

export const cuts: readonly Case[] = [
  {
    name: "cuts: nothing half is there, and the next try is the only version",
    run: async (scene) => {
      const proxy = await startProxy({ target: { host: "127.0.0.1", port: scene.port } });
      try {
        const sender = await scene.enter({ port: proxy.port });
        // The first greeting is longer than those that follow.
        await measured(scene, sender, proxy);
        const down = await measured(scene, sender, proxy);
        for (const [where, faults] of Object.entries(CUTS))
          await cut(scene, sender, proxy, where, faults(down));
      } finally {
        proxy.set({});
        await proxy.stop();
      }
    },
  },
];

/** What a delivery over fresh connections brings back over each of them, on average. */
async function measured(scene: Scene, sender: Sender, proxy: TcpProxy): Promise<number> {
  proxy.dropAll();
  const { connections } = proxy;
  const { down } = proxy.bytes;
  const file = scene.file("cuts/measured", randomBytes(SIZE));
  await scene.delivered(file, await sentOver(sender, proxy, file), sender);
  return Math.floor((proxy.bytes.down - down) / (proxy.connections - connections));
}

/** Sent over a connection that is new: the one that was dropped before may be tried first. */
async function sentOver(sender: Sender, proxy: TcpProxy, file: Sending): Promise<Outcome> {
  const { connections } = proxy;
  for (;;) {
    const [outcome] = await sender.send([file]);
    if (outcome?.kind !== "lost" || proxy.connections > connections) return outcome as Outcome;
  }
}

async function expectWhole(scene: Scene, { bytes }: Sending, entries: readonly Entry[]): Promise<void> {
  for (const entry of entries) {
    expect([entry.size, entry.sha256]).toEqual([SIZE, sha256(bytes)]);
    expect((await scene.object(entry)).equals(bytes)).toBe(true);
  }
}

async function cut(
  scene: Scene,
  sender: Sender,
  proxy: TcpProxy,
  where: string,
  faults: Faults,
): Promise<void> {
  const file = scene.file(`cuts/${where}`, randomBytes(SIZE));
  proxy.dropAll();
  proxy.set(faults);
  const { connections } = proxy;
  let outcome: Outcome | undefined;
  const sending = sentOver(sender, proxy, file).then((came) => {
    outcome = came;
  });
  // Who repeats by itself has come again then: the one before was cut.
  await until(`a cut ${where}`, () => outcome !== undefined || proxy.connections >= connections + 3);
  const during = await scene.entries(file.path);
  await expectWhole(scene, file, during);
  if (IN_THE_BODY.test(where)) expect(during, where).toEqual([]);
  if (!scene.door.perseveres) expect(outcome, where).toMatchObject({ kind: "lost" });
  proxy.set({});
  proxy.dropAll();
  await sending;
  if (outcome?.kind === "lost") outcome = await sentOver(sender, proxy, file);
  await scene.delivered(file, outcome as Outcome, sender);
  const after = await scene.entries(file.path);
  await expectWhole(scene, file, after);
  expect(after, where).toHaveLength(1);
}
