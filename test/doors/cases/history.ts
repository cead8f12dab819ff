/** What happened at the client, in the order in which it happened. */
import type { Entry } from "@tributary/shared/protocol.ts";
import { expect } from "vitest";
import type { Case } from "../conformance.ts";
import { type Scene, sha256 } from "../scene.ts";

const [A, B] = [Buffer.from("A"), Buffer.from("B")];
const contents = (entries: readonly Entry[]): unknown[] => entries.map((entry) => entry.sha256);

/** The path's entries in order, how it stood after each of them, and how it stands now. */
async function expectHistory(
  scene: Scene,
  path: Buffer,
  all: readonly (Buffer | undefined)[],
): Promise<void> {
  const digests = all.map((bytes) => (bytes === undefined ? null : sha256(bytes)));
  const entries = await scene.entries(path);
  expect(contents(entries)).toEqual(digests);
  expect(entries.map((entry) => entry.kind)).toEqual(all.map((bytes) => (bytes ? "version" : "removal")));
  const alive = (digest: string | null | undefined): unknown[] => (digest ? [digest] : []);
  expect(contents(await scene.entries(path, "&latest=true"))).toEqual(alive(digests.at(-1)));
  for (const [i, { receivedAt }] of entries.entries()) {
    const asOf = `&asOf=${encodeURIComponent(receivedAt)}`;
    expect(contents(await scene.entries(path, asOf))).toEqual(digests.slice(0, i + 1));
    expect(contents(await scene.entries(path, `${asOf}&latest=true`))).toEqual(alive(digests[i]));
  }
}

export const history: readonly Case[] = [
  {
    name: "history: A, B, A are three versions",
    run: async (scene) => {
      const path = Buffer.from("history/aba");
      for (const bytes of [A, B, A])
        expect((await scene.bring({ path, bytes })).claims.status).toBe("created");
      await expectHistory(scene, path, [A, B, A]);
    },
  },
  {
    name: "history: the same bytes twice are unchanged, and one version",
    run: async (scene) => {
      const path = Buffer.from("history/twice");
      const first = await scene.bring({ path, bytes: A });
      const again = await scene.bring({ path, bytes: A });
      expect(again.claims.versionId).toBe(first.claims.versionId);
      if (scene.door.cannot.repeats === undefined) expect(again.claims.status).toBe("unchanged");
      await expectHistory(scene, path, [A]);
    },
  },
  {
    name: "history: A, its removal, A are three entries",
    needs: ["removals"],
    run: async (scene) => {
      const path = Buffer.from("history/removed");
      await scene.bring({ path, bytes: A });
      const removed = await (await scene.sender()).remove(path);
      expect(removed).toMatchObject({ kind: "receipt" });
      expect(await scene.claimsOf("receipt" in removed ? removed.receipt : "")).toMatchObject({
        ...{ status: "removed", client: scene.client, pathEncoded: "history/removed" },
        ...{ size: null, sha256: null },
      });
      await expectHistory(scene, path, [A, undefined]);
      expect((await scene.bring({ path, bytes: A })).claims.status).toBe("created");
      await expectHistory(scene, path, [A, undefined, A]);
    },
  },
];
