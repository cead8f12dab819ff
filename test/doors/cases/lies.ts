/** What is declared of a file is compared, never believed; and whoever lied once may tell the truth the next time. */
import { expect } from "vitest";
import type { Case } from "../conformance.ts";
import type { Sending } from "../door.ts";
import { type Scene, sha256 } from "../scene.ts";
import type { Sin } from "../sins.ts";

const bytes = Buffer.from("ten bytes!");

async function lie(scene: Scene, sin: Sin, path: string, declared: Sending["declared"]): Promise<void> {
  const truth = { path: Buffer.from(path), bytes };
  await scene.refused(sin, { ...truth, ...(declared === undefined ? {} : { declared }) });
  expect((await scene.bring(truth)).claims.status).toBe("created");
  expect(await scene.entries(truth.path)).toHaveLength(1);
}

export const lies: readonly Case[] = [
  {
    name: "lies: a wrong digest",
    needs: ["digests"],
    run: (scene) =>
      lie(scene, "a wrong digest", "lies/digest", { sha256: sha256(Buffer.from("ten others")) }),
  },
  {
    name: "lies: the digest of no byte",
    needs: ["digests"],
    run: (scene) => lie(scene, "a wrong digest", "lies/empty", { sha256: sha256(Buffer.alloc(0)) }),
  },
  {
    name: "lies: more bytes declared than come",
    needs: ["sizes"],
    run: (scene) => lie(scene, "fewer bytes than declared", "lies/fewer", { size: bytes.length + 5 }),
  },
  {
    name: "lies: fewer bytes declared than come",
    needs: ["sizes"],
    run: (scene) => lie(scene, "more bytes than declared", "lies/more", { size: bytes.length - 5 }),
  },
];
