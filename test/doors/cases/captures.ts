/** A capture is one id: it comes again with the content that it had, or not at all. */
import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import type { Case } from "../conformance.ts";
import type { Outcome } from "../door.ts";

const needs = ["captures"] as const;
const [A, B] = [Buffer.from("A"), Buffer.from("B")];

export const captures: readonly Case[] = [
  {
    name: "captures: the same id with the same content is the very same receipt, whatever came since",
    needs,
    run: async (scene) => {
      const first = { path: Buffer.from("captures/again"), bytes: A, captureId: randomUUID() };
      const { receipt } = await scene.bring(first);
      expect((await scene.bring(first)).receipt).toBe(receipt);
      await scene.bring({ ...first, bytes: B, captureId: randomUUID() });
      expect((await scene.bring(first)).receipt).toBe(receipt);
      expect(await scene.entries(first.path)).toHaveLength(2);
    },
  },
  {
    name: "captures: one that was unchanged stays so",
    needs,
    run: async (scene) => {
      const first = { path: Buffer.from("captures/unchanged"), bytes: A, captureId: randomUUID() };
      await scene.bring(first);
      const second = { ...first, captureId: randomUUID() };
      const { receipt, claims } = await scene.bring(second);
      expect(claims.status).toBe("unchanged");
      await scene.bring({ ...first, bytes: B, captureId: randomUUID() });
      expect((await scene.bring(second)).receipt).toBe(receipt);
      expect(await scene.entries(first.path)).toHaveLength(2);
    },
  },
  {
    name: "captures: the same id with other content, or of another path, is refused",
    needs,
    run: async (scene) => {
      const first = { path: Buffer.from("captures/conflict"), bytes: A, captureId: randomUUID() };
      await scene.bring(first);
      await scene.refused("a captureId of other content", { ...first, bytes: B });
      await scene.refused("a captureId of other content", { ...first, path: Buffer.from("captures/other") });
    },
  },
  {
    name: "captures: the same id twice at once is one version, and the same receipt",
    needs,
    run: async (scene) => {
      const file = { path: Buffer.from("captures/at-once"), bytes: A, captureId: randomUUID() };
      const sender = await scene.sender();
      const outcomes = (await Promise.all([sender.send([file]), sender.send([file])])).flat();
      const [one, two] = await Promise.all(
        outcomes.map((outcome: Outcome) => scene.delivered(file, outcome, sender)),
      );
      expect(one?.receipt).toBe(two?.receipt);
      expect(await scene.entries(file.path)).toHaveLength(1);
    },
  },
];
