/**
 * SIGKILL of the receiver while files come through all doors at once. A sender repeats what has no receipt. In the end
 * every receipt that was ever given is true, nothing is there twice, and the lake is as the ledger says.
 */
import { randomBytes, randomInt } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "vitest";
import type { Site } from "../site/site.ts";
import type { Door, Outcome, Sender, Sending } from "./door.ts";
import { type Brought, Scene, sha256 } from "./scene.ts";

const ROUNDS = 5;
/** Who was killed while it put parts together is taken for working on it for half a minute. */
const PATIENCE_MS = 90_000;
const SIZES = [0, 10, 4_000, 4_000, 4_000, 70_000, 300_000, 9 * 2 ** 20];

interface Crowd {
  readonly scene: Scene;
  readonly sender: Sender;
  readonly files: Sending[];
  readonly brought: Brought[];
}

export async function killAndCompare(site: Site, doors: readonly Door[]): Promise<void> {
  let receiver = await site.serve();
  const crowds: Crowd[] = [];
  try {
    for (const door of doors) {
      const scene = await Scene.open(site, door, door.name);
      await scene.claimsOf("").catch(() => undefined);
      crowds.push({ scene, sender: await scene.sender(), files: [], brought: [] });
    }
    const bringing: Promise<void>[] = [];
    for (let round = 1; round <= ROUNDS; round += 1) {
      bringing.push(...crowds.map((crowd) => bringRound(crowd, round)));
      for (const one of bringing) one.catch(() => {});
      await pause(randomInt(30, 400));
      await receiver.kill();
      receiver = await site.serve();
    }
    await Promise.all(bringing);
    for (const crowd of crowds) await compare(crowd);
    await site.command("verify");
  } finally {
    await Promise.all(crowds.map(({ scene }) => scene.close()));
    await receiver.stop();
  }
}

async function bringRound({ scene, sender, files, brought }: Crowd, round: number): Promise<void> {
  let left: readonly Sending[] = SIZES.map((size, i) => scene.file(`${round}/${i}`, randomBytes(size)));
  files.push(...left);
  let outcomes: readonly Outcome[] = [];
  for (const deadline = performance.now() + PATIENCE_MS; left.length > 0; await pause(250)) {
    if (performance.now() > deadline)
      throw new Error(`${scene.door.name}: no receipt for ${left.length} files: ${JSON.stringify(outcomes)}`);
    outcomes = await sender.send(left);
    const kept: Sending[] = [];
    for (const [i, file] of left.entries()) {
      const outcome = outcomes[i] as Outcome;
      if (outcome.kind === "receipt") brought.push(await scene.delivered(file, outcome, sender));
      else kept.push(file);
    }
    left = kept;
  }
}

async function compare({ scene, files, brought }: Crowd): Promise<void> {
  const entries = await scene.entries();
  const byVersion = new Map(entries.map((entry) => [entry.versionId, entry]));
  for (const { claims } of brought)
    expect(byVersion.get(claims.versionId), scene.door.name).toMatchObject({
      pathEncoded: claims.pathEncoded,
      sha256: claims.sha256,
    });
  expect(new Set(entries.map((entry) => entry.captureId)).size, scene.door.name).toBe(entries.length);
  const digests = (pairs: readonly (readonly [string, string | null])[]) => Object.fromEntries(pairs);
  expect(entries.length, scene.door.name).toBe(files.length);
  expect(digests(entries.map((entry) => [entry.pathEncoded, entry.sha256])), scene.door.name).toEqual(
    digests(files.map(({ path, bytes }) => [path.toString(), sha256(bytes)])),
  );
}
