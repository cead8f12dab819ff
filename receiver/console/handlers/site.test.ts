/** Quarantine by the page: who sent what is held, what it becomes, and what is in the way. */
import { createHash } from "node:crypto";
import { formatDigest } from "@tributary/shared/digest.ts";
import { uuidv7 } from "@tributary/shared/uuid.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { clamd } from "../../inspection/clamd.ts";
import { EICAR, type FakeClamd, fakeClamd } from "../../inspection/fake-clamd.ts";
import { type ConsoleScene, startConsole, type Visitor } from "../scene.ts";

let fake: FakeClamd;
let scene: ConsoleScene;
let operator: Visitor;
let admin: Visitor;

beforeAll(async () => {
  fake = await fakeClamd();
  scene = await startConsole({
    settings: { inspect: { clamd: "127.0.0.1:1" } },
    inspector: clamd({ address: fake.address, largest: 1_000_000, sessions: 4, withinMs: 2000 }),
  });
  await scene.add("op@example.com", { role: "operator" });
  await scene.add("root@example.com", { role: "admin" });
  operator = await scene.login("op@example.com");
  admin = await scene.login("root@example.com");
});
afterAll(async () => {
  await scene.stop();
  await fake.stop();
});

const put = async (path: string, bytes: string): Promise<void> => {
  const digest = createHash("sha256").update(bytes).digest("hex");
  const headers = {
    ...{ authorization: "Bearer agent", "idempotency-key": uuidv7() },
    "repr-digest": formatDigest(digest),
  };
  await scene.rig.ask("PUT", `/v1/files/pos/${path}`, headers, Buffer.from(bytes));
};
const held = async (query = ""): Promise<Record<string, unknown>[]> =>
  (await operator.ask("GET", `/api/quarantine${query}`)).json["items"] as Record<string, unknown>[];

test("a release over something newer is refused with a code of its own, and done when it is meant", async () => {
  await put("day.csv", EICAR);
  await put("day.csv", "clean");
  const [file] = await held();
  expect(file).toMatchObject({ path: "day.csv", state: "held", sender: { kind: "gone", id: "agent" } });
  const release = (more = {}) =>
    operator.ask("POST", `/api/quarantine/${file?.["id"]}/release`, { reason: "a false alarm", ...more });
  const refused = await release();
  expect([refused.status, refused.json["code"]]).toEqual([409, "path-newer"]);
  expect((await release({ reason: "  " })).status).toBe(400);
  expect((await release({ overNewer: true })).json).toEqual({
    ...{ status: "created", versionId: file?.["id"] },
  });
  expect((await release({ overNewer: true })).status).toBe(404);
  expect(await held()).toEqual([]);
  expect(await held("?all=true")).toMatchObject([
    { state: "released", releasedBy: "op@example.com", reason: "a false alarm" },
  ]);
});

test("discarding takes an administrator, and says what became of it", async () => {
  await put("virus.csv", EICAR);
  const [file] = await held();
  const discard = (who: Visitor) =>
    who.ask("POST", `/api/quarantine/${file?.["id"]}/discard`, { reason: "a virus" });
  expect((await discard(operator)).status).toBe(403);
  expect((await discard(admin)).status).toBe(200);
  expect(await held(`?client=${file?.["client"]}`)).toEqual([]);
  expect((await held("?all=true"))[0]).toMatchObject({ state: "discarded", discardedBy: "root@example.com" });
});
