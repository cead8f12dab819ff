import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { DIAGNOSTICS } from "@tributary/shared/protocol.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askAgent } from "../fleet/commands.ts";
import { getDiagnostics, listDiagnostics, takeDiagnosticsOf } from "../fleet/diagnostics.ts";
import { type Rig, startRig } from "../rig.ts";
import { diagnosticsDoor } from "./diagnostics.ts";

let rig: Rig;
beforeAll(async () => {
  rig = await startRig({
    doors: ({ database, gate }) => [diagnosticsDoor(gate, takeDiagnosticsOf(database.db))],
  });
  await rig.database.db
    .insertInto("agents")
    .values({
      ...{ id: "agent", name: "till", public_key: "k", state: "active", created_at: 1, host: "h" },
      ...{ platform: "linux", version: "1", nonce: null, nonce_previous: null, last_seen_at: null },
      status: null,
    })
    .execute();
});
afterAll(() => rig.stop());

const post = async (query: string, body: Buffer, headers: Record<string, string> = {}) =>
  await rig.ask("POST", `/v1/diagnostics${query}`, { authorization: "Bearer agent", ...headers }, body);
const asked = async (): Promise<string> =>
  (await askAgent(rig.database.db, { agentId: "agent", kind: "diagnostics", by: "anna" })).id;

test("what was asked for is kept, byte for byte", async () => {
  const body = gzipSync('{"a":1}');
  const { status, json } = await post(`?command=${await asked()}`, body);
  expect(status).toBe(200);
  expect((await getDiagnostics(rig.database.db, String(json["id"])))?.body).toEqual(body);
});

test("without the command, too large, encoded, or from a key it is refused, and nothing is kept", async () => {
  const { db } = rig.database;
  const before = await listDiagnostics(db, "agent");
  const id = await asked();
  const code = async (answer: Awaited<ReturnType<typeof post>>) => [answer.status, answer.json["code"]];
  const small = gzipSync("{}");
  expect(await code(await post("", small))).toEqual([400, "request-invalid"]);
  expect(await code(await post("?command=x", small))).toEqual([400, "request-invalid"]);
  expect(await code(await post(`?command=${id}`, randomBytes(DIAGNOSTICS.most + 1)))).toEqual([
    413,
    "body-too-large",
  ]);
  expect(await code(await post(`?command=${id}`, small, { "content-encoding": "gzip" }))).toEqual([
    415,
    "content-encoding-refused",
  ]);
  expect(await code(await post(`?command=${id}`, small, { authorization: "Bearer reader" }))).toEqual([
    403,
    "forbidden",
  ]);
  expect(await code(await post(`?command=${id}`, small, { authorization: "Bearer nobody" }))).toEqual([
    401,
    "unauthenticated",
  ]);
  expect(await listDiagnostics(db, "agent")).toEqual(before);
});
