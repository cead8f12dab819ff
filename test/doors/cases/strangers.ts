/** One client is nothing to another: what it has can neither be read nor listed, changed, or guessed from an answer. */
import { randomUUID } from "node:crypto";
import { ROUTE } from "@tributary/shared/protocol.ts";
import { expect } from "vitest";
import type { Answer } from "../../site/caller.ts";
import type { Case } from "../conformance.ts";
import type { Sender } from "../door.ts";
import type { Scene } from "../scene.ts";

const secret = Buffer.from("what A has");

/** The same question with the stranger's own credentials, over a connection of the client that is asked about. */
async function asked(
  scene: Scene,
  by: Sender,
  method: string,
  target: string,
  client?: string,
): Promise<Answer> {
  const authorization = by.authorization(method, target.split("?", 1)[0] as string) as string;
  const headers = { authorization, ...(client === undefined ? {} : { "tributary-client": client }) };
  return await (await scene.reader()).call(method, target, {
    headers,
    ...(method === "PUT" ? { body: secret } : {}),
  });
}

export const strangers: readonly Case[] = [
  {
    name: "another client: cannot read, list or write, and learns nothing from its own files",
    run: async (scene, room) => {
      const file = { path: Buffer.from("strangers/secret"), bytes: secret };
      const { claims } = await scene.bring(file);
      const other = await room("stranger");
      const stranger = await other.sender();
      // Its own file of the same path and bytes is new, and not one that is there already.
      expect((await other.bring(file)).claims.status).toBe("created");
      expect(await other.entries()).toHaveLength(1);
      if (scene.door.cannot.captures === undefined) {
        const same = { ...file, captureId: claims.captureId, bytes: Buffer.from("not what A has") };
        expect((await other.bring(same)).claims.status).toBe("created");
      }
      const strangersOwn = await other.reader();
      const question = `${ROUTE.versions}/${claims.versionId}`;
      const invented = `${ROUTE.versions}/${randomUUID()}`;
      for (const suffix of ["", "/content"]) {
        const answers = await Promise.all(
          [question, invented].map((target) => strangersOwn.call("GET", `${target}${suffix}`)),
        );
        expect(answers.map(withoutIds)).toEqual(
          [answers[1], answers[1]].map((one) => withoutIds(one as Answer)),
        );
        expect(answers[0]).toMatchObject({ status: 404, body: { code: "not-found" } });
      }
      const refused = { status: 403, body: { code: "client-not-allowed" } };
      expect(await strangersOwn.call("GET", `${ROUTE.versions}?client=${scene.client}`)).toMatchObject(
        refused,
      );
      if (stranger.authorization("GET", "/") === undefined) return;
      const write = await asked(
        scene,
        stranger,
        "PUT",
        `${ROUTE.files}/files/strangers/secret`,
        scene.client,
      );
      expect(write).toMatchObject(refused);
      const read = await asked(scene, stranger, "GET", question);
      expect([403, 404]).toContain(read.status);
      expect(JSON.stringify(read.body)).not.toContain(claims.sha256);
      expect(await scene.entries(file.path)).toHaveLength(1);
    },
  },
  {
    name: "another client: is refused when it names the client",
    needs: ["clients"],
    run: async (scene, room) => {
      const other = await room("intruder");
      const file = { path: Buffer.from("strangers/intruded"), bytes: secret, client: scene.client };
      await scene.refused("another client", file, await other.sender());
    },
  },
  {
    name: "another sender of the same client that may only write: does not hear that the bytes are there",
    run: async (scene) => {
      const file = { path: Buffer.from("strangers/colleague"), bytes: secret };
      await scene.bring(file);
      const colleague = await scene.enter();
      expect((await scene.bring(file, colleague)).claims.status).toBe("created");
      const brought = (await scene.entries(file.path)).map((entry) => entry.agentId);
      expect(brought).toEqual([(await scene.sender()).bearer, colleague.bearer]);
    },
  },
];

/** What tells two answers apart by right: the ids of question and request. */
function withoutIds({ status, body }: Answer): unknown {
  const { requestId: _, detail, ...rest } = body;
  return { status, ...rest, detail: String(detail).replace(/"[^"]*"/, '"…"') };
}
