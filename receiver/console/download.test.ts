/** A download by a person who may look no longer. */
import { request } from "node:https";
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { signOut } from "../people/sessions.ts";
import { type ConsoleScene, startConsole } from "./scene.ts";

let scene: ConsoleScene;
let id: string;

/** The lake gives a few bytes and then waits, as one does that is slow, or a reader that is. */
const neverAll = (): Readable => {
  const bytes = new Readable({ read: () => {} });
  bytes.push("be");
  return bytes;
};

beforeAll(async () => {
  scene = await startConsole({ wrap: (lake) => ({ ...lake, read: async () => neverAll() }) });
  await scene.add("ada@example.com", { role: "viewer" });
  const headers = { authorization: "Bearer reader", "idempotency-key": "day-1", "tributary-client": "acme" };
  const sent = await scene.rig.ask("PUT", "/v1/files/pos/day.csv", headers, "beginning and end");
  id = String(sent.json["versionId"]);
});
afterAll(() => scene.stop());

test("is cut within 5 s of the end of the session", async () => {
  const ada = await scene.login("ada@example.com");
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  let got = "";
  const sent = request(
    {
      ...{ agent: scene.agent, host: "127.0.0.1", port: scene.port, path: `/api/versions/${id}/content` },
      headers: ada.headers("GET"),
    },
    (incoming) => {
      incoming.on("data", (chunk: Buffer) => {
        got += chunk.toString();
      });
      incoming.on("error", (error: NodeJS.ErrnoException) => resolve(String(error.code)));
      incoming.on("end", () => resolve("end"));
    },
  );
  sent.on("error", (error: NodeJS.ErrnoException) => resolve(String(error.code)));
  sent.end();
  await vi.waitFor(() => expect(got).toBe("be"), 5000);
  const person = await scene.db.selectFrom("people").select("id").executeTakeFirstOrThrow();
  const from = performance.now();
  await signOut(scene.db, person.id);
  expect(await ended).toBe("ECONNRESET");
  expect(performance.now() - from).toBeLessThan(5000);
});
